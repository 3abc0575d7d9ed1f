/* The fake relay speaks the protocol of docs/PROTOCOL.md: the documented examples are read and answered. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createClient } from '../../src/client.js';
import type { ClientFrame, ServerFrame } from '../../src/protocol.js';
import { createFakeRelay } from '../../src/testing/index.js';

const relayAndClient = async () => {
  const relay = createFakeRelay();
  const client = createClient({
    url: relay.url, getToken: () => 'dummy-jwt-for-alice', shareSocket: false, environment: { WebSocket: relay.WebSocket },
  });
  await client.connect();
  return { relay, client };
};
const turn = () => new Promise((resolve) => setTimeout(resolve));

describe('the fake relay', () => {
  it('answers each kind of request', async () => {
    const { relay, client } = await relayAndClient();
    const types: string[] = [];
    client.subscribe('*', ({ type }) => types.push(type));
    const { id } = relay.insert('alice');
    await turn();
    const messages: ClientFrame[] = [
      { type: 'ping' }, { type: 'get_unread' }, { type: 'get_notifications' }, { type: 'mark_read', notification_id: id },
      { type: 'mark_all_read' }, { type: 'resume', cursor: 'fake-0' }, { type: 'resume', cursor: 'of another relay' },
    ];
    types.length = 0;
    for (const message of messages) client.send(message);
    await turn();
    expect(types).toEqual([
      'pong', 'unread_notifications', 'notifications', 'unread_count', 'notification_updated', 'unread_count', 'resumed',
      'resumed', 'unread_notifications',
    ]);
    client.disconnect();
  });

  it('closes with 4000 who sends no token first', async () => {
    const relay = createFakeRelay();
    const socket = new relay.WebSocket(relay.url, 'pgherald.v1');
    socket.addEventListener('open', () => socket.send('{"type":"ping"}'));
    const code = await new Promise((resolve) => socket.addEventListener('close', (event) => resolve(event.code)));
    expect(code).toBe(4000);
  });

  it('takes and gives what the schemas\' examples have', async () => {
    const folder = new URL('../../../docs/protocol/examples/', import.meta.url);
    const read = (kind: string) => readdirSync(new URL(`${kind}/`, folder)).map((name) =>
      JSON.parse(readFileSync(new URL(`${kind}/${name}`, folder), 'utf8')) as { type: string });
    const { relay, client } = await relayAndClient();
    const types = new Set<string>();
    client.subscribe('*', ({ type }) => types.add(type));
    const frames = read('server') as ServerFrame[];
    for (const { type, ref: _ref, ...rest } of frames as (ServerFrame & { ref?: string })[]) relay.open()[0]!.send({ type, ...rest });
    for (const message of read('client') as ClientFrame[]) if (message.type !== 'authenticate') client.send(message);
    await turn();
    for (const { type } of frames) expect(types).toContain(type);
    expect(relay.open()[0]!.received.length).toBeGreaterThan(read('client').length - 2);
    client.disconnect();
  });
});
