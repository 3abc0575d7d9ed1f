// The program as it is shipped, with one allocation that fails, whoever asks for it: the relay, its libraries, libpq,
// the C library. It serves right, or it ends and says why. It never hangs or crashes, and lets nobody in wrongly.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Client, outcome } from '../lib/client.mjs';
import { root, scratch } from '../lib/env.mjs';
import { form, full, random } from '../lib/form.mjs';
import { keyFile, newSecret, token } from '../lib/jwt.mjs';
import { parseLog } from '../lib/log.mjs';
import { Cluster } from '../lib/postgres.mjs';
import { spawnRelay } from '../lib/relay.mjs';

const RUNS = form(60, 1_000); // of each kind
// A little more than there are, so that the last ones fail nothing.
const CALLS_TO_START = 10_000;
const CALLS_TO_SERVE = 700;
const SERVES_MS = 20_000;

/** It is beside the program; a copy, where the servers' account may read it. */
function failingAllocator() {
  const program = resolve(process.env.PGHERALD_BIN ?? join(root, 'build/pgherald'));
  const copy = join(scratch, 'libfail_malloc.so');
  copyFileSync(join(dirname(program), 'tests/unit/libfail_malloc.so'), copy);
  chmodSync(copy, 0o755);
  return copy;
}

describe('one allocation of a relay fails', () => {
  const secret = newSecret();
  const forgers = newSecret();
  const env = { HERALD_AUTH: 'jwt', HERALD_JWT_KEY_FILE: keyFile(secret), LD_PRELOAD: failingAllocator() };
  let cluster;
  let db;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
  });
  after(() => cluster?.end());

  /** Logs in, reads, marks, comes back; what is wrong, throws. False: the connection ended, or the database was away. */
  async function visit(relay) {
    const id = await db.notify('alice', 'a');
    const tab = new Client(relay, { token: token(secret) });
    const ask = async (message) => {
      const answer = await tab.ask(message);
      if (answer.type === 'error' || answer.success === false) throw new Error(`not now: ${answer.raw}`);
      return answer;
    };
    try {
      const welcome = await tab.next('connected');
      assert.equal(welcome.user_id, 'u-alice');
      assert.equal((await ask({ type: 'get_unread', limit: 1 })).notifications[0].id, id);
      assert.equal((await ask({ type: 'mark_read', notification_id: id })).notification.is_read, true);
      assert.ok(await db.value('select read_at from herald.notifications where id = $1', [id]), 'acknowledged is committed');
      await ask({ type: 'resume', cursor: welcome.cursor });
      return true;
    } catch (error) {
      assert.equal(tab.complaint, null);
      if (error.code === 'ERR_ASSERTION') throw error;
      return false;
    } finally {
      tab.socket.terminate();
    }
  }

  /** As long as it runs, until a visit goes well. */
  async function serve(relay) {
    assert.notEqual(await outcome(relay, { token: token(forgers) }), 'connected', 'a forged token');
    const deadline = Date.now() + SERVES_MS;
    while (relay.running && !(await visit(relay))) assert.ok(Date.now() < deadline, 'it neither serves nor ends');
  }

  /** The relay's end, which must be one of these. */
  async function end(relay) {
    relay.program.signal('SIGTERM');
    const { code, signal } = await relay.program.end();
    const events = parseLog(relay.log());
    const { event } = events.at(-1);
    if (code === 0) return events.some((one) => one.event === 'database_lost') ? 'connected again' : 'served';
    const said = event === 'out_of_memory' ? signal === 'SIGABRT' : code === 1 && event === 'cannot_serve';
    assert.ok(said, `${code} ${signal}; its log ends:\n${relay.log().slice(-2000)}`);
    return event;
  }

  /** Runs at random places; how they ended. */
  async function run(purpose, calls, one) {
    const dice = random(purpose);
    const ends = {};
    for (let i = 0; i < RUNS; i += 1) {
      const n = 1 + Math.floor(((i + dice.fraction()) * calls) / RUNS);
      const how = await one(n).catch((error) => {
        throw new Error(`allocation ${n}: ${error.message}`, { cause: error });
      });
      ends[how] = (ends[how] ?? 0) + 1;
    }
    console.log(`# ${purpose}: ${JSON.stringify(ends)}`);
    return ends;
  }

  it('while it starts', async () => {
    const ends = await run('start', CALLS_TO_START, async (n) => {
      const relay = await spawnRelay(db, { ...env, FAIL_MALLOC_AT: String(n) });
      await relay.ready(SERVES_MS).catch((error) => {
        if (relay.running) throw error;
      });
      await serve(relay);
      return end(relay);
    });
    assert.ok(ends.out_of_memory > RUNS / 2, 'most of them are the program\'s and those of the libraries that take its allocator');
  });

  it('while it serves', async () => {
    const ends = await run('serve', CALLS_TO_SERVE, async (n) => {
      const relay = await spawnRelay(db, { ...env, FAIL_MALLOC_AT_SIGNAL: String(n) });
      await relay.ready();
      relay.program.signal('SIGUSR2');
      await serve(relay);
      return end(relay);
    });
    assert.ok(ends.out_of_memory && ends.served);
    if (full) assert.ok(ends['connected again'], 'libpq has no allocator of ours: its connection is made anew');
  });
});
