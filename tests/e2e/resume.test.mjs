// A tab that comes back with its cursor is told what it missed, once and in full; one that does not take its frames
// is caught up in the same way.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Client, connect, devToken, Mirror } from './lib/client.mjs';
import { Cluster } from './lib/postgres.mjs';
import { startRelay } from './lib/relay.mjs';
import { sleep } from './lib/wait.mjs';

const back = (relay, user, cursor) => connect(relay, user, { query: `cursor=${encodeURIComponent(cursor)}` });
const kinds = (tab) => tab.frames.map((frame) => frame.type).filter((type) => type !== 'unread_count');

/** The cursor a client would keep: that of the last frame that had one. */
const lastCursor = (tab) => tab.frames.filter((frame) => frame.cursor).at(-1).cursor;

describe('resume', () => {
  let cluster;
  let db;
  let relay;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    relay = await startRelay(db);
  });
  after(() => cluster?.end());

  it('new, changed and deleted ones come in that order of things, then resumed with their number', async () => {
    const user = await db.person();
    const [a, b] = [await db.notify(user, 'a'), await db.notify(user, 'b')];
    const tab = await connect(relay, user);
    await tab.settle(db, user);
    const cursor = (await tab.ping()).cursor;
    await tab.close();
    await db.notify(user, 'c');
    await db.sql(`update herald.notifications set title = 'a2' where id = $1`, [a]);
    await db.sql('delete from herald.notifications where id = $1', [b]);
    // The feed is past them, so that none comes a second time behind `resumed`.
    const witness = await db.person();
    await (await connect(relay, witness)).settle(db, witness);

    const again = await back(relay, user, cursor);
    const told = await again.next('resumed');
    assert.equal(told.count, 3);
    assert.deepEqual(kinds(again), ['connected', 'new_notification', 'notification_updated', 'notification_deleted', 'resumed']);
    assert.equal(again.frames[1].notification.title, 'c');
    assert.equal(again.frames[2].notification.title, 'a2');
    assert.equal(again.frames[3].notification_id, b);
    assert.equal(again.welcome.unread_count, 2);
    assert.equal(again.welcome.cursor, cursor, 'nothing is claimed before it was told');
    assert.notEqual(told.cursor, cursor);
  });

  it('the cursor counts wherever it stands in the query, and however long the rest is', async () => {
    const user = await db.person();
    const tab = await connect(relay, user);
    const { cursor } = await tab.settle(db, user).then(() => tab.ping());
    await db.notify(user, 'missed');
    const args = [`token=${devToken(user)}`, `cursor=${encodeURIComponent(cursor)}`, `x=${'y'.repeat(6000)}`];
    for (const order of [[0, 1, 2], [1, 0, 2], [2, 1, 0], [0, 2, 1]]) {
      const again = new Client(relay, { query: order.map((i) => args[i]).join('&') });
      await again.next('connected');
      assert.equal((await again.next('resumed')).count, 1, `${order}`);
      await again.close();
    }
  });

  it('nothing missed: resumed with 0, in one round trip', async () => {
    const user = await db.person();
    const tab = await connect(relay, user);
    const { cursor } = await tab.settle(db, user).then(() => tab.ping());
    const again = await back(relay, user, cursor);
    assert.equal((await again.next('resumed')).count, 0);
  });

  it('by authenticate and by resume in an open session, with their refs', async () => {
    const user = await db.person();
    const tab = await connect(relay, user);
    const { cursor } = tab.welcome;
    await db.notify(user, 'x');
    await tab.next('new_notification');
    const framed = new Client(relay, {});
    await framed.opened;
    framed.send({ type: 'authenticate', token: devToken(user), cursor, ref: 'in' });
    assert.equal((await framed.next('connected')).ref, 'in');
    assert.equal((await framed.next('new_notification')).notification.title, 'x');
    assert.equal((await framed.next('resumed')).count, 1);

    tab.send({ type: 'resume', cursor, ref: 'again' });
    await tab.next('new_notification');
    assert.equal((await tab.next('resumed')).ref, 'again');
    await db.notify(user, 'y');
    assert.equal((await tab.next('new_notification')).notification.title, 'y');
  });

  it('a cursor of another history, or none at all, gets resync and the first page', async () => {
    const user = await db.person();
    await db.notify(user, 'kept');
    for (const cursor of ['deadbeef-5', 'garbage', '', '00000000-0', 'x'.repeat(90), '685d6cc4-99999999999999999999999']) {
      const tab = await back(relay, user, cursor);
      const told = await tab.next('resumed');
      assert.equal(told.resync, true, cursor);
      const page = await tab.next('unread_notifications');
      assert.equal(page.count, 1);
      assert.ok(tab.frames.indexOf(told) < tab.frames.indexOf(page));
      assert.match(told.cursor, /^0{8}-0$/, 'until the page has come, the state is not known');
      await db.sql(`select herald.broadcast_to_user($1, '{"type":"after"}')`, [`u-${user}`]);
      await tab.next('after');
      await tab.close();
    }
  });

  it('a malformed resume is an error, and the session goes on', async () => {
    const tab = await connect(relay, 'alice');
    for (const bad of [{}, { cursor: 5 }, { cursor: null }, { cursor: ['x'] }]) {
      const answer = await tab.ask({ type: 'resume', ...bad });
      assert.equal(answer.type, 'error');
      assert.equal(answer.code, 'bad_field');
    }
    await tab.ping();
  });

  it('500 changes are replayed, 501 are a resync', async () => {
    for (const [n, resync] of [[500, undefined], [501, true]]) {
      const user = await db.person();
      const tab = await connect(relay, user);
      const { cursor } = tab.welcome;
      await tab.close();
      await db.sql(`insert into herald.notifications (user_id, title) select $1, 'n' from generate_series(1, $2)`, [`u-${user}`, n]);
      const again = await back(relay, user, cursor);
      const told = await again.next('resumed', undefined, 10_000);
      assert.equal(told.resync, resync, `${n}`);
      if (!resync) assert.equal(told.count, n);
    }
  });

  it('truncation, and tombstones that are no longer kept, are a resync', async () => {
    const own = await cluster.database();
    const other = await startRelay(own);
    const user = await own.person();
    const tab = await connect(other, user);
    const { cursor } = tab.welcome;
    await own.notify(user, 'gone');
    await tab.next('new_notification');
    const middle = (await tab.settle(own, user).then(() => tab.ping())).cursor;
    await own.sql('truncate herald.notifications');
    assert.equal((await tab.next('resumed')).resync, true);
    const again = await back(other, user, middle);
    assert.equal((await again.next('resumed')).resync, true);
    await own.sql(`delete from herald.tombstones`);
    await own.sql(`update herald.state set tombstones_pruned_xid = pg_current_xact_id()`);
    const old = await back(other, user, cursor);
    assert.equal((await old.next('resumed')).resync, true);
    const fresh = await connect(other, user);
    const recent = await back(other, user, (await fresh.settle(own, user).then(() => fresh.ping())).cursor);
    assert.equal((await recent.next('resumed')).count, 0);
  });

  it('another user’s changes are never replayed', async () => {
    const [user, stranger] = [await db.person(), await db.person()];
    const tab = await connect(relay, user);
    await db.notify(stranger, 'not yours');
    const again = await back(relay, user, tab.welcome.cursor);
    assert.equal((await again.next('resumed')).count, 0);
    assert.deepEqual(kinds(again), ['connected', 'resumed']);
  });

  it('a row that an older transaction commits later is not missed', async () => {
    const user = await db.person();
    const slow = await db.session();
    await slow.query('begin');
    await slow.query('insert into herald.notifications (user_id, title) values ($1, $2)', [`u-${user}`, 'late']);
    const tab = await connect(relay, user);
    for (let i = 0; i < 5; i += 1) await db.notify(user, `n${i}`);
    await tab.take(5, 'new_notification');
    await tab.settle(db, user);
    const cursor = lastCursor(tab);
    await tab.close();
    await slow.query('commit');
    const again = await back(relay, user, cursor);
    await again.next('resumed');
    assert.ok(again.frames.some((frame) => frame.notification?.title === 'late'));
  });

  for (const workers of ['1', '2']) {
    it(`across a relay that was killed and another relay, under writers: nothing is lost, HERALD_WORKERS=${workers}`, async () => {
      const user = await db.person();
      let relays = [await startRelay(db, { HERALD_WORKERS: workers }), await startRelay(db, { HERALD_FEED: 'poll' })];
      const mirror = new Mirror();
      const apply = (frame) => {
        assert.ok(!frame.resync, 'it is told what it missed');
        mirror.apply(frame);
      };
      let writing = true;
      let [changes, told] = [0, 0];
      const writer = (async () => {
        for (let i = 0; writing; i += 1) {
          await sleep(3);
          // A relay may take seconds to start, or to answer, and over 500 changes are a resync.
          if (changes - told > 400) continue;
          changes += 1 + (i % 3 === 0) + (i % 5 === 0);
          await db.notify(user, `w${i}`);
          if (i % 3 === 0) await db.sql(`update herald.notifications set message = 'm' where id in (select id from herald.notifications where user_id = $1 order by random() limit 1)`, [`u-${user}`]);
          if (i % 5 === 0) await db.sql(`delete from herald.notifications where id in (select id from herald.notifications where user_id = $1 order by random() limit 1)`, [`u-${user}`]);
        }
      })();
      let tab = await connect(relays[0], user);
      const page = await tab.ask({ type: 'get_notifications', limit: 100 });
      assert.equal(page.type, 'notifications');
      let resumed;
      for (let round = 1; round <= 6; round += 1) {
        await sleep(120);
        tab.socket.terminate();
        await tab.closed;
        tab.frames.forEach(apply);
        const cursor = lastCursor(tab);
        if (round === 3) {
          process.kill(relays[0].pid, 'SIGKILL');
          relays = [await startRelay(db, { HERALD_WORKERS: workers }), relays[1]];
        }
        await sleep(60);
        const before = changes;
        tab = await back(relays[round % 2], user, cursor);
        resumed = tab.next('resumed', undefined, 20_000);
        resumed.then(() => (told = before), () => {}); // or it is terminated before
      }
      await resumed;
      writing = false;
      await writer;
      await tab.settle(db, user);
      tab.frames.forEach(apply);
      assert.deepEqual(mirror.versions(), await db.versions(user));
    });
  }

  it('across a restart of PostgreSQL the cursor holds; after a crash it is a resync', async () => {
    const own = await Cluster.start();
    try {
      const base = await own.database();
      const one = await startRelay(base);
      const user = await base.person();
      const tab = await connect(one, user);
      await base.notify(user, 'before');
      await tab.next('new_notification');
      const { cursor } = await tab.settle(base, user).then(() => tab.ping());
      await own.restart('fast');
      await base.notify(user, 'after');
      await tab.next('new_notification', undefined, 10_000);
      const again = await back(one, user, cursor);
      await again.next('resumed');
      assert.deepEqual(kinds(again), ['connected', 'new_notification', 'resumed']);
      await own.restart('immediate');
      await one.ready();
      const crashed = await back(one, user, cursor);
      assert.equal((await crashed.next('resumed')).resync, true);
    } finally {
      await own.end();
    }
  });

  it('a tab that did not take its frames is caught up, complete and in order', async () => {
    const narrow = await startRelay(db, { HERALD_QUEUE_BYTES: '65536', HERALD_HEARTBEAT: '300' });
    const user = await db.person();
    const [slow, quick] = [await connect(narrow, user), await connect(narrow, user)];
    slow.socket._socket.pause();
    for (let i = 0; i < 450; i += 1) {
      await db.sql(`insert into herald.notifications (user_id, title, message) values ($1, $2, repeat('m', 30000))`, [`u-${user}`, `t${i}`]);
      await quick.next('new_notification');
    }
    slow.socket._socket.resume();
    const told = await slow.next('resumed', undefined, 20_000);
    assert.equal(told.resync, undefined, 'it fits into a replay');
    await slow.settle(db, user, 20_000);
    const titles = slow.frames.filter((frame) => frame.type === 'new_notification').map((frame) => frame.notification.title);
    const first = [...new Set(titles)];
    assert.deepEqual(first, Array.from({ length: 450 }, (_, i) => `t${i}`));
    const shown = slow.frames.reduce((state, frame) => state.apply(frame), new Mirror());
    assert.deepEqual(shown.versions(), await db.versions(user));
  });
});
