// The people of a visit, each in a browser context of their own.
import { until } from './browser.mjs';

const id = (page, name) => page.getByTestId(name);

/** Signs in to the sandbox chart and leaves the page there. */
export async function openChart(demo, context, user = demo.user('clinician')) {
  const page = await context.newPage();
  await page.goto(demo.links.chart);
  await id(page, 'username').fill(user.username);
  await id(page, 'password').fill(user.password);
  await id(page, 'submit').click();
  await id(page, 'user-name').waitFor();
  return page;
}

/** Clicks the launch button of an appointment ("Appointment/id") in the patient's chart; gives the workspace's page. */
export async function launch(demo, chart, patientID, appointmentID) {
  await chart.goto(`${demo.sandbox_origin}/patients/${patientID}`);
  const [page] = await Promise.all([chart.context().waitForEvent('page'), id(chart, `launch-${appointmentID}`).click()]);
  await id(page, 'workspace').waitFor();
  return page;
}

/** Signs a member of staff in by the identity provider. */
export async function signIn(demo, context, user, path = '/') {
  const page = await context.newPage();
  await page.goto(`${demo.origin}/sso/staff?next=${encodeURIComponent(path)}`);
  await id(page, 'username').fill(user.username);
  await id(page, 'password').fill(user.password);
  await id(page, 'submit').click();
  await page.waitForURL((url) => url.origin === demo.origin);
  if (new URL(page.url()).pathname !== path) await page.goto(demo.origin + path);
  return page;
}

/** Opens the patient's link and proves the date of birth (YYYY-MM-DD). */
export async function openLink(context, link, birthDate) {
  const page = await context.newPage();
  await page.goto(link);
  await proveBirthDate(page, birthDate);
  return page;
}

export async function proveBirthDate(page, birthDate) {
  const [year, month, day] = birthDate.split('-');
  await id(page, 'link-dob-day').fill(day);
  await id(page, 'link-dob-month').fill(month);
  await id(page, 'link-dob-year').fill(year);
  await id(page, 'link-dob-submit').click();
}

/** From the device check to the waiting room. */
export async function checkAndWait(page, { consent = 'yes' } = {}) {
  // Where the browser has been allowed before, the check begins by itself.
  await id(page, 'check').waitFor();
  if (await id(page, 'check-start').isVisible()) await id(page, 'check-start').click();
  await until('camera and microphone are checked', () => page.evaluate(() =>
    ['camera', 'microphone'].every((kind) => document.querySelector(`[data-check="${kind}"]`)?.dataset.state === 'ok')));
  await id(page, 'check-tone').click();
  await id(page, 'check-heard-yes').click();
  await id(page, 'check-done').click();
  await id(page, `consent-${consent}`).click();
  await id(page, 'waiting').waitFor({ state: 'visible' });
}

/** What the page says of its media; nothing in it identifies anybody. */
export const mediaStats = (page) => page.evaluate(() => window.__televisit?.stats());

/** Waits until decoded pictures and sound arrive and keep arriving. */
export async function seesAndHears(page, what) {
  const first = await until(`${what}: a decoded picture and sound`, async () => {
    const s = await mediaStats(page);
    return s && s.framesDecoded > 0 && s.audioEnergy > 0 ? s : null;
  }, { timeout: 30_000 });
  return until(`${what}: pictures and sound advance`, async () => {
    const s = await mediaStats(page);
    return s.framesDecoded > first.framesDecoded + 10 && s.audioEnergy > first.audioEnergy ? s : null;
  });
}
