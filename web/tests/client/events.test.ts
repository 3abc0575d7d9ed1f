import { describe, expect, it, vi } from 'vitest';
import type { ShortEvent } from '../../src/types.js';
import { pass, useStage } from './lib/stage.js';

const stage = useStage();

describe('events', () => {
  it('reach who subscribed to their type, until it unsubscribes', async () => {
    const { client } = await stage.open();
    const titles: string[] = [];
    const unsubscribe = client.subscribe('new_notification', ({ notification }) => titles.push(notification.title));
    stage.relay.insert('alice', { title: 'one' });
    await pass();
    unsubscribe();
    stage.relay.insert('alice', { title: 'two' });
    await pass();
    expect(titles).toEqual(['one']);
  });

  it('have the guide\'s short form for a handler without a type', async () => {
    const { client } = await stage.open();
    const events: ShortEvent[] = [];
    client.subscribe((event) => events.push(event));
    const row = stage.relay.insert('alice');
    await pass();
    stage.relay.remove('alice', row.id);
    await pass();
    expect(events).toContainEqual({ type: 'new', data: row });
    expect(events.map(({ type }) => type)).toEqual(['new', 'count', 'deleted', 'count']);
  });

  it('are the application\'s broadcasts, too', async () => {
    const { client } = await stage.open();
    const alerts = vi.fn();
    client.subscribe('system_alert', alerts);
    stage.relay.broadcast('alice', { type: 'system_alert', text: 'Maintenance at 22:00' });
    await pass();
    expect(alerts).toHaveBeenCalledExactlyOnceWith({ type: 'system_alert', text: 'Maintenance at 22:00' });
  });

  it('are not faked by a broadcast with the name of one of the client\'s own', async () => {
    const { client, of } = await stage.open();
    const before = of('state').length;
    stage.relay.broadcast('alice', { type: 'state', state: 'FAILED' });
    await pass();
    expect([of('state').length, client.getDebugInfo().log.at(-1)]).toMatchObject([before, { event: 'ignored' }]);
  });

  it('reach the others when a listener throws', async () => {
    const { client } = await stage.open();
    const thrown: unknown[] = [];
    const original = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', (error) => thrown.push(error));
    client.subscribe('new_notification', () => { throw new Error('a listener of the test'); });
    const other = vi.fn();
    client.subscribe('new_notification', other);
    stage.relay.insert('alice');
    await pass();
    await vi.waitFor(() => expect(thrown).toHaveLength(1), 30_000);
    original.forEach((listener) => process.on('uncaughtException', listener));
    expect(other).toHaveBeenCalledOnce();
  });
});

describe('what was shown', () => {
  it('is not shown again as a duplicate', async () => {
    const { of } = await stage.open();
    const notification = stage.relay.insert('alice');
    stage.relay.open()[0]!.send({ type: 'new_notification', notification, cursor: 'fake-1' });
    await pass();
    expect(of('new_notification')).toHaveLength(1);
  });

  it('is not replaced by a stale version', async () => {
    const { of } = await stage.open();
    const old = stage.relay.insert('alice');
    stage.relay.update('alice', old.id, { title: 'newer' });
    const stale = { type: 'notification_updated', notification_id: old.id, success: true, notification: old, cursor: 'fake-1' };
    stage.relay.open()[0]!.send(stale);
    await pass();
    expect(of('notification_updated')).toMatchObject([{ notification: { title: 'newer' } }]);
  });

  it('is what it was when the answer to mark_read overtakes the push, or comes after it', async () => {
    const { client, of } = await stage.open();
    const { id } = stage.relay.insert('alice');
    await pass();
    const { notification } = await client.markAsRead(id);
    stage.relay.open()[0]!.send({ type: 'notification_updated', notification_id: id, success: true, notification, cursor: 'fake-2' });
    await pass();
    expect(of('notification_updated')).toHaveLength(1);
  });

  it('goes on from the last cursor after a break, with what was missed', async () => {
    const { client, of } = await stage.open();
    stage.relay.insert('alice', { title: 'before' });
    await pass();
    stage.relay.crash();
    await pass();
    stage.relay.insert('alice', { title: 'during' });
    await pass(3000);
    expect(of('new_notification').map((event) => 'notification' in event && event.notification)).toMatchObject([
      { title: 'before' }, { title: 'during' },
    ]);
    expect(of('resumed')).toMatchObject([{ count: 1 }]);
    expect(client.getDebugInfo().cursor).toBe('fake-2');
  });

  it('is shown once when a resumed change was here already', async () => {
    const { of } = await stage.open();
    const notification = stage.relay.insert('alice');
    stage.relay.open()[0]!.send({ type: 'pong', cursor: 'fake-0' });
    await pass();
    stage.relay.crash();
    await pass(3000);
    expect(of('resumed')).toMatchObject([{ count: 1 }]);
    expect(of('new_notification')).toMatchObject([{ notification: { id: notification.id } }]);
  });

  it('is forgotten on resync, so that it can be shown anew', async () => {
    const { of } = await stage.open();
    const notification = stage.relay.insert('alice');
    await pass();
    const [connection] = stage.relay.open();
    connection!.send({ type: 'resumed', resync: true, cursor: 'fake-1' });
    connection!.send({ type: 'new_notification', notification, cursor: 'fake-1' });
    await pass();
    expect(of('new_notification')).toHaveLength(2);
  });

  it('goes on after disconnect() and connect() of the same user', async () => {
    const { client, of } = await stage.open();
    client.disconnect();
    await pass();
    stage.relay.insert('alice');
    await client.connect();
    await pass();
    expect(of('new_notification')).toHaveLength(1);
  });
});

describe('the log', () => {
  it('has at most 200 lines, and never a token', async () => {
    const { client } = await stage.open();
    for (let i = 0; i < 120; i++) {
      client.disconnect();
      await client.connect();
    }
    const { log } = client.getDebugInfo();
    expect(log).toHaveLength(200);
    expect(JSON.stringify(log)).not.toContain('dummy-jwt');
  });
});

describe('on a server', () => {
  it('import and createClient() touch nothing', async () => {
    const { createClient, wsService } = await import('../../src/index.js');
    const client = createClient();
    expect([client.getState(), client.isConnected(), wsService.getState()]).toEqual(['CLOSED', false, 'CLOSED']);
    expect(client.getDebugInfo()).toMatchObject({ queueLength: 0, shared: false, leader: false, log: [] });
    client.disconnect();
    expect(client.subscribe('*', () => {})).toBeTypeOf('function');
  });
});
