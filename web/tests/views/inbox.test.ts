import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { inboxOf, type Inbox } from '../../src/inbox.js';
import type { Notification } from '../../src/types.js';
import { asRead, page, row, ScriptedClient } from './lib/scripted.js';

describe('the inbox', () => {
  let client: ScriptedClient;
  let inbox: Inbox;
  let end: () => void;

  beforeEach(() => {
    vi.useFakeTimers();
    client = new ScriptedClient();
    inbox = inboxOf(client);
    end = inbox.subscribe(() => {});
  });
  afterEach(() => {
    end();
    vi.useRealTimers();
  });

  const state = () => {
    vi.runOnlyPendingTimers(); // what was pushed is told with a pause
    return inbox.getSnapshot();
  };
  const titles = () => state().notifications.map((item) => item.title);
  const found = (item: Notification) => state().notifications.find(({ id }) => id === item.id);

  it('reads the first page when it is connected, newest first, with the server\'s count', async () => {
    const [a, b] = [row(), row()];
    await client.open([b, a], { count: 17 });
    expect(titles()).toEqual([b.title, a.title]);
    expect(state()).toMatchObject({ unreadCount: 17, isLoaded: true, isLoading: false, hasMore: false, isConnected: true });
  });

  it('never counts by adding: only a count of the server changes the count', async () => {
    await client.open([row()], { count: 5 });
    client.push({ type: 'new_notification', notification: row() });
    expect(state().unreadCount).toBe(5);
    client.push({ type: 'unread_count', count: 6 });
    expect(state().unreadCount).toBe(6);
  });

  it('shows a duplicate once and ignores a stale version', async () => {
    const a = row();
    await client.open([a]);
    client.update({ ...a, title: 'new', version: 3 });
    client.update({ ...a, title: 'stale', version: 2 });
    client.push({ type: 'new_notification', notification: { ...a, title: 'again', version: 3 } });
    expect(titles()).toEqual(['new']);
  });

  it('forgets what was deleted', async () => {
    const [a, b] = [row(), row()];
    await client.open([b, a]);
    client.push({ type: 'notification_deleted', notification_id: a.id });
    expect(titles()).toEqual([b.title]);
  });

  it('loads page after page until there is none, and asks once at a time', async () => {
    const [a, b, c] = [row(), row(), row()];
    await client.open([c], { next: 'p2' });
    expect(state().hasMore).toBe(true);
    void inbox.loadMore();
    void inbox.loadMore();
    expect(client.requests.filter(({ name }) => name === 'getNotifications')).toHaveLength(2);
    expect(client.last('getNotifications').argument).toMatchObject({ before: 'p2' });
    expect(state().isLoading).toBe(true);
    await client.last('getNotifications').answer(page([b], { next: 'p3' }));
    void inbox.loadMore();
    await client.last('getNotifications').answer(page([a]));
    expect(titles()).toEqual([c.title, b.title, a.title]);
    expect(state()).toMatchObject({ hasMore: false, isLoading: false });
  });

  it('leaves a changed row that is older than the loaded pages to its page', async () => {
    const [old, a] = [row(), row()];
    await client.open([a], { next: 'p2' });
    client.update({ ...old, version: 2 });
    expect(titles()).toEqual([a.title]);
  });

  it('marks at once and keeps the mark when it was confirmed', async () => {
    const a = row();
    await client.open([a], { count: 1 });
    void inbox.markAsRead(a.id);
    expect(inbox.getSnapshot()).toMatchObject({ unreadCount: 0, notifications: [{ is_read: true }] });
    await client.last('markAsRead').answer({ notification: asRead(a) });
    client.push({ type: 'unread_count', count: 0 });
    expect(state()).toMatchObject({ unreadCount: 0, notifications: [{ is_read: true, version: 2 }] });
  });

  it('rolls a mark back when it failed, and marks again on retry', async () => {
    const a = row();
    await client.open([a], { count: 1 });
    const answer = inbox.markAsRead(a.id);
    await client.last('markAsRead').refuse('unavailable');
    expect(await answer).toBe(false);
    expect(state()).toMatchObject({ unreadCount: 1, error: 'refused: unavailable', notifications: [{ is_read: false }] });
    inbox.retry();
    expect(inbox.getSnapshot()).toMatchObject({ unreadCount: 0, error: null });
    await client.last('markAsRead').answer({ notification: asRead(a) });
    expect(found(a)?.is_read).toBe(true);
  });

  it('drops a row that the relay does not know any more', async () => {
    const a = row();
    await client.open([a]);
    void inbox.markAsRead(a.id);
    await client.last('markAsRead').refuse('not_found');
    expect(state()).toMatchObject({ notifications: [], error: null });
  });

  it('stays right when a push races the answer to a mark', async () => {
    const a = row();
    await client.open([a, row()], { count: 2 });
    void inbox.markAsRead(a.id);
    const b = row();
    client.push({ type: 'new_notification', notification: b });
    client.push({ type: 'unread_count', count: 3 }); // counted before the mark
    expect(state().unreadCount).toBe(2);
    client.update(asRead(a)); // the push is first
    expect(state().unreadCount).toBe(2);
    client.push({ type: 'unread_count', count: 2 });
    await client.last('markAsRead').answer({ notification: asRead(a) });
    expect(state()).toMatchObject({ unreadCount: 2 });
    expect(found(a)?.is_read).toBe(true);
  });

  it('shows what the server says when a row became unread again during the mark', async () => {
    const a = row();
    await client.open([a], { count: 1 });
    void inbox.markAsRead(a.id);
    client.update({ ...a, version: 3 });
    expect(found(a)?.is_read).toBe(true);
    await client.last('markAsRead').answer({ notification: asRead(a) }); // version 2
    client.push({ type: 'unread_count', count: 1 });
    expect(found(a)?.is_read).toBe(false);
    expect(state().unreadCount).toBe(1);
  });

  it('marks everything at once, what is not loaded included', async () => {
    const [a, b] = [row(), row()];
    await client.open([b, a], { count: 40, next: 'p2' });
    void inbox.markAllAsRead();
    expect(inbox.getSnapshot().unreadCount).toBe(0);
    expect(inbox.getSnapshot().notifications.every((item) => item.is_read)).toBe(true);
    client.insert(row(), 41); // while it is under way
    expect(state().unreadCount).toBe(1);
    client.push({ type: 'unread_count', count: 1 });
    await client.last('markAllAsRead').answer();
    expect(state().unreadCount).toBe(1);
    client.update(asRead(a));
    client.update(asRead(b));
    expect(state().notifications.map((item) => item.is_read)).toEqual([false, true, true]);
    expect(state().unreadCount).toBe(1);
  });

  it('rolls "mark all" back when it failed', async () => {
    const [a, b] = [row(), row()];
    await client.open([b, a], { count: 40, next: 'p2' });
    void inbox.markAsRead(a.id);
    void inbox.markAllAsRead();
    expect(inbox.getSnapshot().unreadCount).toBe(0);
    await client.last('markAllAsRead').refuse('unavailable');
    expect(state().unreadCount).toBe(39);
    expect([found(b)?.is_read, found(a)?.is_read]).toEqual([false, true]);
  });

  it('believes a pushed count rather than a page that was read before it', async () => {
    await client.open([row()], { count: 4, next: 'p2' });
    void inbox.loadMore();
    client.push({ type: 'unread_count', count: 9 });
    await client.last('getNotifications').answer(page([row()], { count: 4 }));
    expect(state().unreadCount).toBe(9);
  });

  it('reads everything afresh on a resync and keeps what came meanwhile', async () => {
    const [a, b, c] = [row(), row(), row()];
    await client.open([b, a]);
    client.push({ type: 'resumed', resync: true });
    client.push({ type: 'new_notification', notification: c });
    await client.last('getNotifications').answer(page([{ ...b, title: 'restored' }]));
    expect(titles()).toEqual([c.title, 'restored']);
  });

  it('does not read again after a resume that lost nothing', async () => {
    await client.open([row()]);
    client.become('RECONNECTING');
    client.become('OPEN');
    client.push({ type: 'connected', user_id: 'u1', unread_count: 1 });
    client.push({ type: 'resumed' });
    expect(client.requests).toHaveLength(1);
  });

  it('forgets one user\'s rows when another one is connected', async () => {
    await client.open([row({ title: 'of the first' })]);
    await client.open([row({ title: 'of the second' })], { user: 'u2' });
    expect(titles()).toEqual(['of the second']);
  });

  it('forgets everything when the client was disconnected on purpose', async () => {
    await client.open([row()], { count: 1 });
    client.disconnect();
    expect(state()).toMatchObject({ notifications: [], unreadCount: 0, isConnected: false, connectionState: 'CLOSED' });
  });

  it('tells why the first page failed, and reads it again on retry', async () => {
    client.become('OPEN');
    client.push({ type: 'connected', user_id: 'u1', unread_count: 2 });
    await client.last('getNotifications').refuse('unavailable');
    expect(state()).toMatchObject({ error: 'refused: unavailable', isLoaded: false, isLoading: false, unreadCount: 2 });
    inbox.retry();
    await client.last('getNotifications').answer(page([row()]));
    expect(state()).toMatchObject({ error: null, isLoaded: true });
  });

  it('tells why a further page failed, and loads that one on retry', async () => {
    await client.open([row()], { next: 'p2' });
    void inbox.loadMore();
    await client.last('getNotifications').refuse('unavailable');
    expect(state()).toMatchObject({ error: 'refused: unavailable', hasMore: true, isLoading: false });
    inbox.retry();
    expect(client.last('getNotifications').argument).toMatchObject({ before: 'p2' });
  });

  it('tells that the connection failed for good, and connects again on retry', async () => {
    await client.open([]);
    client.become('FAILED', 'no answer after 5 attempts');
    expect(state()).toMatchObject({ connectionState: 'FAILED', error: 'no answer after 5 attempts' });
    inbox.retry();
    expect(client.connects).toBe(2);
  });

  it('getUnread puts the newest unread ones into the list and answers with them', async () => {
    const [old, a] = [row(), row()];
    await client.open([a], { next: 'p2' });
    const answer = inbox.getUnread(5);
    await client.last('getUnread').answer(page([old], { count: 8 }));
    expect(await answer).toEqual([old]);
    expect(titles()).toEqual([a.title, old.title]);
    expect(state().unreadCount).toBe(8);
  });

  it('gives the same snapshot until something changed', async () => {
    const a = row();
    await client.open([a]);
    const before = state();
    expect(inbox.getSnapshot()).toBe(before);
    client.update({ ...a, version: 1, title: 'stale' });
    expect(state().notifications).toBe(before.notifications);
  });

  it('does not hold more than a thousand pushed rows', async () => {
    await client.open([row()]);
    for (let i = 0; i <= 1000; i += 1) client.push({ type: 'new_notification', notification: row() });
    const newest = row();
    await client.last('getNotifications').answer(page([newest], { next: 'p2' }));
    expect(state().notifications.length).toBeLessThan(10);
    expect(state()).toMatchObject({ hasMore: true });
  });

  it('tells of each arrival once, and of none that is read already', async () => {
    const seen: string[] = [];
    const endArrivals = inbox.onArrival(({ title }) => seen.push(title));
    await client.open([row()]);
    const [a, b] = [row({ title: 'a' }), asRead(row({ title: 'b' }))];
    for (const notification of [a, a, b]) client.push({ type: 'new_notification', notification });
    client.update({ ...a, version: 2 });
    endArrivals();
    client.push({ type: 'new_notification', notification: row() });
    expect(seen).toEqual(['a']);
  });

  it('tells its listeners at most every 100 ms, however much is pushed', async () => {
    await client.open([]);
    state();
    let calls = 0;
    const endOther = inbox.subscribe(() => (calls += 1));
    for (let i = 0; i < 100; i += 1) {
      client.insert(row(), i + 1);
      vi.advanceTimersByTime(10);
    }
    endOther();
    expect(calls).toBeLessThanOrEqual(12);
    expect(state()).toMatchObject({ unreadCount: 100 });
    expect(state().notifications).toHaveLength(100);
  });
});

