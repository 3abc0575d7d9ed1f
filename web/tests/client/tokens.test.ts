import { describe, expect, it, vi } from 'vitest';
import { identityOf } from '../../src/token.js';
import { ALICE, pass, useStage } from './lib/stage.js';

const stage = useStage();

describe('a token', () => {
  it('is asked for on every connection', async () => {
    const getToken = vi.fn(() => ALICE);
    await stage.open({ getToken });
    stage.relay.crash();
    await pass(3000);
    expect(getToken.mock.calls).toEqual([[{ renew: false }], [{ renew: false }]]);
  });

  it('comes from localStorage by default', async () => {
    stage.browser.storage.set('token', ALICE);
    const { client } = await stage.open({ getToken: undefined });
    expect(client.getDebugInfo().userId).toBe('alice');
  });

  it('that is missing stops, until somebody logs in', async () => {
    const { client, of, tab } = await stage.open({ getToken: undefined });
    expect(of('state').at(-1)).toMatchObject({ state: 'FAILED', reason: 'no_token', error: { code: 'no_token' } });
    tab.show();
    await pass(100_000);
    expect(stage.relay.connections).toHaveLength(0);
    stage.browser.store(tab, 'token', ALICE);
    await client.connect();
    expect(client.isConnected()).toBe(true);
  });

  it('that cannot be had is a failed attempt', async () => {
    const getToken = vi.fn().mockRejectedValueOnce(new Error('offline')).mockReturnValue(ALICE);
    const { client, of } = await stage.open({ getToken });
    expect(of('state').at(-1)).toMatchObject({ state: 'RECONNECTING', attempts: 1, retryInMs: 3000 });
    await pass(3000);
    expect(client.isConnected()).toBe(true);
  });

  it('refused with 4001 is replaced once, at once', async () => {
    const getToken = vi.fn(() => ALICE);
    stage.relay.mood = 4001;
    const { client } = stage.seat({ getToken: (request) => { if (request.renew) stage.relay.mood = 'accept'; return getToken(); } });
    await client.connect();
    expect([client.getState(), getToken.mock.calls.length]).toEqual(['OPEN', 2]);
  });

  it('refused twice stops', async () => {
    stage.relay.mood = 4001;
    const { client, of, tab } = await stage.open();
    expect(of('state').at(-1)).toMatchObject({ state: 'FAILED', reason: 'token_refused', closeCode: 4001 });
    tab.show();
    await pass(200_000);
    expect([client.getState(), stage.relay.connections.length]).toEqual(['FAILED', 2]);
  });

  it('refused twice may be tried again by connect(), twice', async () => {
    stage.relay.mood = 4001;
    const { client } = await stage.open();
    await expect(client.connect()).rejects.toMatchObject({ code: 'token_refused' });
    expect(stage.relay.connections).toHaveLength(4);
  });

  it('refused again and again after it was taken ends in FAILED, not in a loop', async () => {
    const { client } = await stage.open();
    for (let i = 0; i < 6; i++) {
      stage.relay.open()[0]!.close(4001, 'token expired');
      await pass();
    }
    expect([client.getState(), stage.relay.connections.length]).toEqual(['FAILED', 6]);
  });

  it('that expires is renewed on the same connection', async () => {
    const getToken = vi.fn(() => ALICE);
    const { client, of } = await stage.open({ getToken });
    stage.relay.open()[0]!.send({ type: 'token_expiring', expires_in: 60 });
    await pass();
    expect(getToken).toHaveBeenLastCalledWith({ renew: true });
    expect([of('authenticated').length, client.getState(), stage.relay.connections.length]).toEqual([1, 'OPEN', 1]);
  });

  it('is asked for once at a time', async () => {
    const pending: ((token: string) => void)[] = [];
    const getToken = vi.fn(() => new Promise<string>((resolve) => pending.push(resolve)));
    await stage.open({ getToken });
    pending[0]!(ALICE);
    await pass();
    const [connection] = stage.relay.open();
    connection!.send({ type: 'token_expiring', expires_in: 60 });
    connection!.send({ type: 'token_expiring', expires_in: 59 });
    await pass();
    expect(getToken).toHaveBeenCalledTimes(2);
  });

  it('that comes after disconnect() opens nothing', async () => {
    let give!: (token: string) => void;
    const { client, tab } = await stage.open({ getToken: () => new Promise((resolve) => (give = resolve)) });
    client.disconnect();
    give(ALICE);
    await pass(100_000);
    expect([client.getState(), tab.sockets.length]).toEqual(['CLOSED', 0]);
  });
});

