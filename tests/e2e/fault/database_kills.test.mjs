// The relays' backends are terminated, and PostgreSQL is restarted or crashes, under random transactions, some of them
// with synchronous_commit = off: whatever a crash took back, every tab ends at the table.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { form, random } from '../lib/form.mjs';
import { History } from '../lib/history.mjs';
import { CANARY } from '../lib/relay.mjs';
import { eventually, sleep } from '../lib/wait.mjs';

const TERMINATIONS = form(50, 200);
const CRASHES = form(5, 50);

describe('backends are terminated', () => {
  let history;
  before(async () => {
    history = await History.start();
  });
  after(() => history?.end());

  const ofRelays = `from pg_stat_activity
    where datname = current_database() and application_name like 'pgherald %'`;

  async function terminateOne(admin, dice) {
    const { rows } = await admin.query(`select pid ${ofRelays} order by pid`);
    if (!rows.length) return 0;
    const { rows: killed } = await admin.query('select pg_terminate_backend($1) as done', [dice.of(rows).pid]);
    return killed[0].done === 't' ? 1 : 0;
  }

  /** After so many rows that the feeds are in the middle of them. */
  async function terminateAmidst(admin, dice) {
    const results = await admin.query(`
      insert into herald.notifications (user_id, title, message)
        select u.id, u.id, '${CANARY} amidst ' || repeat('.', 2000)
        from herald.users u, generate_series(1, 10) where u.id like 'u-user%';
      commit;
      select pg_sleep(${dice.between(0, 15) / 1000});
      select pg_terminate_backend(pid) ${ofRelays} and application_name ~ 'feed'`);
    return results.at(-1).rowCount;
  }

  it('nothing is lost', async (t) => {
    const admin = await history.db.session('postgres');
    const dice = random('terminations');
    for (let i = 0, left = TERMINATIONS; left > 0; i += 1) {
      await sleep(dice.between(0, 400));
      left -= await (i % 5 === 4 ? terminateAmidst : terminateOne)(admin, dice);
    }
    await admin.end();
    t.diagnostic(JSON.stringify({ terminations: TERMINATIONS, ...(await history.judge()) }));
  });
});

describe('PostgreSQL is restarted and crashes', () => {
  let history;
  before(async () => {
    history = await History.start({ lossy: true, writers: { lazily: 0.3 } });
  });
  after(() => history?.end());

  const crashes = {
    immediate: () => history.cluster.restart('immediate'),
    postmaster: () => history.cluster.kill().then(() => history.cluster.boot()),
    backend: recover, // one that dies: the postmaster ends all others, recovers and goes on
  };
  const ways = { ...crashes, restart: () => history.cluster.restart('fast') };

  /** The postmaster may notice late what has died: until then it answers as before. */
  async function recover() {
    await eventually('PostgreSQL to have recovered', async () => {
      const [writer] = await history.cluster.admin(`select pid from pg_stat_activity where backend_type = 'walwriter'`);
      return writer && Number(writer.pid) !== history.cluster.stoppedWalWriter;
    }, 30_000);
  }

  /** A crash while nothing reaches the disk: how many rows, that were acknowledged and shown, it took back. */
  async function crashLazily(dice) {
    const { writers } = history;
    writers.lazy = true;
    await eventually('the last flush', () => writers.flushing === 0, 30_000);
    const killWalWriter = await history.cluster.stopWalWriter();
    writers.recent = [];
    await sleep(dice.between(0, 500));
    await eventually('rows to be committed', () => writers.recent.length > 0);
    const { recent } = writers;
    const crashed = crashes[dice.of(Object.keys(crashes))]();
    killWalWriter();
    await crashed;
    writers.lazy = false;
    return countLost(recent);
  }

  async function crash(dice) {
    const way = dice.of(Object.keys(ways));
    if (way === 'backend') (await history.cluster.stopWalWriter())();
    await ways[way]();
    return 0;
  }

  /** How many of these rows a crash took back: neither kept nor deleted. */
  async function countLost(ids) {
    return Number(await history.db.value(`select count(*) from unnest($1::uuid[]) r (id)
      where not exists (select from herald.notifications n where n.id = r.id)
        and not exists (select from herald.tombstones t where t.notification_id = r.id)`, [ids]));
  }

  it('nothing is lost, and nothing that a crash took back is shown on', async (t) => {
    const dice = random('crashes');
    let takenBack = 0;
    for (let i = 0; i < CRASHES; i += 1) {
      await sleep(dice.between(300, 1500));
      takenBack += await (i % 2 === 0 ? crashLazily(dice) : crash(dice));
    }
    t.diagnostic(JSON.stringify({ crashes: CRASHES, takenBack, ...(await history.judge()) }));
    assert.ok(takenBack > 0, 'crashes took back what had been shown');
  });
});
