// Who sees what: all tabs of a user, no tab of anybody else; broadcasts and
// disconnects from SQL; exact counts while many write. One process and two workers.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { connect, Mirror } from './lib/client.mjs';
import { Cluster } from './lib/postgres.mjs';
import { CANARY, startRelay } from './lib/relay.mjs';
import { eventually, sleep } from './lib/wait.mjs';

describe('tabs', () => {
  let cluster;
  before(async () => (cluster = await Cluster.start()));
  after(() => cluster?.end());

  const tabsOf = (relay, user, n) => Promise.all(Array.from({ length: n }, () => connect(relay, user)));

  for (const workers of [1, 2]) {
    describe(`with HERALD_WORKERS=${workers}`, () => {
      let db;
      let relay;
      before(async () => {
        db = await cluster.database();
        relay = await startRelay(db, { HERALD_WORKERS: String(workers) });
      });

      it('two users never see each other\'s', async () => {
        const users = [await db.person(), await db.person()];
        const tabs = await Promise.all(users.map((user) => connect(relay, user)));
        await Promise.all(users.map(async (user) => {
          for (let i = 0; i < 100; i += 1) {
            const id = await db.notify(user, `${CANARY} of <${user}>`);
            if (i % 2) await db.sql('update herald.notifications set read_at = now() where id = $1', [id]);
            if (i % 5 === 0) await db.sql('delete from herald.notifications where id = $1', [id]);
          }
          await db.sql('select herald.broadcast_to_user($1, $2::json)', [`u-${user}`, JSON.stringify({ type: 'note', user })]);
        }));
        for (const [i, tab] of tabs.entries()) {
          await tab.settle(db, users[i]);
          const seen = tab.frames.map((frame) => frame.raw).join('\n');
          assert.ok(seen.includes(`of <${users[i]}>`));
          assert.ok(!seen.includes(`of <${users[1 - i]}>`), 'a frame of the other user');
          assert.deepEqual(tab.left('note').map((frame) => frame.user), [users[i]]);
        }
      });

      it('a user whose id begins or ends like another\'s gets nothing of it', async () => {
        const user = await db.person('pre');
        await db.addUsers([`${user}x`, user.slice(0, -1)]);
        const [tab, longer, shorter] = await Promise.all([user, `${user}x`, user.slice(0, -1)].map((name) => connect(relay, name)));
        await db.notify(user, 'mine');
        await tab.next('new_notification');
        await longer.settle(db, `${user}x`);
        await shorter.settle(db, user.slice(0, -1));
        assert.deepEqual([...longer.left('new_notification'), ...shorter.left('new_notification')], []);
      });

      it('three tabs of a user all get the same frame', async () => {
        const user = await db.person();
        const tabs = await tabsOf(relay, user, 3);
        await db.notify(user, 'hello');
        const frames = await Promise.all(tabs.map((tab) => tab.next('new_notification')));
        assert.equal(new Set(frames.map((frame) => frame.raw)).size, 1);
        await Promise.all(tabs.map((tab) => tab.next('unread_count', (frame) => frame.count === 1)));
      });

      it('read in one tab is read in all and in the table; only the asking tab gets its ref', async () => {
        const user = await db.person();
        const tabs = await tabsOf(relay, user, 3);
        const id = await db.notify(user, 'x');
        await Promise.all(tabs.map((tab) => tab.next('new_notification')));
        tabs[0].send({ type: 'mark_read', notification_id: id, ref: 'mine' });
        const frames = await Promise.all(tabs.map((tab) => tab.next('notification_updated')));
        assert.deepEqual(frames.map((frame) => frame.ref), ['mine', undefined, undefined]);
        for (const frame of frames) assert.deepEqual(frame.notification, frames[0].notification);
        assert.equal(frames[0].notification.is_read, true);
        await Promise.all(tabs.map((tab) => tab.next('unread_count', (frame) => frame.count === 0)));
        assert.equal(await db.unread(user), 0);
        for (const tab of tabs) {
          await tab.settle(db, user);
          assert.deepEqual(tab.left('notification_updated'), [], 'each tab gets it once');
        }
      });

      it('the same notification marked in two tabs at once is answered in both', async () => {
        const user = await db.person();
        const tabs = await tabsOf(relay, user, 2);
        for (let i = 0; i < 20; i += 1) {
          const id = await db.notify(user, 'x');
          const answers = await Promise.all(tabs.map((tab) => tab.ask({ type: 'mark_read', notification_id: id })));
          assert.deepEqual(answers.map((frame) => [frame.success, frame.notification.version]), [[true, 2], [true, 2]]);
          assert.deepEqual((await db.versions(user))[id], 2);
        }
      });

      it('mark_all_read in one tab reaches the others', async () => {
        const user = await db.person();
        const tabs = await tabsOf(relay, user, 3);
        await db.sql(`insert into herald.notifications (user_id, title) select $1, 'n' from generate_series(1, 30)`, [`u-${user}`]);
        await Promise.all(tabs.map((tab) => tab.take(30, 'new_notification')));
        await tabs[1].ask({ type: 'mark_all_read' });
        for (const tab of tabs) {
          await eventually('the tab to know that all are read', () => {
            const mirror = tab.frames.reduce((state, frame) => state.apply(frame), new Mirror());
            const last = tab.frames.filter((frame) => frame.type === 'unread_count').at(-1);
            return last?.count === 0 && [...mirror.rows.values()].every((row) => row.is_read);
          });
        }
      });

      it('insert, update and delete by plain SQL reach every tab, set-wise and one by one', async () => {
        const user = await db.person();
        const tabs = await tabsOf(relay, user, 3);
        await db.sql(`insert into herald.notifications (user_id, title) select $1, 'n' || i from generate_series(1, 50) i`, [`u-${user}`]);
        await db.sql(`update herald.notifications set category = 'c' where user_id = $1`, [`u-${user}`]);
        await db.sql(`delete from herald.notifications where user_id = $1 and title like '%5'`, [`u-${user}`]);
        const id = await db.notify(user, 'single');
        await db.sql('update herald.notifications set read_at = now() where id = $1', [id]);
        const table = await db.versions(user);
        assert.equal(Object.keys(table).length, 46);
        for (const tab of tabs) {
          await tab.settle(db, user);
          assert.deepEqual(tab.frames.reduce((state, frame) => state.apply(frame), new Mirror()).versions(), table);
          await tab.next('unread_count', (frame) => frame.count === 45);
        }
      });

      it('a tab that leaves does not take the others along', async () => {
        const user = await db.person();
        const tabs = await tabsOf(relay, user, 3);
        tabs[0].socket.terminate();
        await tabs[1].close();
        await db.notify(user, 'x');
        await tabs[2].next('new_notification');
        const again = await connect(relay, user);
        await db.notify(user, 'y');
        await Promise.all([again, tabs[2]].map((tab) => tab.next('new_notification', (frame) => frame.notification.title === 'y')));
      });

      it('broadcast_to_user passes the message through byte for byte, to all its tabs only', async () => {
        const user = await db.person();
        const other = await db.person();
        const tabs = await tabsOf(relay, user, 2);
        const stranger = await connect(relay, other);
        const messages = [
          '{"type":"system_alert","text":"Wartung um 5"}',
          '{ "b" : 1.10 , "type" : "system_alert",\n\t"big":123456789012345678901234567890.0e-5, "a":[ ] ,"u":"\\u00e9\\ud83d\\ude00\\/", "raw":"é😀\u2028" }',
          '{"dup":1,"dup":2,"type":"x"}',
          `{"type":"long","text":"${CANARY}${'y'.repeat(300_000)}"}`,
          '{"type":"CONNECTED"}',
        ];
        for (const message of messages) {
          await db.sql('select herald.broadcast_to_user($1, $2::json)', [`u-${user}`, message]);
          for (const tab of tabs) assert.equal((await tab.next(JSON.parse(message).type)).raw, message);
        }
        await stranger.settle(db, other);
        assert.deepEqual(stranger.frames.filter((frame) => ['system_alert', 'x', 'long'].includes(frame.type)), []);
      });

      it('messages of one transaction and of one after another keep their order', async () => {
        const user = await db.person();
        const tab = await connect(relay, user);
        for (let t = 0; t < 10; t += 1) {
          await db.sql(`select herald.broadcast_to_user($1, json_build_object('type', 'seq', 'n', $2::int + i))
                        from generate_series(0, 9) i`, [`u-${user}`, t * 10]);
        }
        const seen = await tab.take(100, 'seq');
        assert.deepEqual(seen.map((frame) => frame.n), Array.from({ length: 100 }, (_, i) => i));
      });

      it('broadcast_to_users reaches each of them once and nobody else', async () => {
        const users = [await db.person(), await db.person(), await db.person()];
        const tabs = await Promise.all(users.map((user) => connect(relay, user)));
        await db.sql('select herald.broadcast_to_users($1, $2::json)',
          [[`u-${users[0]}`, `u-${users[1]}`, `u-${users[0]}`, 'u-nobody'], '{"type":"system_alert","n":1}']);
        for (const [i, tab] of tabs.entries()) {
          await tab.settle(db, users[i]);
          assert.equal(tab.left('system_alert').length, i < 2 ? 1 : 0);
        }
      });

      it('broadcast_to_all reaches everybody who is connected, once', async () => {
        const users = [await db.person(), await db.person()];
        const tabs = [...(await tabsOf(relay, users[0], 2)), await connect(relay, users[1])];
        const message = '{"type":"everybody",  "n":1}';
        await db.sql('select herald.broadcast_to_all($1::json)', [message]);
        for (const tab of tabs) assert.equal((await tab.next('everybody')).raw, message);
        const late = await connect(relay, users[1]);
        await late.settle(db, users[1]);
        for (const tab of [...tabs, late]) assert.deepEqual(tab.left('everybody'), []);
      });

      it('a broadcast of a rolled-back transaction is never seen', async () => {
        const user = await db.person();
        const tab = await connect(relay, user);
        const session = await db.session();
        await session.query('begin');
        await session.query('select herald.broadcast_to_user($1, $2::json)', [`u-${user}`, '{"type":"ghost"}']);
        await session.query('rollback');
        await session.end();
        await tab.settle(db, user);
        assert.deepEqual(tab.left('ghost'), []);
      });

      it('a broadcast with a type of the protocol\'s own is refused by SQL', async () => {
        for (const type of ['connected', 'new_notification', 'unread_count', 'pong', 'error', 'draining', 'authenticate', 'ping']) {
          await assert.rejects(db.sql('select herald.broadcast_to_all($1::json)', [JSON.stringify({ type })]), type);
        }
      });

      it('disconnect_user closes every tab of the user with 4002 and nobody else\'s', async () => {
        const user = await db.person();
        const other = await db.person();
        const tabs = await tabsOf(relay, user, 3);
        const stranger = await connect(relay, other);
        await db.sql('select herald.disconnect_user($1)', [`u-${user}`]);
        for (const tab of tabs) assert.equal((await tab.closed).code, 4002);
        await stranger.settle(db, other);
        const back = await connect(relay, user);
        await back.settle(db, user);
      });

      it('unread_count ends exact with eight writers at work', async () => {
        const user = await db.person();
        const tabs = await tabsOf(relay, user, 3);
        await Promise.all(Array.from({ length: 8 }, async (_, w) => {
          for (let i = 0; i < 25; i += 1) {
            const id = await db.notify(user, `w${w}`);
            if (i % 3 === 0) await tabs[w % 3].ask({ type: 'mark_read', notification_id: id });
            if (i % 7 === 0) await db.sql('delete from herald.notifications where id = $1', [id]);
          }
        }));
        const total = await db.unread(user);
        for (const tab of tabs) {
          await tab.settle(db, user); // the total may have been passed on the way
          await eventually(`the last count to be ${total}`, () =>
            tab.frames.filter((frame) => frame.type === 'unread_count').at(-1)?.count === total);
          await sleep(150); // and it stays
          assert.equal(tab.frames.filter((frame) => frame.type === 'unread_count').at(-1).count, total);
          const page = await tab.ask({ type: 'get_unread', limit: 1 });
          assert.equal(page.count, total);
        }
      });

      it('TRUNCATE empties every tab', async () => {
        const own = await cluster.database();
        const second = await startRelay(own, { HERALD_WORKERS: String(workers) });
        const users = ['alice', 'bob'];
        for (const user of users) await own.notify(user, 'x');
        const tabs = await Promise.all(users.map((user) => connect(second, user)));
        await own.sql('truncate herald.notifications');
        for (const tab of tabs) {
          const list = await tab.next('unread_notifications');
          assert.deepEqual([list.count, list.notifications, list.next], [0, [], null]);
        }
        await own.notify('alice', 'after');
        await tabs[0].next('new_notification', (frame) => frame.notification.title === 'after');
      });
    });
  }
});
