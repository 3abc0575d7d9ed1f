// What no well-behaved client would send: frames, handshakes and requests made by
// hand. Each has its answer, and the relay and everybody else go on as before.
import { after, before, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { connect, devToken, outcome } from './lib/client.mjs';
import { keyFile, newSecret } from './lib/jwt.mjs';
import { Cluster } from './lib/postgres.mjs';
import { frame, RawSocket, rawUpgrade, upgradeRequest } from './lib/raw.mjs';
import { CANARY, PATH, startRelay } from './lib/relay.mjs';
import { eventually, sleep, within } from './lib/wait.mjs';

describe('hostile', () => {
  let cluster;
  let db;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
  });
  after(() => cluster?.end());

  for (const workers of [1, 2]) {
    describe(`frames, HERALD_WORKERS=${workers}`, () => {
      let relay;
      let tab;
      let witness;
      before(async () => {
        relay = await startRelay(db, { HERALD_WORKERS: String(workers), HERALD_MAX_CONNECTIONS_PER_USER: '1000' });
        witness = await connect(relay, 'bob');
      });
      beforeEach(async () => (tab = await connect(relay, 'alice')));
      after(async () => {
        await db.notify('bob', 'still here');
        await witness.next('new_notification');
        assert.equal(witness.closing, null, 'a bystander stayed connected');
      });

      /** A logged-in raw connection, past its `connected`. */
      async function raw() {
        const socket = await rawUpgrade(relay, { token: devToken('alice') });
        await socket.frame();
        return socket;
      }

      it('bad messages get an error, and the connection stays open', async () => {
        const cases = {
          bad_json: ['', ' ', 'x', '{', '{"type":"ping"', '{"type":"ping"}}', '{"type":"ping"}{"type":"ping"}', "{'type':'ping'}", '{"type":ping}',
            '{"type":"ping",}', '{"type":"ping","type":"get_unread"}', '[', '"\\ud800"', '\ufeff{"type":"ping"}', '{"a":01}', '\u0000', '{"type":"ping\\u0000"}'],
          bad_message: ['[]', '[{"type":"ping"}]', '{}', '{"type":null}', '{"type":7}', '{"type":["ping"]}', '{"type":{"type":"ping"}}', '{"Type":"ping"}'],
          unknown_type: ['{"type":""}', '{"type":"Ping"}', '{"type":"ping "}', '{"type":"connected"}', '{"type":"new_notification"}',
            '{"type":"__proto__"}', `{"type":"${'x'.repeat(4000)}"}`],
          bad_field: ['{"type":"mark_read"}', '{"type":"mark_read","notification_id":7}', '{"type":"get_unread","limit":"x"}',
            '{"type":"get_notifications","limit":[]}', '{"type":"mark_all_read","until":1}', '{"type":"get_unread","before":"x"}', '{"type":"authenticate"}'],
        };
        for (const [code, texts] of Object.entries(cases)) {
          for (const text of texts) {
            tab.send(text);
            const answer = await tab.next(null, (got) => got.type !== 'unread_count');
            assert.equal(answer.type, 'error', text.slice(0, 80));
            // A bare word or number is JSON to some readers and none to others.
            const codes = code === 'bad_json' ? ['bad_json', 'bad_message', 'unknown_type'] : [code];
            assert.ok(codes.includes(answer.code), `${text.slice(0, 80)}: ${answer.code}`);
          }
        }
        await tab.ping();
      });

      it('bare JSON values are no messages', async () => {
        for (const text of ['null', 'true', '0', '-1.5e3', '"ping"']) {
          tab.send(text);
          const { code } = await tab.next('error');
          assert.ok(['bad_json', 'bad_message'].includes(code), `${text}: ${code}`);
        }
        await tab.ping();
      });

      it('an error carries the ref when it can be read, and none of what was sent', async () => {
        tab.send(`{"type":"nonsense-${CANARY}","ref":"r","x":"${CANARY}"}`);
        const answer = await tab.next('error');
        assert.equal(answer.ref, 'r');
        assert.ok(!answer.message.includes(CANARY));
      });

      it('deep nesting is refused, not followed', async () => {
        tab.send(`{"type":"ping","x":${'['.repeat(3000)}${']'.repeat(3000)}}`);
        assert.equal((await tab.next(null)).type, 'error');
        tab.send('['.repeat(8000));
        assert.equal((await tab.next(null)).type, 'error');
        await tab.ping();
      });

      it('unknown fields are ignored', async () => {
        tab.send('{"type":"ping","limit":"x","notification_id":7,"extra":{"type":"y"}}');
        await tab.next('pong');
      });

      it('a message of exactly HERALD_MAX_MESSAGE_BYTES is read, one byte more closes with 1009', async () => {
        const padded = (size) => `{"type":"ping"${' '.repeat(size - 15)}}`;
        for (const size of [8191, 8192]) {
          tab.send(padded(size));
          await tab.next('pong');
        }
        tab.send(padded(8193));
        assert.equal((await tab.closed).code, 1009);
      });

      it('the limit holds for the sum of the fragments', async () => {
        const socket = await raw();
        await socket.write(frame('{"type":"ping"', { fin: false }));
        for (let i = 0; i < 10; i += 1) await socket.write(frame(' '.repeat(1000), { opcode: 0, fin: false }));
        assert.equal(await socket.closeCode(), 1009);
        socket.destroy();
      });

      it('a 10 MB frame closes with 1009 and is not kept', async () => {
        const small = relay.heap();
        const big = 'x'.repeat(10 * 1024 * 1024);
        tab.send(big);
        assert.equal((await tab.closed).code, 1009);
        assert.ok(relay.heap() - small < 8 * 1024 * 1024, 'memory grew with the frame');
      });

      it('a frame that announces 2^63-1 bytes closes with 1009 or 1002 at once', async () => {
        const socket = await raw();
        const head = Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]);
        await socket.write(Buffer.concat([head, Buffer.alloc(20_000, 0x20)]));
        assert.ok([1009, 1002, 'eof'].includes(await socket.closeCode()));
        socket.destroy();
      });

      it('a binary frame closes with 1003', async () => {
        tab.socket.send(Buffer.from('{"type":"ping"}'));
        assert.equal((await tab.closed).code, 1003);
      });

      for (const [name, bytes] of Object.entries({
        'a stray byte': [0x22, 0xff, 0x22],
        'an overlong slash': [0x22, 0xc0, 0xaf, 0x22],
        'a surrogate': [0x22, 0xed, 0xa0, 0x80, 0x22],
        'beyond U+10FFFF': [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22],
        'a sequence cut short': [0x22, 0xe2, 0x82],
      })) {
        it(`invalid UTF-8 closes with 1007: ${name}`, async () => {
          const socket = await raw();
          await socket.write(frame(Buffer.from(bytes)));
          assert.equal(await socket.closeCode(), 1007);
          socket.destroy();
        });
      }

      it('invalid UTF-8 across two fragments closes with 1007', async () => {
        const socket = await raw();
        await socket.write(frame(Buffer.from([0x22, 0xe2, 0x82]), { fin: false }));
        await socket.write(frame(Buffer.from([0x22]), { opcode: 0 }));
        assert.equal(await socket.closeCode(), 1007);
        socket.destroy();
      });

      it('a message in fragments is one message, also cut within a character and with pings between', async () => {
        const socket = await raw();
        const message = Buffer.from('{"type":"ping","ref":"é😀"}');
        for (let i = 0; i < message.length; i += 1) {
          await socket.write(frame(message.subarray(i, i + 1), { opcode: i ? 0 : 1, fin: i === message.length - 1 }));
          if (i === 10) await socket.write(frame('between', { opcode: 9 }));
        }
        const text = await socket.frameOf(1);
        const answer = JSON.parse(text.payload.toString());
        assert.deepEqual([answer.type, answer.ref], ['pong', 'é😀']);
        socket.destroy();
      });

      it('a message dripped byte by byte is one message', async () => {
        const socket = await raw();
        for (const byte of frame('{"type":"ping","ref":"drip"}')) {
          await socket.write(Buffer.from([byte]));
          await sleep(2);
        }
        assert.equal(JSON.parse((await socket.frameOf(1)).payload.toString()).ref, 'drip');
        socket.destroy();
      });

      it('many messages in one segment are all answered', async () => {
        const socket = await raw();
        await socket.write(Buffer.concat(Array.from({ length: 100 }, (_, i) => frame(`{"type":"ping","ref":"${i}"}`))));
        for (let i = 0; i < 100; i += 1) assert.equal(JSON.parse((await socket.frameOf(1)).payload.toString()).ref, String(i));
        socket.destroy();
      });

      for (const [name, bytes] of Object.entries({
        'a reserved bit': frame('{"type":"ping"}', { rsv: 4 }),
        'a reserved opcode': frame('{"type":"ping"}', { opcode: 3 }),
        'a reserved control opcode': frame('x', { opcode: 11 }),
        'a continuation of nothing': frame('{"type":"ping"}', { opcode: 0 }),
        'a ping of 126 bytes': frame('x'.repeat(126), { opcode: 9 }),
        'a ping in fragments': frame('x', { opcode: 9, fin: false }),
      })) {
        it(`${name} ends the connection`, async () => {
          const socket = await raw();
          await socket.write(bytes);
          assert.ok([1002, 'eof'].includes(await socket.closeCode()));
          socket.destroy();
        });
      }

      it('a new message in the middle of another ends the connection', async () => {
        const socket = await raw();
        await socket.write(Buffer.concat([frame('{"type":', { fin: false }), frame('{"type":"ping"}')]));
        assert.ok([1002, 1007, 'eof'].includes(await socket.closeCode()));
        socket.destroy();
      });

      it('a close frame is echoed; an empty one too', async () => {
        for (const [payload, expected] of [[Buffer.from([0x03, 0xe8]), 1000], [Buffer.from([0x0f, 0xa0]), 4000], [Buffer.alloc(0), undefined]]) {
          const socket = await raw();
          await socket.write(frame(payload, { opcode: 8 }));
          const code = await socket.closeCode();
          assert.ok([expected, 1000, undefined].includes(code), `${expected}: ${code}`);
          await within(5_000, () => 'the end of the connection', socket.end);
          socket.destroy();
        }
      });

      it('pings of the protocol are answered with their payload', async () => {
        const pong = new Promise((resolve) => tab.socket.once('pong', (data) => resolve(data.toString())));
        tab.socket.ping('are you there');
        assert.equal(await within(5_000, () => 'a pong', pong), 'are you there');
      });

      it('a flood of pings and pongs does no harm', async () => {
        const socket = await raw();
        const flood = Buffer.concat(Array.from({ length: 2_000 }, (_, i) => frame('p', { opcode: i % 2 ? 9 : 10 })));
        await socket.write(flood);
        await socket.write(frame('{"type":"ping","ref":"after"}'));
        assert.equal(JSON.parse((await socket.frameOf(1)).payload.toString()).ref, 'after');
        socket.destroy();
      });

      it('a connection cut in the middle of a frame, or with answers under way, leaves nothing behind', async () => {
        for (let i = 0; i < 20; i += 1) {
          const socket = await raw();
          await socket.write(frame('{"type":"get_unread","limit":100}'));
          await socket.write(frame('{"type":"ping"}').subarray(0, i));
          if (i % 2) socket.socket.resetAndDestroy?.() ?? socket.destroy();
          else socket.destroy();
        }
        await tab.ping();
      });
    });
  }

  describe('handshakes and requests', () => {
    let relay;
    before(async () => (relay = await startRelay(db)));

    const alive = async () => {
      assert.equal((await relay.get('/healthz')).status, 200);
      const tab = await connect(relay, 'alice');
      await tab.close();
    };

    it('Upgrade: foobar on a kept-alive connection is refused, and the relay lives', async () => {
      for (const first of ['/healthz', '/', '/nowhere', PATH]) {
        for (const upgrade of ['foobar', 'h2c', 'websocket, foobar', '']) {
          const socket = new RawSocket(relay);
          await socket.write(`GET ${first} HTTP/1.1\r\nHost: 127.0.0.1:${relay.port}\r\nConnection: keep-alive\r\n\r\n`);
          await socket.response().catch(() => {});
          await socket.write(upgradeRequest(relay, { token: devToken('alice'), headers: { Upgrade: upgrade } }));
          const answer = await Promise.race([socket.response(3_000).then(({ status }) => status, () => 'eof'), socket.end.then(() => 'eof')]);
          assert.ok(answer === 'eof' || answer >= 400 || (answer === 200 && upgrade === ''), `${first} then ${upgrade}: ${answer}`);
          socket.destroy();
        }
      }
      assert.ok(relay.running);
      await alive();
    });

    it('Upgrade: foobar at once is refused too', async () => {
      const socket = new RawSocket(relay);
      await socket.write(upgradeRequest(relay, { token: devToken('alice'), headers: { Upgrade: 'foobar' } }));
      const answer = await socket.response().then(({ status }) => status, () => 'eof');
      assert.ok(answer === 'eof' || answer >= 400, String(answer));
      await alive();
    });

    it('a WebSocket handshake on a kept-alive connection works or is refused, cleanly', async () => {
      const socket = new RawSocket(relay);
      await socket.write(`GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${relay.port}\r\n\r\n`);
      assert.equal((await socket.response()).status, 200);
      await socket.write(upgradeRequest(relay, { token: devToken('alice') }));
      const answer = await socket.response().then(({ status }) => status, () => 'eof');
      if (answer === 101) {
        const first = await socket.frameOf(1);
        assert.equal(JSON.parse(first.payload.toString()).type, 'connected');
      } else assert.ok(answer === 'eof' || answer >= 400, String(answer));
      socket.destroy();
      await alive();
    });

    it('several requests on one connection are each answered', async () => {
      const socket = new RawSocket(relay);
      for (let i = 0; i < 5; i += 1) {
        await socket.write(`GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${relay.port}\r\n\r\n`);
        assert.equal((await socket.response()).status, 200);
      }
      socket.destroy();
    });

    it('incomplete handshakes are refused', async () => {
      const broken = {
        'no key': { 'Sec-WebSocket-Key': undefined },
        'no version': { 'Sec-WebSocket-Version': undefined },
        'version 8': { 'Sec-WebSocket-Version': '8' },
        'no connection': { Connection: undefined },
      };
      const accepted = [];
      for (const [name, headers] of Object.entries(broken)) {
        const socket = new RawSocket(relay);
        await socket.write(upgradeRequest(relay, { token: devToken('alice'), headers }));
        if ((await socket.response().then(({ status }) => status, () => 'eof')) === 101) accepted.push(name);
        socket.destroy();
      }
      assert.deepEqual(accepted, []);
      await alive();
    });

    it('a subprotocol that is not ours is not echoed', async () => {
      const socket = new RawSocket(relay);
      await socket.write(upgradeRequest(relay, { token: devToken('alice'), headers: { 'Sec-WebSocket-Protocol': 'graphql-ws' } }));
      const answer = await socket.response().catch(() => null);
      if (answer?.status === 101) assert.ok(!/graphql-ws/.test(answer.head));
      socket.destroy();
    });

    it('the plain path without an upgrade is an HTTP error', async () => {
      const { status } = await relay.get(`${PATH}?token=${devToken('alice')}`);
      assert.ok(status >= 400 && status < 500, String(status));
    });

    it('other paths are 404, for requests and for upgrades', async () => {
      for (const path of ['/nowhere', '/api/v1/notifications/wsx', '/healthz/x', '/../../etc/passwd', '/%2e%2e/etc/passwd', '/demo.css/../dev.json.bak']) {
        const socket = new RawSocket(relay);
        await socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${relay.port}\r\n\r\n`);
        const answer = await socket.response().then(({ status }) => status, () => 'eof');
        assert.ok([404, 400, 403, 'eof'].includes(answer), `${path}: ${answer}`);
        socket.destroy();
      }
      for (const path of ['/nowhere', '/healthz', '/readyz', '/']) {
        assert.deepEqual(await outcome(relay, { token: devToken('alice'), path }), { status: 404 }, path);
      }
    });

    it('other methods do no harm', async () => {
      for (const method of ['POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH']) {
        for (const path of ['/healthz', PATH, '/']) {
          const answer = await relay.get(path, { method, headers: { 'Content-Length': '0' } }).catch(() => ({ status: 'eof' }));
          assert.ok(answer.status === 'eof' || answer.status < 500, `${method} ${path}: ${answer.status}`);
        }
      }
      await alive();
    });

    it('request bodies, chunked or announced and never sent, do no harm', async () => {
      const sockets = [];
      for (const head of ['Transfer-Encoding: chunked', 'Content-Length: 1000000', 'Content-Length: -1', 'Content-Length: 99999999999999999999', 'Content-Length: 5\r\nContent-Length: 6']) {
        const socket = new RawSocket(relay);
        await socket.write(`POST ${PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n${head}\r\n\r\nzz\r\n`);
        sockets.push(socket);
      }
      await sleep(200);
      await alive();
      sockets.forEach((socket) => socket.destroy());
    });

    it('huge and hostile headers are refused, and the relay lives', async () => {
      const heads = [
        upgradeRequest(relay, { token: devToken('alice'), headers: { 'X-Big': 'x'.repeat(200_000) } }),
        upgradeRequest(relay, { token: devToken('alice'), headers: Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`X-${i}`, 'y'])) }),
        upgradeRequest(relay, { token: 'x'.repeat(100_000) }),
        `GET /${'a'.repeat(100_000)} HTTP/1.1\r\n\r\n`,
        `${'G'.repeat(100_000)}`,
        '\u0000\u0001\u0002\r\n\r\n',
        'GET\r\n\r\n', ' GET / HTTP/1.1\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', 'GET / HTTP/1.1\nHost: x\n\n',
        '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
        'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      ];
      for (const head of heads) {
        const socket = new RawSocket(relay);
        await socket.write(Buffer.from(head, 'latin1'));
        const answer = await Promise.race([socket.response(2_000).then(({ status }) => status, () => 'none'), socket.end.then(() => 'eof')]);
        assert.notEqual(answer, 101, head.slice(0, 60));
        socket.destroy();
      }
      await alive();
    });

    it('a long Sec-WebSocket-Protocol does no harm', async () => {
      const socket = new RawSocket(relay);
      await socket.write(upgradeRequest(relay, { token: devToken('alice'), headers: { 'Sec-WebSocket-Protocol': `pgherald.v1, ${'p'.repeat(3000)}` } }));
      await Promise.race([socket.response(2_000).catch(() => {}), socket.end]);
      socket.destroy();
      await alive();
    });

    it('hundreds of connections that come and go at every stage leave nothing behind', async () => {
      const request = upgradeRequest(relay, { token: devToken('alice') });
      for (let i = 0; i < 300; i += 1) {
        const socket = new RawSocket(relay);
        await socket.connected;
        await socket.write(request.slice(0, Math.floor((request.length * (i % 11)) / 10)));
        socket.destroy();
      }
      await alive();
      await eventually('the sockets of the gone to be closed', () => readdirSync(`/proc/${relay.pid}/fd`).length < 60);
    });

    it('health answers are small and plain', async () => {
      const health = await relay.get('/healthz');
      assert.deepEqual([health.status, health.body.trim()], [200, 'ok']);
      const ready = await relay.get('/readyz');
      assert.equal(ready.status, 200);
      assert.equal(typeof JSON.parse(ready.body), 'object');
    });

    it('the demo page is there in development, and only there', async () => {
      assert.match((await relay.get('/')).headers['content-type'], /^text\/html/);
      for (const [path, type] of [['/demo.css', /^text\/css/], ['/demo.js', /javascript/], ['/dev.json', /^application\/json/]]) {
        const answer = await relay.get(path);
        assert.equal(answer.status, 200, path);
        assert.match(answer.headers['content-type'], type);
      }
      const strict = await startRelay(db, { HERALD_AUTH: 'jwt', HERALD_JWT_KEY_FILE: keyFile(newSecret()) });
      for (const path of ['/', '/demo.css', '/demo.js', '/dev.json', '/index.html']) {
        assert.equal((await strict.get(path)).status, 404, path);
      }
    });
  });

  describe('slow handshakes', { concurrency: true }, () => {
    let relay;
    before(async () => (relay = await startRelay(db)));

    it('a connection that says nothing is closed', async () => {
      const socket = new RawSocket(relay);
      await within(20_000, () => 'the end of a silent connection', socket.end);
    });

    it('a request dripped byte by byte is closed', async () => {
      const socket = new RawSocket(relay);
      const request = upgradeRequest(relay, { token: devToken('alice') });
      const timer = setInterval(() => socket.socket.write(request[Math.floor(Date.now() / 1000) % request.length]), 1_000);
      await within(25_000, () => 'the end of a dripping connection', socket.end).finally(() => clearInterval(timer));
    });

    it('others are served meanwhile', async () => {
      const idle = Array.from({ length: 100 }, () => new RawSocket(relay));
      await Promise.all(idle.map((socket) => socket.connected));
      const tab = await connect(relay, 'alice');
      await tab.ping();
      await tab.close();
      idle.forEach((socket) => socket.destroy());
    });
  });
});
