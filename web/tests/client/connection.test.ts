import { describe, expect, it, vi } from 'vitest';
import type { StateEvent } from '../../src/types.js';
import { pass, useStage } from './lib/stage.js';

const stage = useStage();

describe('a connection', () => {
  it('is open when the relay took the token, not when the socket opens', async () => {
    let give!: (token: string) => void;
    const { client, states } = await stage.open({ getToken: () => new Promise((resolve) => (give = resolve)) });
    expect([client.getState(), client.isConnected()]).toEqual(['CONNECTING', false]);
    give('dummy-jwt-for-alice');
    await pass();
    expect([client.getState(), client.isConnected(), states()]).toEqual(['OPEN', true, ['CONNECTING', 'OPEN']]);
  });

  it('sends the token in the first frame and not in the URL', async () => {
    await stage.open();
    const [connection] = stage.relay.connections;
    expect(connection!.url.search).toBe('');
    expect(connection!.received[0]).toMatchObject({ type: 'authenticate', token: 'dummy-jwt-for-alice' });
  });

  it('puts the token into the URL only when asked to', async () => {
    const { client } = await stage.open({ tokenIn: 'query' });
    expect(stage.relay.connections[0]!.url.searchParams.get('token')).toBe('dummy-jwt-for-alice');
    expect(client.isConnected()).toBe(true);
    stage.relay.crash();
    await pass(3000);
    expect(stage.relay.connections[1]!.url.searchParams.get('cursor')).toBe('fake-0');
  });

  it('resolves connect() when it is open, also a second time', async () => {
    const { client } = stage.seat();
    const opened = vi.fn();
    void client.connect().then(opened);
    void client.connect().then(opened);
    await pass();
    await client.connect();
    expect(opened).toHaveBeenCalledTimes(2);
    expect(stage.relay.connections).toHaveLength(1);
  });

  it('takes an http URL and a path for what they mean', async () => {
    const url = async (given: string) => {
      await stage.open({ url: given });
      return stage.relay.connections.at(-1)!.url.href;
    };
    expect(await url('http://other.test/ws')).toBe('ws://other.test/ws');
    expect(await url('/ws')).toBe('wss://app.test/ws');
  });

  it('has the default path on the host of the page', async () => {
    await stage.open({ url: undefined });
    expect(stage.relay.connections[0]!.url.href).toBe('wss://app.test/api/v1/notifications/ws');
  });

  it('ignores what is no frame', async () => {
    const { client, events } = await stage.open();
    const before = events.length;
    const [connection] = stage.relay.open();
    connection!.send([]);
    connection!.send({ kind: 'no type' });
    await pass();
    expect([client.isConnected(), events.length]).toEqual([true, before]);
  });

  it('counts as failed when nothing comes within 15 s', async () => {
    stage.relay.mood = 'silent';
    const { client } = await stage.open();
    await pass(14_999);
    expect(client.getState()).toBe('CONNECTING');
    await pass(1);
    expect(client.getState()).toBe('RECONNECTING');
    expect(stage.browser.live()).toBe(0);
  });
});

