/* Where no WebSocket gets through: when the client turns to Server-Sent Events and back, and what it makes of events,
 * answers and ends. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { StateEvent } from '../../src/types.js';
import { problem, stubHttp, type FakeHttp, type FakeStream } from './lib/http.js';
import { ALICE, pass, useStage, type Seat } from './lib/stage.js';

const stage = useStage();
let http: FakeHttp;

beforeEach(() => (http = stubHttp()));

/** The fallback's code is loaded by an import, which no fake timer holds up. */
async function settle(ms = 0): Promise<void> {
  await pass(ms);
  await vi.dynamicImportSettled();
  await pass();
}

const row = (id: string, version = 1) => ({
  id, version, title: id, message: '', category: null, severity: 'info', action_url: null, data: null,
  created_at: '2026-01-01T00:00:00.000000Z', read_at: null, is_read: false,
});

const connected = (cursor = 'c1', unread_count = 0) => ({
  type: 'connected', message: 'Application startup complete', user_id: 'alice', session_id: 's', unread_count, cursor,
  heartbeat_interval: 30, token_expires_at: null, protocol: 1,
});

/** WebSockets are refused, and the second refusal has been. */
async function blocked(options = {}): Promise<Seat> {
  stage.relay.mood = 'refuse';
  const seat = await stage.open(options);
  await settle(3000);
  return seat;
}

const stream = () => http.streams.at(-1) as FakeStream;

/** A client that is connected by a stream. */
async function onStream(options = {}): Promise<Seat> {
  const seat = await blocked(options);
  stream().push(connected());
  await settle();
  expect(seat.client.isConnected()).toBe(true);
  return seat;
}

describe('the choice of a transport', () => {
  it('falls back at once when the second WebSocket does not open, and says so', async () => {
    const seat = await onStream();
    expect(stage.relay.connections).toHaveLength(2);
    expect(http.streams).toHaveLength(1);
    const states = (seat.of('state') as StateEvent[]).map(({ state, transport }) => `${state} ${transport}`);
    expect(states.pop()).toBe('OPEN sse');
    expect(new Set(states)).toEqual(new Set(['CONNECTING websocket', 'RECONNECTING websocket']));
    expect(seat.client.getDebugInfo().transport).toBe('sse');
  });

  it('stays with WebSocket when the second one opens', async () => {
    stage.relay.mood = 'refuse';
    const seat = await stage.open();
    stage.relay.mood = 'accept';
    await settle(3000);
    expect(seat.client.isConnected()).toBe(true);
    expect(seat.client.getDebugInfo().transport).toBe('websocket');
    expect(http.streams).toHaveLength(0);
  });

  it.each([
    ['do not answer', 'silent', 40_000],
    ['open, and break before they are connected', 1006, 3000],
  ] as const)('falls back when two %s', async (_, mood, ms) => {
    stage.relay.mood = mood;
    const seat = await stage.open();
    await settle(ms);
    await settle();
    expect(stage.relay.connections).toHaveLength(2);
    stream().push(connected());
    await settle();
    expect(seat.client.getDebugInfo().transport).toBe('sse');
    expect(seat.client.isConnected()).toBe(true);
  });

  it('stays with WebSocket when it is the relay that closes', async () => {
    stage.relay.mood = 1013;
    const seat = await stage.open();
    await settle(20_000);
    expect(stage.relay.connections.length).toBeGreaterThan(2);
    expect(seat.client.getDebugInfo().transport).toBe('websocket');
    expect(http.streams).toHaveLength(0);
  });

  it('falls back later, too, when two in a row do not open', async () => {
    const seat = await stage.open();
    stage.relay.mood = 'refuse';
    stage.relay.crash();
    await settle(3000);
    expect(http.streams).toHaveLength(0); // the loss is none of the two
    await settle(6000);
    stream().push(connected());
    await settle();
    expect(seat.client.isConnected()).toBe(true);
    expect(seat.client.getDebugInfo().transport).toBe('sse');
  });

  it('comes back by WebSocket when the relay was away for both', async () => {
    const seat = await stage.open();
    stage.relay.mood = 'refuse';
    http.refusal = 'lost';
    stage.relay.crash();
    await settle(10_000);
    stage.relay.mood = 'accept';
    http.refusal = null;
    await settle(30_000);
    expect(seat.client.isConnected()).toBe(true);
    expect(seat.client.getDebugInfo().transport).toBe('websocket');
  });

  it('a token that cannot be had is not the WebSocket\'s failure', async () => {
    const seat = await stage.open({ getToken: () => Promise.reject(new Error('offline')) });
    await settle(20_000);
    expect(seat.client.getDebugInfo().transport).toBe('websocket');
    expect(http.streams).toHaveLength(0);
  });

  it('tries WebSocket again when no stream opens either', async () => {
    http.refusal = 'lost';
    const seat = await blocked();
    expect(seat.client.getState()).toBe('RECONNECTING');
    stage.relay.mood = 'accept';
    await settle(6000);
    expect(seat.client.isConnected()).toBe(true);
    expect(seat.client.getDebugInfo().transport).toBe('websocket');
  });

  it('a stream that cannot be had costs no attempt', async () => {
    http.refusal = 'lost';
    const seat = await blocked();
    expect(seat.client.getDebugInfo().attempts).toBe(2);
    await settle(6000);
    expect(stage.relay.connections).toHaveLength(3);
    expect(seat.client.getDebugInfo().attempts).toBe(3);
  });

  it('a stream that breaks is followed by a stream, from the last id', async () => {
    const seat = await onStream();
    stream().push({ type: 'new_notification', notification: row('n1'), cursor: 'c2' });
    await settle();
    stream().end();
    await settle();
    expect(seat.client.getState()).toBe('RECONNECTING');
    await settle(20_000);
    expect(http.streams).toHaveLength(2);
    expect(stream().headers.get('last-event-id')).toBe('c2');
    expect(stage.relay.connections).toHaveLength(2);
  });
});

