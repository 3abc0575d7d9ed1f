// A relay is killed, and all its clients come back at once with their cursors: each is let in, told what it missed and
// given its right count, in few statements and over the connections that the relay has anyway.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { patience } from '../lib/env.mjs';
import { form } from '../lib/form.mjs';
import { Oracle } from '../lib/oracle.mjs';
import { Cluster } from '../lib/postgres.mjs';
import { CANARY, startRelay } from '../lib/relay.mjs';
import { Tab } from '../lib/tab.mjs';
import { eventually } from '../lib/wait.mjs';

const CLIENTS = form(1_500, 10_000); // two of each user
const AT_ONCE = 500; // while they connect for the first time
const BACK_MS = form(30_000, 120_000);
/**
 * The database is slow to begin with, so that many wait at a time however quick or slow the clients are. At the latest
 * after this it answers: who has waited for 10 s is turned away.
 */
const STALL_MS = form(4_000, 8_000);
/** A statement catches up 50 of those who wait; with several workers, of those who wait at the same. */
const CATCH_UPS_MIN = 25;
/** Tabs come back as fast as they can: the cursor is in the request. */
const firstOf = { of: (list) => list[0], fraction: () => 0 };

const noWriters = { doomed: new Set(), figures: {}, historyOf: () => [] };

describe('a storm of clients that come back', () => {
  let cluster;
  let db;
  let admin;
  const names = Array.from({ length: CLIENTS / 2 }, (_, i) => `user${i}`);
  before(async () => {
    cluster = await Cluster.start({ shared_preload_libraries: 'pg_stat_statements' });
    db = await cluster.database();
    admin = await db.session('postgres');
    await admin.query('create extension pg_stat_statements');
    await db.addUsers(names);
  });
  let tabs = [];
  after(async () => {
    await Promise.all(tabs.map((tab) => tab.stop()));
    await admin?.end();
    await cluster?.end();
  });

  const insert = (rows) => db.sql(`insert into herald.notifications (user_id, title, message)
    select id, id, $2 from herald.users, generate_series(1, $1::int)`, [rows, `${CANARY} row`]);
  const connections = async () =>
    Number((await admin.query(`select count(*) from pg_stat_activity where usename = 'relay'`)).rows[0].count);
  const calls = async (name) => Number((await admin.query(
    'select sum(calls) as calls from pg_stat_statements where query like $1', [`%herald.${name}(%`])).rows[0].calls);

  /** Every tab is connected, has its cursor and knows the user's rows. */
  async function open(relay) {
    tabs = [];
    while (tabs.length < CLIENTS) {
      for (let i = 0; i < AT_ONCE && tabs.length < CLIENTS; i += 1) {
        tabs.push(new Tab({ username: names[tabs.length % names.length], relays: [relay], dice: firstOf }));
      }
      await eventually('tabs to be live', () => tabs.every((tab) => tab.live), 30_000);
    }
  }

  /** Signals the server's processes of the relay's connections for reads and write-backs. */
  async function signalDesk(signal) {
    const { rows } = await admin.query(`select pid from pg_stat_activity where application_name = 'pgherald desk'`);
    for (const { pid } of rows) process.kill(Number(pid), signal);
  }

  /** All come back; the number of those who waited together. */
  async function storm() {
    const arrived = () => tabs.filter((tab) => tab.socket.readyState === WebSocket.OPEN).length;
    await signalDesk('SIGSTOP');
    for (const tab of tabs) tab.comeBack();
    await eventually('all to wait', () => arrived() === CLIENTS, STALL_MS).catch(() => {}); // or as many as came
    const waiting = arrived();
    await signalDesk('SIGCONT');
    return waiting;
  }

  for (const workers of ['1', '2']) {
    it(`all are caught up, HERALD_WORKERS=${workers}`, async (t) => {
      const relay = await startRelay(db, { HERALD_WORKERS: workers, HERALD_MAX_CONNECTIONS_PER_IP: '20000', HERALD_LOG_LEVEL: 'info' });
      await insert(3);
      await open(relay);

      const usual = await connections();
      for (const tab of tabs) tab.stayAway();
      await relay.kill();
      await eventually('every connection to be gone', () => tabs.every((tab) => tab.socket.readyState === WebSocket.CLOSED), 30_000);
      await insert(2);
      await db.sql('update herald.notifications set read_at = now() where random() < 0.1');
      await db.sql('delete from herald.notifications where random() < 0.1');
      await relay.again();
      await eventually('the connections of all its workers', async () => (await connections()) === usual);
      await admin.query('select pg_stat_statements_reset()');

      const end = new AbortController();
      t.after(() => end.abort());
      let most = 0;
      const sampling = (async () => {
        while (!end.signal.aborted) most = Math.max(most, await connections());
      })();
      for (const tab of tabs) Object.assign(tab, { absences: [], history: [] });
      const [start, cpu] = [performance.now(), relay.cpu()];
      const waiting = await storm();
      await eventually('every tab to be live', () => tabs.every((tab) => tab.live), BACK_MS * patience);
      const back_ms = performance.now() - start;
      const cpu_ms = relay.cpu() - cpu;
      end.abort();
      await sampling;

      const catchUps = await calls('relay_resume');
      t.diagnostic(`${CLIENTS} clients back after ${Math.round(back_ms)} ms, ${waiting} had waited together; ${cpu_ms} ms of the relay's processor time; ${catchUps} statements `
        + `for catch-ups, ${await calls('relay_unread_counts')} for counts, ${most} connections to PostgreSQL as before`);
      assert.equal(most, usual, 'connections of the relay');
      assert.ok(catchUps <= waiting / CATCH_UPS_MIN + CLIENTS - waiting, `${catchUps} statements for ${waiting} who waited`);
      const turnedAway = tabs.filter((tab) => tab.history.some(({ what }) => /^closed (1001|1013|4...) /.test(what)));
      assert.equal(turnedAway.length, 0, 'nobody was turned away');
      assert.equal(tabs.filter((tab) => tab.resyncs).length, 0, 'each was told what it missed');
      const oracle = new Oracle({ db, writers: noWriters });
      oracle.tabs = tabs;
      await oracle.judge();
      await Promise.all(tabs.map((tab) => tab.stop()));
      await relay.stop();
    });
  }
});
