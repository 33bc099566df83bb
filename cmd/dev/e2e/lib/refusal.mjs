// What every refusal has to be: its status, a sentence, nothing that identifies anybody, and its row in the trail.
import assert from 'node:assert/strict';
import { foundIn, trailOf } from './client.mjs';

/** An answer in one shape, whether Node, a browser's page or a socket asked. */
export const answerOf = async (answer) => (typeof answer.status === 'function'
  ? { status: answer.status(), headers: answer.headers(), text: await answer.text() } : answer);

/**
 * Asserts a refusal. `trail` is [action, code, outcome] of its row as `auditPage` shows it, or null for none; of `secrets`
 * nothing may be in the answer, except that `reader`, who is signed in, may see their own name.
 */
export async function refusal(auditPage, secrets, given, { status, says, trail = null, reader }) {
  const answer = await answerOf(given);
  const { 'x-request-id': request, ...headers } = answer.headers;
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.text, says);
  // Random text could spell a short name.
  const shown = `${JSON.stringify(headers)}\n${answer.text}`.replaceAll(request, '').replace(/nonce[="-]+[\w-]+/g, '').replace(/csrf" (content|value)="[\w-]+"/g, '');
  const own = reader ? [reader.name, ...reader.name.split(' ')] : [];
  assert.deepEqual(foundIn(shown, secrets).filter((value) => !own.includes(value)), [], answer.text);
  assert.match(request, /^[\w-]{16}$/);
  const rows = (await trailOf(auditPage, request)).filter((r) => r.outcome !== 'done'); // what was read on the way was read
  assert.deepEqual(rows.map((r) => [r.action, r.code, r.outcome]), trail ? [trail] : []);
  if (trail) assert.equal(rows[0].from, '127.0.0.1');
  return answer;
}
