// What the server's own log says of the requests of a launch.
import { open } from 'node:fs/promises';

const streams = new Set(['/events', '/rtc']);

/** The time that the server spent on what it answered between two moments, in milliseconds since the epoch. */
export async function readServerTimes(path, from, to) {
  const routes = {};
  let total = 0;
  const file = await open(path);
  try {
    for await (const line of file.readLines()) {
      const entry = JSON.parse(line);
      const at = Date.parse(entry.time);
      if (entry.msg !== 'request' || streams.has(entry.route) || at < from || at > to) continue;
      total += entry.ms;
      const name = `${entry.method} ${entry.route}`;
      routes[name] = (routes[name] ?? 0) + entry.ms;
    }
  } finally {
    await file.close();
  }
  return { ms: total, routes };
}
