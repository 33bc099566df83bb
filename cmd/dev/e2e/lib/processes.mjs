// Processes of this machine, as the kernel tells of them.
import { readdirSync, readFileSync } from 'node:fs';

/** Every process below one, with its start time, so that a reused id is not mistaken for it. */
export function descendants(pid) {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((name) => processOf(Number(name))).filter(Boolean);
  const found = [];
  for (let parents = [pid]; parents.length > 0;) {
    const children = all.filter((p) => parents.includes(p.parent));
    found.push(...children);
    parents = children.map((p) => p.pid);
  }
  return found;
}

function processOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, parent, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { pid, name: stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')), state, parent: Number(parent), started: rest[17] };
  } catch {
    return undefined; // it ended meanwhile
  }
}

/** Whether it still runs; one that ended and was not yet fetched does not. */
export function alive({ pid, started }) {
  const now = processOf(pid);
  return now !== undefined && now.started === started && now.state !== 'Z';
}