describe('reconnection', () => {
  /** When the relay was dialled, in ms from now. */
  async function dials(run: () => Promise<void>): Promise<number[]> {
    const start = Date.now();
    const times: number[] = [];
    const { Socket } = stage.browser;
    class Counting extends Socket {
      constructor(url: string, protocols: string) {
        super(url, protocols);
        times.push(Date.now() - start);
      }
    }
    (stage.browser as { Socket: typeof Socket }).Socket = Counting;
    await run();
    return times;
  }

  it('waits exactly 3, 6, 12, 24 and 48 s, then fails with an error', async () => {
    stage.relay.mood = 'refuse';
    const seat = { current: stage.seat() };
    const times = await dials(async () => {
      seat.current = stage.seat();
      const connecting = seat.current.client.connect();
      await pass(200_000);
      await expect(connecting).rejects.toMatchObject({ name: 'HeraldError', code: 'gave_up' });
    });
    expect(times).toEqual([0, 3000, 9000, 21_000, 45_000, 93_000]);
    expect(seat.current.client.getState()).toBe('FAILED');
    expect((seat.current.of('state').at(-1) as StateEvent).error).toMatchObject({ code: 'gave_up' });
  });

  it('adds a random share of the wait, never takes from it', async () => {
    stage.relay.mood = 'refuse';
    const times = await dials(async () => {
      const { client } = stage.seat({ jitter: 0.1, environment: { random: () => 0.5 } });
      void client.connect();
      await pass(10_000);
    });
    expect(times).toEqual([0, 3150, 9450]);
  });

  it('tells when the next dial is due', async () => {
    stage.relay.mood = 'refuse';
    const { of, client } = await stage.open();
    expect(of('state').at(-1)).toMatchObject({
      state: 'RECONNECTING', reason: 'lost', attempts: 1, retryInMs: 3000, closeCode: 1006, error: null,
    });
    expect(client.getDebugInfo().retryAt).toBe(Date.now() + 3000);
  });

  it('flapping six times reaches FAILED', async () => {
    const { client, states } = await stage.open();
    for (let flap = 1; flap <= 6; flap++) {
      expect(client.getState()).toBe('OPEN');
      stage.relay.crash();
      await pass();
      if (flap < 6) await pass(3000 * 2 ** (flap - 1));
    }
    expect(client.getState()).toBe('FAILED');
    expect(states().filter((state) => state === 'OPEN')).toHaveLength(6);
  });

  it('starts from 3 s again after a connection that answered a heartbeat', async () => {
    const { client, of } = await stage.open();
    stage.relay.crash();
    await pass(3000);
    await pass(30_000);
    expect(client.getDebugInfo().attempts).toBe(0);
    stage.relay.crash();
    await pass();
    expect(of('state').at(-1)).toMatchObject({ attempts: 1, retryInMs: 3000 });
  });

  it('dials at once when the browser comes online during the 48 s wait, and starts a fresh series', async () => {
    stage.relay.mood = 'refuse';
    const { client, tab, of } = await stage.open();
    await pass(45_000);
    expect(of('state').at(-1)).toMatchObject({ retryInMs: 48_000 });
    tab.window.dispatchEvent(new Event('online'));
    await pass();
    expect(of('state').at(-1)).toMatchObject({ retryInMs: 3000, attempts: 1 });
    stage.relay.mood = 'accept';
    await pass(3000);
    expect(client.getState()).toBe('OPEN');
  });

  it.each(['online', 'pageshow', 'visibilitychange'])('wakes from FAILED on %s', async (type) => {
    stage.relay.mood = 'refuse';
    const { client, tab } = await stage.open();
    await pass(93_000);
    expect(client.getState()).toBe('FAILED');
    stage.relay.mood = 'accept';
    (type === 'visibilitychange' ? tab.document : tab.window).dispatchEvent(new Event(type));
    await pass();
    expect(client.getState()).toBe('OPEN');
  });

  it('does not wake when the page is hidden', async () => {
    stage.relay.mood = 'refuse';
    const { client, tab } = await stage.open();
    await pass(93_000);
    tab.document.visibilityState = 'hidden';
    tab.show();
    await pass();
    expect(client.getState()).toBe('FAILED');
  });

  it('goes on by connect() after FAILED', async () => {
    stage.relay.mood = 'refuse';
    const { client } = await stage.open();
    await pass(93_000);
    stage.relay.mood = 'accept';
    await expect(client.connect()).resolves.toBeUndefined();
  });

  it('connect() during a wait dials at once', async () => {
    const { client } = await stage.open();
    stage.relay.crash();
    await pass();
    await client.connect();
    expect(client.getState()).toBe('OPEN');
  });

  it('going offline is no reason for a fresh series', async () => {
    stage.relay.mood = 'refuse';
    const { tab, client } = await stage.open();
    await pass(10_000);
    tab.window.dispatchEvent(new Event('offline'));
    await pass();
    expect(client.getDebugInfo().attempts).toBe(3);
  });

  it('comes back when a relay that stops has told it to, not earlier', async () => {
    const { client } = await stage.open();
    stage.relay.open()[0]!.send({ type: 'draining', retry_after_ms: 1742 });
    await pass();
    stage.relay.open()[0]!.close(1001, 'server is shutting down');
    await pass(1741);
    expect(client.getState()).toBe('RECONNECTING');
    await pass(1);
    expect(client.getState()).toBe('OPEN');
  });

  it('waits longer than 3 s when an error asked for it', async () => {
    const { client, of } = await stage.open();
    const [connection] = stage.relay.open();
    connection!.send({ type: 'error', code: 'rate_limited', message: 'too many messages', retry_after_ms: 7000 });
    connection!.close(4029, 'too many messages');
    await pass();
    expect(of('state').at(-1)).toMatchObject({ retryInMs: 7000, closeCode: 4029 });
    await pass(7000);
    expect(client.isConnected()).toBe(true);
  });

  it.each([1001, 1006, 1009, 1011, 1013, 4029])('retries after %i', async (code) => {
    const { client } = await stage.open();
    stage.relay.open()[0]!.close(code);
    await pass(3000);
    expect(client.getState()).toBe('OPEN');
  });

  it.each([4000, 4002])('stops after %i, and is not woken', async (code) => {
    const { client, tab, of } = await stage.open();
    stage.relay.open()[0]!.close(code, 'unknown user');
    await pass();
    expect(of('state').at(-1)).toMatchObject({ state: 'FAILED', reason: 'refused', closeCode: code });
    tab.window.dispatchEvent(new Event('online'));
    tab.show();
    await pass(200_000);
    expect(client.getState()).toBe('FAILED');
    await client.connect();
    expect(client.getState()).toBe('OPEN');
  });
});

