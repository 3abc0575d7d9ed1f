// Lists of the HTTP API count their user's rows, on a connection of their own: whoever has many of them holds up nobody
// who asks for anything else. The connection's backend is stopped to have a list that takes long.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { connect } from './lib/client.mjs';
import { API, ask } from './lib/http.mjs';
import { metrics, startWithAdmin } from './lib/metrics.mjs';
import { Cluster } from './lib/postgres.mjs';
import { CANARY } from './lib/relay.mjs';
import { eventually } from './lib/wait.mjs';

const LISTS = 'pgherald lists';

describe('lists of the HTTP API', () => {
  let cluster;
  let db;
  let relay;
  let crowded; // a user with many rows
  let other;

  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    relay = await startWithAdmin(db);
    [crowded, other] = [await db.person(), await db.person()];
    await db.sql(`insert into herald.notifications (user_id, title) select $1, $2 from generate_series(1, 5000)`, [`u-${crowded}`, CANARY]);
  });
  after(() => cluster?.end());

  const list = (user, query = '') => ask(relay, 'GET', API + query, { user });
  const link = async () => (await metrics(relay)).value('pgherald_database_connections', { link: 'lists' });

  it('have a connection once one is asked for', async () => {
    assert.deepEqual(await db.backends(LISTS), []);
    assert.equal(await link(), 0);
    const { status, headers, body } = await list(crowded, '?limit=3');
    assert.deepEqual([status, headers['x-total-count'], body.count, body.notifications.length], [200, '5000', 5000, 3]);
    assert.equal((await db.backends(LISTS)).length, 1);
    assert.equal(await link(), 1);
  });

  it('hold up neither reads and writes nor tabs', async () => {
    const stopped = await db.backends(LISTS);
    const [first, second] = [await db.notify(other, CANARY), await db.notify(other, CANARY)];
    const tab = await connect(relay, other);
    const answers = [];
    const note = (name) => (answer) => (answers.push(name), answer);
    let lists;
    stopped.forEach((pid) => process.kill(pid, 'SIGSTOP'));
    try {
      lists = Promise.all([...[1, 2, 3, 4].map(() => list(crowded)), list(other)].map((one) => one.then(note('list'))));
      await eventually('all lists to be asked for', async () =>
        (await metrics(relay)).value('pgherald_http_requests_under_way', { state: 'asking' }) === 5);
      const read = await tab.ask({ type: 'mark_read', notification_id: first }).then(note('mark_read'));
      assert.equal(read.success, true);
      assert.equal((await ask(relay, 'PATCH', `${API}/${second}`, { user: other, json: { is_read: true } }).then(note('PATCH'))).status, 200);
      assert.equal((await ask(relay, 'GET', `${API}/${second}`, { user: other }).then(note('GET'))).status, 200);
      await tab.ask({ type: 'get_unread' }).then(note('get_unread'));
      await db.notify(other, `${CANARY} new`);
      await tab.next('new_notification').then(note('new_notification'));
    } finally {
      stopped.forEach((pid) => process.kill(pid, 'SIGCONT'));
    }
    const [, , , , own] = await lists;
    assert.deepEqual(answers.slice(0, 5), ['mark_read', 'PATCH', 'GET', 'get_unread', 'new_notification']);
    assert.deepEqual((await lists).map(({ status }) => status), [200, 200, 200, 200, 200]);
    assert.deepEqual([own.body.count, own.headers['x-total-count']], [1, '3'], 'a list tells what was committed before it');
    await tab.close();
  });

  it('are answered after their connection was lost', async () => {
    const lost = await db.backends(LISTS);
    assert.equal(lost.length, 1);
    lost.forEach((pid) => process.kill(pid, 'SIGTERM'));
    assert.equal((await list(other)).status, 200);
  });

  it('are given up after 5 s, and the next one is answered', async () => {
    const signature = 'text, boolean, text, text, int, timestamptz, uuid';
    await db.sql(`alter function herald.relay_list(${signature}) rename to away;
      create function herald.relay_list(${signature}) returns table (unread_count bigint, notifications text, next text, total bigint)
        language sql security definer set search_path = pg_catalog, pg_temp
        as 'select 0::bigint, null::text, null::text, 0::bigint from pg_sleep(20)';
      grant execute on function herald.relay_list(${signature}) to herald_relay`);
    const { status, headers, body } = await list(crowded);
    assert.deepEqual([status, body.code, body.detail, headers['retry-after']], [503, 'unavailable', 'the database took too long', '1']);
    await db.sql(`drop function herald.relay_list(${signature}); alter function herald.away(${signature}) rename to relay_list`);
    assert.equal((await list(other)).status, 200);
  });
});
