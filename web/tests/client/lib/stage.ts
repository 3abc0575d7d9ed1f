/* A fake relay, a browser and clients in its tabs, under fake timers. */
import { afterEach, beforeEach, vi } from 'vitest';
import { createClient } from '../../../src/client.js';
import '../../../src/stream.js'; // loaded before it is needed: no fake timer waits for a file
import { createFakeRelay, type FakeRelay } from '../../../src/testing/index.js';
import type { Client, ClientEvent, ClientOptions, StateEvent } from '../../../src/types.js';
import { Browser, type Tab } from './browser.js';

export const ALICE = 'dummy-jwt-for-alice';

export interface Seat {
  readonly client: Client;
  readonly tab: Tab;
  readonly events: ClientEvent[];
  /** Events of a type. */
  of(type: string): ClientEvent[];
  states(): string[];
}

export interface Stage {
  readonly relay: FakeRelay;
  readonly browser: Browser;
  /** A client in a tab of its own: no jitter, a socket of its own unless `shareSocket` is set. */
  seat(options?: ClientOptions): Seat;
  open(options?: ClientOptions): Promise<Seat>;
}

/** Timers up to then, and all that follows at once. */
export const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

export function useStage(): Stage {
  const stage = {} as { -readonly [K in keyof Stage]: Stage[K] };
  beforeEach(() => {
    vi.useFakeTimers({ now: Date.UTC(2026, 0, 1) });
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('there is no HTTP here')));
    stage.relay = createFakeRelay();
    stage.browser = new Browser(stage.relay.WebSocket);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
  stage.seat = (options = {}) => {
    const tab = stage.browser.tab();
    const client = createClient({
      url: stage.relay.url, getToken: () => ALICE, shareSocket: false, jitter: 0, ...options,
      environment: { ...tab.environment, ...options.environment },
    });
    const events: ClientEvent[] = [];
    client.subscribe('*', (event) => events.push(event));
    const of = (type: string) => events.filter((event) => event.type === type);
    return { client, tab, events, of, states: () => (of('state') as StateEvent[]).map(({ state }) => state) };
  };
  stage.open = async (options) => {
    const seat = stage.seat(options);
    void seat.client.connect();
    await pass();
    return seat;
  };
  return stage;
}
