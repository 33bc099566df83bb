// The server is killed three times: in a recorded call, and twice while it writes to the EHR. Nothing is lost but a moment,
// nothing is written twice, and the people in the call need do nothing.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { newWire, openBrowser, openContext, until } from './lib/browser.mjs';
import { startDemo } from './lib/demo.mjs';
import { probe } from './lib/media.mjs';
import { checkAndWait, launch, openChart, openLink, seesAndHears } from './lib/people.mjs';
import { alive, descendants } from './lib/processes.mjs';
import { query, verifyAudit } from './lib/proof.mjs';
import { resources, sandbox } from './lib/sandbox.mjs';

const draft = { s: 'Sleeps through the night again.', o: 'No swelling.', a: 'Recovering well.', p: 'Walk daily; again in two weeks.' };
const afterthought = ' And call us if it swells.';
// Seconds: recorded before the server is killed and after it is back, and what of it may be lost.
const recordedBefore = 8;
const recordedAfter = 5;
const mayBeLost = 2;

describe('the server is killed', { concurrency: false }, () => {
  const wires = { clinician: newWire(), patient: newWire() };
  const browsers = [];
  let demo, workspace, patient, visit, recording, recordingSince, killedAt;

  before(async () => {
    demo = await startDemo();
    visit = demo.links.visit;
    browsers.push(await openBrowser(), await openBrowser());
    const chart = await openChart(demo, await openContext(browsers[0], { wire: wires.clinician }));
    patient = await openLink(await openContext(browsers[1], { phone: true, wire: wires.patient }), demo.links.patient, demo.links.patient_birth_date);
    await checkAndWait(patient);
    workspace = await launch(demo, chart, demo.links.patient_reference.split('/')[1], demo.links.appointment.split('/')[1]);
  });

  after(async () => {
    await Promise.all(browsers.map((b) => b.close()));
    await demo?.stop();
  });

  test('a call runs and is recorded, and the note is saved as it is typed', async () => {
    await workspace.getByTestId('ws-start').click();
    await seesAndHears(workspace, 'clinician');
    await seesAndHears(patient, 'patient');
    await workspace.getByTestId('ws-record').click();
    for (const page of [workspace, patient]) await page.getByTestId('rec-mark').waitFor({ state: 'visible' });
    recordingSince = Date.now();
    for (const [part, text] of Object.entries(draft)) await workspace.getByTestId(`note-${part}`).fill(text);
    await until('the note is saved', () => workspace.locator('[data-note-state=saved]').count());
    await workspace.waitForTimeout(Math.max(0, recordedBefore * 1000 - (Date.now() - recordingSince)));
  });

  test('when it is killed, nothing that it started is left running', async () => {
    const started = descendants(demo.pid);
    for (const name of ['postgres', 'televisit-dev']) assert.ok(started.some((p) => p.name === name), `${name} was running`);
    killedAt = Date.now();
    await demo.kill();
    await until('everything that it started has ended', () => started.every((p) => !alive(p)));
  });

  test('it comes back at the same addresses, and the booking, the draft and the open call are there', async () => {
    const { origin, sandbox_origin: chart } = demo;
    await typeOn(workspace, 'note-p', afterthought); // while nobody listens
    await restart();
    assert.deepEqual({ origin: demo.origin, chart: demo.sandbox_origin }, { origin, chart });
    const row = await query(demo, `select stage || ' ' || recording || ' ' || note from visit where id = '${visit}'`);
    assert.equal(row, 'in-call running draft');
  });

  test('the open pages return to the same call by themselves, and it is recorded on', async () => {
    for (const [page, who] of [[workspace, 'clinician'], [patient, 'patient']]) {
      await until(`the ${who} is in the call again`, async () => (await facts(page)).call === 'live', { timeout: 30_000 });
    }
    await seesAndHears(workspace, 'clinician again');
    await seesAndHears(patient, 'patient again');
    for (const [who, wire] of Object.entries(wires)) {
      const seats = new Set(welcomes(wire).map((w) => `${w.room} ${w.peer}`));
      assert.equal(seats.size, 1, `the ${who} is who they were, where they were`);
      assert.ok(welcomes(wire).length >= 2, `the ${who} was let in again`);
    }
    for (const page of [workspace, patient]) {
      await page.getByTestId('rec-mark').waitFor({ state: 'visible' });
      assert.equal((await facts(page)).muted, false);
      await page.getByTestId('call-overlay').waitFor({ state: 'hidden' });
    }
    assert.equal(await query(demo, `select count(*) from visit where id = '${visit}' and stage = 'in-call'`), '1');
    assert.equal(await query(demo, `select count(*) from recording where visit_id = '${visit}'`), '1');
    await workspace.waitForTimeout(recordedAfter * 1000);
  });

  test('the note keeps what was saved before, and what was typed while the server was away', async () => {
    await until('the note is saved again', () => workspace.locator('[data-note-state=saved]').count());
    const answer = await workspace.request.get(`${demo.origin}/visits/${visit}/note`, { headers: { Accept: 'application/json' } });
    const kept = await answer.json();
    assert.equal(kept.subjective, draft.s);
    assert.equal(kept.plan, `${draft.p}${afterthought}`);
  });

  test('killed again while the recording is put together and the encounter is on its way to an EHR that has not begun with it', async () => {
    await sandbox(demo).fault({ kind: 'slow', match: 'Encounter', times: -1, delay_ms: 120_000 });
    await workspace.getByTestId('ws-end').click();
    await patient.getByTestId('after').waitFor({ state: 'visible' });
    await workspace.getByTestId('review').click();
    await workspace.getByTestId('sign').click();
    await until('the encounter is on its way', async () => (await states()).encounter === 'sent', { timeout: 40_000 });
    await demo.kill();
    await restart();
    assert.equal((await sandbox(demo).received('Encounter')).length, 0);
  });

  test('and again when the EHR has both documents, and did not say so', async () => {
    // Armed in time: the encounter, which goes first, is given back only when its worker has been silent for seconds.
    await sandbox(demo).fault({ kind: 'commit_then_timeout', match: 'DocumentReference', times: -1, delay_ms: 120_000 });
    await until('the EHR has both documents, and has answered for the encounter alone', async () => {
      const { encounter, note, recording: reference } = await states();
      return encounter === 'accepted' && note === 'sent' && reference === 'sent' && (await sandbox(demo).received('DocumentReference')).length === 2;
    }, { timeout: 120_000 });
    await demo.kill();
    await restart();
    await until('everything is in the EHR', async () => Object.values(await states()).join() === 'accepted,accepted,accepted', { timeout: 60_000 });
  });

  test('Encounter, note and recording are in the EHR exactly once each, and the clinician sees that', async () => {
    const encounters = resources(await sandbox(demo).received('Encounter'));
    const documents = resources(await sandbox(demo).received('DocumentReference'));
    const mine = (await query(demo, `select 'urn:uuid:' || id from delivery where visit_id = '${visit}' and kind in ('encounter', 'note', 'recording')`)).split('\n');
    const written = [...encounters, ...documents].map((r) => r.resource.identifier.find((i) => i.system === 'urn:ietf:rfc:3986').value);
    assert.deepEqual(written.toSorted(), mine.toSorted());
    recording = await query(demo, `select id from recording where visit_id = '${visit}'`);
    const references = documents.filter((d) => d.resource.content[0].attachment.url === `${demo.origin}/recordings/${recording}`);
    assert.equal(references.length, 1);
    const [note] = documents.filter((d) => d !== references[0]);
    assert.ok(Buffer.from(note.resource.content[0].attachment.data, 'base64').toString('utf8').includes(`${draft.p}${afterthought}`));
    await until('the page says so', async () => {
      const shown = await workspace.getByTestId('delivery-state').allInnerTexts();
      return shown.length === 3 && shown.every((s) => s.trim() === 'in the EHR');
    });
  });

  test('the recording plays, and lacks no more than the time without a server and two seconds', async (t) => {
    const answer = await workspace.request.get(`${demo.origin}/recordings/${recording}/media`);
    assert.equal(answer.status(), 200);
    const bytes = await answer.body();
    const found = probe(bytes);
    assert.ok(found.frames > 100 && found.audioPackets > 200 && found.loudness > -60, JSON.stringify(found));
    const before = (killedAt - recordingSince) / 1000;
    assert.ok(found.seconds >= before - mayBeLost + recordedAfter, `${found.seconds} s`);
    for (const [side, still] of Object.entries(standstills(bytes))) {
      t.diagnostic(`${side}: ${found.seconds} s, recorded ${before} s before the kill, stands still ${JSON.stringify(still)}`);
      const { start, end } = still[0] ?? { start: Infinity, end: 0 }; // a quick machine is back before it shows
      assert.ok(start >= before - mayBeLost, `the ${side} picture goes on until ${start} s of ${before} s`);
      assert.ok(end < found.seconds - 1, `the ${side} picture goes on after it: ${end} s of ${found.seconds} s`);
    }
  });

  test('the trail tells all of it, and verifies', async () => {
    const count = (action) => query(demo, `select count(*) from audit_event where action = '${action}' and visit_id = '${visit}' and outcome = 'success'`).then(Number);
    const expected = { 'visit.booked': 1, 'visit.started': 1, 'room.joined': 4, 'recording.started': 1, 'recording.stored': 1, 'visit.ended': 1,
      'note.signed': 1, 'delivery.accepted': 3 };
    for (const [action, times] of Object.entries(expected)) assert.equal(await count(action), times, action);
    await until('the last events are sealed', async () =>
      (await query(demo, 'select count(*) from audit_event e where not exists (select from audit_leaf l where l.event_id = e.id)')) === '0');
    const proof = await verifyAudit(demo);
    assert.equal(proof.code, 0, proof.text);
  });

  test('no page had a script error', () => assert.deepEqual(Object.values(wires).flatMap((w) => w.errors), []));

  async function restart() {
    demo = await startDemo({ data: demo.dir });
  }

  /** The state of each delivery of the visit, in the order of the EHR's needs. */
  const states = async () => Object.fromEntries((await query(demo, `select kind || ' ' || state from delivery
    where visit_id = '${visit}' and kind in ('encounter', 'note', 'recording') order by kind`)).split('\n').map((row) => row.split(' ')));
});

