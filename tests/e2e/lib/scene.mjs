// What the tests of PostgreSQL in trouble share: tabs that know their rows, and what must be true again afterwards.
import assert from 'node:assert/strict';
import { connect, Mirror, readAll } from './client.mjs';
import { eventually } from './wait.mjs';

/** The state a client has after all frames so far; `resync` empties it. */
export const mirrorOf = (tab) =>
  tab.frames.reduce((state, frame) => (frame.resync ? new Mirror() : state.apply(frame)), new Mirror());

/** /readyz says no, for this reason. */
export async function refuses(relay, pattern, timeout_ms = 15_000) {
  await eventually(`/readyz to say ${pattern}`, async () => {
    const { status, body } = await relay.get('/readyz');
    if (status === 503 && pattern.test(JSON.parse(body).reason)) return true;
    throw new Error(`${status} ${body}`);
  }, timeout_ms);
}

/** Tabs of a new user with rows that all of them know. */
export async function tabsOf(relay, db, { tabs = 2, rows = 6 } = {}) {
  const user = await db.person();
  const all = await Promise.all(Array.from({ length: tabs }, () => connect(relay, user)));
  const ids = [];
  for (let i = 0; i < rows; i += 1) ids.push(await db.notify(user, `n${i}`));
  for (const tab of all) await tab.settle(db, user);
  return { user, ids, tabs: all };
}

/** Tabs are still there and equal to the tables, counts too. */
export async function converged(relay, db, { user, tabs }) {
  await relay.ready(30_000);
  const id = await db.notify(user, 'afterwards');
  const table = await db.versions(user);
  const unread = await db.unread(user);
  for (const tab of tabs) {
    await eventually('the tab to know the last row', () => mirrorOf(tab).rows.has(id));
    await tab.settle(db, user);
    if (tab.frames.some((frame) => frame.resync)) await readAll(tab); // as a client does then
    assert.deepEqual(mirrorOf(tab).versions(), table);
    await eventually('the exact count', () => tab.frames.filter((frame) => 'count' in frame).at(-1).count === unread);
    assert.equal(tab.closing, null, 'the tab stayed connected');
  }
}

