// PostgreSQL that hangs, some of its processes or all of them: noticed within 15 s, replaced, and what hung backends
// commit when they wake up was not acknowledged to anybody wrongly.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Cluster } from './lib/postgres.mjs';
import { spawnRelay, startRelay } from './lib/relay.mjs';
import { converged, refuses, tabsOf } from './lib/scene.mjs';
import { eventually } from './lib/wait.mjs';

const stop = (pids) => pids.forEach((pid) => process.kill(pid, 'SIGSTOP'));
const go = (pids) => pids.forEach((pid) => process.kill(pid, 'SIGCONT'));
const isRead = async (db, id) => (await db.value('select read_at is not null from herald.notifications where id = $1', [id])) === 't';

// Side by side, since each of them mostly waits.
describe('PostgreSQL hangs', { concurrency: true }, () => {
  let clusters;
  let databases;
  before(async () => {
    clusters = await Promise.all([Cluster.start(), Cluster.start()]);
    databases = [await clusters[0].database(), await clusters[0].database(), await clusters[1].database()];
  });
  after(() => Promise.all(clusters?.map((cluster) => cluster.end()) ?? []));

  it('its backends of a relay: other ones take over while they still hang, and their late commits are harmless', async () => {
    const db = databases[0];
    const relay = await startRelay(db, { HERALD_WORKERS: '2' });
    const scene = await tabsOf(relay, db, { tabs: 4 });
    const hung = await db.backends();
    assert.equal(hung.length, 3, 'a feed and two desks');
    stop(hung);
    for (const [i, tab] of scene.tabs.entries()) tab.send({ type: 'mark_read', notification_id: scene.ids[i], ref: 'hung' });
    // /readyz says so from here until other connections are there, which may be before it is asked again; the log keeps it.
    const lost = /event=database_lost .* why="the database does not answer"/;
    await Promise.any([
      refuses(relay, /does not answer/, 15_000),
      eventually('the log to say that one does not answer', () => lost.test(relay.log()), 15_000),
    ]);
    for (const tab of scene.tabs) await tab.ping();
    const answers = await Promise.all(scene.tabs.map((tab) => tab.next(null, (frame) => frame.ref === 'hung', 20_000)));
    for (const [i, answer] of answers.entries()) {
      if (answer.success) assert.ok(await isRead(db, scene.ids[i]), 'an acknowledged read is committed');
      else assert.equal(answer.code, 'unavailable');
    }
    await converged(relay, db, scene);
    go(hung);
    await eventually('the hung backends to end', async () => (await db.backends()).every((pid) => !hung.includes(pid)));
    await converged(relay, db, scene); // what they wrote at last comes as a change
    await relay.stop();
  });

  it('the connection for reads alone, while nobody asks anything', async () => {
    const db = databases[1];
    const relay = await startRelay(db);
    const scene = await tabsOf(relay, db);
    const hung = await db.backends('pgherald desk');
    stop(hung);
    await eventually('another connection', async () => (await db.backends('pgherald desk')).some((pid) => !hung.includes(pid)), 15_000);
    await converged(relay, db, scene);
    go(hung);
    await relay.stop();
    assert.match(relay.log(), /event=database_lost pid=\d+ link="pgherald desk" why="the database does not answer"/);
  });

  it('all of it, below a running relay and at the start of another', async () => {
    const db = databases[2];
    const relay = await startRelay(db);
    const scene = await tabsOf(relay, db);
    const all = [db.cluster.program.pid, ...db.cluster.processes()];
    stop(all);
    const newcomer = await spawnRelay(db);
    await newcomer.listening();
    scene.tabs[0].send({ type: 'mark_read', notification_id: scene.ids[0], ref: 'hung' });
    await Promise.all([refuses(relay, /does not answer/, 15_000), refuses(newcomer, /does not answer/, 15_000)]);
    for (const tab of scene.tabs) await tab.ping();
    const answer = await scene.tabs[0].next(null, (frame) => frame.ref === 'hung', 20_000);
    assert.deepEqual([answer.success, answer.code], [false, 'unavailable']);
    go(all);
    await converged(relay, db, scene);
    await newcomer.ready(20_000);
    await converged(newcomer, db, await tabsOf(newcomer, db));
    await Promise.all([relay.stop(), newcomer.stop()]);
  });
});