const facts = (page) => page.evaluate(() => window.__televisit.state());

const welcomes = (wire) => wire.frames.map(parse).filter((m) => m?.t === 'welcome');

function parse(frame) {
  try {
    return JSON.parse(frame);
  } catch {
    return undefined;
  }
}

/** When each half of the picture stands still for long, in seconds. */
function standstills(bytes) {
  const dir = mkdtempSync(join(tmpdir(), 'televisit-still-'));
  try {
    const file = join(dir, 'recording');
    writeFileSync(file, bytes);
    return { left: standstill(file, '0'), right: standstill(file, 'iw/2') };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function standstill(file, x) {
  const filter = `crop=iw/2:ih:${x}:0,freezedetect=n=-50dB:d=1.5,metadata=print:file=-`;
  const said = execFileSync('ffmpeg', ['-v', 'error', '-i', file, '-map', '0:v:0', '-vf', filter, '-f', 'null', '-'], { maxBuffer: 64 << 20 }).toString();
  const times = (name) => [...said.matchAll(new RegExp(`freeze_${name}=([\\d.]+)`, 'g'))].map((m) => Number(m[1]));
  const ends = times('end');
  return times('start').map((start, i) => ({ start, end: ends[i] ?? Infinity }));
}

async function typeOn(page, field, text) {
  await page.getByTestId(field).focus();
  await page.keyboard.press('Control+End');
  await page.keyboard.type(text);
}
