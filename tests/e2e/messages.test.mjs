// Every message of the guide and of the protocol's table, one tab at a time: what
// a client may ask, what it is answered, and what a change of its rows makes it see.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { connect, readAll } from './lib/client.mjs';
import { Cluster } from './lib/postgres.mjs';
import { CANARY, startRelay } from './lib/relay.mjs';
import { assertNotification, UUID } from './lib/shapes.mjs';
import { eventually } from './lib/wait.mjs';

describe('messages', () => {
  let cluster;
  before(async () => (cluster = await Cluster.start()));
  after(() => cluster?.end());

  const T = (text) => `${CANARY} ${text}`;

  for (const workers of [1, 2]) {
    describe(`with HERALD_WORKERS=${workers}`, () => {
      let db;
      let relay;
      before(async () => {
        db = await cluster.database();
        relay = await startRelay(db, { HERALD_WORKERS: String(workers) });
      });

      /** A new user with a tab of its own. */
      async function open(options) {
        const user = await db.person();
        const tab = await connect(relay, user, options);
        return { user, tab };
      }

      it('the guide\'s manual test works as it is typed', async () => {
        const tab = await connect(relay, 'ashumba');
        tab.send('{"type": "ping"}');
        const pong = await tab.next('pong');
        assert.deepEqual(Object.keys(pong).sort(), ['cursor', 'type']);
      });

      it('connected tells who one is and how much is unread', async () => {
        const user = await db.person();
        await db.notify(user, T('one'));
        await db.notify(user, T('two'));
        await db.notify(user, T('read'), { read_at: '2024-01-01T00:00:00Z' });
        const { welcome } = await connect(relay, user);
        assert.equal(welcome.message, 'Application startup complete');
        assert.equal(welcome.user_id, `u-${user}`);
        assert.equal(welcome.unread_count, 2);
        assert.equal(welcome.heartbeat_interval, 30);
        assert.equal(welcome.token_expires_at, null);
        assert.equal(welcome.protocol, 1);
        const other = await connect(relay, user);
        assert.notEqual(other.welcome.session_id, welcome.session_id);
      });

      it('the subprotocol name is echoed, and a connection without one is as good', async () => {
        const user = await db.person();
        const named = await connect(relay, user, { protocols: ['pgherald.v1'] });
        assert.equal(named.socket.protocol, 'pgherald.v1');
        const plain = await connect(relay, user);
        assert.equal(plain.socket.protocol, '');
      });

      it('compression is not negotiated', async () => {
        const { tab } = await open({ socket: { perMessageDeflate: true } });
        assert.equal(tab.socket.extensions, '');
        await tab.ping();
      });

      it('new_notification carries the row exactly as it is in the table', async () => {
        const { user, tab } = await open();
        const data = '{"deep": [1, {"x": null}], "big": 12345678901234567890.12345, "text": "é😀\\u2028"}';
        const title = T('"quoted" \\ back\tslash\n\u0001 é 😀 \u2028 </script>');
        const id = await db.notify(user, title, {
          message: 'zwei\r\nZeilen', category: 'billing', severity: 'warning', action_url: 'https://example.com/?a=1&b="2"',
          data, created_at: '2024-02-29T23:59:59.123456+05:30',
        });
        const frame = await tab.next('new_notification');
        assert.deepEqual({ ...frame.notification, data: undefined }, {
          id, title, message: 'zwei\r\nZeilen', category: 'billing', severity: 'warning',
          action_url: 'https://example.com/?a=1&b="2"', data: undefined,
          created_at: '2024-02-29T18:29:59.123456Z', read_at: null, is_read: false, version: 1,
        });
        assert.deepEqual(frame.notification.data, JSON.parse(data));
        assert.ok(frame.raw.includes('12345678901234567890.12345'), 'a number keeps all its digits');
      });

      it('a row of user and title alone is a complete notification', async () => {
        const { user, tab } = await open();
        await db.sql('insert into herald.notifications (user_id, title) values ($1, $2)', [`u-${user}`, T('short')]);
        const { notification } = await tab.next('new_notification');
        assertNotification(notification, {
          title: T('short'), message: '', category: null, severity: 'info', action_url: null, data: null,
          read_at: null, is_read: false, version: 1,
        });
        assert.ok(Math.abs(Date.parse(notification.created_at) - Date.now()) < 60_000);
      });

      it('data may be any JSON, also a bare one', async () => {
        const { user, tab } = await open();
        for (const data of ['0', 'false', '"text"', '[]', 'null', '{}']) {
          await db.notify(user, T('data'), { data });
          assert.deepEqual((await tab.next('new_notification')).notification.data, JSON.parse(data));
        }
      });

      it('herald.notify_user stores, sends and returns the id', async () => {
        const { user, tab } = await open();
        const app = await db.session('app');
        const { rows } = await app.query(
          `select herald.notify_user($1, title => $2, message => 'm', severity => 'success')::text as id`, [`u-${user}`, T('fn')]);
        await app.end();
        const { notification } = await tab.next('new_notification');
        assertNotification(notification, { id: rows[0].id, title: T('fn'), message: 'm', severity: 'success' });
      });

      it('get_unread without a limit gives the newest ten and the exact total', async () => {
        const { user, tab } = await open();
        await db.sql(`insert into herald.notifications (user_id, title, created_at)
                      select $1, 'n' || i, timestamptz '2024-01-01' + i * interval '1 s' from generate_series(1, 12) i`, [`u-${user}`]);
        const page = await tab.ask({ type: 'get_unread' });
        assert.equal(page.type, 'unread_notifications');
        assert.equal(page.count, 12);
        assert.deepEqual(page.notifications.map((n) => n.title), [12, 11, 10, 9, 8, 7, 6, 5, 4, 3].map((i) => `n${i}`));
        assert.equal(typeof page.next, 'string');
      });

      it('get_unread of a user without notifications is an empty page', async () => {
        const { tab } = await open();
        const page = await tab.ask({ type: 'get_unread', limit: 10 });
        assert.deepEqual([page.count, page.notifications, page.next], [0, [], null]);
      });

      it('get_notifications lists read ones too, its count stays the unread total', async () => {
        const { user, tab } = await open();
        const read = await db.notify(user, T('read'), { read_at: '2024-05-05T05:05:05.5Z', created_at: '2024-05-05T00:00:00Z' });
        const unread = await db.notify(user, T('unread'));
        const page = await tab.ask({ type: 'get_notifications' });
        assert.equal(page.type, 'notifications');
        assert.equal(page.count, 1);
        assert.deepEqual(page.notifications.map((n) => n.id), [unread, read]);
        assertNotification(page.notifications[1], { is_read: true, read_at: '2024-05-05T05:05:05.500000Z' });
      });

      it('mark_read is answered when it is committed, with the new state and a new count', async () => {
        const { user, tab } = await open();
        const id = await db.notify(user, T('x'));
        await db.notify(user, T('y'));
        await tab.take(2, 'new_notification');
        const answer = await tab.ask({ type: 'mark_read', notification_id: id });
        const readAt = await db.value('select read_at is not null from herald.notifications where id = $1', [id]);
        assert.equal(readAt, 't');
        assert.equal(answer.type, 'notification_updated');
        assertNotification(answer.notification, { id, title: T('x'), is_read: true, version: 2 });
        await tab.next('unread_count', (frame) => frame.count === 1);
        await tab.settle(db, user);
        assert.deepEqual(tab.left('notification_updated'), [], 'the asking tab gets it once');
      });

      it('mark_read as the guide writes it, without a ref, is answered without one', async () => {
        const { user, tab } = await open();
        const id = await db.notify(user, T('x'));
        tab.send({ type: 'mark_read', notification_id: id });
        const answer = await tab.next('notification_updated');
        assert.equal(answer.success, true);
        assert.ok(!('ref' in answer));
      });

      it('mark_read of what is already read says so again and changes nothing', async () => {
        const { user, tab } = await open();
        const id = await db.notify(user, T('x'));
        const first = await tab.ask({ type: 'mark_read', notification_id: id });
        const second = await tab.ask({ type: 'mark_read', notification_id: id });
        assert.deepEqual(second.notification, first.notification);
        assert.deepEqual(await db.versions(user), { [id]: 2 });
      });

      it('mark_read of another user\'s notification is not_found and nothing changes', async () => {
        const { tab } = await open();
        const other = await open();
        const id = await db.notify(other.user, T('foreign'));
        const answer = await tab.ask({ type: 'mark_read', notification_id: id });
        assert.deepEqual({ ...answer, ref: undefined }, {
          type: 'notification_updated', notification_id: id, success: false, code: 'not_found', ref: undefined,
        });
        assert.deepEqual(await db.versions(other.user), { [id]: 1 });
        await other.tab.settle(db, other.user);
        assert.deepEqual(other.tab.left('notification_updated'), []);
      });

      it('mark_read of an id that does not exist is not_found', async () => {
        const { tab } = await open();
        const id = randomUUID();
        const answer = await tab.ask({ type: 'mark_read', notification_id: id });
        assert.deepEqual([answer.type, answer.notification_id, answer.success, answer.code], ['notification_updated', id, false, 'not_found']);
      });

      it('mark_read of many answers for each of them, the good and the bad', async () => {
        const { user, tab } = await open();
        const other = await db.person();
        const mine = [await db.notify(user, T('1')), await db.notify(user, T('2')), await db.notify(user, T('3'))];
        const foreign = await db.notify(other, T('foreign'));
        const missing = randomUUID();
        tab.send({ type: 'mark_read', notification_ids: [mine[0], foreign, mine[1], missing], ref: 'many' });
        const answers = await tab.take(4, 'notification_updated', (frame) => frame.ref === 'many');
        const result = Object.fromEntries(answers.map((frame) => [frame.notification_id, frame.code ?? frame.success]));
        assert.deepEqual(result, { [mine[0]]: true, [mine[1]]: true, [foreign]: 'not_found', [missing]: 'not_found' });
        assert.deepEqual(await db.versions(user), { [mine[0]]: 2, [mine[1]]: 2, [mine[2]]: 1 });
        assert.deepEqual(await db.versions(other), { [foreign]: 1 });
      });

      it('mark_read takes 100 ids and refuses 101 and none', async () => {
        const { user, tab } = await open();
        const rows = await db.sql(`insert into herald.notifications (user_id, title)
                                   select $1, 'n' || i from generate_series(1, 101) i returning id::text`, [`u-${user}`]);
        const ids = rows.map((row) => row.id);
        for (const notification_ids of [ids, []]) {
          const refused = await tab.ask({ type: 'mark_read', notification_ids });
          assert.equal(refused.type, 'error');
          assert.ok(['bad_field', 'too_many'].includes(refused.code), refused.code);
        }
        assert.equal(await db.unread(user), 101);
        tab.send({ type: 'mark_read', notification_ids: ids.slice(0, 100), ref: 'hundred' });
        const answers = await tab.take(100, 'notification_updated', (frame) => frame.ref === 'hundred');
        assert.deepEqual(new Set(answers.map((frame) => frame.notification_id)), new Set(ids.slice(0, 100)));
        assert.equal(await db.unread(user), 1);
        await tab.next('unread_count', (frame) => frame.count === 1);
      });

      it('mark_read of anything but a UUID is refused and nothing changes', async () => {
        const { user, tab } = await open();
        const id = await db.notify(user, T('x'));
        const bad = [
          { notification_id: 'garbage' }, { notification_id: '' }, { notification_id: `${id}0` }, { notification_id: id.slice(1) },
          { notification_id: `{${id}}` }, { notification_id: id.replaceAll('-', '') }, { notification_id: 7 }, { notification_id: null },
          { notification_id: [id] }, { notification_ids: id }, { notification_ids: [id, 'garbage'] }, { notification_ids: [id, null] },
          { notification_ids: { 0: id } }, { notification_id: `' or true --` }, {},
        ];
        for (const fields of bad) {
          const answer = await tab.ask({ type: 'mark_read', ...fields });
          assert.deepEqual([answer.type, answer.code], ['error', 'bad_field'], JSON.stringify(fields));
        }
        tab.send({ type: 'mark_read', notification_id: `${id}\u0000` }); // jansson does not read it at all
        assert.ok(['bad_field', 'bad_json'].includes((await tab.next('error')).code));
        assert.deepEqual(await db.versions(user), { [id]: 1 });
      });

      it('mark_all_read marks everything of the user and of nobody else', async () => {
        const { user, tab } = await open();
        const other = await db.person();
        await db.sql(`insert into herald.notifications (user_id, title)
                      select u, 'n' || i from generate_series(1, 20) i, unnest($1::text[]) u`, [[`u-${user}`, `u-${other}`]]);
        const answer = await tab.ask({ type: 'mark_all_read' });
        assert.ok(['notification_updated', 'unread_count'].includes(answer.type), answer.type);
        assert.deepEqual([await db.unread(user), await db.unread(other)], [0, 20]);
        if (!(answer.type === 'unread_count' && answer.count === 0)) {
          await tab.next('unread_count', (frame) => frame.count === 0);
        }
      });

      it('mark_all_read with nothing unread is answered all the same', async () => {
        const { tab } = await open();
        const answer = await tab.ask({ type: 'mark_all_read' });
        assert.deepEqual([answer.type, answer.count], ['unread_count', 0]);
      });

      it('mark_all_read until a time spares what is newer', async () => {
        const { user, tab } = await open();
        const ids = [];
        for (const second of ['01.000001', '01.000002', '01.000003']) {
          ids.push(await db.notify(user, T(second), { created_at: `2024-01-01T00:00:${second}Z` }));
        }
        await tab.ask({ type: 'mark_all_read', until: '2024-01-01T00:00:01.000002Z' });
        await eventually('two rows read', async () => (await db.unread(user)) === 1);
        assert.deepEqual(await db.versions(user), { [ids[0]]: 2, [ids[1]]: 2, [ids[2]]: 1 });
      });

      it('mark_all_read until a cursor spares what the client has not seen', async () => {
        const { user, tab } = await open();
        const seen = [await db.notify(user, T('a')), await db.notify(user, T('b'))];
        await tab.take(2, 'new_notification');
        await tab.settle(db, user);
        const { cursor } = await tab.ping();
        const unseen = await db.notify(user, T('later'));
        await tab.ask({ type: 'mark_all_read', until: cursor });
        await eventually('two rows read', async () => (await db.unread(user)) === 1);
        assert.deepEqual(await db.versions(user), { [seen[0]]: 2, [seen[1]]: 2, [unseen]: 1 });
      });

      it('mark_all_read refuses an until that is neither', async () => {
        const { user, tab } = await open();
        const id = await db.notify(user, T('x'));
        for (const until of ['yesterday', '', '2024-13-01T00:00:00Z', '2024-01-01', 5, {}, [], true]) {
          const answer = await tab.ask({ type: 'mark_all_read', until });
          assert.deepEqual([answer.type, answer.code], ['error', 'bad_field'], JSON.stringify(until));
        }
        assert.deepEqual(await db.versions(user), { [id]: 1 });
      });

      it('a ref of up to 64 bytes comes back as it was, whatever is in it', async () => {
        const { tab } = await open();
        for (const ref of ['', 'x'.repeat(64), '"\\/\b\f\n\r\t\u0001', 'é'.repeat(32), '😀'.repeat(16), '\u2028</script>']) {
          tab.send({ type: 'ping', ref });
          assert.equal((await tab.next('pong')).ref, ref);
        }
      });

      it('a ref that is too long or not a string is refused', async () => {
        const { tab } = await open();
        for (const ref of ['x'.repeat(65), 'é'.repeat(33), 7, null, true, {}, ['a']]) {
          tab.send({ type: 'ping', ref });
          const answer = await tab.next('error');
          assert.equal(answer.code, 'bad_field', JSON.stringify(ref));
        }
        await tab.ping();
      });

      it('every command may carry a ref and is answered with it', async () => {
        const { user, tab } = await open();
        const id = await db.notify(user, T('x'));
        const asked = [
          ['ping', {}, 'pong'],
          ['get_unread', { limit: 1 }, 'unread_notifications'],
          ['get_notifications', { limit: 1 }, 'notifications'],
          ['mark_read', { notification_id: id }, 'notification_updated'],
          ['authenticate', { token: `dummy-jwt-for-${user}` }, 'authenticated'],
          ['nonsense', {}, 'error'],
          ['get_unread', { limit: 0 }, 'error'],
        ];
        for (const [type, fields, answered] of asked) {
          assert.equal((await tab.ask({ type, ...fields })).type, answered, type);
        }
      });

      it('many questions sent at once are all answered, each once', async () => {
        const { user, tab } = await open();
        await db.notify(user, T('x'));
        for (let i = 0; i < 200; i += 1) tab.send({ type: 'get_unread', limit: 1, ref: `q${i}` });
        const answers = await tab.take(200, 'unread_notifications');
        assert.equal(new Set(answers.map((frame) => frame.ref)).size, 200);
      });

      it('an UPDATE, a read, an unread and a DELETE by plain SQL are all seen', async () => {
        const { user, tab } = await open();
        const id = await db.notify(user, T('x'));
        await tab.next('new_notification');
        const steps = [
          [`title = '${CANARY} changed'`, { title: `${CANARY} changed`, is_read: false, version: 2 }, null],
          ['read_at = clock_timestamp()', { is_read: true, version: 3 }, 0],
          ['read_at = null', { is_read: false, version: 4 }, 1],
        ];
        for (const [change, state, count] of steps) {
          await db.sql(`update herald.notifications set ${change} where id = $1`, [id]);
          const frame = await tab.next('notification_updated');
          assertNotification(frame.notification, { id, ...state });
          if (count !== null) await tab.next('unread_count', (f) => f.count === count);
        }
        await db.sql('delete from herald.notifications where id = $1', [id]);
        assert.equal((await tab.next('notification_deleted')).notification_id, id);
        await tab.next('unread_count', (frame) => frame.count === 0);
      });

      it('a notification that changes hands leaves one user and is new to the other', async () => {
        const from = await open();
        const to = await open();
        const id = await db.notify(from.user, T('x'));
        await from.tab.next('new_notification');
        await db.sql('update herald.notifications set user_id = $1 where id = $2', [`u-${to.user}`, id]);
        assert.equal((await from.tab.next('notification_deleted')).notification_id, id);
        assert.equal((await to.tab.next('new_notification')).notification.id, id);
        await from.tab.settle(db, from.user);
        assert.deepEqual(from.tab.left('notification_updated'), []);
        await to.tab.next('unread_count', (frame) => frame.count === 1);
      });

      it('a notification that has expired is neither listed nor counted', async () => {
        const { user, tab } = await open();
        await db.notify(user, T('past'), { expires_at: '2024-01-01T00:00:00Z' });
        const id = await db.notify(user, T('future'), { expires_at: '2999-01-01T00:00:00Z' });
        assert.equal((await tab.next('new_notification')).notification.id, id);
        await tab.settle(db, user);
        assert.deepEqual(tab.left('new_notification'), []);
        const page = await tab.ask({ type: 'get_notifications' });
        assert.deepEqual([page.count, page.notifications.map((n) => n.id)], [1, [id]]);
        const gone = await db.value('select id::text from herald.notifications where user_id = $1 and expires_at < now()', [`u-${user}`]);
        if (gone) assert.equal((await tab.ask({ type: 'mark_read', notification_id: gone })).code, 'not_found');
      });

      it('unread_count comes after changes, coalesced, and ends exact', async () => {
        const { user, tab } = await open();
        await db.sql(`insert into herald.notifications (user_id, title) select $1, 'n' from generate_series(1, 300)`, [`u-${user}`]);
        await tab.take(300, 'new_notification');
        await tab.next('unread_count', (frame) => frame.count === 300);
        const counts = tab.frames.filter((frame) => frame.type === 'unread_count').length;
        assert.ok(counts <= 10, `${counts} unread_count frames for one transaction`);
      });

      it('a change that does not touch what is unread still leaves the count right', async () => {
        const { user, tab } = await open();
        const id = await db.notify(user, T('x'), { read_at: '2024-01-01T00:00:00Z' });
        await tab.next('new_notification');
        await db.sql('delete from herald.notifications where id = $1', [id]);
        await tab.next('notification_deleted');
        await tab.settle(db, user);
        for (const frame of tab.left('unread_count')) assert.equal(frame.count, 0);
      });

      it('frames of one client keep the order of versions', async () => {
        const { user, tab } = await open();
        const id = await db.notify(user, T('v'));
        for (let i = 0; i < 100; i += 1) await db.sql('update herald.notifications set category = $2 where id = $1', [id, String(i)]);
        await tab.settle(db, user);
        const versions = tab.frames.filter((frame) => frame.notification).map((frame) => frame.notification.version);
        assert.equal(versions.at(-1), 101);
        assert.deepEqual(versions, [...new Set(versions)].sort((a, b) => a - b));
      });

      it('rows committed while a tab connects are in its first page or come as new', async () => {
        const user = await db.person();
        let writing = true;
        const writer = (async () => {
          while (writing) await db.notify(user, 'stream');
        })();
        for (let round = 0; round < 5; round += 1) {
          const tab = await connect(relay, user);
          assert.equal(tab.frames[0].type, 'connected');
          const listed = await readAll(tab, 'get_unread');
          const committed = Object.keys(await db.versions(user));
          await tab.settle(db, user);
          const known = new Set([...listed.map((n) => n.id), ...tab.frames.filter((f) => f.type === 'new_notification').map((f) => f.notification.id)]);
          assert.deepEqual(committed.filter((id) => !known.has(id)), [], 'rows of the table the tab has not heard of');
          await tab.close();
        }
        writing = false;
        await writer;
      });

      it('a client that says goodbye is answered in kind', async () => {
        const { tab } = await open();
        assert.deepEqual((await tab.close()).code, 1000);
      });

      it('ids are lower-case UUIDs whatever the application wrote', async () => {
        const { user, tab } = await open();
        const id = randomUUID().toUpperCase();
        await db.notify(user, T('x'), { id });
        const { notification } = await tab.next('new_notification');
        assert.match(notification.id, UUID);
        assert.equal(notification.id, id.toLowerCase());
      });
    });
  }
});
