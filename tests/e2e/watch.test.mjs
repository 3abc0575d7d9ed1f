// Rows of an application's own tables reach tabs: docs/EXAMPLES.md, block by block, and what becomes of watches in a dump.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from './lib/client.mjs';
import { pgBin, root, scratch } from './lib/env.mjs';
import { Cluster } from './lib/postgres.mjs';
import { run } from './lib/program.mjs';
import { CANARY, startRelay } from './lib/relay.mjs';

/** The steps of the document: {title, role, sql} of a block of SQL, {title, user, notification} of a block of JSON. */
function stepsOf(text) {
  const steps = [];
  let title = '';
  for (const [, heading, user, language, body] of text.matchAll(
    /^#+ (.*)$|(?:^`(\w+)` gets:\n\n)?^```(sql|json)\n([\s\S]*?)^```$/gm)) {
    if (heading) title = heading;
    else if (language === 'json') steps.push({ title, user, notification: JSON.parse(body) });
    else steps.push({ title, role: /^-- as (.*)\n/.exec(body)?.[1], sql: body });
  }
  return steps;
}

describe('watched tables', () => {
  let cluster;
  let db;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
  });
  after(() => cluster?.end());

  /** Runs SQL as a role; the answer of its last statement, and the warnings. */
  async function as(role, sql, database = db) {
    const session = await cluster.connect(database.name, role);
    const warnings = [];
    session.on('notice', (notice) => warnings.push(notice.message));
    try {
      const answers = await session.query(sql);
      return { rows: (Array.isArray(answers) ? answers.at(-1) : answers).rows, warnings };
    } finally {
      await session.end();
    }
  }

  it('the help desk of docs/EXAMPLES.md', async () => {
    const steps = stepsOf(readFileSync(join(root, 'docs/EXAMPLES.md'), 'utf8'));
    assert.ok(steps.filter(({ sql }) => sql).length >= 10 && steps.filter(({ notification }) => notification).length >= 5);
    const tabs = {};
    let relay;
    for (const { title, role, sql, user, notification } of steps) {
      if (title === 'What the application does' && !relay) {
        relay = await startRelay(db);
        for (const name of ['dana', 'erin', 'femi']) tabs[name] = await connect(relay, name);
      }
      if (sql) {
        const { rows, warnings } = await as(role === 'an administrator' ? 'postgres' : role, sql);
        const wrong = title === 'When something goes wrong';
        if (wrong && /^insert/m.test(sql)) {
          // Both watches look at the row, and one of them has something to tell of it.
          assert.match(warnings.join('\n'), /^herald.watch 'assigned' on helpdesk.tickets made no notification: record "new" has no field "subject"/m);
          assert.deepEqual(tabs.erin.left('new_notification'), []);
        } else {
          assert.deepEqual(warnings, []);
        }
        if (wrong && /last_error/.test(sql)) assert.ok(rows.some(({ name }) => name === 'assigned'), JSON.stringify(rows));
      } else {
        const frame = await tabs[user].next('new_notification');
        for (const [name, value] of Object.entries(notification)) assert.deepEqual(frame.notification[name], value, `${title}: ${name}`);
      }
    }
    for (const tab of Object.values(tabs)) {
      await tab.ping();
      assert.deepEqual(tab.left('new_notification'), [], 'nobody was told more than the document says');
    }
    assert.deepEqual((await as('helpdesk', 'select * from herald.watches')).rows, []);
    await relay.stop();
  });

  it('a dump has the watches, and a restore makes no notifications', async () => {
    await as('postgres', `create role shop login in role herald_app; create schema shop authorization shop`);
    await as('shop', `
      create table shop."odd ""orders" (id int, customer text, "to}tal" numeric);
      select herald.watch('shop."odd ""orders"', 'customer', 'Order {id}', message => E'\\\\ '' {"to}tal"}', only_when => '10 / new.id > 0');
      insert into shop."odd ""orders" values (1, 'u-alice', 1.50), (2, 'u-bob', 2)`);
    const file = join(scratch, 'shop.sql');
    const connection = ['-h', cluster.dir, '-p', String(cluster.port), '-U', 'postgres'];
    const program = async (name, ...args) => {
      const { code, output } = await run(join(pgBin, name), [...connection, ...args], { timeout: 60_000 });
      assert.equal(code, 0, `${name}: ${output}`);
    };
    await program('pg_dump', '-d', db.name, '-f', file);
    await program('createdb', 'restored');
    await program('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'restored', '-f', file);

    const restored = cluster.existing('restored');
    const counted = async () => (await as('postgres', 'select count(*) from herald.notifications', restored)).rows[0].count;
    const before = await counted();
    assert.equal(before, (await as('postgres', 'select count(*) from herald.notifications')).rows[0].count);
    const watch = 'select table_name::text, name, title, message, only_when, runs_as, last_error from herald.watches';
    assert.deepEqual((await as('shop', watch, restored)).rows, (await as('shop', watch)).rows);
    const { warnings } = await as('shop', `insert into shop."odd ""orders" values (3, 'u-alice', 3), (4, null, 4)`, restored);
    assert.deepEqual(warnings, []);
    const { rows } = await as('postgres', `select title, message from herald.notifications where title = 'Order 3'`, restored);
    assert.deepEqual(rows, [{ title: 'Order 3', message: `\\ ' 3` }]);
    assert.equal((await as('shop', `select herald.unwatch('shop."odd ""orders"')`, restored)).rows[0].unwatch, 't');
  });

  it('a warning tells what failed, and nothing of the row', async () => {
    await as('postgres', 'create schema bank; create table bank.payments (payee text, iban text)');
    await as('postgres', `select herald.watch('bank.payments', 'payee', 'Paid', only_when => 'new.iban::int > 0')`);
    const { warnings } = await as('postgres', `insert into bank.payments values ('u-alice', '${CANARY}')`);
    assert.deepEqual(warnings, [`herald.watch 'watch' on bank.payments made no notification: SQLSTATE 22P02; herald.watches has the message`]);
    assert.match((await as('postgres', 'select last_error from herald.watches')).rows.map((row) => row.last_error).join(), new RegExp(CANARY));
  });

  it('the rows of one statement reach their tab, each once', async () => {
    const relay = await startRelay(db);
    await as('postgres', `create table public.jobs (id int, owner text); insert into herald.users values ('u-jobs', 'jobs');
      create or replace function herald.resolve_user(claims jsonb) returns text language sql stable security definer
        set search_path = pg_catalog, pg_temp return (select u.id from herald.users u where u.username = claims ->> 'username');
      select herald.watch('public.jobs', 'owner', 'Job {id}')`);
    const tab = await connect(relay, 'jobs');
    await as('postgres', `insert into public.jobs select k, 'u-jobs' from generate_series(1, 300) k`);
    const titles = (await tab.take(300, 'new_notification')).map((frame) => frame.notification.title);
    assert.equal(new Set(titles).size, 300);
    await relay.stop();
  });

  it('two transactions with one dedupe_key: who comes second waits, tells nobody twice, and takes part in no deadlock', async () => {
    await as('postgres', `create table public.stock (id int primary key, n int); insert into public.stock values (1, 1);
      create table public.invoices (id int generated always as identity, customer text);
      select herald.watch('public.invoices', 'customer', 'Invoice {id}', dedupe_key => 'overdue-{customer}')`);
    const told = async () => (await as('postgres', `select user_id from herald.notifications where dedupe_key like 'overdue-%'
      order by created_at`)).rows.map((row) => row.user_id);
    const [first, second] = await Promise.all([cluster.connect(db.name, 'postgres'), cluster.connect(db.name, 'postgres')]);
    const warnings = [];
    second.on('notice', (notice) => warnings.push(notice.message));
    const bill = (session, customer) => session.query(`begin; insert into public.invoices (customer) values ('${customer}')`);
    try {
      // Each has what the other wants. PostgreSQL looks for deadlocks when one has waited for a second.
      await bill(first, 'a');
      await second.query('begin; update public.stock set n = n + 1 where id = 1');
      const locked = first.query('update public.stock set n = n + 1 where id = 1; commit');
      await new Promise((done) => setTimeout(done, 500));
      await second.query(`insert into public.invoices (customer) values ('a'); commit`);
      await locked;
      assert.deepEqual(await told(), ['a']);
      assert.equal(warnings.length, 1, warnings.join());
      assert.match(warnings[0], /herald\.watch 'watch' on public\.invoices made no notification: .*the same dedupe_key/);

      // Who rolls back leaves the key to who has waited; who commits has told of both.
      for (const [customer, end] of [['b', 'rollback'], ['c', 'commit']]) {
        await bill(first, customer);
        // The server ends it: who waits does so for a second only, for which this process may stand still.
        const ends = first.query(`select pg_sleep(0.2); ${end}`);
        await bill(second, customer);
        await ends;
        await second.query('commit');
      }
      assert.deepEqual(await told(), ['a', 'b', 'c']);
      assert.equal(warnings.length, 1, warnings.join());

      // Other keys are not waited for.
      await bill(first, 'd');
      await bill(second, 'e');
      await Promise.all([first.query('commit'), second.query('commit')]);
      assert.deepEqual((await told()).slice(3).sort(), ['d', 'e']);
    } finally {
      await Promise.all([first.end(), second.end()]);
    }
  });
});
