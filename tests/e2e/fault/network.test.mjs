// The network between relay and database breaks, loses and refuses packets, each way: the relay notices and says so,
// clients stay, and afterwards nothing is missing.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { connect, Mirror } from '../lib/client.mjs';
import { scratch } from '../lib/env.mjs';
import { form, full, random } from '../lib/form.mjs';
import { Network, networkTrouble } from '../lib/network.mjs';
import { Cluster } from '../lib/postgres.mjs';
import { spawnRelay } from '../lib/relay.mjs';
import { Stalls } from '../lib/stalls.mjs';
import { eventually, sleep } from '../lib/wait.mjs';

const DETECTED_MS = 15_000;
const PONG_MS = 1_000;
/** A cut of the short form ends when it was noticed, the full one lasts. */
const CUT_MS = form(0, 30_000);
const IMPAIRED_MS = form(5_000, 30_000);

const skip = networkTrouble() ?? false;
const mirrorOf = (tab) => tab.frames.reduce((state, frame) => state.apply(frame), new Mirror());

/** Inserts, changes and deletes a user's rows until told to stop. */
function write(db, user, chances) {
  let going = true;
  const ids = [];
  const change = async () => {
    if (ids.length < 5 || chances.chance(0.6)) ids.push(await db.notify(user, 'n'));
    else if (chances.chance(0.5)) await db.sql('update herald.notifications set title = title || $2 where id = $1', [chances.of(ids), '+']);
    else await db.sql('delete from herald.notifications where id = $1', [ids.splice(chances.between(0, ids.length - 1), 1)[0]]);
  };
  const done = (async () => {
    while (going) {
      await change();
      await sleep(20);
    }
  })();
  return { stop: () => ((going = false), done) };
}

/** Pings without a pause until told to stop; how long the slowest answer took, but for what stood still meanwhile. */
function pingAlong(tab, stalls) {
  let going = true;
  let slowest_ms = 0;
  const done = (async () => {
    while (going) {
      const start = performance.now();
      await tab.ping();
      slowest_ms = Math.max(slowest_ms, performance.now() - start - stalls.since(start));
      await sleep(100);
    }
    return slowest_ms;
  })();
  return { stop: () => ((going = false), done) };
}