describe('a connection that is OPEN but dead', () => {
  it('is found within two heartbeats', async () => {
    const { client } = await stage.open();
    await pass(30_000);
    stage.relay.open()[0]!.freeze();
    await pass(59_999);
    expect(client.getState()).toBe('OPEN');
    await pass(1);
    expect(client.getState()).toBe('RECONNECTING');
    await pass(3000);
    expect(client.getState()).toBe('OPEN');
  });

  it('is found 3 s after the page wakes', async () => {
    const { client, tab, of } = await stage.open();
    stage.relay.open()[0]!.freeze();
    tab.show();
    await pass(2999);
    expect(client.getState()).toBe('OPEN');
    await pass(1);
    expect(of('state').at(-1)).toMatchObject({ state: 'RECONNECTING', reason: 'silent' });
  });

  it('is not one that was probed twice and answered', async () => {
    const { client, tab } = await stage.open();
    tab.show();
    tab.show();
    await pass(10_000);
    expect([client.getState(), stage.relay.connections.length]).toEqual(['OPEN', 1]);
  });

  it('is told from one in a background tab, whose timers run once a minute', async () => {
    const throttled = (callback: () => void, ms: number) => setTimeout(callback, Math.ceil(ms / 60_000) * 60_000);
    const { client } = await stage.open({ environment: { setTimeout: throttled } });
    await pass(600_000);
    expect([client.getState(), stage.relay.connections.length]).toEqual(['OPEN', 1]);
    stage.relay.open()[0]!.freeze();
    await pass(120_000);
    expect(client.getState()).toBe('RECONNECTING');
  });

  it('is pinged every 30 s, or as often as the relay says', async () => {
    await stage.open();
    const pings = () => stage.relay.connections[0]!.received.filter(({ type }) => type === 'ping').length;
    await pass(29_999);
    expect(pings()).toBe(0);
    await pass(60_001);
    expect(pings()).toBe(3);
  });

  it('shows the round trip of a ping', async () => {
    const { client } = await stage.open();
    expect(client.getDebugInfo().roundTripMs).toBeNull();
    await pass(30_000);
    expect(client.getDebugInfo().roundTripMs).toBe(0);
  });
});

