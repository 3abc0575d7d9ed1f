// Ten of two hundred tabs stop reading while much comes: that costs the relay little memory and the others nothing, and
// when they read on they are told everything.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { form, random } from '../lib/form.mjs';
import { Cluster } from '../lib/postgres.mjs';
import { CANARY, startRelay } from '../lib/relay.mjs';
import { Tab } from '../lib/tab.mjs';
import { eventually, every, sleep } from '../lib/wait.mjs';

const READERS = 19; // users, with
const TABS_OF_READER = 10;
const SLOW = 10; // users, the first ones, with a tab each
const USERS = SLOW + READERS;
const MESSAGES_PER_S = 200;
const MESSAGE_BYTES = 4_000;
const BURST = { rows: 10, bytes: 100_000 }; // to fill the kernels' buffers, whatever they hold: some MB
const PHASE_MS = form(6_000, 15_000); // measured, with and without
const PHASES = form(2, 6); // of each kind; up to
const PHASES_MAX = form(8, 12); // while what else the machine did may have been in all of one kind
const GROWTH_MAX = 10 * 2 ** 20;
const RATIO_MAX = 1.2;
const NOISE_MS = 1; // what one process that is writer and clients at once cannot tell apart

const percentile = (list, share) => [...list].sort((a, b) => a - b)[Math.floor((list.length - 1) * share)];
const median = (list) => percentile(list, 0.5);

describe('tabs that stop reading', () => {
  let cluster;
  let db;
  let relay;
  let tabs;
  const sent = new Map(); // number of a message -> when its INSERT was called
  let latencies = []; // ms, of the phase that runs

  /** The way of a message is measured at tabs that read. */
  const shown = (tab, row) => {
    const at = sent.get(row.message.split(' ')[1]);
    if (!tab.slow && row.version === 1 && at) latencies.push(performance.now() - at);
  };

  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    relay = await startRelay(db, { HERALD_WORKERS: '2', HERALD_HEARTBEAT: '120' });
    const names = Array.from({ length: USERS }, (_, i) => `user${i}`);
    await db.addUsers(names);
    tabs = names.flatMap((username, i) => Array.from({ length: i < SLOW ? 1 : TABS_OF_READER }, () =>
      new Tab({ username, relays: [relay], dice: random('tabs'), onShow: shown })));
    tabs.slice(0, SLOW).forEach((tab) => (tab.slow = true));
    await eventually('every tab to be live', () => tabs.every((tab) => tab.live), 60_000);
  });
  const end = new AbortController();
  after(async () => {
    end.abort();
    await Promise.all((tabs ?? []).map((tab) => tab.stop()));
    await cluster?.end();
  });

  /** Large rows for the users of slow tabs until each of these tabs is behind; few enough to be told one by one later. */
  async function fillUp() {
    const known = timesBehind();
    const users = Array.from({ length: SLOW }, (_, i) => `u-user${i}`);
    await eventually('all ten to be behind', async () => {
      if (timesBehind() - known >= SLOW) return true;
      await db.sql(`insert into herald.notifications (user_id, title, message)
                    select u, u, $2 || repeat('x', $3) from unnest($1::text[]) u, generate_series(1, $4::int)`,
      [users, `${CANARY} burst `, BURST.bytes, BURST.rows]);
      await sleep(500);
      return false;
    }, 30_000);
  }

  const timesBehind = () => relay.log().split('event=session_behind').length - 1;

  async function send() {
    const number = String(sent.size);
    const user = `u-user${sent.size % USERS}`;
    sent.set(number, performance.now());
    const [row] = await db.sql('insert into herald.notifications (user_id, title, message) values ($1, $1, $2) returning id::text',
      [user, `${CANARY} ${number} ${'x'.repeat(MESSAGE_BYTES)}`]);
    if (number.endsWith('0')) await db.sql(`update herald.notifications set category = 'changed' where id = $1`, [row.id]);
  }

  /** Messages at a steady rate until aborted; every tenth is changed right away. */
  async function write(signal) {
    const start = performance.now();
    const writes = [];
    await every(1_000 / MESSAGES_PER_S, signal, () => {
      while (sent.size < (performance.now() - start) * MESSAGES_PER_S / 1_000) writes.push(send());
    });
    await Promise.all(writes);
  }

  /** The 99th percentile of a phase. */
  async function phase() {
    latencies = [];
    await sleep(PHASE_MS);
    return percentile(latencies, 0.99);
  }

  it('they cost little, others nothing, and are complete afterwards', async (t) => {
    const slow = tabs.filter((tab) => tab.slow);
    const sockets = slow.map((tab) => tab.socket);
    const complete = async () => {
      const rows = await db.sql('select user_id, count(*) from herald.notifications group by user_id');
      const counts = new Map(rows.map((row) => [row.user_id, Number(row.count)]));
      return slow.every((tab) => tab.live && counts.get(tab.user) - tab.rows.size < 10); // some are on their way
    };
    const writing = write(end.signal);
    await sleep(3_000);
    const atFirst = relay.heap();
    let most = 0;
    const sampling = every(250, end.signal, () => (most = Math.max(most, relay.heap())));
    const figures = { without: [], with: [] };
    const asQuick = () => median(figures.with) <= median(figures.without) * RATIO_MAX + NOISE_MS;
    for (let i = 0; i < PHASES || (i < PHASES_MAX && !asQuick()); i += 1) {
      figures.without.push(await phase());
      slow.forEach((tab) => tab.socket.pause());
      await fillUp();
      figures.with.push(await phase());
      slow.forEach((tab) => tab.socket.resume());
      await eventually('all ten to have caught up', complete, 30_000);
    }
    end.abort();
    await writing;
    await sampling;

    const table = new Map(tabs.map((tab) => [tab.user, {}]));
    for (const row of await db.sql('select user_id, id::text, version from herald.notifications')) {
      table.get(row.user_id)[row.id] = Number(row.version);
    }
    const versions = (tab) => Object.fromEntries([...tab.rows].map(([id, row]) => [id, row.version]));
    await eventually('all tabs to be complete', () => tabs.every((tab) =>
      tab.count === tab.rows.size && isDeepStrictEqual(versions(tab), table.get(tab.user)))).catch(() => {}); // to say which one
    for (const tab of tabs) {
      assert.deepEqual(versions(tab), table.get(tab.user));
      assert.equal(tab.count, tab.rows.size);
      assert.deepEqual(tab.faults, []);
      assert.equal(tab.resyncs, 0, 'it was told what it missed');
    }
    assert.deepEqual(slow.map((tab) => tab.socket), sockets, 'on the same connection');

    const [without, withSlow] = [median(figures.without), median(figures.with)];
    const growth = most - atFirst;
    const shown_ms = (list) => list.map((ms) => ms.toFixed(1)).join(' ');
    t.diagnostic(`${sent.size} messages; memory ${(atFirst / 2 ** 20).toFixed(1)} MiB, at most ${(growth / 2 ** 20).toFixed(1)} more; `
      + `p99 in ms with all reading: ${shown_ms(figures.without)}, with ten not reading: ${shown_ms(figures.with)}`);
    assert.ok(growth <= GROWTH_MAX, `memory grew by ${growth} bytes`);
    assert.ok(asQuick(), `p99 ${withSlow} ms with, ${without} ms without`);
  });
});
