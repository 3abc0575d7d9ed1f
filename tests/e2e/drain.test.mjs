// The end of a relay as its clients see it: told, served until their turn, sent away one after another.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { connect } from './lib/client.mjs';
import { Cluster } from './lib/postgres.mjs';
import { startRelay } from './lib/relay.mjs';
import { eventually } from './lib/wait.mjs';

const TABS = 40;

const refuses = (port) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1', () => resolve(socket.destroy() && false));
  socket.once('error', (error) => resolve(error.code === 'ECONNREFUSED'));
});

const openTabs = (relay, user) => Promise.all(Array.from({ length: TABS }, () => connect(relay, user)));

/** Between the first tab and the last that it closed, in ms, by the relay's clock: here they may all be seen at once. */
async function closingTime(relay, tabs) {
  await Promise.all(tabs.map((tab) => tab.closed));
  const times = [...relay.log().matchAll(/^time=(\S+) \S+ event=session_closed .* code=1001 /gm)].map(([, time]) => Date.parse(time));
  assert.equal(times.length, tabs.length, 'each is logged before it is closed');
  return Math.max(...times) - Math.min(...times);
}

describe('the end of a relay', () => {
  let cluster;
  let db;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
  });
  after(() => cluster?.end());

  for (const workers of ['1', '2']) {
    it(`tabs are told, served, and closed over the time (HERALD_WORKERS=${workers})`, async () => {
      const relay = await startRelay(db, { HERALD_WORKERS: workers, HERALD_DRAIN_SECONDS: '6' });
      const user = await db.person();
      const tabs = await openTabs(relay, user);
      const id = await db.notify(user, 'before');
      for (const tab of tabs) await tab.next('new_notification');
      const started = performance.now();
      relay.program.signal('SIGTERM');
      const waits = [];
      for (const tab of tabs) waits.push((await tab.next('draining')).retry_after_ms);
      assert.ok(waits.every((ms) => ms >= 500 && ms <= 3000), String(waits));
      assert.ok(new Set(waits).size > TABS / 2, 'each has a wait of its own');
      await eventually('new connections to be refused', () => refuses(relay.port));

      const last = await Promise.any(tabs.map(async (tab) => {
        const answer = await tab.ask({ type: 'mark_read', notification_id: id });
        assert.equal(answer.success, true);
        return tab;
      }));
      assert.ok(last, 'a read is still written');
      assert.equal(await db.unread(user), 0);

      const took = await closingTime(relay, tabs);
      for (const tab of tabs) assert.deepEqual(tab.closing, { code: 1001, reason: 'server is shutting down' });
      assert.ok(took > 1_500, `closes are spread, not all within ${took} ms`);
      assert.deepEqual(await relay.program.end(5_000), { code: 0, signal: null });
      assert.ok(performance.now() - started < 12_000, 'in time');
      assert.doesNotMatch(relay.log(), /event=workers_killed/);
    });

    it(`a second SIGTERM ends it at once (HERALD_WORKERS=${workers})`, async () => {
      const relay = await startRelay(db, { HERALD_WORKERS: workers, HERALD_DRAIN_SECONDS: '60' });
      const tab = await connect(relay, 'alice');
      relay.program.signal('SIGTERM');
      await tab.next('draining');
      const started = performance.now();
      relay.program.signal('SIGTERM');
      await relay.program.end(10_000);
      assert.ok(performance.now() - started < 10_000);
    });

    it(`HERALD_DRAIN_SECONDS=0 closes all at once (HERALD_WORKERS=${workers})`, async () => {
      const relay = await startRelay(db, { HERALD_WORKERS: workers, HERALD_DRAIN_SECONDS: '0' });
      await openTabs(relay, 'alice');
      const started = performance.now();
      await relay.stop();
      assert.ok(performance.now() - started < 6_000);
    });
  }

  it('a terminal that interrupts supervisor and workers alike gets the same', async () => {
    const relay = await startRelay(db, { HERALD_WORKERS: '2', HERALD_DRAIN_SECONDS: '5' });
    const tabs = await openTabs(relay, 'bob');
    for (const pid of relay.processes()) process.kill(pid, 'SIGINT');
    for (const tab of tabs) await tab.next('draining');
    const took = await closingTime(relay, tabs);
    assert.ok(took > 800, `closes are spread, not all within ${took} ms`);
    assert.deepEqual(await relay.program.end(5_000), { code: 0, signal: null });
  });

  for (const [when, draining] of [['', false], [' while it drains', true]]) {
    it(`workers whose supervisor is killed${when} let go of their tabs at once, and tell them so`, async () => {
      const relay = await startRelay(db, { HERALD_WORKERS: '2', HERALD_DRAIN_SECONDS: '60' });
      const tabs = await openTabs(relay, 'alice');
      const started = performance.now();
      if (draining) {
        relay.program.signal('SIGTERM');
        for (const tab of tabs) await tab.next('draining');
      }
      // They learn of it in two ways, and here at the same time.
      const workers = relay.workers();
      for (const pid of workers) process.kill(pid, 'SIGSTOP');
      const killed = relay.kill();
      await eventually('its end', () => !relay.running);
      for (const pid of workers) process.kill(pid, 'SIGCONT');
      await killed;
      for (const tab of tabs) assert.equal((await tab.closed).code, 1001);
      assert.ok(performance.now() - started < 10_000);
    });
  }
});
