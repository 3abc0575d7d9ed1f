// A database restored from a dump: into another cluster, whose transaction ids are lower or higher, and into its own.
// Relays refuse until `pgherald migrate` has re-stamped foreign rows; tabs come back with old cursors and see the tables.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { connect, Mirror, readAll } from './lib/client.mjs';
import { pgBin, pgherald, scratch } from './lib/env.mjs';
import { Cluster } from './lib/postgres.mjs';
import { run } from './lib/program.mjs';
import { spawnRelay, startRelay } from './lib/relay.mjs';
import { eventually } from './lib/wait.mjs';

const migrate = (db, ...args) => run(pgherald, ['migrate', ...args], { env: { HERALD_DATABASE_URL: db.url('herald_owner') } });
const back = (relay, user, cursor) => connect(relay, user, { query: `cursor=${encodeURIComponent(cursor)}` });
const reason = async (relay) => JSON.parse((await relay.get('/readyz')).body).reason;

async function tool(name, cluster, args) {
  const { code, output } = await run(join(pgBin, name), ['-h', cluster.dir, '-p', String(cluster.port), '-U', 'postgres', ...args]);
  assert.equal(code, 0, `${name}: ${output}`);
}

let dumps = 0;

async function dump(db) {
  dumps += 1;
  const file = join(scratch, `dump${dumps}`);
  await tool('pg_dump', db.cluster, ['-Fc', '-f', file, db.name]);
  return file;
}

/** As an administrator does it: roles first, then a new database of the owner's, then the dump. */
async function restore(file, cluster, name, options = []) {
  for (const role of ['herald_relay nologin', 'herald_app nologin', 'relay login in role herald_relay', 'app login in role herald_app']) {
    await cluster.admin(`create role ${role}`).catch((error) => assert.equal(error.code, '42710', error.message));
  }
  await cluster.admin(`create database ${name} owner herald_owner`);
  await tool('pg_restore', cluster, ['--exit-on-error', ...options, '-d', name, file]);
}

const burn = (cluster, count) => cluster.admin(`do $$ begin for i in 1 .. ${count} loop perform pg_current_xact_id(); commit; end loop; end $$`);
const xmax = async (cluster) => Number((await cluster.admin('select pg_snapshot_xmax(pg_current_snapshot())::text as x'))[0].x);

