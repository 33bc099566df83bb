// The database and the trail, as an auditor sees them.
import { bin, run } from './programs.mjs';

/** One value, or the last statement's, as text. */
export async function query(demo, sql) {
  const { out } = await run('psql', ['--quiet', '--no-psqlrc', '--tuples-only', '--no-align', '--set', 'ON_ERROR_STOP=1', demo.database_url, '--command', sql]);
  return out.toString('utf8').trim();
}

export const dump = async (demo) => (await run('pg_dump', ['--no-password', demo.database_url])).out.toString('utf8');

export const verifyAudit = (demo) => bin('televisit', ['audit', 'verify', '--data', demo.data, '--database-url', demo.database_url], { ok: [0, 1] });
