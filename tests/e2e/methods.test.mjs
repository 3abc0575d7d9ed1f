// Methods that nobody has: 405 with those that the path has, as the first request of a connection or a later one, with
// and without the relay's own TLS; and the answer arrives however much the client goes on sending.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { certificate } from './lib/certificate.mjs';
import { API, ask } from './lib/http.mjs';
import { Cluster } from './lib/postgres.mjs';
import { RawSocket } from './lib/raw.mjs';
import { startRelay } from './lib/relay.mjs';
import { eventually, sleep, within } from './lib/wait.mjs';

const PLAIN = 'GET, HEAD';
const request = (method, path, ...fields) => [`${method} ${path} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n');

describe('unknown methods', { concurrency: 2 }, () => {
  for (const isTls of [false, true]) {
    describe(`${isTls ? 'over' : 'without'} TLS`, { concurrency: 8 }, () => {
      let cluster;
      let db;
      let relay;
      let files;
      const settings = () => (isTls ? { HERALD_TLS_CERT: files.cert, HERALD_TLS_KEY: files.key, HERALD_HSTS: '300' } : {});
      before(async () => {
        cluster = await Cluster.start();
        db = await cluster.database();
        files = isTls && certificate('methods');
        relay = await startRelay(db, settings());
      });
      after(async () => {
        await relay?.finish();
        await cluster?.end();
      });

      /** A socket that has got its answer to so many requests. */
      async function kept(requests) {
        const socket = new RawSocket(relay);
        for (let i = 0; i < requests; i += 1) {
          await socket.write(request('GET', '/healthz'));
          assert.equal((await socket.response()).status, 200);
        }
        return socket;
      }

      async function assertRefused(socket, status, allow) {
        const answer = await socket.response();
        assert.equal(answer.status, status, answer.head);
        assert.equal(/^allow: (.*)$/im.exec(answer.head)?.[1], allow);
        assert.match(answer.head, /^connection: close$/im);
        assert.equal(/^strict-transport-security: /im.test(answer.head), isTls);
        if (allow && allow !== PLAIN) assert.equal(JSON.parse(answer.body).code, 'method_not_allowed');
        await within(10_000, () => 'the end of the connection', socket.end);
        assert.equal(socket.error, undefined);
        assert.equal(socket.data.length, 0);
        socket.destroy();
      }

      for (const earlier of [0, 1, 2]) {
        it(`405 after ${earlier} others on the connection`, async () => {
          for (const [method, path, allow] of [
            ['BREW', '/', PLAIN], ['TRACE', '/nowhere?x=1', PLAIN], ['GETX', '/healthz', PLAIN], ['X-', '/', PLAIN],
            ['PROPFIND', API, 'GET, HEAD, POST, OPTIONS'], ['BREW', `${API}/read-all?x`, 'POST, OPTIONS'],
            ['TRACE', `${API}/00000000-0000-0000-0000-000000000000`, 'GET, HEAD, PATCH, DELETE, OPTIONS'],
            ['CONNECT', 'example.org:443', PLAIN], ['CONNECT', API, 'GET, HEAD, POST, OPTIONS'],
          ]) {
            const socket = await kept(earlier);
            await socket.write(request(method, path));
            await assertRefused(socket, 405, allow);
          }
        });
      }

      it('a request sent ahead of it is answered first', async () => {
        const socket = new RawSocket(relay);
        await socket.write(request('GET', '/healthz') + request('BREW', API));
        assert.equal((await socket.response()).status, 200);
        await assertRefused(socket, 405, 'GET, HEAD, POST, OPTIONS');
      });

      it('a head that comes byte by byte is read to its end', async () => {
        for (const earlier of [0, 1]) {
          const socket = await kept(earlier);
          socket.socket.setNoDelay(true);
          for (const byte of request('BREW', `${API}/read-all`)) {
            await socket.write(byte);
            await sleep(2);
          }
          await assertRefused(socket, 405, 'POST, OPTIONS');
        }
      });

      it('who sends a body, or anything else, reads the answer all the same', async () => {
        for (const earlier of [0, 1]) {
          const socket = await kept(earlier);
          await socket.write(request('BREW', '/', 'Content-Length: 200000') + 'x'.repeat(200_000));
          await assertRefused(socket, 405, PLAIN);
          const other = await kept(earlier);
          await other.write(request('BREW', '/') + request('GET', '/healthz') + request('BREW', API));
          await assertRefused(other, 405, PLAIN);
        }
      });

      it('what is no request is 400, and what has no end is 431', async () => {
        for (const text of ['BREW /\r\n\r\n', 'BREW / HTTP/2.0\r\n\r\n', 'B\u0001\r\n\r\n', 'BREW / HTTP/1.1\r\nHost\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n']) {
          const socket = await kept(1);
          await socket.write(text);
          await assertRefused(socket, 400, undefined);
        }
        const long = await kept(1);
        await long.write(`BREW / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}`);
        await assertRefused(long, 431, undefined);
      });

      it('who never ends a request, or never leaves, is let go, and costs no processor time', async () => {
        const own = await startRelay(db, settings());
        const before = own.descriptors();
        const half = new RawSocket(own);
        await half.write(request('GET', '/healthz'));
        assert.equal((await half.response()).status, 200);
        await half.write('BREW / HTTP/1.1\r\nHost:');
        const open = new RawSocket(own, { allowHalfOpen: true });
        await open.write(request('BREW', '/'));
        assert.equal((await open.response()).status, 405);
        const started = own.cpu();
        await sleep(1_000);
        assert.ok(own.cpu() - started < 500, `${own.cpu() - started} ms of processor time in a second of nothing`);
        await eventually('the end of both', () => own.descriptors() <= before, 30_000);
        half.destroy();
        open.destroy();
      });

      it('it serves on', async () => {
        const user = await db.person();
        assert.equal((await relay.get('/healthz')).status, 200);
        assert.equal((await ask(relay, 'GET', API, { user })).status, 200);
      });
    });
  }
});