describe('a stream', () => {
  it('is beside the WebSocket\'s endpoint, with the token in a header only', async () => {
    await onStream({ tokenIn: 'query', url: 'wss://relay.test/base/api/v1/notifications/ws' }).catch(() => {});
    expect(http.streams).toHaveLength(0); // of another path, which this fake does not know
    await onStream({ tokenIn: 'query' });
    expect(stream().url).toBe('http://relay.test/api/v1/notifications/stream');
    expect(stream().headers.get('authorization')).toBe(`Bearer ${ALICE}`);
  });

  it('gives its frames as events, however they are cut', async () => {
    const seat = await onStream();
    const text = new TextEncoder().encode(
      `id: c2\ndata: ${JSON.stringify({ type: 'new_notification', notification: row('ü\u2028'), cursor: 'c2' })}\n\n` +
      'data: {"type":"x",\ndata: "y":1}\n\n: alive\n\nretry: 5\n\n');
    for (const byte of text) stream().write(new Uint8Array([byte]));
    await settle();
    expect(seat.of('new_notification')).toMatchObject([{ notification: { id: 'ü\u2028' } }]);
    expect(seat.of('x')).toMatchObject([{ y: 1 }]);
    expect(seat.client.getDebugInfo().cursor).toBe('c2');
  });

  it('that ends for good fails the client', async () => {
    const seat = await onStream();
    stream().write('event: close\nid: closed\ndata: {"code":4002,"reason":"disconnected by the application"}\n\n');
    await settle();
    expect(seat.of('state').at(-1)).toMatchObject({ state: 'FAILED', reason: 'refused', closeCode: 4002 });
    expect(stream().isOpen()).toBe(false);
  });

  it('that is refused ends as the WebSocket would have', async () => {
    http.refusal = problem(403, 4000);
    const seat = await blocked();
    expect(seat.of('state').at(-1)).toMatchObject({ state: 'FAILED', reason: 'refused', closeCode: 4000 });
  });

  it('whose token is refused is opened again with a new one', async () => {
    const tokens: boolean[] = [];
    http.refusal = problem(401, 4001);
    const seat = await blocked({ getToken: ({ renew }: { renew: boolean }) => (tokens.push(renew), renew ? 'dummy-jwt-for-new' : ALICE) });
    http.refusal = null;
    await settle();
    expect(tokens.at(-1)).toBe(true);
    expect(seat.client.getDebugInfo().closes.at(-1)?.code).toBe(4001);
  });

  it('renews its token by another stream, which goes on where it stood', async () => {
    const tokenOf = (exp: number) => `x.${btoa(JSON.stringify({ sub: 'alice', exp }))}.x`;
    let token = tokenOf(1);
    const seat = await onStream({ getToken: () => token });
    const old = stream();
    token = tokenOf(2);
    old.push({ type: 'token_expiring', expires_in: 60 });
    await settle();
    expect(old.isOpen()).toBe(false);
    expect(stream().headers.get('authorization')).toBe(`Bearer ${token}`);
    expect(stream().headers.get('last-event-id')).toBe('c1');
    stream().push({ ...connected(), token_expires_at: '2026-01-01T01:00:00.000000Z' });
    await settle();
    expect(seat.of('connected')).toHaveLength(1);
    expect(seat.of('authenticated')).toMatchObject([{ token_expires_at: '2026-01-01T01:00:00.000000Z' }]);
    expect(seat.client.isConnected()).toBe(true);
  });

  it('lives by its comments, and is given up when there is nothing for two heartbeats', async () => {
    const seat = await onStream();
    for (let i = 0; i < 5; i++) {
      await settle(30_000);
      stream().write(': alive\n\n');
      await settle();
    }
    expect(seat.client.isConnected()).toBe(true);
    await settle(61_000);
    expect(seat.of('state').at(-1)).toMatchObject({ state: 'RECONNECTING', reason: 'silent' });
  });

  it('is closed when the client disconnects', async () => {
    const seat = await onStream();
    seat.client.disconnect();
    await settle();
    expect(seat.client.getState()).toBe('CLOSED');
    expect(stream().isOpen()).toBe(false);
  });
});

