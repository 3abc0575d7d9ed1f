// Hostile and odd tokens (lib/tokens.mjs) against relays, each by the query, the header and the first frame, and by the
// header for a stream: only the good ones get in, and the close code of a refusal is the documented one.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { outcome } from './lib/client.mjs';
import { streamOutcome } from './lib/event_stream.mjs';
import { patience } from './lib/env.mjs';
import { Cluster } from './lib/postgres.mjs';
import { RawSocket, upgradeRequest } from './lib/raw.mjs';
import { startRelay } from './lib/relay.mjs';
import * as tokens from './lib/tokens.mjs';

const WAYS = ['query', 'header', 'frame', 'stream'];
const dial = (relay, token, via) => (via === 'stream' ? streamOutcome(relay, { token }) : outcome(relay, { token, via }));

describe('tokens', () => {
  let cluster;
  let db;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    await db.addUsers(['disabled', ...[tokens.LONGEST, tokens.PUNCTUATED].map((id) => id.slice(2))]);
    await db.sql(`update herald.users set disabled_at = now() where username = 'disabled'`);
  });
  after(() => cluster?.end());

  for (const [name, { env, good, bad }] of Object.entries({ ...tokens })) {
    if (!env) continue;
    describe(name, { concurrency: 4 }, () => {
      let relay;
      before(async () => (relay = await startRelay(db, { HERALD_AUTH: 'jwt', ...env })));

      for (const [what, value, except = {}] of good) {
        it(`let in: ${what}`, async () => {
          for (const via of WAYS) {
            const expected = except[via] ? { code: except[via] } : 'connected';
            const made = typeof value === 'function' ? value() : value;
            assert.deepEqual(await dial(relay, made, via), expected, via);
          }
        });
      }

      for (const [what, value, code] of bad) {
        it(`refused: ${what}`, async () => {
          for (const via of typeof code === 'number' ? WAYS : Object.keys(code)) {
            const end = await dial(relay, value, via);
            const expected = code[via] ?? code;
            if (expected === tokens.NO_REQUEST) assert.ok(end.status >= 400 || end.code === 1006, JSON.stringify(end));
            else assert.deepEqual(end, { code: expected }, via);
          }
        });
      }
    });
  }

  describe('tokens of 8 MiB', () => {
    let relay;
    before(async () => {
      relay = await startRelay(db, { HERALD_AUTH: 'jwt', ...tokens.HS256.env, HERALD_MAX_MESSAGE_BYTES: '1048576' });
    });
    const huge = tokens.HS256.good[0][1].replace('.', `.${'A'.repeat(8 * 1024 * 1024)}`);

    /** A sanitizer keeps what was freed: then the size says nothing. */
    function assertKept(memory) {
      if (patience === 1) assert.ok(relay.heap() - memory < 4 * 1024 * 1024, 'memory grew with the token');
    }

    const ways = { query: { token: huge }, header: { headers: { Authorization: `Bearer ${huge}` } } };
    for (const [via, options] of Object.entries(ways)) {
      it(`are refused by the ${via} and not kept`, async () => {
        const memory = relay.heap();
        const socket = new RawSocket(relay);
        socket.write(upgradeRequest(relay, options)); // the relay may end it before all is written
        const status = await socket.response().then((answer) => answer.status, () => 'eof');
        assert.ok(status === 'eof' || status >= 400, String(status));
        assertKept(memory);
        socket.destroy();
      });
    }

    it('are refused as a message with 1009 and not kept', async () => {
      const memory = relay.heap();
      assert.deepEqual(await outcome(relay, { token: huge, via: 'frame' }), { code: 1009 });
      assertKept(memory);
      assert.deepEqual(await outcome(relay, { token: huge.slice(0, 1_000_000), via: 'frame' }), { code: 4000 });
    });
  });

  it('the tables are as large as they are said to be', () => {
    const sets = Object.values({ ...tokens }).filter(({ env }) => env);
    const sum = (list) => sets.reduce((n, one) => n + one[list].length, 0);
    console.log(`# tokens: ${sum('bad')} hostile, ${sum('good')} good`);
    assert.ok(sum('bad') >= 60 && sum('good') >= 10);
  });
});
