// A person's own line, which can go dead: no packet of theirs arrives anywhere and none reaches them, and nothing is closed.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBrowser } from './browser.mjs';
import { descendants } from './processes.mjs';

const root = process.getuid() === 0;

/**
 * Opens a browser on a line of its own. As root it runs as a user id of its own, by which the kernel knows its packets on
 * loopback. Otherwise the browser itself is stopped while the line is dead, which looks the same to everybody else.
 */
export async function openOnOwnLine() {
  const dir = mkdtempSync(join(tmpdir(), 'televisit-line-'));
  const id = 61_000 + (process.pid % 4000);
  const program = join(dir, 'chromium');
  writeFileSync(program, script(dir, id));
  chmodSync(program, 0o755);
  chmodSync(dir, 0o777);
  const line = root ? filteredLine(id) : frozenLine(() => Number(readFileSync(join(dir, 'pid'), 'utf8')));
  const tidy = () => {
    line.close();
    rmSync(dir, { recursive: true, force: true });
  };
  process.once('exit', tidy);
  const browser = await openBrowser({ executable: program });
  browser.once('disconnected', () => {
    process.removeListener('exit', tidy);
    tidy();
  });
  return { browser, cut: line.cut, mend: line.mend, frozen: !root };
}

const script = (dir, id) => `#!/bin/sh
echo $$ > ${dir}/pid
${root ? `for a in "$@"; do case "$a" in --user-data-dir=*) chown -R ${id}:${id} "\${a#*=}";; esac; done
export HOME=${dir}
exec setpriv --reuid=${id} --regid=${id} --clear-groups` : 'exec'} "\${CHROMIUM:-/usr/bin/chromium}" "$@"
`;

/** Every connection that the user opens carries its mark; while the line is dead, both directions of it are dropped. */
function filteredLine(id) {
  const rule = (what, chain, ...rest) => execFileSync('iptables', ['-w', what, chain, ...rest], { stdio: ['ignore', 'ignore', 'inherit'] });
  const mark = ['-m', 'owner', '--uid-owner', String(id), '-j', 'CONNMARK', '--set-mark', String(id)];
  const drop = ['-m', 'connmark', '--mark', String(id), '-j', 'DROP'];
  let dead = false;
  rule('-I', 'OUTPUT', ...mark);
  const line = {
    cut() {
      rule('-I', 'INPUT', ...drop);
      dead = true;
    },
    mend() {
      if (dead) rule('-D', 'INPUT', ...drop);
      dead = false;
    },
    close() {
      line.mend();
      rule('-D', 'OUTPUT', ...mark);
    },
  };
  return line;
}

function frozenLine(pid) {
  const signal = (name) => [{ pid: pid() }, ...descendants(pid())].forEach((p) => process.kill(p.pid, name));
  let dead = false;
  const line = {
    cut() {
      signal('SIGSTOP');
      dead = true;
    },
    mend() {
      if (dead) signal('SIGCONT');
      dead = false;
    },
    close: () => line.mend(),
  };
  return line;
}
