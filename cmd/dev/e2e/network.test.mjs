// The patient's line goes dead for eight seconds, and comes back; then the patient closes the tab. Real packets are dropped.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { newWire, openBrowser, openContext, until } from './lib/browser.mjs';
import { startDemo } from './lib/demo.mjs';
import { openOnOwnLine } from './lib/line.mjs';
import { checkAndWait, launch, mediaStats, openChart, openLink, seesAndHears } from './lib/people.mjs';
import { query } from './lib/proof.mjs';

const deadFor = 8000;
const noticedWithin = 5000; // muted after three seconds, and a server may be busy
const endedWithin = 2000;

describe('a line that goes dead, and a tab that closes', { concurrency: false }, () => {
  const wires = { clinician: newWire(), patient: newWire() };
  let demo, clinicians, line, workspace, patient, visit;

  before(async () => {
    demo = await startDemo();
    visit = demo.links.visit;
    clinicians = await openBrowser();
    line = await openOnOwnLine();
    const chart = await openChart(demo, await openContext(clinicians, { wire: wires.clinician }));
    patient = await openLink(await openContext(line.browser, { phone: true, wire: wires.patient }), demo.links.patient, demo.links.patient_birth_date);
    await checkAndWait(patient);
    workspace = await launch(demo, chart, demo.links.patient_reference.split('/')[1], demo.links.appointment.split('/')[1]);
    await workspace.getByTestId('ws-start').click();
    await seesAndHears(workspace, 'clinician');
    await seesAndHears(patient, 'patient');
    await workspace.getByTestId('ws-record').click();
    for (const page of [workspace, patient]) await page.getByTestId('rec-mark').waitFor({ state: 'visible' });
  });

  after(async () => {
    await Promise.all([clinicians, line?.browser].map((b) => b?.close()));
    await demo?.stop();
  });

  test('while it is dead, both are muted and the clinician sees who is lost', async (t) => {
    const cutAt = Date.now();
    const after = () => Date.now() - cutAt;
    line.cut();
    try {
      const muted = [noticed(workspace, after)];
      if (!line.frozen) muted.push(noticed(patient, after));
      const [clinicianMs, patientMs] = await Promise.all(muted);
      t.diagnostic(`muted after ${clinicianMs} ms (clinician), ${patientMs ?? '-'} ms (patient)`);
      assert.ok(clinicianMs < noticedWithin && (patientMs ?? 0) < noticedWithin);
      assert.equal(await workspace.locator('.tile.lost').count(), 1);
      assert.match(await workspace.getByTestId('call-overlay').innerText(), /\S/);
      if (!line.frozen) assert.deepEqual(pick(await facts(patient), 'mic', 'camera'), { mic: false, camera: false });
      const still = await mediaStats(workspace);
      await workspace.waitForTimeout(Math.max(0, deadFor - after()));
      const later = await mediaStats(workspace);
      assert.equal(later.framesDecoded, still.framesDecoded, 'no picture of the patient comes through');
      assert.equal(await stage(), 'in-call');
    } finally {
      line.mend();
    }
  });

  test('when it is back, the same call goes on by itself', async (t) => {
    const mendedAt = Date.now();
    for (const [who, page] of [['clinician', workspace], ['patient', patient]]) {
      await until(`the ${who} is in the call again`, async () => {
        const { call, muted, mic, camera } = await facts(page);
        return call === 'live' && !muted && mic && camera;
      });
      t.diagnostic(`${who}: back after ${Date.now() - mendedAt} ms`);
    }
    await seesAndHears(workspace, 'clinician again');
    await seesAndHears(patient, 'patient again');
    assert.equal(await workspace.locator('.tile.lost').count(), 0);
    for (const [who, wire] of Object.entries(wires)) assert.equal(new Set(welcomes(wire).map((w) => `${w.room} ${w.peer}`)).size, 1, who);
    assert.equal(await stage(), 'in-call');
    await until('the trail has the return', async () => (await events('room.resumed')) >= 1);
    assert.deepEqual([await events('room.lost') >= 1, await events('room.left'), await events('room.joined')], [true, 0, 2]);
    assert.equal(await query(demo, `select state from recording where visit_id = '${visit}'`), 'running');
  });

  test('when the clinician goes on in another window, that one has the call, and the trail has both', async () => {
    const first = workspace;
    workspace = await first.context().newPage();
    await workspace.goto(`${demo.origin}/visits/${visit}#start`);
    await seesAndHears(workspace, 'clinician in the other window');
    await seesAndHears(patient, 'patient still');
    assert.equal((await facts(first)).call, 'ended');
    assert.equal(await stage(), 'in-call');
    await until('the trail has it', async () => (await events('room.joined')) === 3 && (await events('room.left')) === 1);
    await first.close();
    assert.equal((await facts(patient)).call, 'live');
  });

  test('when the patient closes the tab, the clinician\'s media end at once, and the visit and its recording with them', async (t) => {
    const closedAt = Date.now();
    await patient.close({ runBeforeUnload: true });
    await until('the clinician\'s call is over', async () => (await facts(workspace)).call === 'ended', { timeout: endedWithin, every: 20 });
    t.diagnostic(`ended ${Date.now() - closedAt} ms after the tab was closed`);
    assert.deepEqual(pick(await facts(workspace), 'mic', 'camera', 'recording'), { mic: false, camera: false, recording: false });
    assert.deepEqual(await workspace.evaluate(() => [...document.querySelectorAll('video')].flatMap((v) => v.srcObject?.getTracks() ?? [])
      .filter((track) => track.readyState === 'live').length), 0);
    await until('the visit is over', async () => (await stage()) === 'ended');
    assert.match(await query(demo, `select end_reason from visit where id = '${visit}'`), /^(peer-left|hang-up)$/); // its beacon or its socket's bye
    assert.notEqual(await query(demo, `select state from recording where visit_id = '${visit}'`), 'running');
    await until('the trail has it', async () => (await events('room.left')) === 3 && (await events('visit.ended')) === 1);
  });

  test('no page had a script error', () => assert.deepEqual(Object.values(wires).flatMap((w) => w.errors), []));

  const stage = () => query(demo, `select stage from visit where id = '${visit}'`);
  const events = async (action) => Number(await query(demo, `select count(*) from audit_event where action = '${action}' and visit_id = '${visit}'`));
});

const facts = (page) => page.evaluate(() => window.__televisit.state());
const pick = (from, ...names) => Object.fromEntries(names.map((name) => [name, from[name]]));

/** How long it took until the page says that both are muted. */
async function noticed(page, after) {
  await until('both are muted', async () => (await facts(page)).muted, { timeout: deadFor, every: 50 });
  return after();
}

const welcomes = (wire) => wire.frames.filter((frame) => frame.startsWith('{"t":"welcome"')).map((frame) => JSON.parse(frame));
