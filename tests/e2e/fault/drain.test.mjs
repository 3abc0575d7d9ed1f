// A relay is told to stop while a thousand tabs are at work: each is told, served until its turn and sent away, no
// acknowledged read is lost, and their coming back is spread.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { random } from '../lib/form.mjs';
import { Cluster } from '../lib/postgres.mjs';
import { startRelay } from '../lib/relay.mjs';
import { Stalls } from '../lib/stalls.mjs';
import { Stream } from '../lib/stream.mjs';
import { Tab } from '../lib/tab.mjs';
import { eventually, every, mostWithin, sleep } from '../lib/wait.mjs';

const TABS = 1_000;
const EVENTS_PER_S = 100;
const ACTION_MS = 5; // between two users' actions, most of them reads
const DRAIN_S = 10;
const REFUSED_MS = 500;
const SHARE_MAX = 0.1; // of all closes, within
const WINDOW_MS = 100;
const SPREAD_MS = (DRAIN_S - 2) * 1_000; // over which the relay closes them

const refused = (port) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1', () => resolve(socket.destroy() && false));
  socket.once('error', (error) => resolve(error.code === 'ECONNREFUSED'));
});

/** What its server says from now on of its end: `{drainings, code, at}`. The tab does not come back. */
function watch(tab) {
  const drainings = [];
  tab.socket.on('message', (data) => {
    const frame = JSON.parse(data);
    if (frame.type === 'draining') drainings.push(frame.retry_after_ms);
  });
  return new Promise((resolve) => tab.socket.once('close', (code) => {
    tab.stop();
    resolve({ drainings, code, at: performance.now() });
  }));
}

describe('SIGTERM under load', () => {
  let cluster;
  let db;
  const names = Array.from({ length: TABS / 2 }, (_, i) => `user${i}`);
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    await db.addUsers(names);
    await db.sql(`insert into herald.notifications (user_id, title) select id, id from herald.users, generate_series(1, 10)`);
  });
  after(() => cluster?.end());

  for (const workers of ['1', '2']) {
    it(`no acknowledged read is lost, closes are spread, HERALD_WORKERS=${workers}`, async (t) => {
      const relay = await startRelay(db, {
        HERALD_WORKERS: workers, HERALD_DRAIN_SECONDS: String(DRAIN_S), HERALD_MAX_CONNECTIONS_PER_IP: '10000', HERALD_LOG_LEVEL: 'info',
      });
      const dice = random(`workers ${workers}`);
      const tabs = names.flatMap((username) => [1, 2].map(() => new Tab({ username, relays: [relay], dice })));
      await eventually('every tab to be live', () => tabs.every((tab) => tab.live), 60_000);
      const stream = new Stream({ db, users: tabs.map((tab) => tab.user), dice, per_s: EVENTS_PER_S });
      const end = new AbortController();
      t.after(() => end.abort());
      const acting = every(ACTION_MS, end.signal, () => dice.of(tabs).act(dice));
      await sleep(3_000);

      const ends = tabs.map(watch);
      const stalls = new Stalls(relay.processes(), t.signal);
      const start = performance.now();
      relay.program.signal('SIGTERM');
      await eventually('new connections to be refused', () => refused(relay.port));
      const refused_ms = performance.now() - start;
      assert.ok(refused_ms <= REFUSED_MS + stalls.since(start), `new connections were refused after ${refused_ms} ms`);
      const closed = await Promise.all(ends);
      assert.deepEqual(await relay.program.end(5_000), { code: 0, signal: null });
      const ended_ms = performance.now() - start;
      const stalled_ms = stalls.since(start);
      end.abort();
      await acting;
      await stream.stop();

      for (const one of closed) {
        assert.equal(one.code, 1001);
        assert.equal(one.drainings.length, 1, 'each is told once, before its close');
        assert.ok(one.drainings[0] > 0);
      }
      assert.ok(ended_ms <= (DRAIN_S + 1) * 1_000 + stalled_ms, `it took ${ended_ms} ms`);
      const most = mostWithin(WINDOW_MS, closed.map((one) => one.at));
      // What was due while somebody stood still comes at once.
      const share_max = SHARE_MAX + stalls.most(WINDOW_MS) / SPREAD_MS;
      assert.ok(most <= TABS * share_max, `${most} closes within ${WINDOW_MS} ms`);
      assert.ok(new Set(closed.map((one) => one.drainings[0])).size > TABS / 4, 'each has a wait of its own');
      const acknowledged = new Set(tabs.flatMap((tab) => [...tab.acknowledged]));
      const unread = await db.sql('select id::text from herald.notifications where read_at is null');
      assert.deepEqual(unread.filter((row) => acknowledged.has(row.id)), [], 'acknowledged reads that are not in the table');
      assert.ok(acknowledged.size > 100, 'there was something to lose');
      assert.deepEqual(tabs.flatMap((tab) => tab.faults), []);
      t.diagnostic(`refused after ${Math.round(refused_ms)} ms, ended after ${Math.round(ended_ms)} ms; at most ${most} of ${TABS} closes `
        + `within ${WINDOW_MS} ms; ${acknowledged.size} reads acknowledged, none lost`);
    });
  }
});
