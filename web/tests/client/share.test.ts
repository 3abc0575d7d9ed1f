import { describe, expect, it, vi } from 'vitest';
import type { ClientOptions } from '../../src/types.js';
import type { Seat } from './lib/stage.js';
import { ALICE, pass, useStage } from './lib/stage.js';

const stage = useStage();
const titles = ({ of }: Seat) =>
  of('new_notification').map((event) => ('notification' in event ? (event.notification as { title: string }).title : ''));
const leaders = (seats: Seat[]) => seats.filter(({ client }) => client.getDebugInfo().leader).length;

async function tabs(count: number, options: ClientOptions = {}): Promise<Seat[]> {
  const seats: Seat[] = [];
  for (let i = 0; i < count; i++) seats.push(await stage.open({ shareSocket: true, ...options }));
  return seats;
}

describe('tabs of one user', () => {
  it('share one socket, and all are open', async () => {
    const seats = await tabs(3);
    expect(seats.map(({ client }) => client.getState())).toEqual(['OPEN', 'OPEN', 'OPEN']);
    expect([stage.browser.live(), leaders(seats)]).toEqual([1, 1]);
    expect(seats[2]!.client.getDebugInfo()).toMatchObject({ shared: true, leader: false, userId: 'alice' });
  });

  it('opened at the same moment share one, too', async () => {
    const seats = [1, 2, 3].map(() => stage.seat({ shareSocket: true }));
    await Promise.all(seats.map(({ client }) => client.connect()));
    expect([stage.browser.live(), leaders(seats)]).toEqual([1, 1]);
  });

  it('have a socket each when asked to, or where the browser cannot share', async () => {
    await tabs(2, { shareSocket: false });
    expect(stage.browser.live()).toBe(2);
    await tabs(2, { environment: { locks: undefined } });
    await tabs(2, { environment: { BroadcastChannel: undefined } });
    expect(stage.browser.live()).toBe(6);
  });

  it('have a socket each where locks are forbidden', async () => {
    const locks = { request: () => Promise.reject(new DOMException('opaque origin', 'SecurityError')) };
    const seats = await tabs(2, { environment: { locks: locks as unknown as LockManager } });
    expect([stage.browser.live(), seats[1]!.client.getState()]).toEqual([2, 'OPEN']);
  });

  it('see every frame, each once', async () => {
    const seats = await tabs(3);
    stage.relay.insert('alice', { title: 'one' });
    stage.relay.broadcast('alice', { type: 'system_alert' });
    await pass();
    for (const seat of seats) expect([titles(seat), seat.of('system_alert').length]).toEqual([['one'], 1]);
  });

  it('are told the count on opening, as by `connected`', async () => {
    await tabs(1);
    stage.relay.insert('alice');
    await pass();
    const late = await stage.open({ shareSocket: true });
    expect(late.of('connected')).toMatchObject([{ user_id: 'alice', unread_count: 1, cursor: 'fake-1' }]);
    expect(late.states()).toEqual(['CONNECTING', 'OPEN']);
  });

  it('wait to be greeted, also when they hear of an open connection before', async () => {
    const [leader] = await tabs(1) as [Seat];
    const { name } = [...leader.tab.channels][0]!;
    const stray = new (stage.browser.tab().environment.BroadcastChannel!)(name);
    const late = stage.seat({ shareSocket: true });
    void late.client.connect();
    for (let turn = 0; turn < 20; turn++) {
      stray.postMessage({ kind: 'status', term: Date.now(), status: { state: 'OPEN', closes: [], retryAt: null, error: null } });
      await Promise.resolve();
    }
    await pass();
    expect([late.client.getState(), late.of('connected').length]).toEqual(['OPEN', 1]);
  });

  it('that join at the same moment are greeted once each', async () => {
    await tabs(1);
    const [one, two] = [stage.seat({ shareSocket: true }), stage.seat({ shareSocket: true })];
    await Promise.all([one.client.connect(), two.client.connect()]);
    await pass();
    expect([one.of('connected').length, two.of('connected').length]).toEqual([1, 1]);
    expect([one.client.getDebugInfo().userId, two.client.getDebugInfo().userId]).toEqual(['alice', 'alice']);
  });

  it('get the answers to what they asked, and nobody else\'s', async () => {
    const [leader, follower] = await tabs(2) as [Seat, Seat];
    const { id } = stage.relay.insert('alice');
    await pass();
    expect((await follower.client.getUnreadNotifications()).count).toBe(1);
    expect([leader.of('unread_notifications').length, follower.of('unread_notifications').length]).toEqual([0, 1]);
    await expect(follower.client.markAsRead('00000000-0000-4000-8000-0000000000ff')).rejects.toThrow('not_found');
    expect(leader.of('notification_updated')).toHaveLength(0);
    await follower.client.markAsRead(id);
    await pass();
    expect(leader.of('notification_updated')).toHaveLength(1);
    expect(follower.of('notification_updated')).toMatchObject([{ success: false }, { success: true }]);
    expect(leader.of('notification_updated')[0]).not.toHaveProperty('ref');
  });

  it('share what the debug panel shows of the connection', async () => {
    const [leader, follower] = await tabs(2) as [Seat, Seat];
    stage.relay.crash();
    await pass(10);
    const picture = ({ client }: Seat) => {
      const { log: _log, leader: _leader, ...rest } = client.getDebugInfo();
      return rest;
    };
    expect(picture(follower)).toEqual(picture(leader));
    expect(follower.client.getState()).toBe('RECONNECTING');
    await pass(3000);
    expect(follower.client.getState()).toBe('OPEN');
  });

  it('share failure, and connect() of any of them', async () => {
    stage.relay.mood = 'refuse';
    const [leader, follower] = await tabs(2) as [Seat, Seat];
    await pass(200_000);
    expect([leader, follower].map(({ client }) => client.getState())).toEqual(['FAILED', 'FAILED']);
    stage.relay.mood = 'accept';
    await follower.client.connect();
    await pass();
    expect([leader, follower].map(({ client }) => client.getState())).toEqual(['OPEN', 'OPEN']);
  });

  it('probe a dead socket when any of them wakes', async () => {
    const [leader, follower] = await tabs(2) as [Seat, Seat];
    stage.relay.open()[0]!.freeze();
    follower.tab.show();
    await pass(3000);
    expect(leader.client.getState()).toBe('RECONNECTING');
  });
});

