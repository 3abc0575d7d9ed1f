// Real streaming replication: a standby instead of the primary, failover of a relay whose address leads to the promoted
// standby (a list of hosts, or a socket directory that has moved), with a primary that is dead, silent or still alive.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from './lib/client.mjs';
import { scratch } from './lib/env.mjs';
import { Cluster } from './lib/postgres.mjs';
import { run } from './lib/program.mjs';
import { spawnRelay, startRelay } from './lib/relay.mjs';
import { converged, mirrorOf, refuses, tabsOf } from './lib/scene.mjs';
import { eventually, sleep } from './lib/wait.mjs';

const both = (primary, standby, db) => `${db.url('relay', { host: `${primary.dir},${standby.dir}`, port: '5432,5432' })}&target_session_attrs=read-write`;

const caughtUp = (primary, standby) => eventually('the standby to catch up', async () => {
  const [{ lsn }] = await primary.admin('select pg_current_wal_lsn()::text as lsn');
  return (await standby.admin(`select pg_last_wal_replay_lsn() >= '${lsn}' as there`))[0].there === 't';
});

/** From now on commits do not reach the standby. */
async function cutReplication(standby) {
  await standby.admin(`alter system set primary_conninfo = ''`);
  await standby.admin('select pg_reload_conf()');
  await eventually('the replication to end', async () => (await standby.admin('select 1 from pg_stat_wal_receiver')).length === 0);
}

const cursorOf = async (tab) => (await tab.ping()).cursor;

async function resyncsFor(relay, user, cursor) {
  const again = await connect(relay, user, { query: `cursor=${cursor}` });
  assert.equal((await again.next('resumed')).resync, true, 'a cursor of the old primary');
}

