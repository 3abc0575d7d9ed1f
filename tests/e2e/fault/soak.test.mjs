// Hours of ordinary life in short: many tabs, a steady stream of changes, tabs that come and go, tabs that read slowly.
// What the relay holds does not grow, and in the end every tab is right. Samples go to build/test-logs/soak.csv.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../lib/env.mjs';
import { form, full, random } from '../lib/form.mjs';
import { Oracle } from '../lib/oracle.mjs';
import { Cluster } from '../lib/postgres.mjs';
import { startRelay } from '../lib/relay.mjs';
import { Stream } from '../lib/stream.mjs';
import { Tab } from '../lib/tab.mjs';
import { eventually, every, sleep } from '../lib/wait.mjs';

const USERS = 500; // two tabs each
const EVENTS_PER_S = 200;
const CHURN_PER_S = 10;
const SLOW_USERS = 50; // one of the two tabs: 5 % of all
const SLOW_MESSAGE_BYTES = 20_000;
const SLOW_MS = [form(20_000, 10_000), 40_000]; // without reading; two heartbeats would be the end
const ACTION_MS = 100; // between two actions of users: reads, pages
const LASTS_MS = form(30_000, 30 * 60_000);
const WARM_MS = 10 * 60_000;
const SAMPLE_MS = form(2_000, 5_000);
const SLOPE_MAX = 1; // MiB an hour

const folder = join(root, 'build/test-logs');
const csv = join(folder, 'soak.csv');

/** Least squares: MiB an hour. */
function slope(samples) {
  const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
  const [hours, mib] = [samples.map((one) => one.at_s / 3_600), samples.map((one) => one.heap / 2 ** 20)];
  const [x, y] = [mean(hours), mean(mib)];
  return hours.reduce((sum, hour, i) => sum + (hour - x) * (mib[i] - y), 0) / hours.reduce((sum, hour) => sum + (hour - x) ** 2, 0);
}

describe('a long time', () => {
  let cluster;
  let db;
  let relay;
  let tabs;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    relay = await startRelay(db, { HERALD_WORKERS: '2', HERALD_MAX_CONNECTIONS_PER_IP: '10000', HERALD_QUEUE_BYTES: '32768' });
    const names = Array.from({ length: USERS }, (_, i) => `user${i}`);
    await db.addUsers(names);
    tabs = names.flatMap((username) => [1, 2].map((n) => new Tab({ username, relays: [relay], dice: random(`${username} ${n}`) })));
    await allLive();
    for (const tab of tabs) tab.absences = [];
  });
  after(async () => {
    await Promise.all((tabs ?? []).map((tab) => tab.stop()));
    await cluster?.end();
  });

  const allLive = () => eventually('every tab to be live', () => tabs.every((tab) => tab.live), 60_000);

  /** Stops reading for a while, reads on for a while. */
  async function readSlowly(tab, dice, signal) {
    const wait = async (ms) => {
      for (const until = performance.now() + ms; !signal.aborted && performance.now() < until;) await sleep(200);
    };
    while (!signal.aborted) {
      const { socket } = tab;
      socket.pause();
      await wait(dice.between(...SLOW_MS));
      socket.resume();
      await wait(dice.between(1_000, 5_000));
    }
  }

  it('memory and descriptors do not grow, the log has no error, and every tab is right', async (t) => {
    const users = tabs.map((tab) => tab.user);
    const slow = tabs.filter((_, i) => i % 2 === 0).slice(0, SLOW_USERS);
    const slowUsers = new Set(slow.map((tab) => tab.user));
    const quick = tabs.filter((tab) => !slow.includes(tab));
    // Who reads slowly gets much: a fifth of all changes.
    const stream = new Stream({
      db, dice: random('stream'), per_s: EVENTS_PER_S,
      users: [...users, ...Array.from({ length: 2 }, () => [...slowUsers]).flat()],
      bytes: (user) => (slowUsers.has(user) ? SLOW_MESSAGE_BYTES : 100),
    });
    const oracle = new Oracle({ db, writers: stream });
    oracle.tabs = tabs;
    const before_descriptors = relay.descriptors();

    mkdirSync(folder, { recursive: true });
    writeFileSync(csv, 'seconds,heap_bytes,pss_bytes,descriptors,live_tabs,events,relay_cpu_ms\n');
    const samples = [];
    const start = performance.now();
    const sample = () => {
      const one = {
        at_s: (performance.now() - start) / 1_000, heap: relay.heap(), pss: relay.memory(), descriptors: relay.descriptors(),
        live: tabs.filter((tab) => tab.live).length, events: stream.events, cpu: relay.cpu(),
      };
      samples.push(one);
      appendFileSync(csv, `${Object.values(one).map((value) => Math.round(value)).join(',')}\n`);
    };

    const end = new AbortController();
    t.after(() => end.abort());
    const [churn, actions] = [random('churn'), random('actions')];
    const life = [
      every(1_000 / CHURN_PER_S, end.signal, () => churn.of(quick).drop()),
      every(ACTION_MS, end.signal, () => actions.of(quick).act(actions)),
      every(SAMPLE_MS, end.signal, sample),
      ...slow.map((tab) => readSlowly(tab, random(`slow ${tab.user}`), end.signal)),
    ];
    await sleep(LASTS_MS);
    end.abort();
    await Promise.all(life);
    await stream.stop();
    await allLive();
    const rate = stream.events / (performance.now() - start) * 1_000;
    t.diagnostic(`${stream.events} events (${rate.toFixed(0)}/s), ${JSON.stringify(await oracle.judge())}`);

    const behind = relay.log().split('event=session_behind').length - 1;
    const rest = full ? samples.filter((one) => one.at_s * 1_000 >= WARM_MS) : samples;
    t.diagnostic(`heap ${(samples[0].heap / 2 ** 20).toFixed(2)} MiB at the start, ${(samples.at(-1).heap / 2 ** 20).toFixed(2)} at the end, `
      + `slope ${slope(rest).toFixed(2)} MiB/h; ${behind} times a tab was behind; relay ${Math.round(samples.at(-1).cpu / samples.at(-1).at_s / 10)} % of a core`);
    assert.ok(behind > 0, 'slow tabs were slow enough to be caught up');
    await eventually(`descriptors to be ${before_descriptors} again, as with the same tabs before`,
      () => relay.descriptors() === before_descriptors, 15_000);
    // A row that somebody holds for half a second, as one who stands still does, is left to him.
    const wrong = relay.log().split('\n').filter((line) =>
      /level=error|event=(query_failed|database_|worker_)(?!started)/.test(line) && !/event=query_failed .*sqlstate=55P03/.test(line));
    assert.deepEqual(wrong.slice(0, 5), [], 'nothing went wrong');
    if (full) assert.ok(slope(rest) < SLOPE_MAX, `memory grows by ${slope(rest)} MiB an hour`);
  });
});
