// Hostile handshakes (lib/handshakes.mjs), with both ways of refusing: a clear answer or the end of the connection,
// never a login without a token, never a crash; and the relay serves on.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { connect } from './lib/client.mjs';
import { CONNECTED, EITHER, handshakes, NOBODY, REFUSED } from './lib/handshakes.mjs';
import { Cluster } from './lib/postgres.mjs';
import { frame, RawSocket } from './lib/raw.mjs';
import { startRelay } from './lib/relay.mjs';

const LIBWEBSOCKETS_PATIENCE_MS = 20_000; // it ends what is no handshake after 10 s

/** What becomes of a socket that was upgraded: CONNECTED, NOBODY, a close code, or 'ended'. */
async function upgraded(socket) {
  await socket.write(frame('{"type":"ping"}')); // nobody may say that before `authenticate`
  const first = await socket.frame().catch(() => 'ended');
  if (first === 'ended') return socket.ended ? REFUSED : 'silent';
  if (first.opcode === 1) {
    assert.equal(JSON.parse(first.payload.toString()).user_id, 'u-alice');
    return CONNECTED;
  }
  return first.payload.subarray(2).toString() === 'authenticate first' ? NOBODY : first.code;
}

async function outcomeOf(relay, head) {
  const socket = new RawSocket(relay);
  await socket.connected;
  socket.write(typeof head === 'string' ? Buffer.from(head, 'latin1') : head);
  const status = await socket.response(LIBWEBSOCKETS_PATIENCE_MS).then((answer) => answer.status, (error) => {
    if (socket.ended) return REFUSED;
    throw error;
  });
  const outcome = status === 101 ? await upgraded(socket) : status;
  // What follows a refusal on the same connection must not be an upgrade.
  if (status !== 101) assert.ok(!socket.data.toString('latin1').includes('101 '), socket.data.toString('latin1'));
  socket.destroy();
  return outcome;
}

function assertOutcome(seen, expected) {
  const isRefusal = seen === REFUSED || seen >= 400;
  if (expected === REFUSED) assert.ok(isRefusal, String(seen));
  else if (expected === EITHER) assert.ok(isRefusal || seen === CONNECTED, String(seen));
  else assert.equal(seen, expected);
}

describe('hostile handshakes', () => {
  let cluster;
  let db;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
  });
  after(() => cluster?.end());

  for (const [i, reject] of ['close', 'http'].entries()) {
    describe(`HERALD_AUTH_REJECT=${reject}`, { concurrency: 24 }, () => {
      let relay;
      let witness;
      before(async () => {
        relay = await startRelay(db, { HERALD_AUTH_REJECT: reject, HERALD_MAX_CONNECTIONS_PER_USER: '1000' });
        witness = await connect(relay, 'bob');
      });
      after(async () => {
        await db.notify('bob', 'still here');
        await witness.next('new_notification');
        await connect(relay, 'alice');
      });

      for (const [name] of handshakes({ port: 0 })) {
        it(name, async () => {
          const [, head, ...expected] = handshakes(relay).find((row) => row[0] === name);
          assertOutcome(await outcomeOf(relay, head), expected[i]);
        });
      }
    });
  }
});
