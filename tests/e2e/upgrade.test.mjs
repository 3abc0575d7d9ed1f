// An upgrade while everything runs: migrations beside writers who hold a table, relays of before on a newer schema,
// and relays that are replaced one after another.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from './lib/client.mjs';
import { pgherald, root } from './lib/env.mjs';
import { Cluster } from './lib/postgres.mjs';
import { Program, run } from './lib/program.mjs';
import { startRelay } from './lib/relay.mjs';
import { eventually, within } from './lib/wait.mjs';

const migrations = join(root, 'sql/migrations');
const LOCKING = '0009_users_feed.sql'; // the first one that needs a lock on a table which was there before

describe('an upgrade', () => {
  let cluster;
  before(async () => (cluster = await Cluster.start()));
  after(() => cluster?.end());

  /** A database with the migrations before LOCKING. */
  async function older() {
    const db = await cluster.database({ migrated: false });
    const session = await db.session();
    for (const name of readdirSync(migrations).filter((file) => /^\d+_.*\.sql$/.test(file) && file < LOCKING).sort()) {
      await session.query(`begin;\n${readFileSync(join(migrations, name), 'utf8')};\ncommit`);
    }
    await session.end();
    return db;
  }

  /** A transaction that has written herald.users and stays open. */
  async function writer(db) {
    const session = await db.session();
    await session.query(`begin; insert into herald.users (id, username) values ('u-open', 'open')`);
    const pid = (await session.query('select pg_backend_pid() as pid')).rows[0].pid;
    return { session, pid };
  }

  const env = (db) => ({ HERALD_DATABASE_URL: db.url('herald_owner') });
  const applied = (db) => db.value('select max(id) from herald.migrations');

  it('a migration that waits for a table gives up, says who has it, and leaves nothing half done', async () => {
    const db = await older();
    const { session, pid } = await writer(db);
    const { code, output } = await run(pgherald, ['migrate', '--wait', '0'], { env: env(db), timeout: 30_000 });
    assert.equal(code, 1, output);
    assert.match(output, /^pgherald migrate: table_in_use: 0009_users_feed\.sql: .*lock timeout/m);
    assert.match(output, new RegExp(`process .*\\b${pid}\\b.*--wait`));
    assert.equal(await applied(db), '8');
    await session.query('commit');
    await session.end();
    const again = await run(pgherald, ['migrate'], { env: env(db), timeout: 90_000 });
    assert.equal(again.code, 0, again.output);
  });

  it('writers go on while it waits, and it is applied once the table is free', async () => {
    const db = await older();
    const { session } = await writer(db);
    const program = new Program(pgherald, ['migrate', '--wait', '600'], { env: env(db) });
    // For as long as the migration tries, others write the very table, in transactions that end.
    const other = await db.session();
    let written = 0;
    await eventually('the migration to let a writer pass, and to say that it tries again', async () => {
      written += 1;
      await other.query(`insert into herald.users (id, username) values ('u-${written}', 'user ${written}')`);
      return /0009_users_feed\.sql: .*: trying again/.test(program.output());
    }, 60_000);
    assert.equal(await applied(db), '8');
    assert.ok(program.running);
    await session.query('commit');
    const { code } = await within(60_000, () => program.output(), program.exited);
    assert.equal(code, 0, program.output());
    assert.equal(await db.value('select count(*) from herald.users'), String(written + 1));
    await session.end();
    await other.end();
  });

  it('--wait takes seconds', async () => {
    for (const value of ['-1', '1.5', 'x', '', '86401', '99999999999999999999']) {
      const { code, output } = await run(pgherald, ['migrate', `--wait=${value}`]);
      assert.equal(code, 2, `${value}: ${output}`);
      assert.match(output, /--wait takes seconds, 0 to 86400/);
    }
  });

  it('no migration after the first rewrites a table that was there, or builds an index on one', async () => {
    const db = await cluster.database({ migrated: false });
    const session = await db.session();
    const stored = async () => {
      const { rows } = await session.query(`select c.oid::regclass::text as name, pg_relation_filenode(c.oid)::text as file,
          array(select i.indexrelid::regclass::text from pg_index i where i.indrelid = c.oid order by 1)::text as indexes
        from pg_class c where c.relnamespace = to_regnamespace('herald') and c.relkind = 'r'`);
      return Object.fromEntries(rows.map(({ name, file, indexes }) => [name, { file, indexes }]));
    };
    let before = {};
    for (const name of readdirSync(migrations).filter((file) => /^\d+_.*\.sql$/.test(file)).sort()) {
      await session.query(`begin;\n${readFileSync(join(migrations, name), 'utf8')};\ncommit`);
      const then = await stored();
      for (const [table, was] of Object.entries(before)) assert.deepEqual(then[table], was, `${name} and ${table}`);
      before = then;
    }
    await session.end();
  });

  it('relays of before serve a newer schema, also one that comes while they run, and are replaced one by one', async () => {
    const db = await cluster.database();
    const relays = [await startRelay(db), await startRelay(db)];
    const tabs = await Promise.all(relays.map((relay) => connect(relay, 'alice')));
    const told = async (title, ...those) => {
      const id = await db.notify('alice', title);
      for (const tab of those) assert.equal((await tab.next('new_notification', ({ notification }) => notification.id === id, 15_000)).notification.title, title);
    };
    await told('before', ...tabs);

    // What a migration may do to tables and functions that relays use: all their plans are made anew.
    const next = Number(await applied(db)) + 1;
    const session = await db.session();
    const { rows } = await session.query(`select pg_get_functiondef('herald.feed(pg_snapshot, int)'::regprocedure) as feed, pg_get_functiondef('herald.relay_unread_counts'::regproc) as counts`);
    await session.query(`begin; insert into herald.migrations (id, name) values (${next}, 'the_next');
      alter table herald.notifications add column more text; create table herald.another (id int);
      ${rows[0].feed}; ${rows[0].counts}; commit`);
    await session.end();
    await told('after the migration', ...tabs);
    await tabs[0].next('unread_count', ({ count }) => count === 2);

    // The first is replaced: its tab goes to the other one with its cursor, and misses nothing.
    const { cursor } = await tabs[0].ping();
    relays[0].program.signal('SIGTERM');
    assert.equal((await tabs[0].closed).code, 1001);
    const missed = await db.notify('alice', 'between');
    const back = await connect(relays[1], 'alice', { query: `cursor=${encodeURIComponent(cursor)}` });
    await back.next('new_notification', ({ notification }) => notification.id === missed); // what is repeated is no harm
    assert.equal((await back.next('resumed')).resync, undefined);
    assert.deepEqual(await relays[0].program.end(15_000), { code: 0, signal: null });
    const successor = await startRelay(db);
    const there = await connect(successor, 'alice');
    await told('with its successor', tabs[1], back, there);
    for (const relay of [relays[1], successor]) await relay.stop();
  });
});
