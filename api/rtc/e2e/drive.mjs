// Drives real browsers through a call: node drive.mjs ORIGIN CHROMIUM. Fails by a non-zero exit and a sentence.

import { chromium } from 'playwright-core';
import assert from 'node:assert/strict';

const [origin, executablePath] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update',
    '--disable-sync', '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream',
    '--allow-loopback-in-peer-connection', '--autoplay-policy=no-user-gesture-required',
  ],
});

async function open(as) {
  const context = await browser.newContext({ permissions: ['camera', 'microphone'] });
  const page = await context.newPage();
  page.on('pageerror', (error) => console.error(as, 'page error', error.message));
  page.on('console', (message) => message.type() === 'warning' && console.error(as, message.text()));
  await page.goto(`${origin}/?as=${as}`);
  const call = (name, ...args) => page.evaluate(([n, a]) => window.call[n](...a), [name, args]);
  const until = async (what, test, limit = 60_000) => {
    for (const end = Date.now() + limit; ;) {
      if (await test()) return;
      if (Date.now() > end) {
        throw new Error(`${as}: ${what} did not come; state ${await call('state')}, ${JSON.stringify(await call('facts'))}, log ${await call('log')}`);
      }
      await page.waitForTimeout(50);
    }
  };
  return { as, page, context, call, until };
}

/** Both pictures move and both voices are heard. */
async function conversing(side) {
  const before = await side.call('facts');
  await side.until('pictures and sound', async () => {
    const now = await side.call('facts');
    return now.framesDecoded >= before.framesDecoded + 10 && now.audioEnergy > before.audioEnergy && now.connection === 'connected';
  });
}

async function control(path) {
  const response = await fetch(origin + path, { method: 'POST' });
  assert.equal(response.status, 204, path);
}

const steps = {
  async 'two browsers see and hear each other'({ clinician, patient }) {
    await Promise.all([conversing(clinician), conversing(patient)]);
    console.log('first picture after', Math.round(await clinician.call('firstFrameMs')), 'ms and', Math.round(await patient.call('firstFrameMs')), 'ms');
  },
  async 'muting is told to the other side'({ clinician, patient }) {
    await patient.call('mute', true);
    await clinician.until('the mark of muting', async () => (await clinician.call('people')).some((p) => p.role === 'patient' && !p.mic));
    await patient.call('mute', false);
    await clinician.until('the unmuting', async () => (await clinician.call('people')).some((p) => p.role === 'patient' && p.mic));
  },
  async 'a guest is seen by both and sees both'({ clinician, patient }) {
    const guest = await open('guest');
    await conversing(guest);
    for (const side of [clinician, patient]) await side.until('the guest', async () => (await side.call('played', 'main-guest')) > 5);
    for (const role of ['clinician', 'patient']) await guest.until(role, async () => (await guest.call('played', `main-${role}`)) > 5);
    await guest.call('leave');
    await clinician.until('the parting', async () => !(await clinician.call('people')).some((p) => p.role === 'guest'));
    await guest.context.close();
    await Promise.all([conversing(clinician), conversing(patient)]);
  },
  async 'a shared screen arrives as its own picture'({ clinician, patient }) {
    await clinician.call('shareCanvas');
    await patient.until('the screen', async () => (await patient.call('played', 'screen-clinician')) > 5);
    await conversing(patient);
  },
  async 'a lost line mutes both and comes back'({ clinician, patient }) {
    await control('/control/cut/patient');
    await clinician.until('the muting', async () => (await clinician.call('log')).includes('muted peer-lost'));
    await patient.until('the held microphone', async () => !(await patient.call('live')));
    await control('/control/mend/patient');
    await clinician.until('the unmuting', async () => (await clinician.call('log')).includes('unmuted'));
    await patient.until('the open microphone', () => patient.call('live'));
    await patient.until('its own unmuting', async () => (await patient.call('log')).lastIndexOf('unmuted') > (await patient.call('log')).lastIndexOf('muted self-lost'));
    await Promise.all([conversing(clinician), conversing(patient)]);
  },
  async 'leaving ends it for both'({ clinician, patient }) {
    await patient.page.close(); // says bye as it goes
    await clinician.until('the end', async () => (await clinician.call('log')).includes('ended peer-left'));
    assert.equal(await clinician.call('state'), 'ended');
  },
};

try {
  const [clinician, patient] = await Promise.all([open('clinician'), open('patient')]);
  for (const [name, step] of Object.entries(steps)) {
    await step({ clinician, patient });
    console.log('ok:', name);
  }
} finally {
  await browser.close();
}