describe('another tab takes the socket over', () => {
  /** Ends the leader in some way, while something happens. */
  async function handover(end: (leader: Seat) => void): Promise<Seat[]> {
    const [leader, ...others] = await tabs(3) as [Seat, ...Seat[]];
    stage.relay.insert('alice', { title: 'before' });
    await pass();
    end(leader);
    stage.relay.insert('alice', { title: 'during' });
    await pass(10_000);
    stage.relay.insert('alice', { title: 'after' });
    await pass();
    expect([leaders(others), stage.browser.live()]).toEqual([1, 1]);
    for (const seat of others) expect(titles(seat)).toEqual(['before', 'during', 'after']);
    for (const { client } of others) expect(client.getState()).toBe('OPEN');
    return [leader, ...others];
  }

  it('when the leader disconnects', () => handover(({ client }) => client.disconnect()));

  it('when the leader is closed', () => handover(({ tab }) => tab.window.dispatchEvent(new Event('pagehide'))));

  it('when the leader is frozen', () => handover(({ tab }) => tab.document.dispatchEvent(new Event('freeze'))));

  it('when the leader crashes', () => handover(({ tab }) => tab.crash()));

  it('when the leader hangs, and a tab is looked at', async () => {
    const [leader, follower] = await tabs(2) as [Seat, Seat];
    leader.tab.hangs = true;
    for (const socket of leader.tab.sockets) socket.onmessage = null;
    stage.relay.insert('alice', { title: 'during' });
    follower.tab.show();
    await pass(5000);
    expect([follower.client.getDebugInfo().leader, titles(follower)]).toEqual([true, ['during']]);
  });

  it('when the leader hangs and nobody looks, within a heartbeat', async () => {
    const [leader, follower] = await tabs(2) as [Seat, Seat];
    leader.tab.hangs = true;
    for (const socket of leader.tab.sockets) socket.onmessage = null;
    await pass(34_000);
    expect([follower.client.getState(), follower.client.getDebugInfo().leader]).toEqual(['OPEN', true]);
  });

  it('and the deposed leader follows when it runs again', async () => {
    const [leader, follower] = await tabs(2) as [Seat, Seat];
    leader.tab.hangs = true;
    follower.tab.show();
    await pass(3000);
    leader.tab.hangs = false; // its lock is gone in a moment
    await pass(2000);
    expect([leader, follower].map(({ client }) => client.getDebugInfo().leader)).toEqual([false, true]);
    expect([leader.client.getState(), stage.browser.live()]).toEqual(['OPEN', 1]);
    stage.relay.insert('alice', { title: 'after' });
    await pass();
    expect([titles(leader), titles(follower)]).toEqual([['after'], ['after']]);
  });

  it('also when the clock was set back', async () => {
    const [leader, follower, third] = await tabs(3) as [Seat, Seat, Seat];
    vi.setSystemTime(0);
    leader.client.disconnect();
    await pass();
    stage.relay.insert('alice', { title: 'after' });
    await pass();
    expect([titles(follower), titles(third)]).toEqual([['after'], ['after']]);
  });

  it('and a deposed leader is not heard', async () => {
    const [leader, follower] = await tabs(2) as [Seat, Seat];
    const { name } = [...follower.tab.channels][0]!;
    const stray = new (stage.browser.tab().environment.BroadcastChannel!)(name);
    const notification = stage.relay.insert('alice', { title: 'once' });
    stray.postMessage({ kind: 'status', term: 1, status: { state: 'FAILED', closes: [], retryAt: null, error: null } });
    stray.postMessage({ kind: 'frame', term: 1, frame: { type: 'system_alert' } });
    await pass();
    expect([follower.client.getState(), follower.of('system_alert').length]).toEqual(['OPEN', 0]);
    expect([leader, follower].map(titles)).toEqual([[notification.title], [notification.title]]);
  });

  it('a tab that comes back asks again for what was answered while it was away', async () => {
    const [, follower] = await tabs(2) as [Seat, Seat];
    const { id } = stage.relay.insert('alice');
    await pass();
    const marked = follower.client.markAsRead(id);
    follower.tab.window.dispatchEvent(new Event('pagehide'));
    await pass();
    follower.tab.window.dispatchEvent(new Event('pageshow'));
    await pass();
    await expect(marked).resolves.toMatchObject({ notification: { is_read: true, version: 2 } });
  });

  it('with what was asked for and not answered', async () => {
    const [leader, follower] = await tabs(2) as [Seat, Seat];
    const { id } = stage.relay.insert('alice');
    await pass();
    stage.relay.open()[0]!.freeze();
    const marked = follower.client.markAsRead(id);
    await pass();
    leader.client.disconnect();
    await pass();
    await expect(marked).resolves.toMatchObject({ notification: { is_read: true } });
  });

  it('a tab that comes back reads anew what it missed', async () => {
    const [, follower] = await tabs(2) as [Seat, Seat];
    follower.tab.window.dispatchEvent(new Event('pagehide'));
    stage.relay.insert('alice', { title: 'missed' });
    await pass(1000);
    follower.tab.window.dispatchEvent(new Event('pageshow'));
    await pass();
    expect(follower.of('resumed')).toMatchObject([{ resync: true }]);
    expect(follower.of('unread_notifications').at(-1)).toMatchObject({ count: 1, notifications: [{ title: 'missed' }] });
    expect(follower.of('unread_notifications').at(-1)).not.toHaveProperty('ref', expect.anything());
    expect(stage.browser.live()).toBe(1);
  });
});

