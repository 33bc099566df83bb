// Real Chromium with a fake camera and microphone.
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { chromium } from 'playwright-core';

const flags = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream', '--allow-loopback-in-peer-connection',
  '--autoplay-policy=no-user-gesture-required',
];

/** One browser per person, as in life. */
export async function openBrowser({ extra = [], executable = process.env.CHROMIUM ?? '/usr/bin/chromium' } = {}) {
  return chromium.launch({ executablePath: executable, headless: true, args: [...flags, ...extra] });
}

/**
 * Flags of a browser for which a demonstration's certificate is as good as a public one. A context that ignores
 * certificate errors is slower than life: it caches nothing.
 */
export function trusting(demo) {
  const { publicKey } = new X509Certificate(readFileSync(join(dirname(demo.ca_file), 'server.pem')));
  const pin = createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('base64');
  return [`--ignore-certificate-errors-spki-list=${pin}`];
}

/** A context that trusts the development CA's certificates, with everything it does on the wire recorded for the canary. */
export async function openContext(browser, { phone = false, wire, initScript, ...rest } = {}) {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true, permissions: ['camera', 'microphone'], locale: 'en-US', timezoneId: 'America/New_York',
    viewport: phone ? { width: 390, height: 844 } : { width: 1280, height: 800 }, ...rest,
  });
  if (initScript) await context.addInitScript(initScript);
  if (wire) record(context, wire);
  return context;
}

function record(context, wire) {
  context.on('request', (request) => wire.urls.push(request.url()));
  context.on('page', (page) => {
    page.on('websocket', (socket) => {
      wire.urls.push(socket.url());
      socket.on('framesent', ({ payload }) => wire.frames.push(String(payload)));
      socket.on('framereceived', ({ payload }) => wire.frames.push(String(payload)));
    });
    page.on('pageerror', (error) => wire.errors.push(String(error)));
  });
}

/** What a canary search needs of a run. */
export const newWire = () => ({ urls: [], frames: [], errors: [] });

/** Waits until `probe` gives something truthy. */
export async function until(what, probe, { timeout = 20_000, every = 100 } = {}) {
  const end = Date.now() + timeout;
  let last;
  while (Date.now() < end) {
    try {
      last = await probe();
      if (last) return last;
    } catch (error) { last = error; }
    await new Promise((r) => setTimeout(r, every));
  }
  throw new Error(`not within ${timeout} ms: ${what} (last: ${last instanceof Error ? last.message : JSON.stringify(last)})`);
}
