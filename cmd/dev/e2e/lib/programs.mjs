// The project's own programs and the system's, run to their end.
import { execFile } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../../..');
const folder = process.env.TELEVISIT_BIN ?? join(root, 'bin');

/** Runs a program; a failure is an error with what it printed. */
export function run(program, args, { input, env = {}, ok = [0] } = {}) {
  return new Promise((done, fail) => {
    const child = execFile(program, args, { maxBuffer: 256 << 20, encoding: 'buffer', env: { ...process.env, ...env }, cwd: root }, (error, out, err) => {
      const code = typeof error?.code === 'number' ? error.code : error ? 1 : 0;
      if (!ok.includes(code)) return fail(new Error(`${program} ${args[0] ?? ''} ended with ${code}:\n${out}${err}`));
      done({ code, out, text: `${out}${err}` });
    });
    if (input !== undefined) child.stdin.on('error', () => {}).end(input);
  });
}

/** Runs bin/televisit or bin/televisit-dev. */
export const bin = (name, args, options) => run(join(folder, name), args, options);
