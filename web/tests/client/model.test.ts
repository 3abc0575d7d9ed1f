/* Any order of what a user, a browser and a network can do: never two live sockets of a client, nothing left after
 * disconnect(), and in the end what the relay has. */
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { createClient } from '../../src/client.js';
import { createFakeRelay, type Mood } from '../../src/testing/index.js';
import { Browser } from './lib/browser.js';
import { ALICE, pass } from './lib/stage.js';

const wait = fc.constantFrom(0, 100, 3000, 6000, 15_000, 30_000, 60_000, 100_000);
const mood = fc.constantFrom<Mood>('accept', 'accept', 'accept', 'refuse', 'silent', 4000, 4001, 4002, 1013);
const step = fc.oneof(
  ...(['connect', 'disconnect', 'insert', 'mark', 'crash', 'freeze', 'show', 'online', 'pagehide', 'pageshow'] as const).map(
    (kind) => fc.record({ kind: fc.constant(kind), tab: fc.nat(2) })),
  fc.record({ kind: fc.constant('wait' as const), ms: wait }),
  fc.record({ kind: fc.constant('mood' as const), mood }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function play(steps: readonly Step[], shareSocket: boolean): Promise<void> {
  vi.useFakeTimers({ now: 0 });
  const relay = createFakeRelay();
  const browser = new Browser(relay.WebSocket);
  const seats = [0, 1, 2].map(() => {
    const tab = browser.tab();
    const client = createClient({ url: relay.url, getToken: () => ALICE, shareSocket, environment: tab.environment });
    return { tab, client, wanted: false, seen: new Set<string>() };
  });
  for (const { client, seen } of seats) {
    client.subscribe('new_notification', ({ notification }) => {
      expect(seen).not.toContain(notification.id);
      seen.add(notification.id);
    });
    client.subscribe('resumed', (event) => 'resync' in event && seen.clear());
  }

  async function take(one: Step): Promise<void> {
    if (one.kind === 'wait') return void (await pass(one.ms));
    if (one.kind === 'mood') return void (relay.mood = one.mood);
    const seat = seats[one.tab]!;
    const act = {
      connect: () => { seat.wanted = true; void seat.client.connect(); },
      disconnect: () => { seat.wanted = false; seat.client.disconnect(); },
      insert: () => relay.insert('alice'),
      mark: () => seat.client.markAllAsRead(),
      crash: () => relay.crash(),
      freeze: () => relay.open()[0]?.freeze(),
      show: () => seat.tab.show(),
      online: () => seat.tab.window.dispatchEvent(new Event('online')),
      pagehide: () => seat.tab.window.dispatchEvent(new Event('pagehide')),
      pageshow: () => seat.tab.window.dispatchEvent(new Event('pageshow')),
    };
    act[one.kind]();
  }

  for (const one of steps) {
    await take(one);
    for (const { tab } of seats) expect(tab.live()).toBeLessThanOrEqual(1);
    await pass();
    for (const { tab, wanted, client } of seats) {
      if (wanted) continue;
      expect([client.getState(), tab.live(), tab.channels.size, tab.window.listeners]).toEqual(['CLOSED', 0, 0, 0]);
    }
  }

  // Whatever happened, it ends well for who wants to be connected.
  relay.mood = 'accept';
  for (const { tab } of seats) tab.window.dispatchEvent(new Event('pageshow'));
  for (const { client, wanted } of seats) if (wanted) void client.connect();
  await pass(200_000);
  for (const { client, wanted } of seats) expect(client.getState()).toBe(wanted ? 'OPEN' : 'CLOSED');
  const wanted = seats.filter((seat) => seat.wanted);
  if (shareSocket) expect(browser.live()).toBe(Math.min(1, wanted.length));
  const last = relay.insert('alice').id;
  await pass();
  for (const { seen } of wanted) expect(seen).toContain(last);
  for (const { client } of seats) client.disconnect();
  await pass(61_000);
  for (const { tab } of seats) {
    expect([tab.live(), tab.timers.size, tab.channels.size, tab.window.listeners]).toEqual([0, 0, 0, 0]);
  }
  vi.useRealTimers();
}

describe('in any order of events', () => {
  it.each([['of its own', false], ['shared', true]])('clients with a socket %s never have two, and end well', async (_, share) => {
    const runs = { numRuns: Number(process.env.HERALD_MODEL_RUNS ?? 200) };
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30 }), (steps) => play(steps, share)), runs);
  }, 300_000);
});
