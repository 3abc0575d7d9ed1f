// The adaptive doorbell under writers of every rate, with relays killed while they sleep, while they poll and between:
// no row is lost, and none has to be found by the safety look, which would hide a bell that did not ring.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { form, random } from '../lib/form.mjs';
import { Cluster } from '../lib/postgres.mjs';
import { startRelay } from '../lib/relay.mjs';
import { Tab } from '../lib/tab.mjs';
import { eventually, sleep } from '../lib/wait.mjs';

const RELAYS = 4; // as many as there are keys
const SECONDS = form(4, 30);
const WRITERS = 16;

const count = (relay, event) => relay.log().split(` event=${event} `).length - 1;

const percentile = (values, share) => [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * share)];

describe('the adaptive doorbell', () => {
  let cluster;
  let db;
  let relays;
  let users;
  let tabs;
  let delays; // ms from the commit, as the writer saw it, to the tab; of the test that runs
  const committed = new Map(); // id -> when
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    relays = [];
    for (let i = 0; i < RELAYS; i += 1) relays.push(await startRelay(db, { HERALD_FEED: 'adaptive' }));
    users = [];
    for (let i = 0; i < RELAYS; i += 1) users.push(await db.person());
    const shown = (tab, row) => committed.has(row.id) && delays.push(performance.now() - committed.get(row.id));
    // One tab a relay: each has its own eyes on the feed.
    tabs = users.map((username, i) => new Tab({ username, relays: [relays[i]], dice: random(username), onShow: shown }));
    await eventually('the tabs', () => tabs.every((tab) => tab.live));
  });
  after(async () => {
    await Promise.all((tabs ?? []).map((tab) => tab.stop()));
    await cluster?.end();
  });

  /** One transaction: plain, slow, with a part that is undone, or rolled back. */
  async function write(session, dice) {
    const user = `u-${dice.of(users)}`;
    const insert = async () => (await session.query(
      'insert into herald.notifications (user_id, title) values ($1, $1) returning id::text', [user])).rows[0].id;
    const kind = dice.fraction();
    const ids = [];
    if (kind > 0.7) await session.query('begin');
    ids.push(await insert());
    if (kind > 0.7 && kind < 0.72) await sleep(dice.between(50, 400)); // silent, it keeps relays from falling asleep
    if (kind > 0.72 && kind < 0.8) {
      await session.query('savepoint s');
      await insert();
      await session.query('rollback to s');
    }
    if (kind > 0.7) await session.query(kind > 0.9 ? 'rollback' : 'commit');
    if (kind <= 0.9) ids.forEach((id) => committed.set(id, performance.now()));
  }

  /** Writers at so many transactions a second in all, or as fast as they can; how many there were. */
  async function writeFor(rate, purpose) {
    const until = performance.now() + SECONDS * 1000;
    const writers = rate < WRITERS ? 1 : WRITERS;
    let transactions = 0;
    await Promise.all(Array.from({ length: writers }, async (_, n) => {
      const dice = random(`${purpose} ${n}`);
      const session = await db.session();
      let due = performance.now() + (dice.fraction() * writers * 1000) / rate;
      while (due < until && performance.now() < until) {
        if (due > performance.now()) await sleep(due - performance.now());
        await write(session, dice);
        transactions += 1;
        due += (writers * 1000) / rate;
      }
      await session.end();
    }));
    return transactions;
  }

  /** By the last that its log says of it. */
  function asleep(relay) {
    const words = relay.log().match(/ event=feed_(armed|disarmed|live) /g);
    return words.at(-1) === ' event=feed_armed ';
  }

  async function killOne(relay, when) {
    await sleep(SECONDS * 300);
    const wanted = { asleep: () => asleep(relay), polling: () => !asleep(relay) }[when];
    // Writers make it poll for as long as they write; it sleeps whenever it can.
    if (wanted) await eventually(`the relay to be ${when}`, wanted, when === 'polling' ? SECONDS * 600 : 10_000);
    await relay.kill();
    await relay.again();
  }

  for (const [rate, when] of [[1, 'asleep'], [50, 'asleep'], [300, 'at any time'], [2000, 'at any time'], [Infinity, 'polling']]) {
    it(`${rate} transactions a second, a relay killed ${when}: nothing lost, no bell missed`, async (t) => {
      delays = [];
      const before = relays.map((relay) => count(relay, 'feed_disarmed'));
      const [transactions] = await Promise.all([writeFor(rate, `rate ${rate}`), killOne(relays[0], when)]);
      const table = await Promise.all(users.map((user) => db.versions(user)));
      await eventually('every tab to show what the table says', () => tabs.every((tab, i) =>
        tab.live && tab.rows.size === Object.keys(table[i]).length), 20_000);
      for (const tab of tabs) assert.deepEqual(tab.faults, []);
      const polled = relays.filter((relay, i) => count(relay, 'feed_disarmed') > before[i]).length;
      t.diagnostic(`${transactions} transactions in ${SECONDS} s, ${polled} of ${RELAYS} relays polled, commit to tab in ms: `
        + `p50 ${percentile(delays, 0.5).toFixed(1)}, p99 ${percentile(delays, 0.99).toFixed(1)}`);
      if (rate === Infinity) assert.ok(polled > 0, 'writers at work together are not made to queue');
      if (rate === 1) assert.equal(polled, 0, 'a writer alone only wakes sleepers');
      await eventually('all to sleep again', () => relays.every(asleep), 15_000);
      await sleep(2_200); // two safety looks
      for (const relay of relays) assert.equal(count(relay, 'bell_missed'), 0, relay.log().slice(-2000));
    });
  }

  it('a session with herald.quiet rings nobody, and its rows are found within a second', async () => {
    delays = [];
    const session = await db.session();
    await session.query('set herald.quiet = on');
    const { rows: [{ id }] } = await session.query(
      'insert into herald.notifications (user_id, title) values ($1, $1) returning id::text', [`u-${users[1]}`]);
    await session.end();
    await eventually('the tab', () => tabs[1].rows.has(id)); // which nothing else would tell it
    await eventually('the log to say so', () => relays.every((relay) => count(relay, 'bell_missed') > 0), 5_000);
  });
});
