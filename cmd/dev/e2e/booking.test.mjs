// Booking: by a scheduler in a real browser, by mouse and by keyboard alone, and by another system over the FHIR API;
// what the EHR learns of it; and who is let near the trail.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startDemo } from './lib/demo.mjs';
import { newWire, openBrowser, openContext, until } from './lib/browser.mjs';
import { openChart, openLink, signIn } from './lib/people.mjs';
import { resources, sandbox } from './lib/sandbox.mjs';
import { bookingSystem, chartOf, clientAssertion, requestToken, trailOf } from './lib/client.mjs';

const zone = 'America/New_York'; // the hospital's
const dayAfter = (n) => new Intl.DateTimeFormat('en-CA', { timeZone: zone }).format(Date.now() + n * 86_400_000);
const chosenDay = dayAfter(1); // from eight in the morning there are free times, whatever the hour now
const visitOf = (page) => new URL(page.url()).searchParams.get('booked') ?? new URL(page.url()).searchParams.get('visit');

describe('booking', { concurrency: false }, () => {
  const wire = newWire();
  let demo, browser, hospital, system, clinician, patients, scheduler, desk, visit, link, slot;

  before(async () => {
    demo = await startDemo();
    hospital = sandbox(demo);
    browser = await openBrowser();
    system = await bookingSystem(demo);
    clinician = demo.user('clinician');
    const booked = new Set((await chartOf(system, 'Appointment')).flatMap((a) => a.participant.map((p) => p.actor.reference)));
    patients = (await chartOf(system, 'Patient')).filter((p) => !booked.has(`Patient/${p.id}`));
    desk = await openContext(browser, { wire, permissions: ['clipboard-read', 'clipboard-write'] });
  });

  after(async () => {
    await browser?.close();
    await demo?.stop();
  });

  /** A patient whose name every keyboard has, or one whose name is written with other letters. */
  const bySpelling = (ascii) => patients.find((p) => (ascii ? /^[A-Za-z ]+$/.test(p.name[0].text) : /[^\0-\u024f]/.test(p.name[0].family)));

  /** Finds the patient in the EHR and goes on to the free times of the clinician on that day. */
  async function choosePatient(page, patient, day = chosenDay) {
    await page.goto(`${demo.origin}/schedule?day=${day}`);
    await page.getByLabel('Family name').fill(patient.name[0].family);
    await page.getByLabel('Date of birth').fill(patient.birthDate);
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByRole('button', { name: patient.name[0].text }).click();
    await page.locator('#clinician').selectOption({ label: clinician.name });
    await page.waitForURL(/clinician=[0-9a-f]/);
  }

  const pick = (page, value) => page.locator(`input[name=slot][value="${value}"]`).check({ force: true });
  const offered = (page) => page.locator('input[name=slot]').evaluateAll((all) => all.map((input) => input.value));
  const block = (page, id) => page.locator(`#b-${id}`);

  /** What the EHR was sent about a visit, oldest first. */
  const sentToEHR = async (id) => resources(await hospital.received('Appointment')).filter(({ resource }) =>
    resource.identifier?.some(({ value }) => value === `urn:uuid:${id}`));

  test('the scheduler signs in by the identity provider and finds a patient in the EHR', async () => {
    scheduler = await signIn(demo, desk, demo.user('scheduler'), '/schedule');
    assert.match(await scheduler.getByRole('heading', { level: 1 }).innerText(), /^Schedule/);
    const patient = bySpelling(false); // a name with letters beyond ASCII
    await choosePatient(scheduler, patient);
    const panel = scheduler.locator('.panel-side');
    assert.ok((await panel.innerText()).includes(patient.name[0].text));
    assert.ok((await panel.innerText()).includes(patient.birthDate));
    assert.ok(!(await panel.innerText()).includes(patient.identifier[0].value), 'a record number is shown in part only');
    assert.ok(![...wire.urls].some((url) => decodeURIComponent(url).includes(patient.birthDate)), 'what is searched for is in no address');
  });

  test('books, and copies the link', async () => {
    const free = await offered(scheduler);
    assert.ok(free.length >= 4);
    slot = free[1];
    await pick(scheduler, slot);
    await scheduler.getByLabel('Reason for the visit').fill('Follow-up');
    await scheduler.getByRole('button', { name: 'Book', exact: true }).click();
    await scheduler.getByRole('heading', { name: 'Booked' }).waitFor();
    visit = visitOf(scheduler);
    link = await scheduler.getByLabel('Patient’s link').inputValue();
    assert.match(link, new RegExp(`^${demo.origin}/v/[0-9a-f-]{36}#[\\w-]{43}$`));
    await scheduler.getByRole('button', { name: 'Copy' }).click();
    await scheduler.getByRole('button', { name: 'Copied' }).waitFor();
    assert.equal(await scheduler.evaluate(() => navigator.clipboard.readText()), link);
    assert.match(await block(scheduler, visit).innerText(), new RegExp(bySpelling(false).name[0].family.slice(0, 4)));
  });

  test('the EHR receives the appointment once, and a launch from the chart finds the visit', async () => {
    const [received] = await until('the EHR has it', async () => { const all = await sentToEHR(visit); return all.length && all; });
    assert.equal(received.method, 'POST');
    assert.equal(received.client, 'televisit');
    assert.equal(received.resource.status, 'booked');
    assert.equal(Date.parse(received.resource.start), Date.parse(slot.split('|')[0]));
    assert.deepEqual(received.resource.participant.map((p) => p.actor.reference), [`Patient/${bySpelling(false).id}`, clinician.practitioner]);
    const chart = await openChart(demo, await openContext(browser, { wire }));
    await until('the chart shows it and the visit knows it', async () => {
      await chart.goto(`${demo.sandbox_origin}/patients/${bySpelling(false).id}`);
      await chart.locator('details').first().evaluate((other) => { other.open = true; }).catch(() => {});
      return chart.getByTestId(`launch-${received.id}`).isVisible();
    });
    const [workspace] = await Promise.all([chart.context().waitForEvent('page'), chart.getByTestId(`launch-${received.id}`).click()]);
    await workspace.getByTestId('workspace').waitFor();
    assert.equal(new URL(workspace.url()).pathname, `/visits/${visit}`);
    await chart.context().close();
    assert.equal((await sentToEHR(visit)).length, 1);
  });

  test('moves the visit: the link stays, the calendar and the EHR follow', async () => {
    await block(scheduler, visit).click();
    await scheduler.getByText('Move', { exact: true }).click();
    const later = (await offered(scheduler)).at(-1);
    assert.notEqual(later, slot);
    await pick(scheduler, later);
    await scheduler.getByRole('button', { name: 'Move the visit' }).click();
    await scheduler.getByRole('heading', { name: 'Moved' }).waitFor();
    assert.equal(await scheduler.getByLabel('Patient’s link').inputValue(), link);
    const shown = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit' }).format(Date.parse(later.split('|')[0]));
    assert.match(await block(scheduler, visit).innerText(), new RegExp(`^${shown}`));
    const update = await until('the EHR knows the new time', async () => (await sentToEHR(visit)).find(({ resource }) => Date.parse(resource.start) === Date.parse(later.split('|')[0])));
    assert.equal(update.version, 2);
    const phone = await openContext(browser, { phone: true, wire });
    const page = await openLink(phone, link, bySpelling(false).birthDate);
    await page.waitForURL('**/visit');
    await phone.close();
  });

  test('cancels it: the time is free again, the link is refused, the EHR is told why', async () => {
    await scheduler.goto(`${demo.origin}/schedule?day=${chosenDay}&visit=${visit}`);
    await scheduler.getByText('Cancel the visit').click();
    await scheduler.getByLabel('Why').selectOption({ label: 'The clinician is not available' });
    await scheduler.getByRole('button', { name: 'Cancel this visit' }).click();
    await scheduler.waitForURL((url) => !url.searchParams.has('visit'));
    assert.equal(await block(scheduler, visit).count(), 0);
    const phone = await openContext(browser, { phone: true, wire });
    const page = await phone.newPage();
    await page.goto(link);
    assert.match(await page.getByTestId('link-refused').innerText(), /cancelled/i);
    await phone.close();
    const told = await until('the EHR knows', async () => (await sentToEHR(visit)).find(({ resource }) => resource.status === 'cancelled'));
    assert.equal(told.resource.cancelationReason.coding[0].code, 'prov');
    assert.equal((await chartOf(system, 'Appointment')).filter((a) => a.identifier?.some((i) => i.value === `urn:uuid:${visit}`)).length, 1);
  });

  test('books again, by the keyboard alone', async () => {
    const page = scheduler, patient = bySpelling(true), keys = page.keyboard;
    const tabTo = async (selector) => {
      for (let i = 0; i < 80; i++) {
        if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return;
        await keys.press('Tab');
      }
      assert.fail(`the keyboard does not reach ${selector}`);
    };
    await page.goto(`${demo.origin}/schedule?day=${chosenDay}`);
    await keys.press('/');
    await keys.type(patient.name[0].family);
    await tabTo('#birthdate');
    const [year, month, day] = patient.birthDate.split('-');
    await keys.type(`${month}${day}${year}`);
    await keys.press('Enter');
    await page.locator('ul.found').waitFor();
    await tabTo('ul.found button');
    await keys.press('Enter');
    await page.waitForURL(/patient=/);
    await tabTo('input[name=slot]');
    await keys.press('ArrowRight');
    await tabTo('.panel-side button.wide-button');
    await keys.press('Enter');
    await page.getByRole('heading', { name: 'Booked' }).waitFor();
    assert.ok((await page.locator('.panel-side').innerText()).includes(patient.name[0].text));
    await tabTo('[data-copy]');
    await keys.press('Enter');
    await page.getByRole('button', { name: 'Copied' }).waitFor();
  });

  test('of two schedulers who want one time, one gets it and the other is shown the nearest', async () => {
    const other = await desk.newPage();
    await choosePatient(scheduler, bySpelling(true));
    await choosePatient(other, bySpelling(false));
    const wanted = (await offered(other)).find((value, i, all) => i > 0 && i < all.length - 1);
    await pick(scheduler, wanted);
    await pick(other, wanted);
    await other.getByLabel('Reason for the visit').fill('typed before');
    await scheduler.getByRole('button', { name: 'Book', exact: true }).click();
    await scheduler.getByRole('heading', { name: 'Booked' }).waitFor();
    const [answer] = await Promise.all([other.waitForResponse('**/schedule/book'), other.getByRole('button', { name: 'Book', exact: true }).click()]);
    assert.equal(answer.status(), 409);
    assert.match(await other.getByRole('alert').innerText(), /just booked by somebody else/);
    assert.equal(await other.getByLabel('Reason for the visit').inputValue(), 'typed before');
    const near = await offered(other);
    assert.ok(near.length > 0 && !near.includes(wanted));
    const at = (value) => Date.parse(value.split('|')[0]);
    assert.ok(near.every((value) => Math.abs(at(value) - at(wanted)) <= 2 * 3_600_000), `the nearest to ${wanted}: ${near}`);
    await pick(other, near[0]);
    await other.getByRole('button', { name: 'Book', exact: true }).click();
    await other.getByRole('heading', { name: 'Booked' }).waitFor();
    await other.close();
  });

  describe('over the FHIR API', { concurrency: false }, () => {
    const start = (hour) => `${dayAfter(2)}T${String(hour).padStart(2, '0')}:00:00.000Z`; // a day of its own
    const end = (hour) => start(hour).replace(':00:00', ':20:00');
    const others = () => patients.filter((p) => p !== bySpelling(true) && p !== bySpelling(false));
    const sent = (hour, patient = others()[0]) => ({
      resourceType: 'Appointment', language: 'en',
      contained: [{ resourceType: 'Location', id: 'room', name: 'Telehealth cart', extension: [{ url: 'https://booking.example/floor', valueInteger: 3 }] }],
      extension: [{ url: 'https://booking.example/campaign', valueDecimal: 1.5 }, { url: 'https://booking.example/nested', extension: [{ url: 'a', valueString: 'ä' }] }],
      modifierExtension: [{ url: 'https://booking.example/kind', valueCode: 'x' }],
      identifier: [{ system: 'https://booking.example/ids', value: 'B-1', _value: { extension: [{ url: 'https://booking.example/check', valueString: 'ok' }] } }],
      status: 'proposed', priority: 5, description: 'as another system calls it', start: start(hour), end: end(hour),
      _start: { extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/timezone', valueCode: zone }] },
      reasonCode: [{ text: 'Blood pressure' }], comment: 'ramp at the rear', supportingInformation: [{ reference: '#room' }],
      participant: [
        { actor: { reference: `${demo.fhir_base}/Patient/${patient.id}`, display: 'the patient' }, required: 'required', status: 'accepted', period: { start: start(hour) } },
        { actor: { reference: clinician.practitioner }, status: 'tentative' },
        { actor: { reference: '#room' }, status: 'accepted' },
      ],
    });
    let id, etag;

    test('a token is got by a signed assertion, and not by a wrong one', async () => {
      const { client } = system;
      assert.equal(clientAssertion(client).split('.').length, 3);
      const told = async (assertion) => { const r = await requestToken(client, assertion); return [r.status, r.json().error]; };
      assert.deepEqual(await told({ claims: { aud: demo.origin } }), [401, 'invalid_client']);
      assert.deepEqual(await told({ header: { typ: 'at+jwt' } }), [401, 'invalid_client']);
      assert.deepEqual(await told({ header: { kid: 'another' } }), [401, 'invalid_client']);
      assert.deepEqual(await told({ claims: { exp: Math.floor(Date.now() / 1000) - 60 } }), [401, 'invalid_client']);
    });

    test('an Appointment comes back with all that it was sent with', async () => {
      const wanted = sent(14);
      const made = await system.request('POST', '/Appointment', { body: wanted });
      assert.equal(made.status, 201, made.text);
      id = made.json().id;
      etag = made.headers.etag;
      assert.match(etag, /^W\/"\d+"$/);
      assert.equal(made.headers.location, `${demo.origin}/fhir/Appointment/${id}/_history/${etag.slice(3, -1)}`);
      const read = await system.request('GET', `/Appointment/${id}`);
      assert.equal(read.status, 200);
      assert.equal(read.headers.etag, etag);
      const got = read.json();
      assert.equal(got.status, 'booked');
      assert.equal(got.meta.versionId, etag.slice(3, -1));
      const { status, identifier, ...rest } = wanted;
      for (const [name, value] of Object.entries(rest)) assert.deepEqual(got[name], value, name);
      assert.deepEqual(got.identifier[0], identifier[0]);
      assert.ok(got.identifier.some(({ system: s, value }) => s === 'urn:ietf:rfc:3986' && value === `urn:uuid:${id}`));
      assert.equal((await system.request('GET', `/Appointment/${id}`, { headers: { 'If-None-Match': etag } })).status, 304);
      assert.equal((await system.request('GET', new URL(made.headers.location).pathname.replace('/fhir', ''))).status, 200);
    });

    test('it is found by patient and date, in the answer and in the calendar', async () => {
      const find = async (query) => (await system.request('GET', `/Appointment?${new URLSearchParams(query)}`)).json();
      const patient = `${demo.fhir_base}/Patient/${others()[0].id}`;
      const found = await find({ patient, date: `ge${start(0)}` });
      assert.equal(found.type, 'searchset');
      assert.deepEqual(found.entry.map((e) => [e.resource.id, e.fullUrl]), [[id, `${demo.origin}/fhir/Appointment/${id}`]]);
      assert.equal((await find({ patient, date: `lt${start(0)}` })).entry, undefined);
      assert.equal((await find({ patient: `${demo.fhir_base}/Patient/${others()[1].id}`, date: `ge${start(0)}` })).entry, undefined);
      assert.equal((await system.request('GET', '/Appointment?patient:exact=1')).status, 400);
      await scheduler.goto(`${demo.origin}/schedule?day=${dayAfter(2)}`);
      assert.equal(await block(scheduler, id).count(), 1);
      await until('the EHR has it too', async () => (await sentToEHR(id)).length === 1);
    });

    test('of many who want one time at once, the database lets one have it', async () => {
      const answers = await Promise.all(Array.from({ length: 6 }, (_, i) => system.request('POST', '/Appointment', { body: sent(16, others()[i]) })));
      assert.deepEqual(answers.map((a) => a.status).sort(), [201, 409, 409, 409, 409, 409]);
      for (const refused of answers.filter((a) => a.status === 409)) {
        const { resourceType, issue } = refused.json();
        assert.equal(resourceType, 'OperationOutcome');
        assert.equal(issue[0].code, 'conflict');
        const free = issue.slice(1).map((i) => /^free: (\S+) to (\S+)$/.exec(i.diagnostics));
        assert.equal(free.length, 3);
        for (const [, from, to] of free) assert.ok(Date.parse(to) <= Date.parse(start(16)) || Date.parse(from) >= Date.parse(end(16)), `${from} is no free time`);
      }
    });

    test('it is cancelled by a patch on its newest version only', async () => {
      const patch = (version, body) => system.request('PATCH', `/Appointment/${id}`, {
        headers: { 'Content-Type': 'application/json-patch+json', ...(version && { 'If-Match': version }) }, body,
      });
      const cancel = [{ op: 'replace', path: '/status', value: 'cancelled' },
        { op: 'add', path: '/cancelationReason', value: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason', code: 'pat' }] } }];
      assert.equal((await patch(undefined, cancel)).status, 400);
      const moved = await patch(etag, [{ op: 'replace', path: '/start', value: start(18) }, { op: 'replace', path: '/end', value: end(18) }]);
      assert.equal(moved.status, 200, moved.text);
      assert.notEqual(moved.headers.etag, etag);
      const stale = await patch(etag, cancel);
      assert.equal(stale.status, 412);
      assert.equal(stale.json().issue[0].code, 'conflict');
      const done = await patch(moved.headers.etag, cancel);
      assert.equal(done.status, 200, done.text);
      const got = (await system.request('GET', `/Appointment/${id}`)).json();
      assert.equal(got.status, 'cancelled');
      assert.equal(got.cancelationReason.coding[0].code, 'pat');
      assert.deepEqual(got.extension, sent(14).extension);
      await until('the EHR knows', async () => (await sentToEHR(id)).at(-1).resource.status === 'cancelled');
      assert.equal((await patch(done.headers.etag, [{ op: 'replace', path: '/status', value: 'booked' }])).status, 422);
    });
  });

  describe('who sees what', { concurrency: false }, () => {
    let compliance;
    /** A page's answer without following it on, asked for with the page's own session. */
    const ask = (page, path) => page.request.get(demo.origin + path, { maxRedirects: 0 });
    const refusal = async (answer) => {
      assert.equal(answer.status(), 403);
      assert.match(await answer.text(), /not allowed to/i);
      const rows = await trailOf(compliance, answer.headers()['x-request-id']);
      assert.deepEqual(rows.map((r) => [r.action, r.code, r.outcome]), [['access.refused', 'not-permitted', 'refused']]);
    };

    before(async () => {
      compliance = await signIn(demo, await openContext(browser, { wire }), demo.user('compliance'), '/audit');
    });

    test('the compliance officer sees each step of the booking, and whose trail it is', async () => {
      assert.match(await compliance.getByRole('heading', { level: 1 }).innerText(), /audit/i);
      const rows = await trailOf(compliance, visit);
      const actions = rows.map((r) => r.action).reverse();
      for (const action of ['visit.booked', 'visit.moved', 'link.proved', 'visit.cancelled']) assert.ok(actions.includes(action), `${action} in ${actions}`);
      assert.ok(rows.find((r) => r.action === 'visit.booked').text.includes(demo.user('scheduler').name));
      const text = rows.map((r) => r.text).join('\n');
      for (const secret of [bySpelling(false).name[0].family, bySpelling(false).birthDate]) assert.ok(!text.includes(secret), 'the trail names patients by their ids');
      await compliance.goto(`${demo.origin}/audit/${rows[0].id}`);
      assert.match(await compliance.locator('main').innerText(), /AuditEvent/);
    });

    test('the scheduler is refused the trail, notes and recordings', async () => {
      for (const path of ['/audit', `/visits/${demo.links.visit}/note`, `/visits/${demo.links.visit}`, '/recordings']) await refusal(await ask(scheduler, path));
    });

    test('the compliance officer is refused notes, recordings and booking', async () => {
      for (const path of [`/visits/${demo.links.visit}/note`, `/visits/${demo.links.visit}/review`, '/recordings', '/schedule']) await refusal(await ask(compliance, path));
    });

    test('no page had an error', () => assert.deepEqual(wire.errors, []));
  });
});