describe('leaving', () => {
  it('disconnect() of one leaves the others', async () => {
    const [leader, follower] = await tabs(2) as [Seat, Seat];
    follower.client.disconnect();
    await pass();
    expect([leader.client.getState(), follower.client.getState()]).toEqual(['OPEN', 'CLOSED']);
    expect([follower.tab.timers.size, follower.tab.channels.size, follower.tab.window.listeners]).toEqual([0, 0, 0]);
  });

  it('of the last leaves no socket, timer, listener or channel in any', async () => {
    const seats = await tabs(3);
    for (const { client } of seats) {
      client.disconnect();
      await pass(100);
    }
    for (const { tab } of seats) {
      expect([tab.live(), tab.timers.size, tab.channels.size, tab.window.listeners]).toEqual([0, 0, 0, 0]);
    }
  });

  it('for all tabs is a logout in all', async () => {
    const seats = await tabs(3);
    seats[1]!.client.disconnect({ allTabs: true });
    await pass();
    expect(seats.map(({ client }) => client.getState())).toEqual(['CLOSED', 'CLOSED', 'CLOSED']);
    expect(stage.browser.live()).toBe(0);
    seats.forEach(({ tab }) => tab.show());
    await pass(100_000);
    expect(stage.browser.live()).toBe(0);
  });

  it('and joining again, as in StrictMode, keeps one socket', async () => {
    const seat = stage.seat({ shareSocket: true });
    void seat.client.connect();
    seat.client.disconnect();
    await seat.client.connect();
    expect([stage.browser.live(), seat.tab.sockets.length, seat.tab.channels.size]).toEqual([1, 1, 1]);
  });
});

describe('tabs of two users', () => {
  it('share nothing', async () => {
    const [alice] = await tabs(1) as [Seat];
    const [bob] = await tabs(1, { getToken: () => 'dummy-jwt-for-bob' }) as [Seat];
    stage.relay.insert('alice', { title: 'for alice' });
    await pass();
    expect([stage.browser.live(), titles(alice), titles(bob)]).toEqual([2, ['for alice'], []]);
  });

  it('whose token changes between two dials part', async () => {
    let token = ALICE;
    const [leader, follower] = [...await tabs(1, { getToken: () => token }), ...await tabs(1)] as [Seat, Seat];
    token = 'dummy-jwt-for-bob';
    stage.relay.crash();
    await pass(4000);
    expect([leader, follower].map(({ client }) => client.getDebugInfo().userId)).toEqual(['bob', 'alice']);
    expect([stage.browser.live(), follower.client.getState()]).toEqual([2, 'OPEN']);
  });
});
