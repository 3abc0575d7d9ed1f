// Clients that take what they are sent slowly or not at all, and ask for more: they cost a bounded amount of memory,
// and only those that take nothing are sent away.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { connect, devToken } from './lib/client.mjs';
import { patience } from './lib/env.mjs';
import { Cluster } from './lib/postgres.mjs';
import { frame, upgradeRequest } from './lib/raw.mjs';
import { startRelay } from './lib/relay.mjs';
import { eventually, sleep } from './lib/wait.mjs';

const MIB = 1024 * 1024;
const BATCHES = 90; // of a thousand: fewer than the largest burst that a relay can be told to allow
const HEARTBEAT_MS = 2_000; // two of them are longer than a busy machine lets a process stand still
const UNLIMITED = { HERALD_RATE_LIMIT: '100000/s:100000', HERALD_RATE_LIMIT_PER_USER: '100000/s:100000' };

/** A sanitizer keeps what was freed: then the size says nothing. */
function assertSmall(bytes, mib, what) {
  if (patience === 1) assert.ok(bytes < mib * MIB, `${(bytes / MIB).toFixed(1)} MiB ${what ?? ''}`);
}

/** A connection whose bytes are read by hand: what is not asked for stays in the kernels of both sides. */
class SlowTab {
  static async open(relay, user) {
    const tab = new SlowTab();
    tab.socket = net.connect({ host: '127.0.0.1', port: relay.port });
    tab.closed = new Promise((resolve) => tab.socket.once('close', resolve));
    tab.socket.on('error', () => {});
    tab.socket.write(upgradeRequest(relay, { token: devToken(user) }));
    await tab.readUntil('"type":"connected"', 1);
    return tab;
  }

  send(message) {
    this.socket.write(frame(JSON.stringify(message)));
  }

  /** Up to so many of the bytes that have come, as text; '' when there are none. */
  read(size = Infinity) {
    return this.socket.read(Math.min(size, this.socket.readableLength))?.toString('latin1') ?? '';
  }

  /** Everything up to the `n`th occurrence of a text, as fast as it comes. */
  async readUntil(text, n, timeout_ms) {
    let found = 0;
    let tail = '';
    await eventually(`${n} of ${text}`, () => {
      for (let chunk = this.read(); chunk; chunk = this.read()) {
        const parts = (tail + chunk).split(text);
        found += parts.length - 1;
        tail = parts.at(-1).slice(-text.length + 1);
      }
      return found >= n;
    }, timeout_ms);
    assert.equal(found, n);
  }
}

describe('slow tabs', () => {
  let cluster;
  let db;
  let relay;
  let rich; // has pages of 4 MiB and more
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    relay = await startRelay(db, { HERALD_HEARTBEAT: String(HEARTBEAT_MS / 1000), ...UNLIMITED });
    rich = await db.person('rich');
    await db.sql(`insert into herald.notifications (user_id, title, message)
                  select $1, 'big', repeat('m', 1000000) from generate_series(1, 12)`, [`u-${rich}`]);
  });
  after(() => cluster?.end());

  const ended = (reason) => relay.log().split('\n').filter((line) => line.includes(`event=session_closed`) && line.includes(`reason=${reason}`)).length;

  it('one that takes nothing for two heartbeats is sent away, though it goes on sending', async () => {
    const tab = await SlowTab.open(relay, rich);
    const started = performance.now();
    for (let i = 0; i < 4; i += 1) tab.send({ type: 'get_notifications', limit: 100 });
    const talk = setInterval(() => tab.send({ type: 'ping' }), 100);
    await eventually('its end', () => ended('stalled') === 1, 20_000);
    const took_ms = performance.now() - started;
    clearInterval(talk);
    assert.ok(took_ms > 2 * HEARTBEAT_MS, `${took_ms} ms`);
    tab.socket.resume(); // its end is seen once the bytes before it were read
    await tab.closed;
  });

  it('one that takes a little now and then stays, and gets all', async () => {
    const tab = await SlowTab.open(relay, rich);
    for (let i = 0; i < 3; i += 1) tab.send({ type: 'get_notifications', limit: 100, ref: `page${i}` });
    const before = ended('stalled') + ended('unresponsive');
    const until = performance.now() + 5 * HEARTBEAT_MS;
    let bytes = 0;
    let refs = 0;
    while (performance.now() < until) {
      const text = tab.read(32_768);
      bytes += text.length;
      refs += text.split('"ref":"page').length - 1;
      await sleep(HEARTBEAT_MS / 10);
    }
    assert.ok(bytes < 4 * MIB, 'most of it is still waiting');
    await tab.readUntil('"ref":"page', 3 - refs);
    assert.equal(ended('stalled') + ended('unresponsive'), before);
    tab.socket.destroy();
  });

  it('one that asks and asks without reading costs some pages, and is answered in the end', async () => {
    const patient = await startRelay(db, { HERALD_HEARTBEAT: '60', ...UNLIMITED });
    const tab = await SlowTab.open(patient, rich);
    const before = patient.heap();
    const asked = 16;
    for (let i = 0; i < asked; i += 1) tab.send({ type: 'get_notifications', limit: 100, ref: `page${i}` });
    let most = 0;
    for (let i = 0; i < 30; i += 1) {
      await sleep(100);
      most = Math.max(most, patient.heap() - before);
    }
    assertSmall(most, 60, `for ${asked} pages of 5 MB`);
    await (await connect(patient, 'alice')).ping();
    await tab.readUntil('"ref":"page', asked, 60_000);
    tab.socket.destroy();
  });

  it('one that sends small messages for ever without reading is not read on', async () => {
    const patient = await startRelay(db, { HERALD_HEARTBEAT: '60', ...UNLIMITED });
    const tab = await SlowTab.open(patient, 'bob');
    const before = patient.heap();
    const message = frame('{"type":"ping"}');
    const many = Buffer.concat(Array.from({ length: 1000 }, () => message));
    let sent = 0;
    while (sent < BATCHES && tab.socket.writableLength < 4 * MIB) {
      tab.socket.write(many);
      sent += 1;
      await sleep(10);
    }
    assert.ok(tab.socket.writableLength >= 4 * MIB || sent === BATCHES);
    await sleep(500);
    assertSmall(patient.heap() - before, 4);
    await tab.readUntil('"type":"pong"', sent * 1000, 60_000);
    tab.socket.destroy();
  });
});
