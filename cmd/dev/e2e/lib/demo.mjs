// Starts the real programs (bin/televisit demo --json) and ends them.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root } from './programs.mjs';

const program = join(process.env.TELEVISIT_BIN ?? join(root, 'bin'), 'televisit');

/** Starts a demonstration. With `data` it continues the state of an earlier one. */
export async function startDemo({ data, logLevel = 'debug', env = {} } = {}) {
  const dir = data ?? mkdtempSync(join(tmpdir(), 'televisit-e2e-'));
  const child = spawn(program, ['demo', '--json', '--data', dir, '--listen', '127.0.0.1:0', '--log-level', logLevel], {
    env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (chunk) => { errors = (errors + chunk).slice(-8000); });
  const exited = new Promise((done) => child.once('exit', (code, signal) => done({ code, signal })));
  const info = await Promise.race([
    firstLine(child.stdout),
    exited.then(({ code, signal }) => { throw new Error(`televisit demo ended (${code ?? signal}):\n${errors}`); }),
    new Promise((_, fail) => setTimeout(() => fail(new Error(`televisit demo is not ready after 90 s:\n${errors}`)), 90_000).unref()),
  ]);
  return {
    ...info, dir, child, exited,
    errors: () => errors,
    user: (role) => info.users.find((u) => u.roles.includes(role)),
    async kill() { child.kill('SIGKILL'); await exited; },
    async stop({ keep = false } = {}) {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGINT');
      const end = await exited;
      if (!keep) rmSync(dir, { recursive: true, force: true });
      return end;
    },
  };
}

async function firstLine(stream) {
  const lines = createInterface({ input: stream });
  for await (const line of lines) return JSON.parse(line);
  return new Promise(() => {}); // it ends without a word, and its exit tells why
}
