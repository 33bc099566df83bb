// From the click in the chart to the patient's first picture, in real browsers. Prints one JSON line a launch.
// node bench.mjs [rounds]
import { openBrowser, openContext, trusting, until } from './lib/browser.mjs';
import { startDemo } from './lib/demo.mjs';
import * as people from './lib/people.mjs';
import { appointmentsOf, patientLinks } from './lib/schedule.mjs';
import { readServerTimes } from './lib/serverlog.mjs';
import { marksOf, watchLaunch } from './lib/waterfall.mjs';

const rounds = Number(process.argv[2] ?? 8);
const demo = await startDemo({ logLevel: 'info' });
const trust = { ignoreHTTPSErrors: false };
const browsers = [];
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => demo.stop().then(() => process.exit(1)));
const open = async () => {
  const browser = await openBrowser({ extra: trusting(demo) });
  browsers.push(browser);
  return browser;
};

try {
  const [desk, staff, home] = [await open(), await open(), await open()];
  const scheduler = await people.signIn(demo, await openContext(desk, trust), demo.user('scheduler'), '/schedule');
  let left = rounds;
  for (const user of demo.users.filter((u) => u.roles.includes('clinician'))) {
    if (left <= 0) break;
    // One context a clinician, as one computer each: the first launch in it is a cold one.
    const chart = await people.openChart(demo, await openContext(staff, { ...trust, initScript: watchLaunch }), user);
    const appointments = await appointmentsOf(demo, chart);
    const links = await patientLinks(demo, scheduler, user, appointments);
    let cold = true;
    for (const appointment of appointments.filter((a) => links.has(a.name))) {
      if (left-- <= 0) break;
      const patient = await waiting(home, links.get(appointment.name), appointment.born);
      const launched = await launch(chart, appointment, patient);
      console.log(JSON.stringify({ cold, ...launched }));
      cold = false;
      await patient.context().close();
    }
    await chart.context().close();
  }
  if (left > 0) console.error(`the chart's day had ${left} appointments fewer than rounds were asked for`); // late in the evening
} finally {
  for (const browser of browsers) await browser.close();
  await demo.stop();
}

/** A patient who has done the device check and sits in the waiting room. */
async function waiting(browser, link, born) {
  const page = await people.openLink(await openContext(browser, { ...trust, phone: true, initScript: watchLaunch }), link, born);
  await page.waitForURL('**/visit');
  await people.checkAndWait(page);
  await page.waitForTimeout(1500); // what the waiting page still loads is not the launch's
  return page;
}

/** Presses "Video visit" in the chart; the workspace's own script presses Start as soon as it can. */
async function launch(chart, appointment, patient) {
  await chart.goto(`${demo.sandbox_origin}/patients/${appointment.patient}`);
  await chart.waitForLoadState('networkidle');
  const button = chart.getByTestId(`launch-${appointment.id}`);
  const [page] = await Promise.all([chart.context().waitForEvent('page'), button.click()]);
  const shown = await until('the first remote picture', async () => (await marksOf(page)).find((m) => m.name === 'picture')?.at, { timeout: 30_000 });
  const clicked = (await marksOf(chart)).find((m) => m.name === 'click').at;
  const marks = {};
  for (const [side, marked] of [['clinician', await marksOf(page)], ['patient', await marksOf(patient)]]) {
    for (const { name, at } of marked) if (at >= clicked && at <= shown + 1000) marks[`${side} ${name}`] ??= at - clicked;
  }
  const server = await readServerTimes(demo.log, clicked, shown);
  await page.getByTestId('ws-end').click();
  await page.waitForFunction(() => window.__televisit.state().call === 'ended');
  await page.close({ runBeforeUnload: false });
  return { ms: shown - clicked, server, marks };
}
