// The database answers, but three seconds late: nobody is disconnected, nothing is lost, and when it is near again
// everything is prompt. A forwarder between relay and PostgreSQL delays; kernels without netem cannot.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { join } from 'node:path';
import { connect, Mirror } from '../lib/client.mjs';
import { form } from '../lib/form.mjs';
import { freePort } from '../lib/ports.mjs';
import { Cluster } from '../lib/postgres.mjs';
import { startRelay } from '../lib/relay.mjs';
import { Stalls } from '../lib/stalls.mjs';
import { eventually, sleep } from '../lib/wait.mjs';

const DELAY_MS = 3_000;
const LASTS_MS = form(8_000, 30_000);
const PONG_MS = 1_000;

/** TCP in front of the cluster's socket; every byte to the relay comes `delay_ms` late, and none before an earlier one. */
class Forwarder {
  static async open(cluster) {
    const forwarder = new Forwarder();
    forwarder.delay_ms = 0;
    forwarder.port = await freePort();
    forwarder.server = net.createServer((client) => {
      const server = net.connect(join(cluster.dir, `.s.PGSQL.${cluster.port}`));
      const ends = [client, server];
      ends.forEach((socket) => socket.on('error', () => ends.forEach((end) => end.destroy())));
      client.on('data', (chunk) => server.write(chunk));
      let written = Promise.resolve();
      server.on('data', (chunk) => {
        const due = performance.now() + forwarder.delay_ms;
        written = written.then(() => sleep(Math.max(0, due - performance.now()))).then(() => client.write(chunk));
      });
      ends.forEach((socket) => socket.on('close', () => ends.forEach((end) => end.destroy())));
    });
    await new Promise((resolve) => forwarder.server.listen(forwarder.port, '127.0.0.1', resolve));
    return forwarder;
  }
}

const mirrorOf = (tab) => tab.frames.reduce((state, frame) => state.apply(frame), new Mirror());

describe('a database that is three seconds away', () => {
  let cluster;
  let db;
  let forwarder;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    forwarder = await Forwarder.open(cluster);
  });
  after(async () => {
    try {
      await cluster?.end();
    } finally {
      forwarder?.server.close();
    }
  });

  for (const [feed, workers] of [['notify', '1'], ['poll', '2']]) {
    it(`changes and reads are late, and none is missing (HERALD_FEED=${feed} HERALD_WORKERS=${workers})`, async (t) => {
      const relay = await startRelay(db, {
        HERALD_DATABASE_URL: db.url('relay', { host: '127.0.0.1', port: forwarder.port }),
        HERALD_FEED: feed, HERALD_WORKERS: workers,
      });
      const user = await db.person();
      const tabs = [await connect(relay, user), await connect(relay, user)];
      const first = await db.notify(user, 'before');
      for (const tab of tabs) await tab.next('new_notification');

      const stalls = new Stalls(relay.processes(), t.signal);
      forwarder.delay_ms = DELAY_MS;
      const until = performance.now() + LASTS_MS;
      const asked = tabs[0].ask({ type: 'mark_read', notification_id: first }, 20_000);
      let slowest_ms = 0;
      while (performance.now() < until) {
        await db.notify(user, 'far');
        const start = performance.now();
        await tabs[1].ping();
        slowest_ms = Math.max(slowest_ms, performance.now() - start - stalls.since(start));
        await sleep(100);
      }
      assert.ok(slowest_ms <= PONG_MS, `the slowest pong took ${slowest_ms} ms`);
      const answer = await asked;
      if (answer.success) assert.equal(await db.value('select read_at is not null from herald.notifications where id = $1', [first]), 't');
      else assert.equal(answer.code, 'unavailable');
      forwarder.delay_ms = 0;

      await relay.ready(30_000);
      for (const tab of tabs) {
        await eventually('a settled tab', () => tab.settle(db, user, 10_000).then(() => true), 30_000);
        assert.equal(tab.closing, null, 'it stayed connected');
        assert.deepEqual(mirrorOf(tab).versions(), await db.versions(user));
      }
    });
  }
});