describe('logout', () => {
  it('that is found out by a token that comes late changes nothing any more', async () => {
    let give!: (token: null) => void;
    const { client } = await stage.open({ getToken: () => new Promise((resolve) => (give = resolve)) });
    client.disconnect();
    give(null);
    await pass();
    expect(client.getState()).toBe('CLOSED');
  });

  it('of all tabs leaves nothing to go on from', async () => {
    const { client } = await stage.open();
    client.disconnect({ allTabs: true });
    await client.connect();
    expect(stage.relay.connections[1]!.received[0]).toMatchObject({ cursor: null });
  });

  it('in another tab, by removing the token, disconnects this one', async () => {
    stage.browser.storage.set('token', ALICE);
    const { client, of } = await stage.open({ getToken: undefined });
    stage.browser.store(stage.browser.tab(), 'token', null);
    await pass();
    expect([client.getState(), stage.browser.live()]).toEqual(['CLOSED', 0]);
    expect(of('state').at(-1)).toMatchObject({ reason: 'logout' });
  });

  it('and login as somebody else in another tab shows only the new user\'s', async () => {
    stage.browser.storage.set('token', ALICE);
    const { client, of } = await stage.open({ getToken: undefined });
    stage.relay.insert('alice', { title: 'for alice' });
    await pass();
    stage.browser.store(stage.browser.tab(), 'token', 'dummy-jwt-for-bob');
    await pass();
    expect(client.getDebugInfo()).toMatchObject({ userId: 'bob', state: 'OPEN' });
    expect(stage.relay.connections[1]!.received[0]).toMatchObject({ cursor: null });
    stage.relay.insert('alice', { title: 'for alice' });
    await pass();
    expect(of('new_notification')).toHaveLength(1);
  });

  it('never lets the next user send what the last one asked for', async () => {
    let token = ALICE;
    const { client } = await stage.open({ getToken: () => token });
    stage.relay.crash();
    await pass();
    const marked = client.markAllAsRead();
    token = 'dummy-jwt-for-bob';
    await pass(3000);
    await expect(marked).rejects.toMatchObject({ code: 'closed' });
    expect(stage.relay.connections[1]!.received.map(({ type }) => type)).toEqual(['authenticate']);
  });

  it('is not taken from a new token of the same user', async () => {
    const jwt = (claims: object) => `h.${btoa(JSON.stringify(claims))}.s`;
    stage.browser.storage.set('token', jwt({ sub: 'alice', exp: 1 }));
    const { client } = await stage.open({ getToken: undefined });
    stage.browser.store(stage.browser.tab(), 'token', jwt({ sub: 'alice', exp: 2 }));
    await pass();
    expect([client.getState(), stage.relay.connections.length]).toEqual(['OPEN', 1]);
  });
});

describe('whose a token is', () => {
  const jwt = (claims: object) => `header.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.signature`;

  it('is the same for two JWTs of a subject, and differs by issuer', () => {
    expect(identityOf(jwt({ sub: 'a?>', exp: 1 }))).toBe(identityOf(jwt({ sub: 'a?>', exp: 2 })));
    expect(identityOf(jwt({ sub: 'a', iss: 'x' }))).not.toBe(identityOf(jwt({ sub: 'a', iss: 'y' })));
  });

  it('does not show an opaque token', () => {
    expect(identityOf(ALICE)).not.toContain('alice');
    expect(identityOf(ALICE)).not.toBe(identityOf('dummy-jwt-for-bob'));
  });
});
