// An administrator sees how a call went, never who it was, and only for a reason; and a proof of identity is renewed
// without spoiling what is open beside it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startDemo } from './lib/demo.mjs';
import { openBrowser, openContext } from './lib/browser.mjs';
import { bookingSystem, foundIn, identifying, trailOf } from './lib/client.mjs';
import { openLink, signIn } from './lib/people.mjs';
import { call } from './lib/sandbox.mjs';

describe('the administrator', { concurrency: false }, () => {
  let demo, browser, secrets, admin, audit;

  before(async () => {
    demo = await startDemo();
    browser = await openBrowser();
    secrets = await identifying(await bookingSystem(demo));
    // The patient comes as far as the device check: something has happened to the visit.
    const patient = await openLink(await openContext(browser, { phone: true }), demo.links.patient, demo.links.patient_birth_date);
    await patient.getByTestId('check').waitFor();
    audit = await signIn(demo, await openContext(browser), demo.user('compliance'), '/audit');
    admin = await signIn(demo, await openContext(browser), demo.user('admin'), '/admin/visits');
  });

  after(async () => {
    await browser?.close();
    await demo?.stop();
  });

  const unnamed = async (page) => {
    // The reader's own name is in the frame of the page.
    const own = [demo.user('admin').name, ...demo.user('admin').name.split(' ')];
    assert.deepEqual(foundIn(await page.locator('main').innerText(), secrets).filter((value) => !own.includes(value)), []);
  };
  const visit = () => demo.links.visit;

  test('comes to the calls of the day, by id', async () => {
    await admin.locator(`a[href="/admin/visits/${visit()}"]`).waitFor();
    await unnamed(admin);
  });

  test('is refused without a reason, and the attempt is kept', async () => {
    await admin.locator(`a[href="/admin/visits/${visit()}"]`).click();
    await admin.locator('#reason').fill(' \n ');
    await admin.getByRole('button', { name: 'Show the visit' }).click();
    await admin.getByText('Give a reason.').waitFor();
    await unnamed(admin);
    const [row] = await trailOf(audit, visit());
    assert.deepEqual([row.action, row.code, row.outcome], ['access.refused', 'no-reason', 'refused']);
  });

  test('sees what happened once the reason is given, and the reason is kept', async () => {
    await admin.locator('#reason').fill('Ticket 4711: no picture');
    await admin.getByRole('button', { name: 'Show the visit' }).click();
    await admin.getByText('booked a visit').waitFor();
    await unnamed(admin);
    const [row] = await trailOf(audit, visit());
    assert.deepEqual([row.action, row.outcome], ['admin.viewed', 'done']);
    await audit.goto(`${demo.origin}/audit/${row.id}`);
    await audit.getByText('Ticket 4711: no picture').first().waitFor();
  });

  test('proves again who they are beside an open form, which still works', async () => {
    const token = await admin.locator('meta[name=csrf]').getAttribute('content');
    const before = (await admin.context().cookies()).find((c) => c.name === '__Host-televisit').value;
    const beside = await admin.context().newPage();
    // Five minutes is what the proof may be old; the identity provider's session is younger, so nothing is asked.
    await beside.goto(`${demo.origin}/prove-again?next=/boundary`);
    await beside.waitForURL(`${demo.origin}/boundary`);
    const after = (await admin.context().cookies()).find((c) => c.name === '__Host-televisit').value;
    assert.notEqual(after, before);
    assert.equal(await beside.locator('meta[name=csrf]').getAttribute('content'), token);
    const answer = await admin.request.post(`${demo.origin}/admin/visits/${visit()}`, { form: { csrf: token, reason: 'Ticket 4711 again' } });
    assert.equal(answer.status(), 200);
    const older = await call(`${demo.origin}/admin/visits`, { headers: { cookie: `__Host-televisit=${before}` } });
    assert.equal(older.status, 303);
    assert.match(older.headers.location, /over=ended/);
  });
});
