// What is bounded: rates, messages, the bytes kept for a client that does not read; and the heartbeat that finds the
// dead. At the limit, below and above. Who gets in at all is in admission.test.mjs.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { connect, devToken, Mirror, outcome } from './lib/client.mjs';
import { Cluster } from './lib/postgres.mjs';
import { startRelay } from './lib/relay.mjs';
import { eventually, quickest, sleep, within } from './lib/wait.mjs';

describe('limits', () => {
  let cluster;
  let db;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
  });
  after(() => cluster?.end());

  describe('rate', () => {
    let relay;
    let warned = 0; // errors of this kind that tabs were sent
    before(async () => (relay = await startRelay(db, { HERALD_RATE_LIMIT: '5/s:10' })));

    const warnings = (tab) => tab.frames.filter((frame) => frame.code === 'rate_limited').length;

    /** Sends until it is sent away: a machine that stands still for a while gives it new messages to send. */
    async function flood(tab, message) {
      while (!tab.closing) {
        for (let i = 0; i < 60; i += 1) tab.send(message);
        await sleep(20);
      }
      return tab.closed;
    }

    /** Sends one by one until it is told that this was one too many. */
    async function exceed(tab) {
      for (;;) {
        tab.send({ type: 'ping' });
        const answer = await tab.next(null, ({ type }) => ['pong', 'error'].includes(type));
        if (answer.type === 'error') return answer;
      }
    }

    it('a burst within the limit is answered', async () => {
      const tab = await connect(relay, 'alice');
      for (let i = 0; i < 10; i += 1) tab.send({ type: 'ping' });
      await tab.take(10, 'pong');
      assert.deepEqual(tab.left('error'), []);
    });

    it('beyond it comes one error that says when to come back, then 4029', async () => {
      const tab = await connect(relay, 'alice');
      const start = performance.now();
      assert.equal((await flood(tab, { type: 'ping' })).code, 4029);
      const refilled = Math.floor((performance.now() - start + 10) * 5 / 1000);
      const error = await tab.next('error');
      assert.equal(error.code, 'rate_limited');
      assert.ok(error.retry_after_ms > 0 && error.retry_after_ms <= 2_000, String(error.retry_after_ms));
      const pongs = tab.frames.filter((frame) => frame.type === 'pong').length;
      assert.ok(pongs >= 10 && pongs <= 10 + refilled, `${pongs} answered, ${refilled} more than at once were allowed`);
      const errors = tab.frames.filter((frame) => frame.type === 'error').length;
      assert.ok(errors >= 1 && errors <= 1 + refilled, `${errors} errors`); // one each time that it comes to the limit
      warned += warnings(tab);
    });

    it('a client that heeds the error stays', async () => {
      const tab = await connect(relay, 'alice');
      const { retry_after_ms } = await exceed(tab);
      warned += warnings(tab);
      await sleep(retry_after_ms + 1_000);
      tab.send({ type: 'ping', ref: 'again' });
      await tab.next('pong', (frame) => frame.ref === 'again');
      assert.equal(tab.closing, null);
    });

    it('the rate itself is sustained for as long as one likes', async () => {
      const tab = await connect(relay, 'alice');
      for (let i = 0; i < 20; i += 1) {
        await tab.ping();
        await sleep(220);
      }
      assert.deepEqual(tab.left('error'), []);
    });

    it('frames that are no messages count too', async () => {
      const tab = await connect(relay, 'alice');
      assert.equal((await flood(tab, 'not JSON')).code, 4029);
      warned += warnings(tab);
    });

    it('each connection has its own', async () => {
      const [loud, quiet] = [await connect(relay, 'alice'), await connect(relay, 'alice')];
      await flood(loud, { type: 'ping' });
      warned += warnings(loud);
      await quiet.ping();
    });

    it('is counted', async () => {
      const counters = await relay.counters();
      assert.ok(warned >= 4, `${warned}`);
      assert.equal(counters.messages_limited_connection, warned);
      assert.equal(counters.sessions_closed_rate_limit, 3);
    });

    it('HERALD_RATE_LIMIT_PER_USER: the tabs of a user share it, other users have theirs', async () => {
      const shared = await startRelay(db, { HERALD_RATE_LIMIT_PER_USER: '1/s:20' });
      const tabs = [await connect(shared, 'alice'), await connect(shared, 'alice')];
      const other = await connect(shared, 'bob');
      for (let i = 0; i < 10; i += 1) tabs.forEach((tab) => tab.send({ type: 'ping' }));
      for (const tab of tabs) await tab.take(10, 'pong');
      const error = await exceed(tabs[0]);
      assert.equal(error.code, 'rate_limited');
      assert.ok(error.retry_after_ms > 0 && error.retry_after_ms <= 1_000, String(error.retry_after_ms));
      assert.deepEqual(await flood(tabs[0], { type: 'ping' }), { code: 4029, reason: 'too many messages of this user' });
      for (let i = 0; i < 20; i += 1) other.send({ type: 'ping' });
      await other.take(20, 'pong');
      await sleep(1_500);
      await tabs[1].ping();
      const counters = await shared.counters();
      assert.equal(counters.messages_limited_user, warnings(tabs[0]));
      assert.equal(counters.sessions_closed_user_rate_limit, 1);
    });
  });

  describe('heartbeat', { concurrency: true }, () => {
    for (const workers of ['1', '2']) {
      it(`the server pings, who answers stays, who does not is dropped after two missed (HERALD_WORKERS=${workers})`, async () => {
        // The good one answers in time, though this process may stand still for two seconds.
        const relay = await startRelay(db, { HERALD_HEARTBEAT: '2', HERALD_WORKERS: workers });
        const good = await connect(relay, 'alice');
        assert.equal(good.welcome.heartbeat_interval, 2);
        const start = Date.now();
        const mute = await connect(relay, 'alice', { socket: { autoPong: false } });
        await within(14_000, () => 'the end of the mute client', mute.closed);
        const took = Date.now() - start;
        assert.ok(took > 3_000 && took < 12_000, `dropped after ${took} ms`);
        assert.ok(mute.pings >= 2, `${mute.pings} pings`);
        await sleep(4_000);
        assert.equal(good.closing, null);
        assert.ok(good.pings >= 3, `${good.pings} pings`);
        await good.ping();
      });
    }

    it('a client that talks but never pongs is alive', async () => {
      const relay = await startRelay(db, { HERALD_HEARTBEAT: '2' });
      const tab = await connect(relay, 'alice', { socket: { autoPong: false } });
      for (let i = 0; i < 14; i += 1) {
        await sleep(800);
        await tab.ping();
      }
      assert.equal(tab.closing, null);
    });

    it('a peer that vanished without a word is dropped', async () => {
      const relay = await startRelay(db, { HERALD_HEARTBEAT: '1' });
      const tab = await connect(relay, 'alice');
      tab.socket._socket.pause(); // its kernel still acknowledges, it does not read
      await eventually('the relay to say so', () => /event=session_closed/.test(relay.log()), 8_000);
      tab.socket.terminate();
    });
  });

  describe('a client that does not read', () => {
    for (const workers of ['1', '2']) {
      it(`others are unaffected, memory is bounded, and it is told the whole state afterwards (HERALD_WORKERS=${workers})`, async () => {
        const relay = await startRelay(db, {
          HERALD_QUEUE_BYTES: '65536', HERALD_WORKERS: workers, HERALD_HEARTBEAT: '300',
          // A sanitizer that keeps freed memory for long would be measured instead of the relay.
          ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:quarantine_size_mb=1`,
        });
        const user = await db.person();
        const slow = await connect(relay, user);
        const quick = await connect(relay, user);
        const base = relay.memory();
        slow.socket._socket.pause();
        let peak = 0;
        // Each transaction fits into the queue, all of them fit into nobody's buffers.
        for (let i = 0; i < 400; i += 1) {
          await db.sql(`insert into herald.notifications (user_id, title, message)
                        select $1, 'n', repeat('m', 20000) from generate_series(1, 3)`, [`u-${user}`]);
          await quick.take(3, 'new_notification');
          peak = Math.max(peak, relay.memory());
        }
        assert.ok(peak - base < 24 * 1024 * 1024, `${Math.round((peak - base) / 1024)} kB more for 24 MB unread`);
        const took = await quickest(5, () => quick.ping());
        assert.ok(took < 500, `${took} ms`);
        assert.equal(slow.closing, null, 'it is not closed for being slow');

        slow.socket._socket.resume();
        const told = await slow.next('resumed', undefined, 20_000);
        assert.equal(told.resync, true);
        const list = await slow.next('unread_notifications', undefined, 20_000);
        assert.equal(list.count, 1200);
        assert.ok(slow.frames.indexOf(told) < slow.frames.indexOf(list));
        await db.notify(user, 'afterwards');
        await slow.next('new_notification', (frame) => frame.notification.title === 'afterwards', 10_000);
        await slow.ping();
        const shown = slow.frames.reduce((state, frame) => state.apply(frame), new Mirror());
        const table = await db.versions(user);
        for (const [id, version] of Object.entries(shown.versions())) assert.equal(version, table[id]);
        slow.socket.terminate();
        quick.socket.terminate();
      });
    }

    it('broadcasts it could not take are lost to it alone, no frame is torn', async () => {
      const relay = await startRelay(db, { HERALD_QUEUE_BYTES: '65536', HERALD_HEARTBEAT: '300' });
      const user = await db.person();
      const [slow, quick] = [await connect(relay, user), await connect(relay, user)];
      slow.socket._socket.pause();
      for (let i = 0; i < 100; i += 1) {
        await db.sql(`select herald.broadcast_to_user($1, json_build_object('type', 'load', 'n', $2::int, 'x', repeat('b', 200000)))`, [`u-${user}`, i]);
        assert.equal((await quick.next('load', undefined, 20_000)).n, i);
      }
      slow.socket._socket.resume();
      await slow.next('resumed', undefined, 20_000);
      await slow.settle(db, user, 10_000);
      const seen = slow.frames.filter((frame) => frame.type === 'load').map((frame) => frame.n);
      assert.ok(seen.length < 100);
      assert.deepEqual(seen, Array.from({ length: seen.length }, (_, i) => i), 'a prefix, whole and in order');
    });

    it('a queue of one frame larger than the bound still gets the frame to who reads', async () => {
      const relay = await startRelay(db, { HERALD_QUEUE_BYTES: '65536' });
      const user = await db.person();
      const tab = await connect(relay, user);
      await db.notify(user, 'big', { message: 'm'.repeat(900_000) });
      const frame = await tab.next(null, (f) => f.type === 'new_notification' || f.type === 'unread_notifications', 10_000);
      const { message } = frame.notification ?? frame.notifications[0];
      assert.equal(message.length, 900_000);
    });
  });

  it('HERALD_MAX_MESSAGE_BYTES is what it says', async () => {
    const relay = await startRelay(db, { HERALD_MAX_MESSAGE_BYTES: '1024' });
    const tab = await connect(relay, 'alice');
    tab.send(`{"type":"ping"${' '.repeat(1024 - 15)}}`);
    await tab.next('pong');
    tab.send(`{"type":"ping"${' '.repeat(1025 - 15)}}`);
    assert.equal((await tab.closed).code, 1009);
    assert.equal(await outcome(relay, { token: devToken('alice') }), 'connected');
    assert.equal((await relay.counters()).sessions_closed_message_too_large, 1);
  });
});