describe('disconnect()', () => {
  it('closes with 1000, by way of CLOSING', async () => {
    const { client, states } = await stage.open();
    client.disconnect();
    expect(client.getState()).toBe('CLOSING');
    await pass();
    expect(states()).toEqual(['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED']);
    expect(client.getDebugInfo().closes.at(-1)).toMatchObject({ code: 1000 });
  });

  it('is never undone by online, visible or shown', async () => {
    const { client, tab } = await stage.open();
    client.disconnect();
    for (const type of ['online', 'pageshow']) tab.window.dispatchEvent(new Event(type));
    tab.document.dispatchEvent(new Event('resume'));
    tab.show();
    await pass(200_000);
    expect([client.getState(), stage.relay.connections.length]).toEqual(['CLOSED', 1]);
  });

  it.each([
    ['while a token is awaited', 'accept', 0], ['while dialling', 'silent', 1], ['while waiting', 'refuse', 2000],
    ['while open', 'accept', 1000], ['after it gave up', 'refuse', 100_000],
  ] as const)('%s leaves no socket, timer or listener', async (_, mood, ms) => {
    stage.relay.mood = mood;
    const { client, tab } = stage.seat();
    void client.connect();
    if (ms) await pass(ms);
    client.disconnect();
    await pass();
    expect([client.getState(), tab.live(), tab.timers.size]).toEqual(['CLOSED', 0, 0]);
    expect([tab.window.listeners, tab.document.listeners]).toEqual([0, 0]);
    const { length } = stage.relay.connections;
    await pass(200_000);
    expect(stage.relay.connections).toHaveLength(length);
  });

  it('rejects the connect() that it ends', async () => {
    stage.relay.mood = 'silent';
    const { client } = stage.seat();
    const connecting = client.connect();
    client.disconnect();
    await expect(connecting).rejects.toMatchObject({ code: 'closed' });
  });

  it('in a listener of `connected` holds', async () => {
    const { client, tab } = stage.seat();
    client.subscribe('connected', () => client.disconnect());
    void client.connect();
    await pass();
    expect([client.getState(), tab.live(), tab.timers.size]).toEqual(['CLOSED', 0, 0]);
  });

  it('followed by connect() makes one new socket', async () => {
    const { client, tab } = await stage.open();
    client.disconnect();
    await client.connect();
    expect([client.getState(), tab.live(), tab.sockets.length]).toEqual(['OPEN', 1, 2]);
  });

  it('and connect() in the same breath, as in StrictMode, make one socket', async () => {
    const { client, tab } = stage.seat();
    void client.connect();
    client.disconnect();
    await client.connect();
    expect([tab.live(), tab.sockets.length]).toEqual([1, 1]);
  });
});

describe('a page that is kept for the back button', () => {
  it('stays disconnected when it was disconnected there', async () => {
    const { client, tab } = await stage.open();
    tab.window.dispatchEvent(new Event('pagehide'));
    client.disconnect();
    expect(client.getState()).toBe('CLOSED');
    tab.window.dispatchEvent(new Event('pageshow'));
    await pass(10_000);
    expect([client.getState(), tab.live()]).toEqual(['CLOSED', 0]);
  });

  it('has no socket meanwhile, and misses nothing', async () => {
    const { client, tab, of } = await stage.open();
    tab.window.dispatchEvent(new Event('pagehide'));
    await pass(1000);
    expect([client.getState(), tab.live(), tab.timers.size]).toEqual(['RECONNECTING', 0, 0]);
    stage.relay.insert('alice');
    tab.window.dispatchEvent(new Event('pageshow'));
    await pass();
    expect([client.getState(), of('new_notification').length]).toEqual(['OPEN', 1]);
  });
});