describe('the life of the inbox', () => {
  const soon = () => Promise.resolve();

  it('connects with the first listener and disconnects with the last', async () => {
    const client = new ScriptedClient();
    const ends = [1, 2].map(() => inboxOf(client).subscribe(() => {}));
    ends[0]?.();
    await soon();
    expect([client.connects, client.disconnects]).toEqual([1, 0]);
    ends[1]?.();
    await soon();
    expect([client.connects, client.disconnects, client.handlers.size]).toEqual([1, 1, 0]);
  });

  it('stays connected when a listener leaves and comes back at once', async () => {
    const client = new ScriptedClient();
    inboxOf(client).subscribe(() => {})();
    const end = inboxOf(client).subscribe(() => {});
    await soon();
    expect([client.connects, client.disconnects]).toEqual([1, 0]);
    expect(client.handlers.size).toBe(new Set([...client.handlers].map(({ type }) => type)).size);
    end();
    await soon();
  });

  it('leaves a client alone that somebody else has connected', async () => {
    const client = new ScriptedClient();
    client.state = 'OPEN';
    const end = inboxOf(client).subscribe(() => {});
    await client.last('getNotifications').answer(page([row()]));
    expect(inboxOf(client).getSnapshot().notifications).toHaveLength(1);
    end();
    await soon();
    expect([client.connects, client.disconnects, client.handlers.size]).toEqual([0, 0, 0]);
  });

  it('ignores an answer that comes when nobody listens any more', async () => {
    const client = new ScriptedClient();
    const end = inboxOf(client).subscribe(() => {});
    client.become('OPEN');
    client.push({ type: 'connected', user_id: 'u1', unread_count: 1 });
    end();
    await soon();
    await client.last('getNotifications').answer(page([row()]));
    expect(inboxOf(client).getSnapshot()).toMatchObject({ notifications: [], isLoaded: false });
  });
});