describe('the network between relay and database', () => {
  let network;
  let cluster;
  let db;
  const relays = [];
  before(async () => {
    if (skip) return;
    network = new Network();
    cluster = await Cluster.start({}, { end: network.database });
    db = await cluster.database();
    for (const [feed, workers] of [['notify', '1'], ['poll', '2']]) {
      const folder = mkdtempSync(join(scratch, 'socket-'));
      chmodSync(folder, 0o777);
      relays.push(await spawnRelay(db, {
        HERALD_DATABASE_URL: db.url('relay', { host: network.database.address }),
        HERALD_LISTEN: `unix:${folder}/s`,
        HERALD_FEED: feed,
        HERALD_WORKERS: workers,
      }, { end: network.relay }));
    }
    for (const relay of relays) await relay.ready();
  });
  after(async () => {
    network?.heal();
    await cluster?.end();
    network?.close();
  });

  /** What each of the relay's workers says. */
  const readiness = (relay) => Promise.all(Array.from({ length: relay.askedOfAll }, async () =>
    JSON.parse((await relay.get('/readyz')).body)));

  /** How long until every relay, and every worker, says that it is not ready, and why. */
  async function detection() {
    const start = performance.now();
    await Promise.all(relays.map((relay) => eventually('/readyz to say no', async () => {
      const states = await readiness(relay);
      return states.every((state) => !state.ready && state.reason.length > 0);
    }, DETECTED_MS)));
    return Math.round(performance.now() - start);
  }

  /** Tabs of one user on each relay under a stream of changes, while `fault` happens; then everything must be right. */
  async function during(t, fault) {
    const user = await db.person();
    const reader = await db.person('reader');
    const unread = (await db.sql(`insert into herald.notifications (user_id, title) select $1, 'n' from generate_series(1, 400)
                                  returning id::text`, [`u-${reader}`])).map((row) => row.id);
    const tabs = await Promise.all(relays.flatMap((relay) => [connect(relay, user), connect(relay, user), connect(relay, reader)]));
    const readers = tabs.filter((tab) => tab.welcome.user_id === `u-${reader}`);
    const writer = write(db, user, random(t.name));
    const stalls = new Stalls(relays.flatMap((relay) => relay.processes()), t.signal);
    const pings = tabs.map((tab) => pingAlong(tab, stalls));
    const marks = markAlong(readers, unread);
    await fault();
    const healed = performance.now();
    for (const relay of relays) await relay.ready(30_000);
    t.diagnostic(`ready again after ${Math.round(performance.now() - healed)} ms`);
    await writer.stop();
    const acknowledged = await marks.stop();
    const slowest_ms = Math.max(...await Promise.all(pings.map((ping) => ping.stop())));
    assert.ok(slowest_ms <= PONG_MS, `the slowest pong took ${slowest_ms} ms`);
    const table = await db.versions(user);
    for (const tab of tabs.filter((one) => !readers.includes(one))) {
      await tab.settle(db, user, 20_000);
      assert.deepEqual(mirrorOf(tab).versions(), table);
      assert.equal(tab.left('resumed').length, 0, 'the feed went on, nobody had to read everything again');
    }
    for (const tab of tabs) assert.equal(tab.closing, null, 'the tab stayed connected');
    const lies = await db.sql('select id from herald.notifications where id = any($1::uuid[]) and read_at is null', [acknowledged]);
    assert.deepEqual(lies, [], 'an acknowledged mark_read is committed');
    t.diagnostic(`${Object.keys(table).length} rows left, ${acknowledged.length} reads acknowledged, slowest pong ${Math.round(slowest_ms)} ms`);
    await Promise.all(tabs.map((tab) => tab.close()));
  }

  /** Every tab marks one row after the other; the ids whose read was acknowledged. */
  function markAlong(tabs, ids) {
    let going = true;
    const acknowledged = [];
    const answers = tabs.map(async (tab, i) => {
      const mine = ids.filter((_, n) => n % tabs.length === i);
      while (going && mine.length) {
        const answer = await tab.ask({ type: 'mark_read', notification_id: mine.pop() }, 40_000);
        if (answer.success) acknowledged.push(answer.notification_id);
        else assert.equal(answer.code, 'unavailable');
        await sleep(100);
      }
    });
    return { stop: async () => ((going = false), await Promise.all(answers), acknowledged) };
  }

  const lost = 'drop';
  const refused = 'reject with tcp reset';
  const cuts = [
    { name: 'nothing arrives at the database', impose: () => network.database.meet(lost) },
    { name: 'what goes to the database is answered by RST', impose: () => network.database.meet(refused) },
    { name: 'nothing arrives at the relay', impose: () => network.relay.meet(lost), long: true },
    { name: 'what goes to the relay is answered by RST', impose: () => network.relay.meet(refused), long: true },
    { name: 'nothing arrives at either end', impose: () => [network.relay, network.database].forEach((end) => end.meet(lost)), long: true },
  ];

  for (const { name, impose } of cuts.filter((cut) => full || !cut.long)) {
    it(`${name}: noticed, said, and nothing is missing afterwards`, { skip }, (t) => during(t, async () => {
      await sleep(500);
      impose();
      const end = performance.now() + CUT_MS;
      t.diagnostic(`noticed after ${await detection()} ms`);
      await sleep(Math.max(1_000, end - performance.now()));
      for (const relay of relays) assert.ok((await readiness(relay)).every((state) => !state.ready), 'as long as it lasts');
      network.heal();
    }));
  }

  it('a relay that cannot be reached loses its doorbell key: nobody rings for it for long', { skip }, (t) => during(t, async () => {
    const holders = async () => (await db.sql(`select pid from pg_locks where locktype = 'advisory' and mode = 'ExclusiveLock' and granted`)).map((row) => row.pid);
    const before = await holders();
    assert.ok(before.length, 'one is armed');
    [network.relay, network.database].forEach((end) => end.meet(lost));
    const start = performance.now();
    await eventually('its key to be free', async () => (await holders()).every((pid) => !before.includes(pid)), 30_000);
    t.diagnostic(`free after ${Math.round(performance.now() - start)} ms`);
    network.heal();
  }));

  it('a fifth of all packets is lost: it goes on, slower, and nothing is missing', { skip }, (t) => during(t, async () => {
    for (const end of [network.relay, network.database]) end.meet('numgen random mod 100 < 20 drop');
    await sleep(IMPAIRED_MS);
    network.heal();
  }));
});
