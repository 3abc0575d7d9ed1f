import { describe, expect, it } from 'vitest';
import type { DroppedEvent } from '../../src/types.js';
import { pass, useStage } from './lib/stage.js';

const stage = useStage();
const received = (n: number, type: string) => stage.relay.connections[n]!.received.filter((one) => one.type === type);

describe('messages', () => {
  it('wait while away and go out only after `connected`', async () => {
    let give!: (token: string) => void;
    const { client } = await stage.open({ getToken: () => new Promise((resolve) => (give = resolve)) });
    expect(client.send({ type: 'get_unread', limit: 5 })).toBe('queued');
    give('dummy-jwt-for-alice');
    await pass();
    expect(stage.relay.connections[0]!.received.map(({ type }) => type)).toEqual(['authenticate', 'get_unread']);
  });

  it('go out at once while open', async () => {
    const { client } = await stage.open();
    expect(client.send({ type: 'ping' })).toBe('sent');
    await pass();
    expect(received(0, 'ping')).toHaveLength(1);
    expect(client.getDebugInfo().queueLength).toBe(0);
  });

  it('are at most 100: the oldest is out, and the caller told', async () => {
    const { client, of } = stage.seat();
    const first = client.markAsRead('first');
    for (let i = 1; i < 100; i++) client.send({ type: 'ping' });
    expect(of('dropped')).toHaveLength(0);
    client.send({ type: 'ping' });
    await expect(first).rejects.toMatchObject({ code: 'overflow' });
    expect(of('dropped')).toEqual([
      { type: 'dropped', message: { type: 'mark_read', notification_id: 'first' }, reason: 'overflow' },
    ]);
    expect(client.getDebugInfo().queueLength).toBe(100);
  });

  it('are given up after 60 s, and the caller told', async () => {
    stage.relay.mood = 'refuse';
    const { client, of } = await stage.open();
    const marked = client.markAsRead('one');
    await pass(59_999);
    expect(of('dropped')).toHaveLength(0);
    await pass(1);
    await expect(marked).rejects.toMatchObject({ code: 'expired' });
    expect((of('dropped')[0] as DroppedEvent).reason).toBe('expired');
    await pass(200_000);
    expect(received(0, 'mark_read')).toHaveLength(0);
  });

  it('that were not answered when the connection broke are asked again, once', async () => {
    const { client } = await stage.open();
    const { id } = stage.relay.insert('alice');
    await pass();
    stage.relay.open()[0]!.freeze();
    const marked = client.markAsRead(id);
    await pass();
    stage.relay.crash();
    await pass(3000);
    await expect(marked).resolves.toMatchObject({ notification: { is_read: true, version: 2 } });
    expect(received(1, 'mark_read')).toHaveLength(1);
  });

  it('that were answered are not asked again', async () => {
    const { client } = await stage.open();
    await client.getUnreadNotifications();
    stage.relay.crash();
    await pass(3000);
    expect(received(1, 'get_unread')).toHaveLength(0);
  });

  it('of a full queue go out slower than the relay\'s limit', async () => {
    const { client } = stage.seat();
    for (let i = 0; i < 100; i++) client.send({ type: 'ping' });
    void client.connect();
    await pass();
    expect(received(0, 'ping')).toHaveLength(30);
    await pass(1000);
    expect(received(0, 'ping').length).toBeLessThanOrEqual(46);
    await pass(4000);
    expect(received(0, 'ping')).toHaveLength(100);
  });

  it('that wait for their turn leave no timer behind when the client is disconnected', async () => {
    const { client, tab } = stage.seat();
    for (let i = 0; i < 100; i++) client.send({ type: 'ping' });
    await Promise.all([client.connect(), pass()]);
    client.disconnect();
    expect(tab.timers.size).toBe(0);
    await pass(10_000);
    expect(received(0, 'ping')).toHaveLength(30);
  });

  it('are dropped by disconnect()', async () => {
    const { client, of, tab } = await stage.open();
    stage.relay.open()[0]!.freeze();
    const unread = client.getUnreadNotifications();
    client.disconnect();
    await expect(unread).rejects.toMatchObject({ code: 'closed' });
    expect(of('dropped')).toHaveLength(1);
    await pass();
    expect(tab.timers.size).toBe(0);
  });
});

describe('requests', () => {
  it('resolve with the answer', async () => {
    const { client } = await stage.open();
    const rows = [1, 2, 3].map((n) => stage.relay.insert('alice', { title: `T${n}` }));
    const page = await client.getUnreadNotifications(2);
    expect([page.count, page.notifications.map(({ title }) => title)]).toEqual([3, ['T3', 'T2']]);
    const rest = await client.getNotifications({ limit: 2, before: page.next });
    expect(rest.notifications.map(({ title }) => title)).toEqual(['T1']);
    expect((await client.markAsRead(rows[0]!.id)).notification.is_read).toBe(true);
    expect((await client.markAllAsRead()).count).toBe(0);
  });

  it('mark all as read only until the given time', async () => {
    const { client } = await stage.open();
    const first = stage.relay.insert('alice');
    stage.relay.insert('alice');
    expect((await client.markAllAsRead(first.created_at)).count).toBe(1);
  });

  it('reject with the code of the relay', async () => {
    const { client } = await stage.open();
    await expect(client.markAsRead('00000000-0000-4000-8000-00000000ffff')).rejects.toMatchObject({ code: 'not_found' });
    stage.relay.refuseNext('get_unread', 'unavailable');
    await expect(client.getUnreadNotifications()).rejects.toMatchObject({ name: 'HeraldError', code: 'unavailable' });
  });

  it('of several ids end with the last answer', async () => {
    const { client } = await stage.open();
    const ids = [stage.relay.insert('alice').id, stage.relay.insert('alice').id] as [string, string];
    client.send({ type: 'mark_read', notification_ids: ids });
    await pass();
    expect(client.getDebugInfo().queueLength).toBe(0);
  });

  it('that nobody awaits are no unhandled rejections', async () => {
    const { client } = await stage.open();
    void client.markAsRead('00000000-0000-4000-8000-00000000ffff');
    await pass();
    expect(client.getDebugInfo().queueLength).toBe(0);
  });
});
