// PostgreSQL in trouble, below a running relay and at its start: it stays up and says in /readyz what to do, tabs stay
// connected, no read is acknowledged that is not committed, and everything converges when the trouble is over.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { patience, pgherald, root } from './lib/env.mjs';
import { Cluster } from './lib/postgres.mjs';
import { run } from './lib/program.mjs';
import { spawnRelay, startRelay } from './lib/relay.mjs';
import { converged, mirrorOf, refuses, tabsOf } from './lib/scene.mjs';
import { sleep } from './lib/wait.mjs';

const linesOf = (relay, event) => relay.log().split('\n').filter((line) => line.includes(`event=${event} `)).length;
const terminate = (db) => db.cluster.admin(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${db.name}' and usename = 'relay'`);

/** The trouble comes and goes below tabs. */
async function through(relay, db, { begin, reason, end }) {
  const scene = await tabsOf(relay, db);
  const { ids, tabs } = scene;
  const { pid } = relay;
  await begin();
  await refuses(relay, reason);
  assert.equal((await relay.get('/healthz')).status, 200);
  for (const tab of tabs) await tab.ping();
  tabs[0].send({ type: 'mark_read', notification_id: ids[0], ref: 'during' });
  await end();
  const answer = await tabs[0].next(null, (frame) => frame.ref === 'during', 30_000);
  await converged(relay, db, scene);
  const read = (await db.value('select read_at is not null from herald.notifications where id = $1', [ids[0]])) === 't';
  if (answer.success) assert.ok(read, 'an acknowledged read is committed');
  else assert.equal(answer.code, 'unavailable');
  assert.equal(relay.pid, pid);
  assert.ok(relay.running);
}

describe('PostgreSQL in trouble', () => {
  let cluster;
  let db;
  before(async () => {
    cluster = await Cluster.start({ max_connections: 30 });
    db = await cluster.database();
  });
  after(() => cluster?.end());

  /** The trouble below a running relay, and from the start of another one. */
  function runningAndAtStart(name, trouble, workers = '1') {
    describe(name, () => {
      it('below a running relay', async () => {
        const relay = await startRelay(db, { HERALD_WORKERS: workers });
        await through(relay, db, trouble);
        await relay.stop();
      });

      it('at its start', async () => {
        await trouble.begin();
        const relay = await spawnRelay(db, { HERALD_WORKERS: workers });
        await relay.listening();
        await refuses(relay, trouble.reason);
        await trouble.end();
        await converged(relay, db, await relay.ready(30_000).then(() => tabsOf(relay, db)));
        await relay.stop();
      });
    });
  }

  runningAndAtStart('kill -9 of the postmaster', {
    begin: () => cluster.crash(),
    reason: /Is the server running|No such file|Connection refused/,
    end: () => cluster.boot(),
  });

  const crowd = [];
  runningAndAtStart('no connection left', {
    begin: async () => {
      // Superusers have slots of their own, so the relay's can be taken from it; it may be faster to take one again.
      for (let tries = 0; tries < 50; tries += 1) {
        for (let session; (session = await cluster.connect('postgres', 'app').catch(() => null));) crowd.push(session);
        if ((await cluster.admin(`select 1 from pg_stat_activity where usename = 'relay'`)).length === 0) return;
        await terminate(db);
      }
      throw new Error('the relay never lost its connections');
    },
    reason: /raise max_connections.*53300/,
    end: async () => {
      for (const session of crowd.splice(0)) await session.end();
    },
  });

  runningAndAtStart('the role has lost herald_relay', {
    begin: () => cluster.admin('revoke herald_relay from relay'),
    reason: /grant the relay's role herald_relay.*permission denied/,
    end: () => cluster.admin('grant herald_relay to relay'),
  }, '2');

  runningAndAtStart('the role may not connect to the database', {
    begin: () => cluster.admin(`revoke connect on database ${db.name} from public`).then(() => terminate(db)),
    reason: /CONNECT.*42501: permission denied for database/,
    end: () => cluster.admin(`grant connect on database ${db.name} to public`),
  });

  runningAndAtStart('the role may not log in', {
    begin: () => cluster.admin('alter role relay nologin').then(() => terminate(db)),
    reason: /check user and pg_hba.conf.*28000/,
    end: () => cluster.admin('alter role relay login'),
  });

  it('one write that is not allowed: reads and changes go on, /readyz says what to grant', async () => {
    const relay = await startRelay(db);
    const { user, ids, tabs: [tab] } = await tabsOf(relay, db, { tabs: 1 });
    await db.sql('revoke execute on function herald.relay_mark_read(text[], uuid[]) from herald_relay');
    const failures = linesOf(relay, 'query_failed');
    const start = performance.now();
    for (let i = 0; i < 30; i += 1) {
      const answer = await tab.ask({ type: 'mark_read', notification_id: ids[0] });
      assert.deepEqual([answer.success, answer.code], [false, 'unavailable']);
    }
    const lines = linesOf(relay, 'query_failed') - failures;
    const fives = Math.floor((performance.now() - start) / 5_000); // each has a line of its own
    assert.ok(lines <= 2 + patience + fives, 'thirty failures are not thirty lines');
    await refuses(relay, /grant the relay's role herald_relay.*permission denied for function relay_mark_read/);
    assert.equal((await tab.ask({ type: 'get_unread' })).count, 6);
    const id = await db.notify(user, 'live');
    await tab.next('new_notification', (frame) => frame.notification.id === id);
    await db.sql('grant execute on function herald.relay_mark_read(text[], uuid[]) to herald_relay');
    assert.equal((await tab.ask({ type: 'mark_read', notification_id: ids[0] })).success, true);
    await relay.ready(15_000);
    await relay.stop();
  });

  it('the password was changed: it is said, and the right one is enough', async () => {
    await cluster.admin(`create role relay_pw login password 'right' in role herald_relay`);
    const relay = await startRelay(db, { HERALD_DATABASE_URL: db.url('relay_pw', { password: 'right' }) });
    const scene = await tabsOf(relay, db);
    await cluster.admin(`alter role relay_pw password 'other'`);
    await cluster.admin(`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'relay_pw'`);
    await refuses(relay, /check user and password.*28P01: password authentication failed/);
    for (const tab of scene.tabs) await tab.ping();
    await cluster.admin(`alter role relay_pw password 'right'`);
    await converged(relay, db, scene);
    await relay.stop();
  });

  it('a schema that is older than the relay is refused until it is migrated, a newer one serves', async () => {
    const old = await cluster.database({ migrated: false });
    const psql = (file) => run('psql', ['-X', '-1', '-q', '-v', 'ON_ERROR_STOP=1', '-f', `${root}/sql/migrations/${file}`], {
      env: { PGHOST: cluster.dir, PGPORT: String(cluster.port), PGUSER: 'herald_owner', PGDATABASE: old.name },
    });
    for (const file of ['0001_tables.sql', '0002_feed.sql', '0003_relay.sql', '0004_application.sql', '0005_resume.sql']) {
      const { code, output } = await psql(file);
      assert.equal(code, 0, output);
    }
    const relay = await spawnRelay(old);
    await refuses(relay, /run `pgherald migrate`: the schema has migration 5, this relay needs \d+/);
    await old.migrate();
    const scene = await relay.ready(30_000).then(() => tabsOf(relay, old));
    const newest = await old.value('select max(id) from herald.migrations');
    await old.sql(`insert into herald.migrations (id, name) values ($1::int + 1, 'of_tomorrow')`, [newest]);
    await terminate(old);
    await converged(relay, old, scene);
    const { code, output } = await run(pgherald, ['migrate'], { env: { HERALD_DATABASE_URL: old.url('herald_owner') } });
    assert.equal(code, 1, output);
    await relay.stop();
  });

  it('a crash that takes back what was told: tabs are told to read again, and lose it', async () => {
    const relay = await startRelay(db);
    await cluster.admin('alter system set wal_writer_delay = 10000');
    await cluster.admin('alter system set synchronous_commit = off');
    await cluster.admin('select pg_reload_conf()');
    const scene = await tabsOf(relay, db);
    await cluster.admin('checkpoint');
    await relay.ready();
    await scene.tabs[0].settle(db, scene.user);
    await sleep(2_500); // two looks: all so far is durable
    await cluster.admin('checkpoint');
    let lost;
    for (let tries = 0; ; tries += 1) {
      lost = await db.notify(scene.user, 'never happened');
      await Promise.all(scene.tabs.map((tab) => tab.next('new_notification', (frame) => frame.notification.id === lost)));
      await cluster.crash();
      await cluster.boot();
      if ((await db.value('select count(*) from herald.notifications where id = $1', [lost])) === '0') break;
      assert.ok(tries < 5, 'the crash never took the row');
    }
    for (const tab of scene.tabs) await tab.next('resumed', (frame) => frame.resync === true, 15_000);
    await converged(relay, db, scene);
    for (const tab of scene.tabs) assert.ok(!mirrorOf(tab).rows.has(lost));
    await cluster.admin('alter system reset all');
    await cluster.admin('select pg_reload_conf()');
    await relay.stop();
  });

  it('an hour of silence does not fill the log', async () => {
    const relay = await startRelay(db);
    await cluster.admin('alter role relay nologin');
    await terminate(db);
    await refuses(relay, /28000/);
    await sleep(6_000); // at least three attempts of either connection
    const lines = relay.log().split('\n').filter((line) => /event=(database_lost|login_refused)/.test(line));
    assert.ok(lines.length > 0 && lines.length <= 4, lines.join('\n'));
    assert.ok(lines.every((line) => /why=.*attempts=\d+ retry_ms=\d+/.test(line)), lines.join('\n'));
    await cluster.admin('alter role relay login');
    await relay.ready();
    await relay.stop();
  });
});
