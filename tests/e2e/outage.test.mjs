// PostgreSQL restarted or crashed below a relay, a worker killed: clients stay
// connected, everything committed before and after is seen, nothing else breaks.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Client, connect, devToken, Mirror, readAll } from './lib/client.mjs';
import { Cluster } from './lib/postgres.mjs';
import { startRelay, spawnRelay } from './lib/relay.mjs';
import { eventually, sleep } from './lib/wait.mjs';

const mirrorOf = (tab) => tab.frames.reduce((state, frame) => state.apply(frame), new Mirror());

/** The same of a tab that reads its inbox again if it was told to forget what it had. */
async function stateOf(tab) {
  if (tab.frames.some((frame) => frame.resync)) await readAll(tab);
  return mirrorOf(tab);
}

for (const [feed, workers] of [['notify', 1], ['poll', 1], ['notify', 2]]) {
  describe(`PostgreSQL goes away, HERALD_FEED=${feed} HERALD_WORKERS=${workers}`, () => {
    let cluster;
    let db;
    let relay;
    before(async () => {
      cluster = await Cluster.start();
      db = await cluster.database();
      relay = await startRelay(db, { HERALD_FEED: feed, HERALD_WORKERS: String(workers) });
    });
    after(() => cluster?.end());

    for (const how of ['fast', 'immediate']) {
      it(`${how}: clients stay, rows committed before and after arrive`, async () => {
        const user = await db.person();
        const tabs = await Promise.all([1, 2, 3].map(() => connect(relay, user)));
        await tabs[0].settle(db, user);
        for (let i = 0; i < 10; i += 1) await db.notify(user, `before ${i}`);
        await cluster.restart(how);
        for (let i = 0; i < 10; i += 1) await db.notify(user, `after ${i}`);
        for (const tab of tabs) {
          await eventually('the tab to know all rows', async () => (await stateOf(tab)).rows.size === 20, 20_000)
            .catch((error) => assert.fail(`${error.message}\n${tab.seen()}\n${relay.log().slice(-2000)}`));
          assert.equal(tab.closing, null, 'the tab stayed connected');
          assert.deepEqual(mirrorOf(tab).versions(), await db.versions(user));
        }
        await relay.ready();
        for (const tab of tabs) await eventually('the exact count', () => tab.frames.filter((frame) => 'count' in frame).at(-1).count === 20);
        const answer = await tabs[0].ask({ type: 'mark_read', notification_id: [...mirrorOf(tabs[0]).rows.keys()][0] }, 15_000);
        assert.equal(answer.success, true);
        await tabs[1].next('unread_count', (frame) => frame.count === 19);
      });
    }

    it('changes of every kind made right before a crash are known afterwards', async () => {
      const user = await db.person();
      const tab = await connect(relay, user);
      const ids = [];
      for (let i = 0; i < 30; i += 1) ids.push(await db.notify(user, `n${i}`));
      await tab.settle(db, user);
      await db.sql('update herald.notifications set read_at = now() where id = any($1::uuid[])', [ids.slice(0, 10)]);
      await db.sql('delete from herald.notifications where id = any($1::uuid[])', [ids.slice(20)]);
      await cluster.restart('immediate');
      const last = await db.notify(user, 'afterwards');
      await tab.next('new_notification', (frame) => frame.notification.id === last, 20_000);
      await tab.settle(db, user, 10_000);
      const table = await db.versions(user);
      await eventually('the state of the table', async () => {
        assert.deepEqual((await stateOf(tab)).versions(), table);
        return true;
      });
    });

    it('what a crash took back is not shown on, and a version that comes again is', async () => {
      const user = await db.person();
      const tab = await connect(relay, user);
      const kept = await db.notify(user, 'kept');
      await tab.next('new_notification');
      const session = await db.session();
      await session.query('set synchronous_commit = off');
      const killWalWriter = await cluster.stopWalWriter();
      await session.query(`update herald.notifications set title = 'taken back' where id = $1`, [kept]);
      await tab.next('notification_updated', (frame) => frame.notification.version === 2);
      await session.query('insert into herald.notifications (user_id, title) values ($1, $2)', [`u-${user}`, 'taken back']);
      await tab.next('new_notification');
      const crash = cluster.restart('immediate');
      killWalWriter();
      await crash;
      assert.deepEqual(await db.versions(user), { [kept]: 1 }, 'the crash took back what had been shown');
      await db.sql(`update herald.notifications set title = 'again' where id = $1`, [kept]);

      const told = await tab.next('resumed', undefined, 20_000);
      assert.equal(told.resync, true);
      const since = () => tab.frames.slice(tab.frames.indexOf(told));
      const rows = () => since().flatMap((frame) => frame.notifications ?? frame.notification ?? []);
      await eventually('the new version', () => rows().some((row) => row.version === 2 && row.title === 'again'));
      assert.ok(!rows().some((row) => row.title === 'taken back'), tab.seen());
      await session.end();
    });

    it('crash upon crash under load loses nothing', async () => {
      const user = await db.person();
      const tab = await connect(relay, user);
      let writing = true;
      const writers = Array.from({ length: 4 }, async () => {
        while (writing) await db.notify(user, 'w').catch(() => sleep(50));
      });
      for (const how of ['immediate', 'fast', 'immediate']) {
        await sleep(400);
        await cluster.restart(how);
      }
      await sleep(300);
      writing = false;
      await Promise.all(writers);
      await relay.ready();
      await eventually('a settled tab', () => tab.settle(db, user, 3_000).then(() => true), 20_000);
      assert.deepEqual((await stateOf(tab)).versions(), await db.versions(user));
      assert.equal(tab.closing, null);
    });

    it('while it is away pings are answered, readiness says no, reads are told or wait', async () => {
      const user = await db.person();
      const tab = await connect(relay, user);
      const id = await db.notify(user, 'x');
      await tab.next('new_notification');
      await cluster.stop('fast');
      await eventually('/readyz to say no', async () => (await relay.get('/readyz')).status === 503);
      assert.equal((await relay.get('/healthz')).status, 200);
      await tab.ping();
      for (const [i, question] of [{ type: 'get_unread' }, { type: 'mark_read', notification_id: id }, { type: 'mark_all_read' }].entries()) {
        tab.send({ ...question, ref: `away${i}` });
      }
      const newcomer = new Client(relay, { token: devToken(user) });
      await sleep(1_500);
      if (newcomer.closing) assert.ok([1011, 1012, 1013].includes(newcomer.closing.code), `a newcomer may come again, not ${newcomer.closing.code}`);
      await cluster.boot();
      const answers = [];
      for (let i = 0; i < 3; i += 1) answers.push(await tab.next(null, (frame) => frame.ref === `away${i}`, 20_000));
      for (const answer of answers) {
        if (answer.type === 'error') assert.equal(answer.code, 'unavailable');
      }
      await relay.ready();
      if (answers[1].success || answers[2].type !== 'error') {
        assert.equal(await db.unread(user), 0, 'an acknowledged mark_read is committed');
      }
      await newcomer.next('connected', undefined, 20_000).catch((error) => {
        // It may have waited in vain for longer than the sleep above.
        if (![1011, 1012, 1013].includes(newcomer.closing?.code)) throw error;
      });
      await tab.settle(db, user, 10_000);
    });

    it('every acknowledged mark_read is committed, also across a crash', async () => {
      const user = await db.person();
      const tab = await connect(relay, user);
      const rows = await db.sql(`insert into herald.notifications (user_id, title)
                                 select $1, 'n' from generate_series(1, 300) returning id::text`, [`u-${user}`]);
      await tab.take(300, 'new_notification');
      const crash = sleep(30).then(() => cluster.restart('immediate'));
      for (const row of rows) {
        tab.send({ type: 'mark_read', notification_id: row.id, ref: row.id });
        await sleep(1);
      }
      await crash;
      await relay.ready();
      const answers = new Map();
      while (answers.size < rows.length) {
        const frame = await tab.next(null, (f) => f.ref !== undefined, 20_000);
        answers.set(frame.ref, frame);
      }
      const unread = (await db.sql('select id::text from herald.notifications where user_id = $1 and read_at is null', [`u-${user}`])).map((row) => row.id);
      const lies = unread.filter((id) => answers.get(id).success === true);
      assert.deepEqual(lies, []);
      for (const answer of answers.values()) {
        if (!answer.success) assert.equal(answer.code, 'unavailable');
      }
    });

    // A backend that is told to quit while a question of the relay lies unread in its socket says why and is gone:
    // the relay's socket then has something to read and an error at once.
    async function dieUnread(link, ask) {
      await relay.ready(20_000);
      const losses = () => relay.log().split('\n').filter((line) => line.includes('event=database_lost') && line.includes(link)).length;
      const pids = (await db.sql('select pid from pg_stat_activity where application_name = $1 and datname = current_database()', [link])).map((row) => Number(row.pid));
      assert.ok(pids.length > 0, link);
      const known = losses();
      for (const pid of pids) process.kill(pid, 'SIGSTOP');
      await ask();
      for (const pid of pids) {
        process.kill(pid, 'SIGQUIT');
        process.kill(pid, 'SIGCONT');
      }
      await eventually(`the relay to notice the loss of ${link}`, () => losses() >= known + pids.length, 4_000)
        .catch((error) => assert.fail(`${error.message}\n${relay.log().slice(-3000)}`));
    }

    it('the feed\'s connection that ends with an error is noticed at once', async () => {
      const user = await db.person();
      const tab = await connect(relay, user);
      await dieUnread('pgherald feed', () => sleep(1_300)); // it looks once a second
      const id = await eventually('a row to be written', () => db.notify(user, 'afterwards').catch(() => null), 20_000);
      await eventually('the tab to know it', () => mirrorOf(tab).rows.has(id), 20_000);
      assert.equal(tab.closing, null);
      await relay.ready();
    });

    it('the other connection that ends with an error is noticed at once', async () => {
      const user = await db.person();
      // Each worker has such a connection: every one of them has been of use, and gets a question.
      const tabs = await Promise.all(Array.from({ length: 20 }, () => connect(relay, user)));
      await dieUnread('pgherald desk', async () => {
        for (const tab of tabs) tab.send({ type: 'get_unread', ref: 'unread' });
        await sleep(300);
      });
      for (const tab of tabs) {
        const answer = await tab.next(null, (frame) => frame.ref === 'unread', 20_000);
        assert.ok(answer.type === 'unread_notifications' || answer.code === 'unavailable', answer.raw);
        assert.equal(tab.closing, null);
        await tab.close();
      }
      await relay.ready();
    });

    it('one lost connection of the relay is replaced without a client noticing', async () => {
      const user = await db.person();
      const tab = await connect(relay, user);
      await relay.ready(20_000);
      const count = `select count(*) from pg_stat_activity where usename = 'relay' and datname = current_database()`;
      const all = await db.value(count);
      const admin = await db.session('postgres');
      await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'relay' and datname = current_database()`);
      await admin.end();
      await db.notify(user, 'x');
      await tab.next('new_notification', undefined, 15_000);
      await eventually('all its connections to be back', async () => (await db.value(count)) === all, 15_000);
      await tab.ask({ type: 'get_unread' }, 15_000);
      assert.equal(tab.closing, null);
    });
  });
}

describe('a worker is killed', () => {
  let cluster;
  let db;
  let relay;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    relay = await startRelay(db, { HERALD_WORKERS: '2' });
  });
  after(() => cluster?.end());

  it('it is replaced, its clients can come back, the others notice nothing', async () => {
    const user = await db.person();
    const tabs = await Promise.all(Array.from({ length: 20 }, () => connect(relay, user)));
    const workers = relay.workers();
    assert.equal(workers.length, 2);
    process.kill(workers[0], 'SIGKILL');
    await eventually('the connections of the worker to end', () => tabs.some((tab) => tab.closing));
    await db.notify(user, 'in between');
    await eventually('a new worker', () => {
      const now = relay.workers();
      return now.length === 2 && !now.includes(workers[0]) && now.includes(workers[1]);
    });
    const others = tabs.filter((tab) => !tab.closing);
    assert.ok(others.length > 0, 'the other worker had connections, and has them still');
    for (const tab of others) await tab.next('new_notification');
    const back = await Promise.all(Array.from({ length: 20 }, () => connect(relay, user)));
    for (const tab of back) assert.equal(tab.welcome.unread_count, 1);
    await db.notify(user, 'afterwards');
    for (const tab of [...others, ...back]) await tab.next('new_notification', (frame) => frame.notification.title === 'afterwards');
    const page = await readAll(back[0]);
    assert.equal(page.length, 2);
  });

  it('again and again, and the relay still serves', async () => {
    const user = await db.person();
    for (let i = 0; i < 4; i += 1) {
      const victim = relay.workers()[i % 2];
      process.kill(victim, 'SIGKILL');
      await eventually('another worker in its place', () => {
        const now = relay.workers();
        return now.length === 2 && !now.includes(victim);
      });
      await relay.ready();
    }
    const tab = await eventually('a tab', () => connect(relay, user).catch(() => null));
    await db.notify(user, 'x');
    await tab.next('new_notification');
  });

  it('a supervisor that is killed takes its workers along', async () => {
    const other = await startRelay(db, { HERALD_WORKERS: '2' });
    await other.kill(); // fails when a worker stays behind
  });
});

describe('PostgreSQL is not there at the start', () => {
  let cluster;
  let db;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
  });
  after(() => cluster?.end());

  for (const workers of [1, 2]) {
    it(`the relay waits, says so, and serves when it comes, HERALD_WORKERS=${workers}`, async () => {
      const user = await db.person();
      await cluster.stop('fast');
      const relay = await spawnRelay(db, { HERALD_WORKERS: String(workers) });
      await relay.listening();
      assert.equal((await relay.get('/readyz')).status, 503);
      await eventually('the log to say so', () => /level=(warn|error) .*(connect|No such file)/i.test(relay.log()));
      assert.ok(relay.running);
      await cluster.boot();
      await relay.ready(20_000);
      const tab = await connect(relay, user);
      await db.notify(user, 'x');
      await tab.next('new_notification');
      await relay.stop();
    });
  }

  it('SIGTERM ends it while it waits', async () => {
    await cluster.stop('fast');
    const relay = await spawnRelay(db);
    await relay.listening();
    await relay.stop();
    await cluster.boot();
  });
});
