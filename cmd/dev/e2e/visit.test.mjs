// A whole visit in two real browsers, the patient's forced through the TURN relay: launch, call, recording, note,
// signature, write-back, playback. Then the proof: audit, canary, validity.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startDemo } from './lib/demo.mjs';
import { newWire, openBrowser, openContext, until } from './lib/browser.mjs';
import { checkAndWait, launch, mediaStats, openChart, openLink, seesAndHears, signIn } from './lib/people.mjs';
import { resources, sandbox } from './lib/sandbox.mjs';
import { query, verifyAudit } from './lib/proof.mjs';
import { probe } from './lib/media.mjs';
import { canaries, places } from './lib/canary.mjs';
import { bin } from './lib/programs.mjs';
import { accessible } from './lib/axe.mjs';

const relayOnly = `{
  const Real = RTCPeerConnection;
  window.RTCPeerConnection = class extends Real {
    constructor(config = {}) { super({ ...config, iceTransportPolicy: 'relay' }); }
    setConfiguration(config) { super.setConfiguration({ ...config, iceTransportPolicy: 'relay' }); }
  };
}`;

const note = { s: 'Feels better since the new dose.', o: 'Home readings 128/82.', a: 'Hypertension, controlled.', p: 'Continue; again in three months.' };

describe('a visit from the chart to the chart', { concurrency: false }, () => {
  const wire = newWire();
  const browsers = [];
  let demo, chart, workspace, patient, visit, recording;

  before(async () => {
    demo = await startDemo();
    const [clinicians, patients] = [await openBrowser(), await openBrowser()];
    browsers.push(clinicians, patients);
    visit = demo.links.visit;
    chart = await openChart(demo, await openContext(clinicians, { wire }));
    patient = await openLink(await openContext(patients, { phone: true, wire, initScript: relayOnly }), demo.links.patient, demo.links.patient_birth_date);
  });

  after(async () => {
    await Promise.all(browsers.map((b) => b.close()));
    await demo?.stop();
  });

  test('the patient checks the devices, consents and waits, seeing the clinician and the expected wait', async () => {
    await checkAndWait(patient);
    assert.match(await patient.getByTestId('waiting').innerText(), /Osei/);
    assert.match(await patient.getByTestId('waiting-expected').innerText(), /\S/);
    await accessible(patient, 'the waiting room');
  });

  test('the clinician launches from the chart and sees who waits', async () => {
    workspace = await launch(demo, chart, demo.links.patient_reference.split('/')[1], demo.links.appointment.split('/')[1]);
    assert.equal(new URL(workspace.url()).pathname, `/visits/${visit}`);
    assert.ok((await workspace.getByTestId('ws-patient').innerText()).includes(demo.links.patient_name));
    await until('the workspace says that the patient waits', async () => /waiting/i.test(await workspace.locator('header', { has: workspace.getByTestId('ws-patient') }).first().innerText()));
  });

  test('the two see and hear each other, the patient through the relay', async () => {
    await workspace.getByTestId('ws-start').click();
    await seesAndHears(workspace, 'clinician');
    await seesAndHears(patient, 'patient');
    assert.equal((await mediaStats(patient)).route, 'relay');
    await accessible(workspace, 'the workspace in a call');
    await accessible(patient, 'the patient in a call');
  });

  test('muting silences, and a camera that is off sends no picture', async () => {
    await patient.getByTestId('btn-mic').click();
    await patient.getByTestId('btn-cam').click();
    await until('the clinician hears nothing', async () => {
      const a = await mediaStats(workspace);
      await workspace.waitForTimeout(800);
      const b = await mediaStats(workspace);
      return b.audioEnergy - a.audioEnergy < 0.001 && b.framesDecoded - a.framesDecoded < 5;
    });
    await patient.getByTestId('btn-mic').click();
    await patient.getByTestId('btn-cam').click();
    await seesAndHears(workspace, 'clinician again');
  });

  test('a shared screen arrives, and goes', async () => {
    const pictures = () => patient.evaluate(() => [...document.querySelectorAll('video')].filter((v) => v.srcObject && v.videoWidth > 0 && !v.closest('[hidden]')).length);
    const before = await pictures();
    await workspace.getByTestId('btn-share').click();
    await until('the patient sees one picture more', async () => (await pictures()) > before);
    await workspace.getByTestId('btn-share').click();
    await until('it is gone again', async () => (await pictures()) <= before);
  });

  test('recording runs with consent and is shown to both', async () => {
    await workspace.getByTestId('ws-record').click();
    for (const page of [workspace, patient]) await page.getByTestId('rec-mark').waitFor({ state: 'visible' });
    await workspace.waitForTimeout(6000);
  });

  test('the note is written beside the video and saves itself', async () => {
    for (const [part, text] of Object.entries(note)) await workspace.getByTestId(`note-${part}`).fill(text);
    await until('the note is saved', async () => /\d/.test(await workspace.getByTestId('note-saved').innerText()));
  });

  test('End for all ends the call for both', async () => {
    await workspace.getByTestId('ws-end').click();
    await patient.getByTestId('after').waitFor({ state: 'visible' });
    await until('the visit is over', async () => (await query(demo, `select stage from visit where id = '${visit}'`)) === 'ended');
  });

  test('what is reviewed is signed, and reaches the chart', async () => {
    await workspace.getByTestId('review').click();
    await workspace.getByTestId('sign').waitFor();
    assert.ok((await workspace.getByTestId('review-note').innerText()).includes(note.a));
    await accessible(workspace, 'the review');
    await workspace.getByTestId('sign').click();
    await until('encounter, note and recording are in the EHR', async () => {
      const states = await workspace.getByTestId('delivery-state').allInnerTexts();
      return states.length >= 3 && states.every((s) => s.trim() === 'in the EHR');
    }, { timeout: 90_000 });
    await workspace.goto(`${demo.origin}/worklist`);
    assert.ok(await workspace.getByText('In the EHR', { exact: true }).count() > 0, 'the worklist says so');
    await accessible(workspace, 'the worklist');
  });

  test('Encounter, note and recording reference are in the sandbox, once each, and show in its chart', async () => {
    const encounters = resources(await sandbox(demo).received('Encounter'));
    const documents = resources(await sandbox(demo).received('DocumentReference'));
    assert.equal(encounters.length, 1);
    assert.equal(documents.length, 2);
    const { resource: encounter } = encounters[0];
    assert.equal(encounter.class.code, 'VR');
    assert.equal(encounter.status, 'finished');
    assert.ok(encounter.period.start < encounter.period.end);
    assert.ok(encounter.participant.length >= 1 && encounter.participant.every((p) => p.period?.start));
    const signed = documents.find((d) => d.resource.type.coding?.some((c) => c.system === 'http://loinc.org')).resource;
    const text = Buffer.from(signed.content[0].attachment.data, 'base64').toString('utf8');
    for (const part of Object.values(note)) assert.ok(text.includes(part), part);
    recording = await query(demo, `select id from recording where visit_id = '${visit}'`);
    const reference = documents.find((d) => d.resource !== signed).resource;
    assert.equal(reference.content[0].attachment.url, `${demo.origin}/recordings/${recording}`);
    await chart.goto(`${demo.sandbox_origin}/${demo.links.patient_reference.replace('Patient', 'patients')}`);
    for (const d of documents) await chart.getByTestId(`document-${d.id}`).waitFor();
    await chart.getByTestId(`document-${documents.find((d) => d.resource === signed).id}`).locator('a').first().click();
    assert.ok((await chart.getByTestId('attachment-text-0').innerText()).includes(note.p));
  });

  test('the stored recording has pictures and sound of both', async () => {
    const media = await workspace.request.get(`${demo.origin}/recordings/${recording}/media`);
    assert.equal(media.status(), 200);
    const found = probe(await media.body());
    assert.ok(found.frames > 60, `${found.frames} frames`);
    assert.ok(found.audioPackets > 100, `${found.audioPackets} audio packets`);
    assert.ok(found.seconds > 5, `${found.seconds} s`);
    assert.ok(found.loudness > -60, `mean volume ${found.loudness} dB`);
  });

  test('it plays in the clinician\'s browser, in ranges', async () => {
    const range = await workspace.request.get(`${demo.origin}/recordings/${recording}/media`, { headers: { Range: 'bytes=100-199' } });
    assert.equal(range.status(), 206);
    assert.equal((await range.body()).length, 100);
    await workspace.goto(`${demo.origin}/recordings/${recording}`);
    await until('the recording plays', () => workspace.evaluate(async () => {
      const video = document.querySelector('video');
      if (video?.paused) await video.play();
      return video.currentTime > 1 && video.getVideoPlaybackQuality().totalVideoFrames > 10;
    }));
  });

  test('the scheduler may not play it', async () => {
    const page = await signIn(demo, await openContext(browsers[0], { wire }), demo.user('scheduler'), '/schedule');
    await accessible(page, 'the schedule');
    for (const path of [`/recordings/${recording}`, `/recordings/${recording}/media`]) {
      assert.equal((await page.request.get(demo.origin + path)).status(), 403, path);
    }
  });

  test('the audit trail has every required row', async () => {
    const count = (where) => query(demo, `select count(*) from audit_event where ${where}`).then(Number);
    assert.equal(await count(`action = 'room.joined' and visit_id = '${visit}' and actor_id is not null and room_id is not null and ip is not null`), 2);
    assert.ok(await count(`action = 'stream.started' and visit_id = '${visit}' and object_id <> ''`) >= 4);
    for (const action of ['login.succeeded', 'link.proved', 'visit.arrived', 'visit.started', 'visit.ended', 'recording.consented', 'recording.started',
      'recording.stopped', 'recording.stored', 'recording.viewed', 'note.signed', 'visit.viewed', 'worklist.viewed']) {
      assert.ok(await count(`action = '${action}' and outcome = 'success'`) >= 1, action);
    }
    assert.ok(await count(`action = 'delivery.accepted' and visit_id = '${visit}'`) >= 3, 'a row for each write to the EHR');
    assert.ok(await count(`outcome = 'refused' and detail->>'wanted' = 'recording.view'`) >= 1, 'the scheduler\'s refusal');
  });

  test('the compliance officer reads it, which is itself recorded', async () => {
    const page = await signIn(demo, await openContext(browsers[0], { wire }), demo.user('compliance'), '/audit');
    assert.match(await page.locator('main').innerText(), /signed/i);
    await accessible(page, 'the audit trail');
    assert.ok(Number(await query(demo, `select count(*) from audit_event where action = 'audit.searched'`)) >= 1);
  });

  test('nothing that identifies a person is anywhere outside the sealed columns', async () => {
    const words = await canaries(demo);
    assert.ok(words.length > 12, 'there is something to look for');
    const searched = await places(demo, wire);
    assert.ok(wire.frames.some((f) => f.includes('"username"')), 'the frames carried TURN user names');
    for (const place of searched) {
      assert.ok(place.text.length > 0 || place.mayBeEmpty, `${place.name} was searched`);
      for (const word of words) assert.ok(!place.text.includes(word.text), `${place.name} holds ${word.what}`);
    }
    const whole = searched.map((p) => p.text).join('\n');
    assert.ok(whole.includes(visit), 'the search would have found what is there: the visit\'s own id is');
  });

  test('everything written to the EHR or served is valid FHIR for an independent validator', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'televisit-valid-'));
    try {
      const files = [];
      for (const type of ['Encounter', 'DocumentReference', 'Appointment']) {
        for (const [i, r] of resources(await sandbox(demo).received(type)).entries()) files.push([`${type}-${i}.json`, JSON.stringify(r.resource)]);
      }
      const officer = await signIn(demo, await openContext(browsers[0], {}), demo.user('compliance'), '/audit');
      for (const [name, path] of [['metadata', '/fhir/metadata'], ['trail', '/fhir/AuditEvent?_count=50'], ['outcome', '/fhir/Nonsense']]) {
        const answer = await officer.request.get(demo.origin + path, { headers: { Accept: 'application/fhir+json' } });
        files.push([`${name}.json`, await answer.text()]);
      }
      assert.ok(files.length >= 6);
      for (const [name, text] of files) writeFileSync(join(dir, name), text);
      await bin('televisit-dev', ['validate', ...files.map(([name]) => join(dir, name))]);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  test('the trail verifies until a superuser edits one row, which is then named', async () => {
    await until('the last events are sealed', async () => (await query(demo, 'select count(*) from audit_event e where not exists (select from audit_leaf l where l.event_id = e.id)')) === '0');
    const good = await verifyAudit(demo);
    assert.equal(good.code, 0, good.text);
    const row = await query(demo, `select id from audit_event where action = 'room.joined' limit 1`);
    await query(demo, `set session_replication_role = replica; update audit_event set ip = '203.0.113.9' where id = ${row}`);
    const bad = await verifyAudit(demo);
    assert.notEqual(bad.code, 0);
    assert.match(bad.text, new RegExp(`row ${row} .*edited`));
  });

  test('no page had a script error', () => assert.deepEqual(wire.errors, []));
});