describe('failover', () => {
  let primary;
  let db;
  before(async () => {
    primary = await Cluster.start();
    db = await primary.database();
  });
  after(() => primary?.end());

  /** An asynchronous standby, and the database on it. */
  async function companion() {
    const standby = await primary.standby();
    const there = standby.existing(db.name);
    there.serial = db.serial + 100;
    return { standby, there };
  }

  /** The next test goes on from the new primary. */
  async function takeOver(standby, there) {
    await primary.end();
    [primary, db] = [standby, there];
  }

  it('the primary dies, commits are lost: tabs are told to read again, by a list of hosts and by a moved directory', async () => {
    const { standby, there } = await companion();
    const address = join(scratch, 'address');
    symlinkSync(primary.dir, address);
    const relays = [
      await startRelay(db, { HERALD_DATABASE_URL: both(primary, standby, db), HERALD_WORKERS: '2' }),
      await startRelay(db, { HERALD_DATABASE_URL: db.url('relay', { host: address }) }),
    ];
    const scenes = [];
    for (const relay of relays) scenes.push(await tabsOf(relay, db));
    await caughtUp(primary, standby);
    await cutReplication(standby);
    const lost = [];
    for (const { user, ids, tabs } of scenes) {
      lost.push(await db.notify(user, 'lost'));
      for (const tab of tabs) await tab.next('new_notification', (frame) => frame.notification.id === lost.at(-1));
      await tabs[0].ask({ type: 'mark_read', notification_id: ids[0] });
    }
    const cursors = await Promise.all(scenes.map(({ tabs }) => cursorOf(tabs[0])));
    await primary.crash();
    await refuses(relays[1], /Is the server running|No such file|Connection refused/);
    for (const { tabs } of scenes) for (const tab of tabs) await tab.ping();
    symlinkSync(standby.dir, `${address}.new`);
    renameSync(`${address}.new`, address);
    await refuses(relays[1], /connect to the primary/);
    await standby.promote();
    for (const [i, relay] of relays.entries()) {
      for (const tab of scenes[i].tabs) await tab.next('resumed', (frame) => frame.resync === true, 20_000);
      await converged(relay, there, scenes[i]);
      for (const tab of scenes[i].tabs) assert.ok(!mirrorOf(tab).rows.has(lost[i]), 'a row that does not exist');
      await resyncsFor(relay, scenes[i].user, cursors[i]);
      await relay.stop();
    }
    await takeOver(standby, there);
  });

  it('the primary hangs: the relay goes to the next host, and what the old one commits later was not acknowledged', async () => {
    const { standby, there } = await companion();
    const relay = await startRelay(db, { HERALD_DATABASE_URL: both(primary, standby, db) });
    const scene = await tabsOf(relay, db);
    await caughtUp(primary, standby);
    const frozen = [primary.program.pid, ...primary.processes()];
    for (const pid of frozen) process.kill(pid, 'SIGSTOP');
    const start = Date.now();
    scene.tabs[0].send({ type: 'mark_read', notification_id: scene.ids[0], ref: 'hung' });
    await standby.promote();
    await refuses(relay, /does not answer/);
    for (const tab of scene.tabs) await tab.ping();
    await relay.ready(30_000);
    assert.ok(Date.now() - start < 40_000);
    const answer = await scene.tabs[0].next(null, (frame) => frame.ref === 'hung', 20_000);
    if (answer.success) assert.equal(await there.value('select read_at is not null from herald.notifications where id = $1', [scene.ids[0]]), 't');
    else assert.equal(answer.code, 'unavailable');
    for (const pid of frozen) process.kill(pid, 'SIGCONT');
    await converged(relay, there, scene);
    await relay.stop();
    await takeOver(standby, there);
  });

  it('the old primary is still alive: reads and write-backs follow the feed to the new one', async () => {
    const { standby, there } = await companion();
    const address = join(scratch, 'alive');
    symlinkSync(primary.dir, address);
    const relay = await startRelay(db, { HERALD_DATABASE_URL: db.url('relay', { host: address }) });
    const scene = await tabsOf(relay, db);
    await caughtUp(primary, standby);
    await standby.promote();
    symlinkSync(standby.dir, `${address}.new`);
    renameSync(`${address}.new`, address);
    const [feed] = await db.backends('pgherald feed');
    await primary.admin(`select pg_terminate_backend(${feed})`);
    await scene.tabs[0].next('resumed', (frame) => frame.resync === true, 15_000);
    const answer = await scene.tabs[0].ask({ type: 'mark_read', notification_id: scene.ids[0] }, 15_000);
    assert.equal(answer.success, true);
    assert.equal(await there.value('select read_at is not null from herald.notifications where id = $1', [scene.ids[0]]), 't');
    await eventually('no connection to the old one to be left', async () => (await db.backends()).length === 0);
    await converged(relay, there, scene);
    await relay.stop();
    await takeOver(standby, there);
  });

  it('a standby at the start is said, and a promotion is enough', async () => {
    const { standby, there } = await companion();
    for (const workers of ['1', '2']) {
      const relay = await spawnRelay(there, { HERALD_WORKERS: workers });
      await relay.listening();
      await refuses(relay, /connect to the primary/);
    }
    await standby.promote();
    for (const relay of there.relays) {
      await relay.ready();
      await converged(relay, there, await tabsOf(relay, there));
    }
    await standby.end();
  });

  it('a primary that comes back as a standby, then is promoted', async () => {
    const relay = await startRelay(db);
    const scene = await tabsOf(relay, db);
    await primary.stop('fast');
    writeFileSync(join(primary.dataDir, 'standby.signal'), '');
    await primary.boot();
    await refuses(relay, /connect to the primary/);
    scene.tabs[0].send({ type: 'mark_read', notification_id: scene.ids[0], ref: 'read-only' });
    await scene.tabs[1].ping();
    await sleep(500);
    await primary.promote();
    const answer = await scene.tabs[0].next(null, (frame) => frame.ref === 'read-only', 15_000);
    const read = (await db.value('select read_at is not null from herald.notifications where id = $1', [scene.ids[0]])) === 't';
    if (answer.success) assert.ok(read, 'an acknowledged read is committed');
    else assert.equal(answer.code, 'unavailable');
    await converged(relay, db, scene);
    await relay.stop();
  });

  it('an older copy of the files put back below a running relay is noticed: tabs read again, nothing later is skipped', async () => {
    const relay = await startRelay(db);
    const scene = await tabsOf(relay, db);
    await primary.stop('fast');
    const copy = `${primary.dataDir}.copy`;
    assert.equal((await run('cp', ['-a', primary.dataDir, copy])).code, 0);
    await primary.boot();
    const gone = await db.notify(scene.user, 'not in the copy');
    for (const tab of scene.tabs) await tab.next('new_notification', (frame) => frame.notification.id === gone, 15_000);
    await db.sql(`insert into herald.notifications (user_id, title) select 'somebody', 'n' from generate_series(1, 2000)`);
    for (let i = 0; i < 50; i += 1) await db.notify('nobody', 'more transactions');
    await relay.ready();
    await primary.stop('immediate');
    rmSync(primary.dataDir, { recursive: true });
    renameSync(copy, primary.dataDir);
    await primary.boot();
    for (const tab of scene.tabs) await tab.next('resumed', (frame) => frame.resync === true, 15_000);
    await converged(relay, db, scene);
    for (const tab of scene.tabs) assert.ok(!mirrorOf(tab).rows.has(gone));
    await relay.stop();
  });
});
