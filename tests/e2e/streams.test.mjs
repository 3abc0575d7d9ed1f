// Server-Sent Events: the same frames as on a WebSocket, with the cursor as the event's id; who may not pass gets a
// status; a client that comes back is told what it missed, and one that is not to come back is told so.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { connect, devToken, Mirror } from './lib/client.mjs';
import { patience, scratch } from './lib/env.mjs';
import { EventStream, openStream, STREAM } from './lib/event_stream.mjs';
import { ask } from './lib/http.mjs';
import { Cluster } from './lib/postgres.mjs';
import { startNginx } from './lib/proxies.mjs';
import { RawSocket } from './lib/raw.mjs';
import { CANARY, startRelay } from './lib/relay.mjs';
import { eventually, sleep, within } from './lib/wait.mjs';

const kinds = (stream) => stream.frames.map((frame) => frame.type);
const mirrorOf = (stream) => stream.frames.reduce((state, frame) => state.apply(frame), new Mirror());
const request = (path, ...fields) => [`GET ${path} HTTP/1.1`, 'Host: relay', ...fields, '', ''].join('\r\n');

/** Bytes up to a text that has to come. */
const bytesUntil = (raw, text) => eventually(text, () => raw.data.includes(text));

describe('streams', () => {
  let cluster;
  let db;
  let relay;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    relay = await startRelay(db, { HERALD_HEARTBEAT: '300', HERALD_MAX_CONNECTIONS_PER_USER: '2000' });
  });
  after(async () => {
    await Promise.all((db?.relays ?? []).map((one) => one.stop())); // each drains for a second
    await cluster?.end();
  });

  for (const workers of ['1', '2']) {
    it(`inserts, changes, deletions, counts and broadcasts arrive, each with its cursor as id (HERALD_WORKERS=${workers})`, async () => {
      const own = await startRelay(db, { HERALD_WORKERS: workers });
      const user = await db.person();
      const streams = await Promise.all([1, 2, 3].map(() => openStream(own, user)));
      const socket = await connect(own, user);
      const id = await db.notify(user, `hello ${CANARY}`);
      await db.sql('update herald.notifications set read_at = now() where id = $1', [id]);
      await db.sql('delete from herald.notifications where id = $1', [id]);
      await db.sql('select herald.broadcast_to_user($1, $2::json)', [`u-${user}`, '{"type":\n"x",\r\n"cursor": "none of ours", "application": true}']);
      for (const stream of streams) {
        await stream.next('notification_deleted', (frame) => frame.notification_id === id);
        assert.equal((await stream.next('x')).cursor, 'none of ours');
        await stream.next('unread_count', (frame) => frame.count === 0);
        await stream.settle(db, user);
        assert.equal(stream.closing, null);
      }
      await socket.next('x');
    });
  }

  it('the head says what it is, and that nobody may keep or collect it', async () => {
    const stream = await openStream(relay, 'alice');
    const { headers } = stream.response;
    assert.equal(headers['content-type'], 'text/event-stream; charset=utf-8');
    assert.match(headers['cache-control'], /no-store/);
    assert.equal(headers['x-accel-buffering'], 'no');
    assert.equal(headers.connection, 'close');
    assert.ok(stream.retries.length === 1 && stream.retries[0] >= 2000 && stream.retries[0] <= 4000, String(stream.retries));
    await stream.destroy();
  });

  it('comments are the heartbeat, over TCP and over a unix socket, and whoever takes them stays', async () => {
    const folder = mkdtempSync(join(scratch, 'socket-'));
    chmodSync(folder, 0o777);
    await Promise.all([undefined, `unix:${folder}/s`].map(async (HERALD_LISTEN) => {
      // Two of them are longer than a busy machine lets this process stand still.
      const own = await startRelay(db, { HERALD_HEARTBEAT: '2', ...(HERALD_LISTEN && { HERALD_LISTEN }) });
      const stream = await openStream(own, 'alice');
      assert.equal(stream.welcome.heartbeat_interval, 2);
      await eventually('more comments than one who takes none would get', () => stream.comments > 4, 20_000);
      assert.equal(stream.closing, null);
    }));
  });

  // ---- who may pass ----

  it('a token comes in a header or in the query, and the header wins', async () => {
    for (const options of [{ via: 'header' }, { via: 'query' }, { via: 'header', query: 'token=nonsense' }]) {
      const stream = await openStream(relay, 'alice', options);
      assert.equal(stream.welcome.user_id, 'u-alice');
      await stream.destroy();
    }
    const { status } = await new EventStream(relay, { token: 'nonsense', query: `token=${devToken('alice')}` }).refusal();
    assert.equal(status, 401);
  });

  it('who has no good token gets a problem document, in either way of refusing', async () => {
    for (const HERALD_AUTH_REJECT of ['close', 'http']) {
      const own = await startRelay(db, { HERALD_AUTH_REJECT });
      for (const [token, status, code, closeCode] of [
        [undefined, 401, 'no_token', 4000],
        ['nonsense', 401, 'token_refused', 4000],
        [devToken('nobody'), 403, 'unknown_user', 4000],
      ]) {
        const refusal = await new EventStream(own, { token }).refusal();
        assert.equal(refusal.status, status);
        assert.equal(refusal.headers['content-type'], 'application/problem+json');
        assert.equal(refusal.headers['www-authenticate'] !== undefined, status === 401);
        assert.equal(refusal.problem.status, status);
        assert.equal(refusal.problem.code, code);
        assert.equal(refusal.problem.close_code, closeCode);
      }
      await (await openStream(own, 'alice')).destroy();
      await own.finish();
    }
  });

  it('streams and sockets count together: one more than a user may have is 429', async () => {
    const own = await startRelay(db, { HERALD_MAX_CONNECTIONS_PER_USER: '2' });
    const stream = await openStream(own, 'alice');
    await connect(own, 'alice');
    const third = await new EventStream(own, { token: devToken('alice') }).refusal();
    assert.equal(third.status, 429);
    assert.equal(third.headers['retry-after'], '1');
    assert.equal(third.problem.close_code, 4029);
    assert.equal(third.problem.code, 'too_many_tabs');
    assert.equal(third.problem.retry_after_ms, 1000);
    await stream.destroy();
    await eventually('room', async () => {
      const next = new EventStream(own, { token: devToken('alice') });
      await next.opened;
      return next.isOpen;
    });
  });

  it('GET and OPTIONS are all the methods there are, and every answer says so', async () => {
    const headers = { Authorization: `Bearer ${devToken('alice')}` };
    for (const method of ['HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']) {
      const answer = await ask(relay, method, STREAM, { headers });
      assert.deepEqual([answer.status, answer.headers.allow], [405, 'GET, OPTIONS'], method);
      assert.equal(answer.headers['content-type'], 'application/problem+json', method);
      assert.equal(answer.body?.code, method === 'HEAD' ? undefined : 'method_not_allowed', method);
    }
    const options = await ask(relay, 'OPTIONS', STREAM);
    assert.deepEqual([options.status, options.headers.allow], [204, 'GET, OPTIONS']);
  });

  it('a page is told what the list of origins allows, exactly', async () => {
    const page = 'https://app.example.org';
    const listed = await startRelay(db, { HERALD_ALLOWED_ORIGINS: `https://other.example.org, ${page}` });
    const any = await startRelay(db, { HERALD_ALLOWED_ORIGINS: '*' });
    const tried = async (which, options) => {
      const stream = new EventStream(which, { token: devToken('alice'), ...options });
      const { statusCode, headers } = await stream.opened;
      await stream.destroy();
      return [statusCode, headers['access-control-allow-origin']];
    };
    assert.deepEqual(await tried(listed, { origin: page }), [200, page]);
    assert.deepEqual(await tried(listed, {}), [200, undefined]);
    assert.deepEqual(await tried(listed, { origin: `${page}.evil.org` }), [403, undefined]);
    assert.deepEqual(await tried(listed, { origin: 'null' }), [403, undefined]);
    assert.deepEqual(await tried(listed, { origin: page, method: 'OPTIONS' }), [204, page]);
    assert.deepEqual(await tried(listed, { origin: 'https://evil.org', method: 'OPTIONS' }), [403, undefined]);
    assert.deepEqual(await tried(listed, { origin: page, token: 'nonsense' }), [401, page]);
    assert.deepEqual(await tried(any, { origin: 'https://evil.org' }), [200, '*']);
    assert.deepEqual(await tried(relay, { origin: `http://127.0.0.1:${relay.port}`, headers: { Host: `127.0.0.1:${relay.port}` } }), [200, `http://127.0.0.1:${relay.port}`]);
    assert.deepEqual(await tried(relay, { origin: 'http://127.0.0.1:1' }), [403, undefined]);
  });

  // ---- coming back ----

  it('Last-Event-ID resumes, and wins over the cursor of the URL; an unknown one is a resync', async () => {
    const user = await db.person();
    const first = await openStream(relay, user);
    await db.notify(user, 'seen');
    await first.next('new_notification');
    await first.settle(db, user);
    await first.destroy();
    await db.notify(user, 'missed');
    const back = await openStream(relay, user, { lastEventId: first.lastEventId, query: 'cursor=nonsense' });
    const told = await back.next('resumed');
    assert.equal(told.resync, undefined);
    assert.equal(kinds(back)[0], 'connected');
    assert.equal(back.frames[back.frames.indexOf(told) - 1].notification.title, 'missed');
    const byQuery = await openStream(relay, user, { query: `cursor=${first.welcome.cursor}` });
    assert.equal((await byQuery.next('resumed')).count, 2);
    const lost = await openStream(relay, user, { lastEventId: 'nonsense' });
    assert.equal((await lost.next('resumed')).resync, true);
    assert.equal((await lost.next('unread_notifications')).count, 2);
    await Promise.all([back, byQuery, lost].map((stream) => stream.destroy()));
  });

  it('a user who is disconnected is told so; who comes back with that id gets 204', async () => {
    const user = await db.person();
    const [stream, socket] = [await openStream(relay, user), await connect(relay, user)];
    await db.sql('select herald.disconnect_user($1)', [`u-${user}`]);
    assert.deepEqual(await within(5_000, () => 'the end', stream.ended), { code: 4002, reason: 'disconnected by the application' });
    assert.equal((await socket.closed).code, 4002);
    assert.equal(stream.lastEventId, 'closed');
    const back = new EventStream(relay, { token: devToken(user), lastEventId: stream.lastEventId });
    assert.equal((await back.refusal()).status, 204);
    await (await openStream(relay, user)).destroy();
  });

  it('a relay that stops says when to come back, then ends the stream', async () => {
    const own = await startRelay(db, { HERALD_DRAIN_SECONDS: '2' });
    const user = await db.person();
    const stream = await openStream(own, user);
    own.program.signal('SIGTERM');
    const { retry_after_ms: wait_ms } = await stream.next('draining');
    assert.equal(stream.retries.at(-1), wait_ms);
    await db.notify(user, 'still served');
    assert.deepEqual(await within(10_000, () => 'the end', stream.ended), { code: 1001, reason: 'server is shutting down' });
    assert.match(stream.lastEventId, /^[0-9a-f]{8}-\d+$/);
    const back = await openStream(relay, user, { lastEventId: stream.lastEventId });
    await back.next('resumed');
    assert.ok([...stream.frames, ...back.frames].some((frame) => frame.notification?.title === 'still served'));
    await back.destroy();
    assert.deepEqual(await own.program.end(5_000), { code: 0, signal: null });
  });

  it('a stream that is not read is caught up, complete and in order, and costs no memory', async () => {
    const narrow = await startRelay(db, { HERALD_QUEUE_BYTES: '65536', HERALD_HEARTBEAT: '300' });
    const user = await db.person();
    const [slow, quick] = [await openStream(narrow, user), await openStream(narrow, user)];
    const before_bytes = narrow.heap();
    slow.response.pause();
    for (let i = 0; i < 450; i += 1) {
      await db.sql(`insert into herald.notifications (user_id, title, message) values ($1, $2, repeat('m', 30000))`, [`u-${user}`, `t${i}`]);
      await quick.next('new_notification');
    }
    if (patience === 1) assert.ok(narrow.heap() - before_bytes < 4 * 1024 * 1024, `${narrow.heap() - before_bytes}`);
    slow.response.resume();
    assert.equal((await slow.next('resumed', undefined, 20_000)).resync, undefined);
    await slow.settle(db, user, 20_000);
    const titles = slow.frames.filter((frame) => frame.type === 'new_notification').map((frame) => frame.notification.title);
    assert.deepEqual([...new Set(titles)], Array.from({ length: 450 }, (_, i) => `t${i}`));
    assert.deepEqual(mirrorOf(slow).versions(), await db.versions(user));
  });

  // ---- the connection ----

  it('a stream may be the second request of a connection, and HTTP/1.0 will do', async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    await new Promise((resolve) => {
      http.get({ host: '127.0.0.1', port: relay.port, path: '/healthz', agent }, (response) => response.resume().on('end', resolve));
    });
    const stream = await openStream(relay, 'alice', { agent });
    assert.equal(stream.request.reusedSocket, true);
    await db.notify('alice', 'hello');
    await stream.next('new_notification');
    await stream.destroy();
    agent.destroy();
    const old = new RawSocket(relay);
    await old.write(`GET ${STREAM}?token=${devToken('alice')} HTTP/1.0\r\n\r\n`);
    await bytesUntil(old, '"type":"connected"');
    old.destroy();
  });

  it('what a client sends during its stream is not read, and costs no processor time', async () => {
    const user = await db.person();
    const path = `${STREAM}?token=${devToken(user)}`;
    const raws = [];
    for (const more of ['', request('/healthz'), 'x'.repeat(100_000)]) {
      const [at_once, later] = [new RawSocket(relay), new RawSocket(relay)];
      raws.push(at_once, later);
      await at_once.write(request(path) + more);
      await later.write(request(path));
      await bytesUntil(later, '"type":"connected"');
      await bytesUntil(at_once, '"type":"connected"');
      later.socket.write(more);
    }
    const started = relay.cpu();
    await sleep(1_000);
    assert.ok(relay.cpu() - started < 500, `${relay.cpu() - started} ms of processor time in a second of nothing`);
    await db.notify(user, 'hello');
    for (const raw of raws) await bytesUntil(raw, '"title":"hello"');
    for (const raw of raws) assert.equal(raw.data.toString().split('HTTP/1.1 ').length, 2, 'one response each');
    raws.forEach((raw) => raw.destroy());
  });

  it('a client that leaves is noticed at once, also one that only closes its half', async () => {
    const user = await db.person();
    const own = await startRelay(db, { HERALD_HEARTBEAT: '300', HERALD_MAX_CONNECTIONS_PER_USER: '1' });
    for (const leave of ['destroy', 'end', 'resetAndDestroy']) {
      await eventually(`room after ${leave}`, async () => {
        const raw = new RawSocket(own);
        await raw.write(request(STREAM, `Authorization: Bearer ${devToken(user)}`));
        await bytesUntil(raw, '\r\n\r\n');
        const isOpen = raw.data.includes(' 200 ');
        raw.socket[leave]();
        return isOpen;
      });
    }
  });

  it('more streams than there are places for headers, and a socket besides', async () => {
    const user = await db.person();
    const own = await startRelay(db, { HERALD_HEARTBEAT: '300', HERALD_MAX_CONNECTIONS_PER_USER: '2000', HERALD_MAX_CONNECTIONS_PER_IP: '2000' });
    const streams = [];
    for (let i = 0; i < 11; i += 1) streams.push(...await Promise.all(Array.from({ length: 100 }, () => openStream(own, user))));
    const socket = await connect(own, user);
    await db.notify(user, 'to all');
    await socket.next('new_notification');
    for (const stream of streams) await stream.next('new_notification', undefined, 10_000);
    for (const stream of streams) stream.request.destroy();
  });

  it('nginx as it is documented passes events on as they come', async () => {
    const proxy = await startNginx(relay);
    const user = await db.person();
    const stream = await openStream(proxy, user);
    await db.notify(user, 'through');
    await stream.next('new_notification');
    await stream.destroy();
    await proxy.end();
  });

  it('no token, query string or payload is in the log', () => relay.finish());
});