describe('a restore', () => {
  let cluster;
  let other;
  before(async () => {
    [cluster, other] = await Promise.all([Cluster.start(), Cluster.start()]);
  });
  after(() => Promise.all([cluster?.end(), other?.end()]));

  /** Users with rows in every state: tombstones, messages, marks of housekeeping, and a tab's cursor. */
  async function livedIn(db, relay) {
    const user = await db.person();
    const tab = await connect(relay, user);
    const ids = [];
    for (let i = 0; i < 12; i += 1) ids.push(await db.notify(user, `n${i}`));
    await db.sql('update herald.notifications set read_at = now() where id = any($1::uuid[])', [ids.slice(0, 3)]);
    await db.sql('delete from herald.notifications where id = any($1::uuid[])', [ids.slice(10)]);
    await db.sql(`select herald.broadcast_to_all('{"type":"old_news"}')`);
    await tab.settle(db, user);
    return { user, ids, tab };
  }

  for (const [relation, low] of [['lower', true], ['higher', false]]) {
    it(`into a cluster with ${relation} transaction ids: refused until migrated, then old cursors get the state, changes come live`, async () => {
      await burn(low ? cluster : other, 3000);
      const from = await cluster.database();
      const relay = await startRelay(from);
      const { user, ids, tab } = await livedIn(from, relay);
      const { cursor } = await tab.ping();
      const file = await dump(from);
      await from.sql('delete from herald.notifications where id = $1', [ids[4]]); // after the dump: comes back
      await tab.next('notification_deleted', (frame) => frame.notification_id === ids[4]);
      const later = (await tab.ping()).cursor;
      await relay.stop();

      await restore(file, other, `from_${relation}`);
      const to = other.existing(`from_${relation}`);
      const foreign = `select count(*) from herald.notifications where xid >= pg_snapshot_xmax(pg_current_snapshot())`;
      assert.equal(await to.value(foreign), low ? '10' : '0');
      const status = await migrate(to, '--status');
      assert.equal(status.code, 1, status.output);
      assert.match(status.output, /pending.*another cluster/);

      const there = await spawnRelay(to);
      await eventually('/readyz to name the remedy', async () => /run `pgherald migrate`.*another cluster/.test(await reason(there)));
      assert.equal((await there.get('/readyz')).status, 503);
      const versions = await to.versions(user);
      const first = await migrate(to);
      assert.equal(first.code, 0, first.output);
      assert.match(first.output, low ? /re-stamped.* 10 notifications/ : /re-stamped.* 0 notifications/);
      assert.equal((await migrate(to, '--status')).code, 0);
      const second = await migrate(to);
      assert.doesNotMatch(second.output, /re-stamped/);
      assert.deepEqual(await to.versions(user), versions, 'no row is another one');
      assert.equal(await to.value(foreign), '0');
      await there.ready();

      for (const old of [cursor, later]) {
        const again = await back(there, user, old);
        assert.equal((await again.next('resumed')).resync, true);
        assert.equal((await again.next('unread_notifications')).count, await to.unread(user));
        assert.deepEqual(new Set((await readAll(again)).map((row) => row.id)), new Set(Object.keys(versions)));

        const fresh = await to.notify(user, 'fresh');
        await again.next('new_notification', (frame) => frame.notification.id === fresh);
        await to.sql(`update herald.notifications set title = 'touched' where id = $1`, [ids[5]]);
        await again.next('notification_updated', (frame) => frame.notification_id === ids[5]);
        await to.sql('delete from herald.notifications where id = $1', [fresh]);
        await again.next('notification_deleted', (frame) => frame.notification_id === fresh);
        await again.settle(to, user);

        // A cursor of here is as good as any: changes alone, and all of them.
        const here = (await again.ping()).cursor;
        await again.close();
        await to.sql('update herald.notifications set read_at = null where id = $1', [ids[1]]);
        const third = await back(there, user, here);
        assert.equal((await third.next('notification_updated')).notification_id, ids[1]);
        assert.equal((await third.next('resumed')).resync, undefined);

        // Transaction ids pass those that the rows had: nothing old is told as if it were new.
        await burn(other, low && old === later ? 4000 : 10);
        await third.settle(to, user);
        const told = third.frames.filter((frame) => frame.notification || frame.type === 'notification_deleted' || frame.type === 'old_news');
        assert.deepEqual(new Set(told.map((frame) => frame.notification_id)), new Set([ids[1]]));
        await to.sql('update herald.notifications set read_at = now() where id = $1', [ids[1]]);
        await third.close();
      }
      if (low) assert.ok((await xmax(other)) > (await xmax(cluster)), 'the ids have met');
    });
  }

  it('into the same cluster, below a relay with tabs: they get the restored state, an old cursor resync', async () => {
    const db = await cluster.database();
    const relay = await startRelay(db);
    const { user, ids, tab } = await livedIn(db, relay);
    const file = await dump(db);
    await db.sql('delete from herald.notifications where id = $1', [ids[4]]);
    const lost = await db.notify(user, 'after the dump');
    await tab.next('new_notification', (frame) => frame.notification.id === lost);
    await tab.settle(db, user);
    const { cursor } = await tab.ping();

    await cluster.admin(`drop database ${db.name} with (force)`);
    await eventually('/readyz to name the database', async () => /check the database's name.*does not exist/.test(await reason(relay)));
    await tab.ping();
    await restore(file, cluster, db.name);
    await relay.ready();
    await tab.next('resumed', (frame) => frame.resync === true, 10_000);
    assert.equal((await tab.next('unread_notifications')).count, await db.unread(user));
    const rows = await readAll(tab);
    assert.deepEqual(new Set(rows.map((row) => row.id)), new Set(Object.keys(await db.versions(user))));
    assert.ok(rows.some((row) => row.id === ids[4]) && !rows.some((row) => row.id === lost));
    const fresh = await db.notify(user, 'fresh');
    await tab.next('new_notification', (frame) => frame.notification.id === fresh);
    assert.equal(tab.closing, null);

    const again = await back(relay, user, cursor);
    assert.equal((await again.next('resumed')).resync, true);
  });

  it('without the privileges: the doctor says that they have to be restored, too', async () => {
    const db = await cluster.database();
    const name = `${db.name}_bare`;
    await restore(await dump(db), other, name, ['--no-acl']);
    const env = { HERALD_DATABASE_URL: `postgresql:///${name}?host=${encodeURIComponent(other.dir)}&user=relay`, HERALD_AUTH: 'dev' };
    const { code, output } = await run(pgherald, ['doctor'], { env });
    assert.equal(code, 1, output);
    assert.match(output, /^FAIL  migrations +privileges_missing: .*restore it with them \(not --no-acl, -x\)$/m);
  });

  it('a renamed database is the same one when it has its name again', async () => {
    const db = await cluster.database();
    const relay = await startRelay(db);
    const { user, tab } = await livedIn(db, relay);
    await cluster.admin(`alter database ${db.name} allow_connections false`);
    await cluster.admin(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${db.name}'`);
    await eventually('the database to be free', () => cluster.admin(`alter database ${db.name} rename to elsewhere`).then(() => true));
    await eventually('/readyz to name the database', async () => /check the database's name.*does not exist/.test(await reason(relay)));
    await tab.ping();
    await cluster.admin(`alter database elsewhere rename to ${db.name}`);
    await cluster.admin(`alter database ${db.name} allow_connections true`);
    const id = await db.notify(user, 'meanwhile');
    await tab.next('new_notification', (frame) => frame.notification.id === id, 10_000);
    await relay.ready();
    await tab.settle(db, user);
    assert.deepEqual(tab.left('resumed'), [], 'nothing had to be told anew');
    assert.deepEqual(tab.frames.reduce((state, frame) => state.apply(frame), new Mirror()).versions(), await db.versions(user));
  });

  it('re-stamping waits for writers a moment at a time, and does not touch rows written since', async () => {
    const db = await cluster.database();
    const user = await db.person();
    const rows = [await db.notify(user, 'foreign'), await db.notify(user, 'foreign too'), await db.notify(user, 'ours')];
    await db.sql('alter table herald.notifications disable trigger zz_stamp');
    await db.sql(`update herald.notifications set xid = '900000000', created_xid = '900000000' where id = any($1::uuid[])`, [rows.slice(0, 2)]);
    await db.sql('alter table herald.notifications enable always trigger zz_stamp');
    await db.sql('update herald.state set system_identifier = 1');
    await db.sql(`update herald.notifications set title = 'written here' where id = $1`, [rows[1]]);
    const stamps = () => db.sql(`select xid::text, created_xid::text from herald.notifications where id = any($1::uuid[]) order by title`, [rows]);
    const [, ours, written] = await stamps();
    const writer = await db.session();
    await writer.query('begin');
    await writer.query(`insert into herald.notifications (user_id, title) values ('u-${user}', 'z open')`);
    const migrating = migrate(db);
    await eventually('the migrator to wait', async () => (await db.value(`select count(*) from pg_stat_activity where application_name = 'pgherald migrate'`)) === '1');
    const start = Date.now();
    await db.notify(await db.person(), 'not held up for longer than the migrator tries');
    assert.ok(Date.now() - start < 4_000);
    await writer.query('commit');
    await writer.end();
    const { code, output } = await migrating;
    assert.equal(code, 0, output);
    assert.match(output, /2 notifications/);
    const after = await stamps();
    assert.deepEqual(after[0], { xid: '3', created_xid: '3' });
    assert.deepEqual(after[1], ours);
    assert.deepEqual(after[2], { xid: written.xid, created_xid: '3' });
    assert.equal(await db.value(`select tgenabled from pg_trigger where tgrelid = 'herald.notifications'::regclass and tgname = 'zz_stamp'`), 'A');
  });
});
