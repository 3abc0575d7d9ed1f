// Transactions of every kind, against each way the feed works: what commits is
// seen, in its newest state and once; what does not commit is never seen.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { connect, Mirror } from './lib/client.mjs';
import { Cluster } from './lib/postgres.mjs';
import { CANARY, startRelay } from './lib/relay.mjs';
import { eventually, sleep } from './lib/wait.mjs';

const modes = [
  { HERALD_FEED: 'adaptive', HERALD_WORKERS: '1' },
  { HERALD_FEED: 'notify', HERALD_WORKERS: '1' },
  { HERALD_FEED: 'poll', HERALD_WORKERS: '1' },
  { HERALD_FEED: 'notify', HERALD_WORKERS: '2' },
];

const titles = (tab, type = 'new_notification') => tab.frames.filter((frame) => frame.type === type).map((frame) => frame.notification.title);

/** (id, version) pairs a tab was shown more than once. */
function repeated(tab) {
  const seen = new Set();
  return tab.frames.filter((frame) => frame.notification).map(({ notification: { id, version } }) => `${id} ${version}`)
    .filter((key) => seen.has(key) || !seen.add(key));
}

const mirrorOf = (tab) => tab.frames.reduce((state, frame) => state.apply(frame), new Mirror());

describe('feed', () => {
  let cluster;
  before(async () => (cluster = await Cluster.start()));
  after(() => cluster?.end());

  for (const mode of modes) {
    describe(Object.entries(mode).map((pair) => pair.join('=')).join(' '), () => {
      let db;
      let relay;
      before(async () => {
        db = await cluster.database();
        relay = await startRelay(db, { ...mode, HERALD_MAX_CONNECTIONS_PER_IP: '5000' });
      });

      async function open() {
        const user = await db.person();
        return { user, id: `u-${user}`, tab: await connect(relay, user) };
      }

      const insert = (session, id, title) =>
        session.query('insert into herald.notifications (user_id, title) values ($1, $2) returning id::text', [id, title]);

      it('a row is there well before a second has passed', async () => {
        const { user, tab } = await open();
        const [taken, asked] = [[], []];
        const timed = async (times, wait) => {
          const start = performance.now();
          await wait;
          times.push(performance.now() - start);
        };
        for (let i = 0; i < 20; i += 1) {
          await db.notify(user, `t${i}`);
          await timed(taken, tab.next('new_notification', (frame) => frame.notification.title === `t${i}`));
          await timed(asked, tab.ask({ type: 'get_unread', limit: 1 })); // what the machine needs for the way there and back
          await sleep(30); // long enough for a relay to fall asleep
        }
        const [median, usual] = [taken, asked].map((times) => times.sort((a, b) => a - b)[10]);
        assert.ok(median < 100 + 4 * usual && median < 500, `median ${median} ms; of questions ${usual} ms`);
      });

      it('a transaction that is rolled back is never seen', async () => {
        const { user, id, tab } = await open();
        const kept = await db.notify(user, 'kept');
        await tab.next('new_notification');
        const session = await db.session();
        await session.query('begin');
        await insert(session, id, 'ghost');
        await session.query(`update herald.notifications set title = 'ghost' where id = $1`, [kept]);
        await session.query('delete from herald.notifications where id = $1', [kept]);
        await sleep(100);
        await session.query('rollback');
        await session.end();
        await tab.settle(db, user);
        assert.deepEqual(titles(tab), ['kept']);
        assert.deepEqual([...tab.left('notification_updated'), ...tab.left('notification_deleted')], []);
        assert.equal((await tab.ask({ type: 'get_unread' })).count, 1);
      });

      it('a transaction whose connection dies before the commit is never seen', async () => {
        const { user, id, tab } = await open();
        const session = await db.session();
        await session.query('begin');
        await insert(session, id, 'ghost');
        const pid = (await session.query('select pg_backend_pid()')).rows[0].pg_backend_pid;
        await db.sql('select pg_terminate_backend($1)', [pid]);
        await tab.settle(db, user);
        assert.deepEqual(titles(tab), []);
        await session.end().catch(() => {});
      });

      it('an uncommitted row is not seen until it is committed', async () => {
        const { user, id, tab } = await open();
        const session = await db.session();
        await session.query('begin');
        await insert(session, id, 'late');
        await tab.settle(db, user);
        assert.deepEqual(titles(tab), []);
        await session.query('commit');
        await session.end();
        await tab.next('new_notification', (frame) => frame.notification.title === 'late');
      });

      it('rows committed in another order than written all arrive', async () => {
        const { user, id, tab } = await open();
        const sessions = [];
        for (let i = 0; i < 6; i += 1) {
          const session = await db.session();
          await session.query('begin');
          await insert(session, id, `row${i}`);
          sessions.push(session);
        }
        const order = [3, 5, 0, 4, 1, 2]; // 2 is the one a cursor at the newest id would have passed
        for (const i of order) {
          await sessions[i].query('commit');
          await tab.next('new_notification', (frame) => frame.notification.title === `row${i}`);
          await db.notify(user, `between${i}`);
          await tab.next('new_notification', (frame) => frame.notification.title === `between${i}`);
        }
        for (const session of sessions) await session.end();
        await tab.settle(db, user);
        assert.equal(titles(tab).length, 12);
      });

      it('a transaction that stays open for long hides nothing and loses nothing', async () => {
        const { user, id, tab } = await open();
        const long = await db.session();
        await long.query('begin');
        await insert(long, id, 'long');
        await db.sql(`insert into herald.notifications (user_id, title) select $1, 'bulk' from generate_series(1, 500)`, [id]);
        for (let i = 0; i < 100; i += 1) await db.notify(user, 'short');
        await tab.settle(db, user);
        assert.equal(titles(tab).length, 600);
        await long.query('commit');
        await long.end();
        await tab.next('new_notification', (frame) => frame.notification.title === 'long');
        await tab.settle(db, user);
        assert.deepEqual([titles(tab).length, repeated(tab)], [601, []]);
      });

      it('savepoints: what was rolled back to one is not seen, the rest is', async () => {
        const { user, id, tab } = await open();
        const session = await db.session();
        await session.query('begin');
        await insert(session, id, 'first');
        await session.query('savepoint a');
        await insert(session, id, 'ghost');
        await session.query('savepoint b');
        await insert(session, id, 'ghost');
        await session.query('rollback to savepoint a');
        await insert(session, id, 'second');
        await session.query('savepoint c');
        await insert(session, id, 'third');
        await session.query('release savepoint c');
        await session.query('commit');
        await session.end();
        await tab.settle(db, user);
        assert.deepEqual(titles(tab).sort(), ['first', 'second', 'third']);
      });

      it('a transaction of which only a savepoint wrote is seen', async () => {
        const { id, tab } = await open();
        const session = await db.session();
        for (const title of ['one', 'two']) {
          await session.query('begin');
          await session.query('savepoint a');
          await insert(session, id, title);
          await session.query('release savepoint a');
          await session.query('commit');
          await tab.next('new_notification', (frame) => frame.notification.title === title);
        }
        await session.end();
      });

      it('ninety blocks with exceptions in one transaction leave exactly what survived', async () => {
        const { user, id, tab } = await open();
        await db.sql(`do $$ begin
          for i in 1..90 loop
            begin
              insert into herald.notifications (user_id, title) values ('${id}', 'block' || i);
              if i % 3 = 0 then raise exception 'undo'; end if;
            exception when raise_exception then null;
            end;
          end loop; end $$`);
        await tab.settle(db, user);
        assert.deepEqual(titles(tab).sort(), Array.from({ length: 90 }, (_, i) => i + 1).filter((i) => i % 3).map((i) => `block${i}`).sort());
      });

      it('insert and update in one transaction are one new notification of version 2', async () => {
        const { user, id, tab } = await open();
        const session = await db.session();
        await session.query('begin');
        const { rows } = await insert(session, id, 'draft');
        await session.query(`update herald.notifications set title = 'final' where id = $1`, [rows[0].id]);
        await session.query('commit');
        await session.end();
        const { notification } = await tab.next('new_notification');
        assert.deepEqual([notification.title, notification.version], ['final', 2]);
        await tab.settle(db, user);
        assert.deepEqual([...tab.left('new_notification'), ...tab.left('notification_updated')], []);
      });

      it('insert and delete in one transaction leave nothing to show', async () => {
        const { user, id, tab } = await open();
        const session = await db.session();
        await session.query('begin');
        await insert(session, id, 'ghost');
        await session.query(`delete from herald.notifications where user_id = $1 and title = 'ghost'`, [id]);
        await session.query('commit');
        await session.end();
        await tab.settle(db, user);
        assert.deepEqual(titles(tab), []);
        assert.deepEqual(mirrorOf(tab).versions(), await db.versions(user));
      });

      it('an upsert is seen as what it did', async () => {
        const { id, tab } = await open();
        const upsert = (title) => db.sql(
          `insert into herald.notifications (user_id, title, dedupe_key) values ($1, $2, 'k')
           on conflict (user_id, dedupe_key) where dedupe_key is not null do update set title = excluded.title`, [id, title]);
        await upsert('one');
        assert.equal((await tab.next('new_notification')).notification.title, 'one');
        await upsert('two');
        const { notification } = await tab.next('notification_updated');
        assert.deepEqual([notification.title, notification.version], ['two', 2]);
      });

      it('what an application writes into xid and version is overwritten', async () => {
        const { user, id, tab } = await open();
        await db.sql(`insert into herald.notifications (user_id, title, xid, created_xid, version) values ($1, 'x', '1', '9999999999', 77)`, [id]);
        const { notification } = await tab.next('new_notification');
        assert.equal(notification.version, 1);
        await db.sql(`update herald.notifications set xid = '1', version = 1 where user_id = $1`, [id]);
        assert.equal((await tab.next('notification_updated')).notification.version, 2);
        await tab.settle(db, user);
      });

      it('a prepared transaction of a quiet session is found without a bell', async () => {
        const { id, tab } = await open();
        const session = await db.session();
        await session.query('set herald.quiet = on');
        await session.query('begin');
        await insert(session, id, 'prepared');
        const name = `p${randomUUID()}`;
        await session.query(`prepare transaction '${name}'`);
        await session.query(`commit prepared '${name}'`);
        await session.end();
        await tab.next('new_notification');
      });

      it('a replication session\'s rows are seen as well', async () => {
        const { id, tab } = await open();
        const admin = await db.session('postgres');
        await admin.query('set session_replication_role = replica');
        await insert(admin, id, 'replicated');
        await admin.end();
        await tab.next('new_notification');
      });

      for (const size of [8_000, 200_000, 1_000_000]) {
        it(`a notification of ${size} bytes arrives whole`, async () => {
          const { user, tab } = await open();
          const message = `${CANARY} ${'é😀x'.repeat(Math.ceil(size / 7))}`;
          await db.notify(user, 'big', { message });
          const { notification } = await tab.next('new_notification', undefined, 10_000);
          assert.equal(notification.message.length, message.length);
          assert.ok(notification.message === message);
          const answer = await tab.ask({ type: 'mark_read', notification_id: notification.id }, 10_000);
          assert.ok(answer.notification.message === message);
        });
      }

      it('10,000 rows for 1,000 users in one INSERT … SELECT: every tab gets its ten', async () => {
        const users = Array.from({ length: 1000 }, (_, i) => `bulk${i}`);
        await db.addUsers(users);
        const tabs = [];
        for (let i = 0; i < users.length; i += 50) {
          tabs.push(...(await Promise.all(users.slice(i, i + 50).map((user) => connect(relay, user)))));
        }
        await db.sql(`insert into herald.notifications (user_id, title)
                      select 'u-bulk' || (i % 1000), 'b' || i from generate_series(0, 9999) i`);
        for (const [i, tab] of tabs.entries()) {
          const frames = await tab.take(10, 'new_notification', undefined, 20_000);
          assert.deepEqual(frames.map((frame) => Number(frame.notification.title.slice(1)) % 1000), Array(10).fill(i));
          assert.equal(new Set(frames.map((frame) => frame.notification.id)).size, 10);
          await tab.next('unread_count', (frame) => frame.count === 10, 10_000);
        }
        await tabs[0].settle(db, users[0]);
        for (const tab of tabs) assert.deepEqual(tab.left('new_notification'), []);
        await db.sql(`update herald.notifications set read_at = now() where user_id like 'u-bulk%'`);
        for (const tab of tabs) await tab.take(10, 'notification_updated', (frame) => frame.notification.is_read, 20_000);
        await db.sql(`delete from herald.notifications where user_id like 'u-bulk%'`);
        for (const tab of tabs) await tab.take(10, 'notification_deleted', undefined, 20_000);
        for (const tab of tabs) tab.socket.terminate();
      });

      it('nothing is missed, repeated or invented while twelve writers do everything at once', async () => {
        const people = await Promise.all(Array.from({ length: 4 }, () => open()));
        const until = Date.now() + 3_000;
        const pick = (list) => list[Math.floor(Math.random() * list.length)];
        const levels = ['read committed', 'repeatable read', 'serializable'];

        async function step(session, mine) {
          const { id } = pick(people);
          const what = Math.random();
          if (what < 0.55 || mine.length === 0) mine.push((await insert(session, id, 'w')).rows[0].id);
          else if (what < 0.85) await session.query(`update herald.notifications set category = 'c' where id = $1`, [pick(mine)]);
          else await session.query('delete from herald.notifications where id = $1', [mine.shift()]);
        }

        async function transaction(session, mine) {
          const original = [...mine];
          await session.query(`begin isolation level ${pick(levels)}`);
          for (let n = Math.ceil(Math.random() * 5); n > 0; n -= 1) {
            await step(session, mine);
            if (Math.random() < 0.3) {
              const kept = [...mine];
              await session.query('savepoint s');
              await step(session, mine);
              if (Math.random() < 0.5) {
                await session.query('rollback to savepoint s');
                mine.splice(0, mine.length, ...kept);
              }
            }
            if (Math.random() < 0.2) await sleep(Math.random() * 60);
          }
          if (Math.random() < 0.2) {
            await session.query('rollback');
            mine.splice(0, mine.length, ...original);
          } else await session.query('commit');
        }

        await Promise.all(Array.from({ length: 12 }, async () => {
          const session = await db.session();
          const mine = [];
          while (Date.now() < until) {
            const snapshot = [...mine];
            await transaction(session, mine).catch(async (error) => {
              if (error.code !== '40001') throw error;
              await session.query('rollback');
              mine.splice(0, mine.length, ...snapshot);
            });
          }
          await session.end();
        }));

        for (const { user, tab } of people) {
          await tab.settle(db, user, 15_000);
          assert.deepEqual(mirrorOf(tab).versions(), await db.versions(user));
          assert.deepEqual(repeated(tab), []);
          const total = await db.unread(user);
          const told = () => tab.frames.filter((frame) => frame.type === 'unread_count').at(-1);
          await eventually('the exact count', () => (told()?.count ?? tab.welcome.unread_count) === total);
        }
      });
    });
  }
});
