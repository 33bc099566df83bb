// What is refused: each with its status, a sentence that tells what to do, nothing that identifies anybody, and a row in
// the trail where somebody tried what is not theirs.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readFileSync } from 'node:fs';
import { startDemo } from './lib/demo.mjs';
import { openBrowser, openContext, until } from './lib/browser.mjs';
import { openChart, launch, openLink, proveBirthDate, signIn } from './lib/people.mjs';
import { call, sandbox } from './lib/sandbox.mjs';
import { bookingSystem, chartOf, foundIn, identifying, openSocket, trailOf } from './lib/client.mjs';
import { answerOf, refusal } from './lib/refusal.mjs';

const elsewhere = 'https://elsewhere.example';

describe('refusals', { concurrency: false }, () => {
  let demo, browser, system, secrets, hospital, audit, osei, lindqvist, scheduler, workspace, callbacks;
  const visit = () => demo.links.visit;
  const at = (path) => demo.origin + path;

  before(async () => {
    demo = await startDemo();
    browser = await openBrowser();
    hospital = sandbox(demo);
    system = await bookingSystem(demo);
    secrets = await identifying(system);
    assert.ok(secrets.length > 200 && secrets.includes(demo.links.patient_birth_date));
    audit = await signIn(demo, await openContext(browser), demo.user('compliance'), '/audit');
    osei = await openContext(browser);
    callbacks = [];
    osei.on('request', (request) => { if (request.url().startsWith(at('/launch/callback'))) callbacks.push(request.url()); });
    workspace = await launch(demo, await openChart(demo, osei), ...['patient_reference', 'appointment'].map((name) => demo.links[name].split('/')[1]));
    scheduler = await signIn(demo, await openContext(browser), demo.user('scheduler'), '/schedule');
    lindqvist = await signIn(demo, await openContext(browser), demo.users.find((u) => u.username === 'm.lindqvist'), '/worklist');
  });

  after(async () => {
    await browser?.close();
    await demo?.stop();
  });

  const refused = (answer, expected) => refusal(audit, secrets, answer, expected);

  /** The CSRF token of the page that is open. */
  const csrf = (page) => page.locator('meta[name=csrf]').getAttribute('content');
  const get = (page, path, headers = {}) => page.request.get(at(path), { maxRedirects: 0, headers });
  const post = async (page, path, { token, headers = {}, ...rest } = {}) => page.request.post(at(path), {
    maxRedirects: 0, headers: { Accept: 'application/json', 'X-CSRF': token ?? await csrf(page), ...headers }, ...rest,
  });

  describe('at a launch', { concurrency: false }, () => {
    const failed = (code, outcome = 'refused') => ['login.failed', code, outcome];
    const begin = async (context, query = {}) => {
      const started = await answerOf(await context.request.get(at(`/launch?${new URLSearchParams({ iss: demo.fhir_base, launch: 'x', ...query })}`), { maxRedirects: 0 }));
      return { ...started, to: started.headers.location && new URL(started.headers.location) };
    };
    const callback = (context, params) => context.request.get(at(`/launch/callback?${new URLSearchParams(params)}`), { maxRedirects: 0 });

    test('a FHIR server that is not configured, to the letter', async () => {
      for (const iss of [`${elsewhere}/fhir`, `${demo.fhir_base}/`, demo.fhir_base.replace('https:', 'http:'), demo.sandbox_origin]) {
        await refused(await begin(osei, { iss }), { status: 403, says: /does not know the system that sent you/, trail: failed('unknown-iss') });
      }
    });

    test('a launch without its parameters, or with one twice', async () => {
      for (const path of ['/launch', `/launch?iss=${demo.fhir_base}`, `/launch?iss=${demo.fhir_base}&iss=${demo.fhir_base}&launch=x`]) {
        await refused(await call(at(path)), { status: 403, says: /launch from your chart was not complete/, trail: failed('bad-launch') });
      }
    });

    test('a state that was used, was never given out, or belongs to another browser', async () => {
      assert.equal(callbacks.length, 1);
      await refused(await osei.request.get(callbacks[0], { maxRedirects: 0 }), { status: 403, says: /expired or was used already/, trail: failed('state-used') });
      await refused(await callback(osei, { code: 'x', state: 'never-given-out' }), { status: 403, says: /expired or was used already/, trail: failed('state-unknown') });
      await refused(await callback(osei, { code: 'x' }), { status: 403, says: /expired or was used already/, trail: failed('state-unknown') });
      const state = (await begin(osei)).to.searchParams.get('state');
      const stranger = await openContext(browser);
      await refused(await callback(stranger, { code: 'x', state }), { status: 403, says: /begun in another browser/, trail: failed('state-foreign-browser') });
      await stranger.close();
      // The stranger has not spoilt it: its own browser gets as far as the EHR, which refuses the code.
      await refused(await callback(osei, { code: 'x', state, iss: `${demo.sandbox_origin}/auth` }), { status: 502, says: /gave an answer that cannot be used/, trail: failed('invalid-grant', 'failed') });
    });

    test('an answer in the name of another issuer', async () => {
      const state = (await begin(osei)).to.searchParams.get('state');
      await refused(await callback(osei, { code: 'x', state, iss: elsewhere }), { status: 403, says: /could not be verified and was refused/, trail: failed('iss-mismatch') });
    });

    test('a launch for another audience is refused by the EHR, and its answer is told', async () => {
      const { to } = await begin(osei);
      to.searchParams.set('aud', `${elsewhere}/fhir`);
      const ehr = await answerOf(await osei.request.get(to.href, { maxRedirects: 0 }));
      const back = new URL(ehr.headers.location);
      assert.equal(back.origin, demo.origin);
      assert.equal(back.searchParams.get('error'), 'invalid_request');
      await refused(await osei.request.get(back.href, { maxRedirects: 0 }), { status: 502, says: /gave an answer that cannot be used/, trail: failed('bad-response', 'failed') });
    });

    test('a person who says no at the sign-in', async () => {
      const state = (await begin(osei)).to.searchParams.get('state');
      await refused(await callback(osei, { error: 'access_denied', state }), { status: 403, says: /was cancelled/, trail: failed('access-denied') });
    });
  });

  describe('at the room', { concurrency: false }, () => {
    const rtc = () => `${demo.origin.replace('https:', 'wss:')}/rtc`;
    const roomToken = async () => (await post(workspace, `/visits/${visit()}/room-token`)).json();
    const hello = async (token) => {
      const socket = await openSocket(rtc(), { origin: demo.origin });
      socket.send({ t: 'hello', token, v: 1 });
      return { socket, first: await socket.next() };
    };
    const told = async ({ socket, first }, code, close, trail) => {
      const { message, ...rest } = first;
      assert.deepEqual(rest, { t: 'error', code });
      assert.deepEqual(await socket.next(), { closed: close, reason: code });
      await refused({ status: socket.status, headers: socket.headers, text: message }, { status: 101, says: /\w/, trail });
    };

    test('a page of another site', async () => {
      for (const origin of [elsewhere, 'null', `${demo.origin}.elsewhere.example`, undefined]) {
        await refused(await openSocket(rtc(), { origin }), { status: 403, says: /may not connect here/ });
      }
      const page = await (await openContext(browser)).newPage();
      await page.route(`${elsewhere}/**`, (route) => route.fulfill({ contentType: 'text/html', body: '<title>elsewhere</title>' }));
      await page.goto(elsewhere);
      const how = await page.evaluate((url) => new Promise((done) => {
        const socket = new WebSocket(url);
        socket.onopen = () => done('open');
        socket.onclose = ({ code }) => done(code);
      }), rtc());
      assert.equal(how, 1006);
      await page.context().close();
    });

    test('a token that was used', async () => {
      await post(workspace, `/visits/${visit()}/start`);
      const { token } = await roomToken();
      const inside = await hello(token);
      assert.equal(inside.first.t, 'welcome');
      await told(await hello(token), 'token-used', 4401, ['room.refused', 'used', 'refused']);
      inside.socket.send({ t: 'ping', id: 7 });
      await until('the one who is in stays in', async () => (await inside.socket.next()).t === 'pong');
      inside.socket.end();
    });

    test('a token that was altered, signed by nobody, or is none', async () => {
      const { token } = await roomToken();
      const [head, body, signature] = token.split('.');
      const other = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(body, 'base64url')), host: true, role: 'clinician', sub: '00000000-0000-4000-8000-000000000000' })).toString('base64url');
      const none = Buffer.from('{"alg":"none"}').toString('base64url');
      for (const bad of [`${head}.${other}.${signature}`, `${none}.${body}.`, 'no token', 'x'.repeat(8000)]) await told(await hello(bad), 'token-foreign', 4401);
    });

    test('a first message that is no hello', async () => {
      for (const message of [{ t: 'bye' }, { t: 'hello' }, { t: 'hello', v: 1, token: 7 }, 'not JSON', '[]']) {
        const socket = await openSocket(rtc(), { origin: demo.origin });
        socket.send(message);
        await told({ socket, first: await socket.next() }, 'hello-expected', 4408);
      }
    });
  });

  describe('at a patient’s link', { concurrency: false }, () => {
    const link = () => new URL(demo.links.patient);
    const prove = (body, headers = {}) => call(at(`${link().pathname}/prove`), { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: typeof body === 'string' ? body : JSON.stringify(body) });
    const refusedLink = (code) => ['link.refused', code, 'refused'];

    test('what is no proof', async () => {
      await refused(await prove({ secret: 'x'.repeat(43), birthDate: demo.links.patient_birth_date }), { status: 400, says: /not complete/, trail: refusedLink('incomplete') });
      for (const body of ['', 'not JSON', '[]', '{"secret":7}', { secret: link().hash.slice(1), birthDate: 'yesterday' }]) await refused(await prove(body), { status: 400, says: /day, month and year/ });
      await refused(await prove({ secret: 'x'.repeat(5000) }), { status: 413, says: /too large/i });
      await refused(await prove({ secret: link().hash.slice(1) }, { Origin: elsewhere }), { status: 403, says: /another website/ });
      await refused(await call(at('/v/00000000-0000-4000-8000-000000000000')), { status: 404, says: /not known/ });
      await refused(await call(at('/v/nothing')), { status: 404, says: /not known/ });
    });

    test('the fifth wrong date of birth locks it, for the right one too', async () => {
      const page = await openLink(await openContext(browser, { phone: true }), demo.links.patient, '1990-01-01');
      const problem = page.getByTestId('link-problem');
      for (const left of [4, 3, 2, 1]) {
        await until(`${left} tries are left`, async () => (await problem.textContent()).includes(`${left} `) && page.getByTestId('link-dob-submit').isEnabled());
        await proveBirthDate(page, `199${left}-01-01`);
      }
      await until('the link is locked', async () => /wait 15 minutes/.test(await problem.textContent()));
      const [right] = await Promise.all([page.waitForResponse('**/prove'), proveBirthDate(page, demo.links.patient_birth_date)]);
      await refused(right, { status: 423, says: /wait 15 minutes/, trail: refusedLink('locked') });
      assert.equal(new URL(page.url()).pathname, link().pathname);
      assert.deepEqual(foundIn(await page.locator('body').innerText(), secrets), []);
      const rows = (await trailOf(audit, visit())).filter((r) => r.action === 'link.refused');
      assert.deepEqual(rows.map((r) => r.code).reverse(), ['incomplete', ...Array(4).fill('wrong-birth-date'), 'locked', 'locked']);
      await page.context().close();
    });
  });

  describe('at the pages', { concurrency: false }, () => {
    const accessRefused = (code) => ['access.refused', code, 'refused'];

    test('nobody signed in: the sign-in and back, or 401 for a script', async () => {
      const page = await answerOf(await call(at(`/visits/${visit()}`)));
      assert.equal(page.status, 303);
      assert.equal(page.headers.location, `/?${new URLSearchParams({ next: `/visits/${visit()}`, over: 'none' })}`);
      await refused(await call(at(`/visits/${visit()}/note`), { headers: { Accept: 'application/json' } }), { status: 401, says: /"signed-out"/ });
      await refused(await call(at(`/visits/${visit()}/start`), { method: 'POST' }), { status: 401, says: /not signed in/i });
      await refused(await call(at(`/visits/${visit()}/note`), { headers: { Accept: 'application/json', Cookie: `__Host-televisit=${'A'.repeat(64)}` } }), { status: 401, says: /"signed-out"/ });
    });

    test('another clinician’s visit', async () => {
      const reader = demo.users.find((u) => u.username === 'm.lindqvist');
      for (const path of ['', '/review']) await refused(await get(lindqvist, `/visits/${visit()}${path}`), { status: 403, says: /belongs to somebody else/, trail: accessRefused('not-their-visit'), reader });
      for (const path of ['/note', '/people']) await refused(await get(lindqvist, `/visits/${visit()}${path}`, { Accept: 'application/json' }), { status: 403, says: /"not-their-visit"/, trail: accessRefused('not-their-visit') });
      for (const path of ['/room-token', '/end', '/invite']) await refused(await post(lindqvist, `/visits/${visit()}${path}`), { status: 403, says: /"not-their-visit"/, trail: accessRefused('not-their-visit') });
    });

    test('a patient on the pages of staff, and at somebody else’s visit', async () => {
      const booked = await scheduler.request.get(at('/schedule?as=list')).then((list) => list.text());
      const other = [...booked.matchAll(/visit=([0-9a-f-]{36})/g)].map((found) => found[1]).find((id) => id !== visit());
      await scheduler.goto(at(`/schedule/${other}/link`));
      const name = (await scheduler.getByRole('heading', { level: 1 }).innerText()).replace('Link for ', '');
      const { birthDate } = (await chartOf(system, 'Patient')).find((p) => p.name[0].text === name);
      const patient = await openLink(await openContext(browser, { phone: true }), await scheduler.getByLabel('Patient’s link').inputValue(), birthDate);
      await patient.waitForURL('**/visit');
      for (const path of ['/worklist', '/schedule', '/audit', '/recordings', `/visits/${other}`, `/visits/${visit()}/note`]) {
        await refused(await get(patient, path, { Accept: 'application/json' }), { status: 403, says: /"not-permitted"/, trail: accessRefused('not-permitted') });
      }
      await refused(await get(patient, '/worklist'), { status: 403, says: /not allowed to see this/, trail: accessRefused('not-permitted') });
      for (const path of ['/room-token', '/consent']) await refused(await post(patient, `/visits/${visit()}${path}`), { status: 403, says: /"not-permitted"/, trail: accessRefused('not-permitted') });
      await refused(await get(patient, `/visits/${visit()}/people`, { Accept: 'application/json' }), { status: 403, says: /"not-permitted"/, trail: accessRefused('not-permitted') });
      await patient.context().close();
    });

    test('a form without its token, or with another session’s', async () => {
      const path = `/visits/${visit()}/end`;
      for (const token of ['', 'x', await csrf(lindqvist)]) await refused(await post(workspace, path, { token }), { status: 403, says: /no longer valid/, trail: accessRefused('csrf') });
      await refused(await workspace.request.post(at(path), { form: { csrf: await csrf(lindqvist) } }), { status: 403, says: /no longer valid/, trail: accessRefused('csrf'), reader: demo.user('clinician') });
    });

    test('a form of another site, from a browser that is signed in', async () => {
      const page = await osei.newPage();
      await page.route(`${elsewhere}/**`, (route) => route.fulfill({ contentType: 'text/html', body: `<form method="post" action="${at(`/visits/${visit()}/end`)}"><button>win</button></form>` }));
      await page.goto(elsewhere);
      const [answer] = await Promise.all([page.waitForResponse('**/end'), page.getByRole('button').click()]);
      await refused(answer, { status: 403, says: /came from another website/, trail: accessRefused('origin') });
      await page.close();
      await refused(await post(workspace, `/visits/${visit()}/end`, { headers: { Origin: elsewhere } }), { status: 403, says: /another website/, trail: accessRefused('origin') });
    });

    test('an address that is not there, and a method that is not taken', async () => {
      await refused(await call(at('/nothing')), { status: 404, says: /There is nothing here/ });
      await refused(await call(at('/visits/nothing')), { status: 303, says: /See Other/ });
      await refused(await get(workspace, '/visits/nothing'), { status: 404, says: /There is nothing here/, reader: demo.user('clinician') });
      await refused(await call(at('/nothing'), { headers: { Accept: 'application/json' } }), { status: 404, says: /"not-found".*There is nothing here/ });
      for (const path of ['/fhir', '/fhir/', '/fhir/Observation/1']) await refused(await call(at(path)), { status: 404, says: /"OperationOutcome".*there is nothing at this address/ });
      const method = await refused(await call(at('/schedule/book')), { status: 405, says: /cannot be done at this address/ });
      assert.equal(method.headers.allow, 'POST');
      await refused(await call(at('/visit/arrive'), { headers: { Accept: 'application/json' } }), { status: 405, says: /"method"/ });
      await refused(await call(at(`/fhir/Appointment/${visit()}`), { method: 'DELETE' }), { status: 405, says: /"OperationOutcome".*does not take this method/ });
    });

    test('a body beyond the limit', async () => {
      const large = 'x'.repeat((1 << 20) + 1);
      await refused(await workspace.request.put(at(`/visits/${visit()}/note`), { headers: { 'X-CSRF': await csrf(workspace), Accept: 'application/json' }, data: { subjective: large } }), { status: 413, says: /too large/i });
      await refused(await workspace.request.post(at(`/visits/${visit()}/cancel`), { form: { csrf: await csrf(workspace), reason: large } }), { status: 413, says: /too large/i, reader: demo.user('clinician') });
    });

    test('an EHR that does not answer is named as such, and nothing is booked', async () => {
      const patient = (await chartOf(system, 'Patient')).find((p) => `Patient/${p.id}` !== demo.links.patient_reference && p.id.endsWith('40'));
      await hospital.fault({ kind: '5xx', match: 'Patient', times: -1 });
      const form = { csrf: await csrf(scheduler), ehr: 'sandbox', day: '' };
      await refused(await scheduler.request.post(at('/schedule/patients/choose'), { form: { ...form, ref: `Patient/${patient.id}` } }), { status: 503, says: /connected system does not answer/ });
      const searched = await answerOf(await scheduler.request.post(at('/schedule/patients/search'), { form: { ...form, family: 'Nobody', birthdate: '1990-01-01' } }));
      assert.equal(searched.status, 503);
      assert.match(searched.text, /EHR does not answer/);
      const tomorrow = new Date(Date.now() + 2 * 86_400_000).toISOString().slice(0, 10);
      const wanted = { resourceType: 'Appointment', status: 'booked', start: `${tomorrow}T15:00:00Z`, end: `${tomorrow}T15:20:00Z`,
        participant: [{ actor: { reference: `Patient/${patient.id}` }, status: 'accepted' }, { actor: { reference: demo.user('clinician').practitioner }, status: 'accepted' }] };
      await refused(await system.request('POST', '/Appointment', { body: wanted }), { status: 503, says: /"transient"/ });
      await hospital.clearFaults();
      assert.equal((await system.request('POST', '/Appointment', { body: wanted })).status, 201);
    });
  });

  describe('at the FHIR API', { concurrency: false }, () => {
    const outcome = (code) => new RegExp(`"code":"${code}".*"resourceType":"OperationOutcome"|"resourceType":"OperationOutcome".*"code":"${code}"`);
    const appointment = (changes = {}) => ({
      resourceType: 'Appointment', status: 'booked', start: '2030-01-01T15:00:00Z', end: '2030-01-01T15:20:00Z',
      participant: [{ actor: { reference: demo.links.patient_reference }, status: 'accepted' }, { actor: { reference: demo.user('clinician').practitioner }, status: 'accepted' }], ...changes,
    });
    const name = () => demo.links.patient_name; // sent to be looked for in what comes back
    const send = (body, options = {}) => system.request('POST', '/Appointment', { body, ...options });

    test('what is no FHIR JSON', async () => {
      const half = JSON.stringify(appointment({ comment: name() })).slice(0, -1);
      for (const body of ['', 'x', '[]', 'null', half, `${half}}}`, `${half},"comment":"b"}`, `${half},"extension":[]}`, `${half},"language":null}`, `${half},"contained":[null]}`,
        `${half},"identifier":[{"value":"1"},null]}`, { ...appointment(), resourceType: 'Patient' }, { status: 'booked' }, `{"a":${'['.repeat(99)}1${']'.repeat(99)}}`, Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])]) {
        await refused(await send(body), { status: 400, says: outcome('structure') });
      }
    });

    test('what breaks FHIR’s rules or ours, naming the element', async () => {
      for (const [changes, code, element] of [
        [{ status: name() }, 'code-invalid', 'Appointment.status'], [{ status: 7 }, 'structure', 'Appointment.status'], [{ participant: name() }, 'structure', 'Appointment.participant'],
        [{ participant: [{ actor: name(), status: 'accepted' }] }, 'structure', 'Appointment.participant'],
        [{ start: name() }, 'value', 'Appointment.start'], [{ start: '2030-01-01' }, 'value', 'Appointment.start'], [{ end: '2029-01-01T00:00:00Z' }, 'invariant', 'Appointment.end'], [{ end: undefined }, 'invariant', 'Appointment'],
        [{ participant: appointment().participant.slice(1) }, 'business-rule', 'Appointment.participant'], [{ status: 'fulfilled' }, 'business-rule', 'Appointment.status'],
        [{ participant: [{ actor: { reference: `Patient/${name()}` }, status: 'accepted' }, appointment().participant[1]] }, 'business-rule', 'Appointment.participant.actor'],
        [{ start: '2020-01-01T15:00:00Z', end: '2020-01-01T15:20:00Z' }, 'business-rule', 'Appointment'], [{ end: '2030-01-02T15:00:00Z' }, 'business-rule', 'Appointment'],
      ]) {
        const { text } = await refused(await send(appointment(changes)), { status: 422, says: outcome(code) });
        assert.ok(JSON.parse(text).issue.some((i) => i.expression?.[0]?.startsWith(element)), `${element}: ${text}`);
      }
    });

    test('what is too large, of another type, or asked for in another', async () => {
      await refused(await send(appointment({ comment: 'x'.repeat(1 << 20) })), { status: 413, says: outcome('too-long') });
      for (const type of ['text/plain', 'application/fhir+xml', 'application/fhir+json; fhirVersion=3.0', 'application/fhir+json; charset=latin1', '']) {
        await refused(await send(appointment(), { headers: { 'Content-Type': type } }), { status: 415, says: /Content-Type must be application\/fhir\+json/ });
      }
      for (const type of ['application/fhir+xml', 'text/html', 'application/fhir+json;q=0']) await refused(await send(appointment(), { headers: { Accept: type } }), { status: 406, says: /answers are application\/fhir\+json/ });
      await refused(await system.request('GET', '/Appointment?_format=xml'), { status: 406, says: outcome('not-supported') });
      await refused(await system.request('PATCH', `/Appointment/${visit()}`, { headers: { 'If-Match': 'W/"1"' }, body: [] }), { status: 415, says: /json-patch/ });
    });

    test('who brings no token, a wrong one, or one that does not reach', async () => {
      for (const headers of [{}, { Authorization: 'Bearer x' }, { Authorization: 'Basic eDp5' }, { Cookie: (await osei.cookies(demo.origin)).map((c) => `${c.name}=${c.value}`).join('; ') }]) {
        const { headers: given } = await refused(await call(at(`/fhir/Appointment/${visit()}`), { headers }), { status: 401, says: outcome('login') });
        assert.match(given['www-authenticate'], /^Bearer /);
      }
      await refused(await system.request('GET', '/AuditEvent'), { status: 403, says: outcome('forbidden'), trail: ['access.refused', 'insufficient-scope', 'refused'] });
      await refused(await get(lindqvist, '/fhir/AuditEvent'), { status: 403, says: outcome('forbidden'), trail: ['access.refused', 'not-permitted', 'refused'] });
      await refused(await system.request('GET', '/Appointment/00000000-0000-4000-8000-000000000000'), { status: 404, says: outcome('not-found') });
    });

    test('a search that is not understood', async () => {
      for (const query of [`patient:missing=${encodeURIComponent(name())}`, 'date=soon', '_count=many', `identifier=${encodeURIComponent(name())}`, '_cursor=x', 'reason=x']) {
        await refused(await system.request('GET', `/Appointment?${query}`), { status: 400, says: outcome('invalid') });
      }
    });
  });

  test('more from one address than people can ask', async () => {
    const answers = await Promise.all(Array.from({ length: 90 }, () => call(at('/v/nothing'))));
    const stopped = answers.filter((a) => a.status === 429);
    assert.ok(stopped.length > 0 && stopped.length < 60, `${stopped.length} of 90`);
    assert.equal(stopped[0].headers['retry-after'], '60');
    await refused(stopped[0], { status: 429, says: /Wait a minute/ });
  });

  test('the server’s log tells of no one', () => {
    const log = readFileSync(demo.log, 'utf8');
    assert.ok(log.includes('"a request failed"'));
    assert.deepEqual(foundIn(log, secrets), []);
  });
});
