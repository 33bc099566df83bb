// Other programs that talk to the server: a booking system over the FHIR API, a search of the audit trail, a bare
// WebSocket. Node's own modules only.
import { createHash, createPrivateKey, randomBytes, randomUUID, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';

import { call } from './sandbox.mjs';

const base64url = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A client assertion as SMART asks for it (RFC 7523, ES384). `claims` and `header` replace single values. */
export function clientAssertion(client, { claims = {}, header = {}, key = client.key } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const head = { alg: 'ES384', typ: 'JWT', kid: client.key.kid, ...header };
  const body = { iss: client.client_id, sub: client.client_id, aud: client.token_url, iat: now, exp: now + 240, jti: randomUUID(), ...claims };
  const text = `${base64url(head)}.${base64url(body)}`;
  const signature = sign('sha384', Buffer.from(text), { key: createPrivateKey({ key, format: 'jwk' }), dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

/** Asks for a token by client_credentials; gives the answer as it is. */
export function requestToken(client, { scope = client.scopes, ...assertion } = {}) {
  return call(client.token_url, {
    method: 'POST', headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      grant_type: 'client_credentials', scope, client_assertion: clientAssertion(client, assertion),
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    }).toString(),
  });
}

/** The demonstration's booking system, signed in. `request` sends its token; a body that is no text is sent as JSON. */
export async function bookingSystem(demo) {
  const client = { ...demo.api_client, key: JSON.parse(readFileSync(demo.api_client.key_file, 'utf8')) };
  const answer = await requestToken(client);
  if (answer.status !== 200) throw new Error(`no token: ${answer.status} ${answer.text}`);
  const { access_token: token } = answer.json();
  const send = (base) => (method, path, { headers = {}, body } = {}) => call(base + path, {
    method, headers: { Authorization: `Bearer ${token}`, Accept: 'application/fhir+json', ...(body === undefined ? {} : { 'Content-Type': 'application/fhir+json' }), ...headers },
    body: body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
  });
  return { client, token, request: send(`${demo.origin}/fhir`), atEHR: send(demo.fhir_base) };
}

/** All resources of a type that the sandbox EHR shows to the booking system. */
export async function chartOf(system, type) {
  const answer = await system.atEHR('GET', `/${type}?_count=200`);
  if (answer.status !== 200) throw new Error(`the EHR answered ${answer.status} to a search for ${type}`);
  return (answer.json().entry ?? []).map((entry) => entry.resource);
}

/** What would identify a patient or a clinician of the demonstration, wherever it is found. */
export async function identifying(system) {
  const values = new Set();
  for (const type of ['Patient', 'Practitioner']) {
    for (const { name = [], identifier = [], telecom = [], birthDate } of await chartOf(system, type)) {
      for (const n of name) for (const v of [n.text, n.family, ...(n.given ?? [])]) values.add(v);
      for (const { value } of [...identifier, ...telecom]) values.add(value);
      values.add(birthDate);
    }
  }
  values.delete(undefined);
  return [...values].filter((v) => v.length > 2);
}

/** Those of `values` that stand in `text` as words of their own, whatever their case. */
export function foundIn(text, values) {
  const letter = '[\\p{L}\\p{N}]';
  return values.filter((v) => new RegExp(`(?<!${letter})${v.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?!${letter})`, 'iu').test(text));
}

/** The rows that the audit page shows for a request's id (or an id of a visit, a patient, a person), newest first. */
export function trailOf(auditPage, q) {
  return auditPage.evaluate(async (text) => {
    const form = new URLSearchParams({ csrf: document.querySelector('input[name=csrf]').value, q: text });
    const answer = await fetch('/audit', { method: 'POST', body: form });
    if (!answer.ok) throw new Error(`the audit page answered ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    return [...page.querySelectorAll('table.trail tbody tr')].map((row) => {
      const what = row.cells[2];
      return {
        id: row.querySelector('a').getAttribute('href').split('/').pop(), action: what.querySelector('code').textContent,
        code: what.querySelector('span')?.textContent ?? '', outcome: row.cells[5].textContent.trim().toLowerCase(),
        from: row.cells[4].textContent.trim(), text: row.innerText,
      };
    });
  }, q);
}

/** A WebSocket without a browser (RFC 6455): `status` of the handshake, then `send`, `next` (a message or {closed}). */
export async function openSocket(url, { origin } = {}) {
  const { hostname, port, pathname, host } = new URL(url);
  const socket = connect({ host: '127.0.0.1', port, servername: hostname, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
  const received = inbox(socket);
  const key = randomBytes(16).toString('base64');
  socket.write([`GET ${pathname} HTTP/1.1`, `Host: ${host}`, 'Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Key: ${key}`,
    'Sec-WebSocket-Version: 13', ...(origin ? [`Origin: ${origin}`] : []), '', ''].join('\r\n'));
  const head = (await received.until('\r\n\r\n')).toString('latin1');
  const status = Number(head.split(' ')[1]);
  const headers = Object.fromEntries(head.split('\r\n').slice(1).map((line) => line.split(/:\s*/)).filter(([n]) => n).map(([n, ...v]) => [n.toLowerCase(), v.join(':')]));
  if (status !== 101) {
    const text = (await received.take(Number(headers['content-length'] ?? 0))).toString('utf8');
    socket.destroy();
    return { status, headers, text };
  }
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  if (headers['sec-websocket-accept'] !== accept) throw new Error('the handshake was not answered by a WebSocket server');
  return {
    status, headers,
    send: (message) => socket.write(clientFrame(1, Buffer.from(typeof message === 'string' ? message : JSON.stringify(message)))),
    next: () => nextMessage(socket, received),
    end: () => socket.destroy(),
  };
}

/** Collects what arrives, and hands it out in the portions that a protocol asks for. */
function inbox(socket) {
  let held = Buffer.alloc(0);
  let over;
  let wake = () => {};
  socket.on('data', (chunk) => { held = Buffer.concat([held, chunk]); wake(); });
  for (const event of ['error', 'close']) socket.on(event, (error) => { over ??= error instanceof Error ? error : new Error('the connection was closed'); wake(); });
  const portion = async (length) => {
    for (;;) {
      const n = length(held);
      if (n >= 0 && held.length >= n) {
        const taken = held.subarray(0, n);
        held = held.subarray(n);
        return taken;
      }
      if (over) throw over;
      await new Promise((resolve) => { wake = resolve; });
    }
  };
  return {
    take: (n) => portion(() => n),
    until: (mark) => portion((have) => { const at = have.indexOf(mark); return at < 0 ? -1 : at + mark.length; }),
  };
}

function clientFrame(opcode, payload) {
  const mask = randomBytes(4);
  const length = payload.length < 126 ? Buffer.from([0x80 | payload.length]) : Buffer.from([0x80 | 126, payload.length >> 8, payload.length & 255]);
  return Buffer.concat([Buffer.from([0x80 | opcode]), length, mask, payload.map((byte, i) => byte ^ mask[i % 4])]);
}

async function nextMessage(socket, received) {
  for (;;) {
    const [first, second] = await received.take(2);
    let length = second & 127;
    if (length === 126) length = (await received.take(2)).readUInt16BE();
    else if (length === 127) length = Number((await received.take(8)).readBigUInt64BE());
    const payload = await received.take(length);
    switch (first & 15) {
      case 1: return JSON.parse(payload.toString('utf8'));
      case 8:
        socket.end(clientFrame(8, payload));
        return { closed: payload.length >= 2 ? payload.readUInt16BE() : 1005, reason: payload.subarray(2).toString('utf8') };
      case 9: socket.write(clientFrame(10, payload)); break;
      default: break;
    }
  }
}
