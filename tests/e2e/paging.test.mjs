// get_unread and get_notifications page by page: every row exactly once and in
// order, also when many share a created_at; what may be asked and what may not.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { connect, readAll } from './lib/client.mjs';
import { patience } from './lib/env.mjs';
import { Cluster } from './lib/postgres.mjs';
import { startRelay } from './lib/relay.mjs';

describe('paging', () => {
  let cluster;
  let db;
  let relay;
  let user;
  let tab;

  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    relay = await startRelay(db);
    user = await db.person();
    const other = await db.person();
    // 250 rows in 4 different microseconds, every third one read; as many of somebody else.
    await db.sql(
      `insert into herald.notifications (user_id, title, created_at, read_at)
       select u, 'n' || i, timestamptz '2024-06-01T12:00:00Z' + (i % 4) * interval '1 microsecond',
              case when i % 3 = 0 then now() end
       from generate_series(1, 250) i, unnest($1::text[]) u`, [[`u-${user}`, `u-${other}`]]);
    tab = await connect(relay, user);
  });
  after(() => cluster?.end());

  async function expected(unreadOnly) {
    const rows = await db.sql(
      `select id::text from herald.notifications where user_id = $1 and (read_at is null or not $2::boolean)
       order by created_at desc, id desc`, [`u-${user}`, unreadOnly]);
    return rows.map((row) => row.id);
  }

  for (const [type, unreadOnly] of [['get_unread', true], ['get_notifications', false]]) {
    for (const limit of [1, 7, 50, 100]) {
      it(`${type} by ${limit} walks all rows once, newest first, over equal times`, async () => {
        const rows = await readAll(tab, type, limit);
        assert.deepEqual(rows.map((row) => row.id), await expected(unreadOnly));
      });
    }

    it(`${type} ends with next null exactly at the last row`, async () => {
      const ids = await expected(unreadOnly);
      let page = await tab.ask({ type, limit: 100 });
      for (let got = page.notifications.length; got < ids.length; got += page.notifications.length) {
        assert.equal(typeof page.next, 'string', `${got} of ${ids.length}`);
        page = await tab.ask({ type, limit: Math.min(100, ids.length - got), before: page.next });
      }
      assert.equal(page.next, null);
    });

    it(`${type}: every page has the exact unread total`, async () => {
      const total = (await expected(true)).length;
      let next;
      do {
        const page = await tab.ask({ type, limit: 60, ...(next && { before: next }) });
        assert.equal(page.count, total);
        next = page.next;
      } while (next);
    });

    it(`${type} without a limit gives 10, before null is as good as none`, async () => {
      const ids = await expected(unreadOnly);
      for (const fields of [{}, { before: null }]) {
        const page = await tab.ask({ type, ...fields });
        assert.deepEqual(page.notifications.map((row) => row.id), ids.slice(0, 10));
      }
    });

    it(`${type} takes a limit of 1 to 100 and says so for anything else`, async () => {
      assert.equal((await tab.ask({ type, limit: 1 })).notifications.length, 1);
      assert.equal((await tab.ask({ type, limit: 100 })).notifications.length, 100);
      for (const limit of ['0', '-1', '101', '1000000000', '1e9', '1.5', '"x"', '"10"', 'null', 'true', '[]', '{}', '99999999999999999999', '1.0']) {
        tab.send(`{"type":"${type}","limit":${limit},"ref":"L${limit.replaceAll('"', '')}"}`);
        const answer = await tab.next('error');
        assert.ok(['bad_field', 'bad_json'].includes(answer.code), `${limit}: ${answer.code}`);
        if (answer.code === 'bad_json') assert.ok(limit.length > 18, `${limit} is JSON`);
      }
      await tab.ping();
    });

    it(`${type} refuses a before that is none of its own`, async () => {
      const { next } = await tab.ask({ type, limit: 1 });
      const [time, id] = next.split('_');
      const bad = ['', 'x', time, id, `${time}_`, `_${id}`, `${time}_${id}x`, `${time}_garbage`, `2024-99-01T00:00:00Z_${id}`, `infinity_${id}`, 7, {}, []];
      for (const before of bad) {
        const answer = await tab.ask({ type, before });
        assert.deepEqual([answer.type, answer.code], ['error', 'bad_field'], JSON.stringify(before));
      }
    });
  }

  it('rows that come or are read between two pages neither repeat nor hide an older one', async () => {
    const old = await expected(false);
    const first = await tab.ask({ type: 'get_notifications', limit: 20 });
    await db.sql(`insert into herald.notifications (user_id, title, created_at)
                  values ($1, 'newer', '2024-06-01T12:00:01Z'), ($1, 'newer', '2024-06-01T12:00:02Z')`, [`u-${user}`]);
    await db.sql('update herald.notifications set read_at = now() where id = any($1::uuid[]) and read_at is null', [old.slice(15, 25)]);
    const second = await tab.ask({ type: 'get_notifications', limit: 20, before: first.next });
    assert.deepEqual([...first.notifications, ...second.notifications].map((row) => row.id), old.slice(0, 40));
  });

  it('a page of a hundred large notifications arrives whole', async () => {
    const rich = await db.person();
    await db.sql(`insert into herald.notifications (user_id, title, message)
                  select $1, 'big', repeat('m', 30000) || i from generate_series(1, 100) i`, [`u-${rich}`]);
    const other = await connect(relay, rich);
    const page = await other.ask({ type: 'get_unread', limit: 100 });
    assert.equal(page.notifications.length, 100);
    assert.ok(page.notifications.every((row) => row.message.length > 30_000));
  });

  it('pages of very large rows are shorter, and together have all', async () => {
    const rich = await db.person();
    await db.sql(`insert into herald.notifications (user_id, title, message)
                  select $1, 'huge', repeat('m', 2000000) || i from generate_series(1, 10) i`, [`u-${rich}`]);
    const other = await connect(relay, rich);
    const page = await other.ask({ type: 'get_unread', limit: 100 });
    assert.equal(page.notifications.length, 3);
    assert.equal(page.count, 10);
    const rows = await readAll(other, 'get_unread');
    assert.deepEqual(rows.map((row) => row.id).sort(), Object.keys(await db.versions(rich)).sort());
  });

  it('many pages asked for at once are all answered, in order', async () => {
    const refs = Array.from({ length: 100 }, (_, i) => `many${i}`);
    for (const ref of refs) tab.send({ type: 'get_notifications', limit: 100, ref });
    const seen = [];
    while (seen.length < refs.length) seen.push((await tab.next('notifications')).ref);
    assert.deepEqual(seen, refs);
  });

  it('a page never brings back what was told to be deleted before it', async () => {
    const busy = await db.person();
    const other = await connect(relay, busy);
    let writing = true;
    const writer = (async () => {
      while (writing) {
        const id = await db.notify(busy, 'short-lived');
        await db.sql('delete from herald.notifications where id = $1', [id]);
      }
    })();
    for (let i = 0; i < 300 || other.left('notification_deleted').length < 6; i += 1) await other.ask({ type: 'get_notifications', limit: 100 });
    writing = false;
    await writer;
    const deleted = new Set();
    for (const frame of other.frames) {
      if (frame.type === 'notification_deleted') deleted.add(frame.notification_id);
      for (const row of frame.notifications ?? []) assert.ok(!deleted.has(row.id), 'it is back');
    }
    assert.ok(deleted.size > 5);
    assert.ok(other.frames.filter((frame) => frame.type === 'notifications').length > 250 / patience, 'pages are answered all the same');
  });
});
