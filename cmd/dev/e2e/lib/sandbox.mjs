// The sandbox hospital as a test sees it: its admin door and its chart.
import { request } from 'node:https';

/** An HTTPS call on loopback; the development CA is not in this process's store. */
export function call(url, { method = 'GET', headers = {}, body } = {}) {
  return new Promise((done, fail) => {
    const req = request(url, { method, headers, rejectUnauthorized: false }, (res) => {
      const chunks = [];
      res.on('data', (c) => chunks.push(c));
      res.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        done({ status: res.statusCode, headers: res.headers, text, json: () => JSON.parse(text) });
      });
    });
    req.on('error', fail);
    if (body !== undefined) req.write(body);
    req.end();
  });
}

export const sandbox = (demo) => {
  const admin = (path, options = {}) => call(demo.sandbox_origin + path, {
    ...options, headers: { 'X-Sandbox-Admin': demo.sandbox_admin_token, 'Content-Type': 'application/json', ...options.headers },
  });
  return {
    received: async (type) => (await admin(`/sandbox/received?type=${type}`)).json(),
    fault: (fault) => admin('/sandbox/faults', { method: 'POST', body: JSON.stringify(fault) }),
    clearFaults: () => admin('/sandbox/faults', { method: 'DELETE' }),
    requests: async () => (await admin('/sandbox/requests')).json(),
  };
};

/** Decodes what the sandbox received, byte for byte, as JSON. */
export const resources = (received) => received.map((r) => ({ ...r, resource: JSON.parse(Buffer.from(r.bytes_base64, 'base64').toString('utf8')) }));
