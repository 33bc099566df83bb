// The canary: everything that identifies the people of a visit, and every place where none of it may be.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { bookingSystem } from './client.mjs';
import { dump } from './proof.mjs';
import { call } from './sandbox.mjs';

/** What identifies the patient and the clinician, read from the sandbox's chart, in the forms in which it could leak. */
export async function canaries(demo) {
  const { token } = await bookingSystem(demo);
  const read = async (reference) => (await call(`${demo.fhir_base}/${reference}`, { headers: { Authorization: `Bearer ${token}`, Accept: 'application/fhir+json' } })).json();
  const patient = await read(demo.links.patient_reference);
  const clinician = await read(demo.user('clinician').practitioner);
  const found = [];
  const add = (what, text) => { if (text && text.length >= 4) found.push({ what, text }); };
  for (const [who, person] of [['patient', patient], ['clinician', clinician]]) {
    for (const name of person.name ?? []) {
      add(`${who} family name`, name.family);
      for (const given of name.given ?? []) add(`${who} given name`, given);
      add(`${who} name`, name.text);
    }
    for (const contact of person.telecom ?? []) add(`${who} ${contact.system}`, contact.value);
    for (const address of person.address ?? []) for (const line of [...(address.line ?? []), address.postalCode]) add(`${who} address`, line);
    for (const id of person.identifier ?? []) add(`${who} identifier`, id.value);
    add(`${who} reference`, `${person.resourceType}/${person.id}`);
  }
  add('patient birth date', patient.birthDate);
  add('patient birth date, compact', patient.birthDate.replaceAll('-', ''));
  return [...found, ...found.flatMap(encodings)];
}

/** The same words as a URL, a hexadecimal dump of bytes, and base64 would show them. */
function encodings({ what, text }) {
  const bytes = Buffer.from(text, 'utf8');
  const forms = [['in a URL', encodeURIComponent(text)], ['in hexadecimal', bytes.toString('hex')], ['in JSON', JSON.stringify(text).slice(1, -1)]];
  if (bytes.length >= 9) forms.push(['in base64', bytes.subarray(0, bytes.length - (bytes.length % 3)).toString('base64')]);
  return forms.filter(([, form]) => form !== text).map(([how, form]) => ({ what: `${what} ${how}`, text: form }));
}

/** Every place that is searched. Only the server's own requests count: what the chart does on its own origin is the EHR's affair. */
export async function places(demo, wire) {
  return [
    ...readdirSync(join(demo.data, 'logs')).filter((f) => f.startsWith('televisit')).map((f) => ({ name: `log ${f}`, text: readFileSync(join(demo.data, 'logs', f), 'utf8') })),
    { name: 'standard error', text: demo.errors(), mayBeEmpty: true },
    { name: 'request URLs', text: wire.urls.filter((u) => u.includes(new URL(demo.origin).host)).join('\n') },
    { name: 'signalling frames', text: wire.frames.join('\n') },
    { name: 'metrics', text: await fetchText(demo.metrics_url) },
    { name: 'object keys and file names', text: walk(join(demo.data, 'store')).concat(walk(join(demo.data, 'spool'))).join('\n') },
    { name: 'a dump of the database, jobs included', text: await dump(demo) },
  ];
}

function walk(dir) {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    return statSync(path).isDirectory() ? walk(path) : [path];
  });
}

const fetchText = (url) => new Promise((done, fail) => {
  get(url, (res) => {
    let text = '';
    res.setEncoding('utf8').on('data', (chunk) => { text += chunk; }).on('end', () => done(text));
  }).on('error', fail);
});