describe('what is asked while there is a stream', () => {
  const next = () => http.requests.shift()!;

  it('a page comes by HTTP, with the stream\'s cursor and count', async () => {
    const seat = await onStream();
    const answer = seat.client.getUnreadNotifications(5, 'older');
    await settle();
    const request = next();
    expect(request).toMatchObject({ method: 'GET', path: '?unread=true&limit=5&before=older', token: `Bearer ${ALICE}` });
    stream().push({ type: 'unread_count', count: 3, cursor: 'c2' });
    await settle();
    request.answer(200, { count: 9, notifications: [row('n1')], next: 'more' });
    await settle();
    expect(await answer).toMatchObject({ type: 'unread_notifications', count: 3, next: 'more', cursor: 'c2' });
    void seat.client.getNotifications();
    await settle();
    expect(next().path).toBe('?limit=10');
  });

  it('a page does not bring back what was told as deleted meanwhile', async () => {
    const seat = await onStream();
    const answer = seat.client.getNotifications();
    await settle();
    stream().push({ type: 'notification_deleted', notification_id: 'n1', cursor: 'c2' });
    await settle();
    next().answer(200, { count: 0, notifications: [row('n1'), row('n2')], next: null });
    await settle();
    expect((await answer).notifications.map(({ id }) => id)).toEqual(['n2']);
  });

  it('a page from before a resync is read again', async () => {
    const seat = await onStream();
    const answer = seat.client.getNotifications();
    await settle();
    stream().push({ type: 'resumed', resync: true, cursor: 'c5' });
    await settle();
    next().answer(200, { count: 0, notifications: [row('taken-back')], next: null });
    await settle();
    next().answer(200, { count: 0, notifications: [], next: null });
    await settle();
    expect((await answer).notifications).toEqual([]);
  });

  it('a read is written by PATCH; the stream\'s echo is no second event', async () => {
    const seat = await onStream();
    const answer = seat.client.markAsRead('n1');
    await settle();
    const request = next();
    expect(request).toMatchObject({ method: 'PATCH', path: '/n1', content: { is_read: true } });
    const read = { ...row('n1', 2), is_read: true };
    stream().push({ type: 'notification_updated', notification_id: 'n1', success: true, notification: read, cursor: 'c2' });
    await settle();
    request.answer(200, read);
    await settle();
    expect(await answer).toMatchObject({ success: true, notification: { version: 2 } });
    expect(seat.of('notification_updated')).toHaveLength(1);
  });

  it('a read of what is not there is not_found, also when it went meanwhile', async () => {
    const seat = await onStream();
    const [none, gone] = [seat.client.markAsRead('n1'), seat.client.markAsRead('n2')];
    await settle();
    stream().push({ type: 'notification_deleted', notification_id: 'n2', cursor: 'c2' });
    await settle();
    next().answer(404, { status: 404, code: 'not_found' });
    next().answer(200, row('n2', 2));
    await expect(none).rejects.toMatchObject({ code: 'not_found' });
    await expect(gone).rejects.toMatchObject({ code: 'not_found' });
    expect(seat.of('notification_updated').every((event) => !('notification' in event && event.notification))).toBe(true);
  });

  it('all are read by POST', async () => {
    const seat = await onStream();
    const answer = seat.client.markAllAsRead('2026-01-01T00:00:00Z');
    await settle();
    const request = next();
    expect(request).toMatchObject({ method: 'POST', path: '/read-all', content: { until: '2026-01-01T00:00:00Z' } });
    request.answer(200, { marked: 2, count: 0 });
    expect(await answer).toMatchObject({ type: 'unread_count' });
  });

  it('what the relay refuses is an error with its code and wait', async () => {
    const seat = await onStream();
    for (const [status, body, headers, code, wait] of [
      [429, { code: 'too_many_at_once' }, { 'retry-after': '2' }, 'rate_limited', 2000],
      [503, { code: 'unavailable', retry_after_ms: 700 }, {}, 'unavailable', 700],
      [400, { code: 'bad_field' }, {}, 'bad_field', null],
    ] as const) {
      const answer = seat.client.getNotifications();
      await settle();
      next().answer(status, body, headers);
      await expect(answer).rejects.toMatchObject({ code, retryAfterMs: wait });
    }
    expect(seat.client.isConnected()).toBe(true);
  });

  it('a token that is refused there ends the stream as well', async () => {
    const seat = await onStream();
    seat.client.getNotifications().catch(() => {});
    await settle();
    next().answer(401, { status: 401, detail: 'token expired' });
    await settle();
    expect(seat.client.getDebugInfo().closes.at(-1)?.code).toBe(4001);
  });

  it('what was asked for goes out again on the next stream', async () => {
    const seat = await onStream();
    const answer = seat.client.getNotifications();
    await settle();
    stream().end();
    await settle(13_000);
    stream().push(connected('c1'));
    await settle();
    expect(http.requests).toHaveLength(2);
    http.requests[1]!.answer(200, { count: 0, notifications: [], next: null });
    expect(await answer).toMatchObject({ notifications: [] });
  });
});
