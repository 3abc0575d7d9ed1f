// A disk that is full, of data or of WAL: small file systems in memory, which only root may mount.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onExit } from './lib/cleanup.mjs';
import { account, scratch } from './lib/env.mjs';
import { Cluster } from './lib/postgres.mjs';
import { spawnRelay, startRelay } from './lib/relay.mjs';
import { converged, refuses, tabsOf } from './lib/scene.mjs';
import { eventually, sleep } from './lib/wait.mjs';

let disks = 0;

/** A file system of so many MiB of its own; null where that is not allowed. */
function mount(mib) {
  disks += 1;
  const dir = join(scratch, `disk${disks}`);
  mkdirSync(dir);
  const options = `size=${mib}m,mode=755${account.uid === undefined ? '' : `,uid=${account.uid},gid=${account.gid}`}`;
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', dir]).status !== 0) return null;
  onExit(() => execFileSync('umount', ['-l', dir]));
  return dir;
}

const disk = mount(16);
const skip = disk === null && 'mounting a small file system needs root (CAP_SYS_ADMIN)';

/** Leaves nothing free; `free()` gives it back. */
function fill(dir) {
  const ballast = join(dir, 'ballast');
  for (let i = 0; ; i += 1) {
    const { bavail, bsize } = statfsSync(dir);
    if (bavail === 0) break;
    writeFileSync(ballast, Buffer.alloc(bavail * bsize), { flag: 'a' });
    if (i > 20) throw new Error('the disk does not get full');
  }
  return { free: () => rmSync(ballast) };
}

describe('disk full', { skip }, () => {
  let cluster;
  let db;
  before(async () => {
    cluster = await Cluster.start({ autovacuum: 'off', max_wal_size: '64MB' });
    // Rows of the application's alone are on the small disk.
    await cluster.admin(`create tablespace small location '${disk}'`);
    db = await cluster.database();
    await cluster.admin('grant create on tablespace small to herald_owner');
    await db.sql('alter table herald.notifications set tablespace small');
  });
  after(() => cluster?.end());

  it('data: no read is acknowledged, /readyz says what to do, reading and pings go on, and afterwards all is well', async () => {
    const relay = await startRelay(db);
    const scene = await tabsOf(relay, db);
    const [tab, watcher] = scene.tabs;
    const { free } = fill(disk);
    const wide = 'x'.repeat(3000);
    await assert.rejects(async () => {
      for (let i = 0; i < 200; i += 1) await db.notify(scene.user, 'until it is full', { message: wide });
    }, { code: '53100' });
    const ids = Object.keys(await db.versions(scene.user));
    const answers = [];
    for (const id of ids) answers.push(await tab.ask({ type: 'mark_read', notification_id: id }, 10_000));
    const refused = answers.filter((answer) => !answer.success);
    assert.ok(refused.length > 0, 'there was room for every read');
    for (const answer of refused) assert.equal(answer.code, 'unavailable');
    const read = (await db.sql('select id::text from herald.notifications where user_id = $1 and read_at is not null', [`u-${scene.user}`])).map((row) => row.id);
    assert.deepEqual(new Set(answers.filter((answer) => answer.success).map((answer) => answer.notification_id)), new Set(read));
    await refuses(relay, /free disk space.*could not extend/);
    await watcher.ping();
    assert.equal((await watcher.ask({ type: 'get_unread' })).count, await db.unread(scene.user));
    const starter = await startRelay(db); // reading is all that a start needs
    await starter.stop();

    free();
    for (const { notification_id: id } of refused) assert.equal((await tab.ask({ type: 'mark_read', notification_id: id })).success, true);
    await converged(relay, db, scene);
    await relay.stop();
  });
});

describe('disk full of WAL', { skip }, () => {
  it('the server goes down and comes back: no read that was acknowledged is lost', async () => {
    const dir = mount(64);
    const cluster = await Cluster.start({ max_wal_size: '32MB', min_wal_size: '32MB', wal_recycle: 'off' }, { walDir: join(dir, 'wal') });
    const db = await cluster.database();
    const relay = await startRelay(db);
    const scene = await tabsOf(relay, db);
    const { free } = fill(dir);
    const user = await db.person();
    const bulk = (async () => {
      for (;;) {
        const done = await db.sql(`insert into herald.notifications (user_id, title, message) select $1, 'n', repeat(gen_random_uuid()::text, 200) from generate_series(1, 2000)`, [`u-${user}`])
          .then(() => false, () => true);
        if (done) return;
      }
    })();
    const answers = [];
    for (const id of scene.ids) {
      scene.tabs[0].send({ type: 'mark_read', notification_id: id, ref: id });
      await sleep(100);
    }
    await bulk;
    await refuses(relay, /./, 20_000);
    for (const tab of scene.tabs) await tab.ping();
    const starter = await spawnRelay(db);
    await starter.listening();
    await refuses(starter, /./);
    free();
    if (!cluster.program.running || !(await cluster.admin('select 1').catch(() => null))) {
      await cluster.stop('immediate');
      await cluster.boot();
    }
    for (const id of scene.ids) answers.push(await scene.tabs[0].next(null, (frame) => frame.ref === id, 20_000));
    await eventually('both to be ready', () => Promise.all([relay.ready(20_000), starter.ready(20_000)]).then(() => true));
    for (const answer of answers) {
      const read = await db.value('select read_at is not null from herald.notifications where id = $1', [answer.ref]);
      if (answer.success) assert.equal(read, 't', 'an acknowledged read is committed');
      else assert.equal(answer.code, 'unavailable');
    }
    await converged(relay, db, scene);
    await starter.stop();
    await cluster.end();
  });
});
