// The views on the real client: what they open, and what they leave behind.
import { act, cleanup, render, screen } from '@testing-library/react';
import { StrictMode, version } from 'react';
import { hydrateRoot } from 'react-dom/client';
import { renderToString } from 'react-dom/server';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createClient } from '../../src/index.js';
import { NotificationCenter, useNotifications } from '../../src/react/index.js';
import { createFakeRelay, type FakeRelay } from '../../src/testing/index.js';
import type { Client } from '../../src/types.js';

const USER = 'alice';
let relay: FakeRelay;
let client: Client;

/** What is held of the page now. */
const held = { channels: 0, listeners: [] as { type: string; listener: unknown }[] };

class CountedChannel extends BroadcastChannel {
  constructor(name: string) {
    super(name);
    held.channels += 1;
  }

  override close(): void {
    held.channels -= 1;
    super.close();
  }
}

function watchListeners(target: EventTarget): void {
  const { addEventListener, removeEventListener } = target;
  const forget = (type: string, listener: unknown) => {
    held.listeners = held.listeners.filter((one) => one.type !== type || one.listener !== listener);
  };
  vi.spyOn(target, 'addEventListener').mockImplementation((type, listener, options) => {
    held.listeners.push({ type, listener });
    if (typeof options === 'object') options.signal?.addEventListener('abort', () => forget(type, listener));
    addEventListener.call(target, type, listener, options);
  });
  vi.spyOn(target, 'removeEventListener').mockImplementation((type, listener, options) => {
    forget(type, listener);
    removeEventListener.call(target, type, listener, options);
  });
}

const listening = () => held.listeners.map(({ type }) => type).sort();

beforeEach(() => {
  vi.useFakeTimers();
  Object.assign(held, { listeners: [], channels: 0 });
  relay = createFakeRelay();
  client = createClient({
    url: relay.url, getToken: () => `dummy-jwt-for-${USER}`, shareSocket: false,
    environment: { WebSocket: relay.WebSocket, BroadcastChannel: CountedChannel },
  });
});
afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const pass = (ms = 300) => act(() => vi.advanceTimersByTimeAsync(ms));

function Both() {
  const { unreadCount } = useNotifications({ client });
  return <><p>{`unread ${unreadCount}`}</p><NotificationCenter client={client} titleCount desktop debug /></>;
}

describe(`React ${version}`, () => {
  it('has exactly one socket in StrictMode, for any number of components', async () => {
    relay.insert(USER);
    render(<StrictMode><Both /><Both /></StrictMode>);
    await pass();
    expect(relay.connections).toHaveLength(1);
    expect(screen.getAllByText('unread 1')).toHaveLength(2);
  });

  it('creates nothing in 20 re-renders', async () => {
    const { rerender } = render(<Both />);
    await pass();
    watchListeners(window);
    watchListeners(document);
    const timers = vi.getTimerCount();
    const sent = relay.connections[0]?.received.length;
    for (let i = 0; i < 20; i += 1) rerender(<Both />);
    await act(async () => {});
    expect([relay.connections.length, relay.connections[0]?.received.length]).toEqual([1, sent]);
    expect([listening(), held.channels, vi.getTimerCount()]).toEqual([[], 0, timers]);
  });

  it('leaves no socket, timer, listener or channel on unmount', async () => {
    watchListeners(window);
    watchListeners(document);
    const { unmount } = render(<StrictMode><Both /></StrictMode>, { container: document.body.appendChild(document.createElement('div')) });
    await pass();
    const mounted = listening();
    await act(async () => screen.getByRole('button', { name: /Notifications/ }).click());
    relay.insert(USER);
    await pass();
    expect(mounted).toContain('online');
    await act(async () => unmount());
    await vi.advanceTimersByTimeAsync(0);
    expect(relay.open()).toHaveLength(0);
    expect(vi.getTimerCount()).toBe(0);
    expect(held.channels).toBe(0);
    expect(listening()).toEqual([]);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(relay.connections).toHaveLength(1);
  });

  it('connects again when it is mounted again', async () => {
    const { unmount } = render(<Both />);
    await pass();
    await act(async () => unmount());
    relay.insert(USER);
    render(<Both />);
    await pass();
    expect(relay.open()).toHaveLength(1);
    expect(screen.getByText('unread 1')).toBeTruthy();
  });

  it('renders on a server without a connection, and hydrates without a complaint', async () => {
    const complaint = vi.spyOn(console, 'error');
    const html = renderToString(<Both />);
    expect(html).toContain('aria-label="Notifications"');
    expect(html).not.toContain('style=');
    expect(relay.connections).toHaveLength(0);
    relay.insert(USER);
    const place = document.body.appendChild(document.createElement('div'));
    place.innerHTML = html;
    const recovered = vi.fn();
    const root = await act(async () => hydrateRoot(place, <Both />, { onRecoverableError: recovered }));
    await pass();
    expect(place.textContent).toContain('unread 1');
    expect(recovered).not.toHaveBeenCalled();
    expect(complaint).not.toHaveBeenCalled();
    await act(async () => root.unmount());
    place.remove();
  });

  it('renders no more than ten times a second under 100 pushes a second', async () => {
    let renders = 0;
    const Counting = () => {
      renders += 1;
      return <p>{useNotifications({ client }).notifications.length}</p>;
    };
    render(<Counting />);
    await pass();
    renders = 0;
    for (let i = 0; i < 100; i += 1) {
      relay.insert(USER);
      await pass(10);
    }
    await pass();
    expect(screen.getByText('100')).toBeTruthy();
    expect(renders).toBeLessThanOrEqual(13);
  });

  it('marks optimistically, and converges with what another tab did meanwhile', async () => {
    const [a, b] = [relay.insert(USER, { title: 'a' }), relay.insert(USER, { title: 'b' })];
    let state!: ReturnType<typeof useNotifications>;
    const Probe = () => ((state = useNotifications({ client })), null);
    render(<Probe />);
    await pass();
    expect(state.unreadCount).toBe(2);
    act(() => {
      void state.markAsRead(a.id);
      relay.update(USER, b.id, { is_read: true });
    });
    await pass();
    expect(state.unreadCount).toBe(0);
    expect(state.notifications.every(({ is_read }) => is_read)).toBe(true);
  });

  it('takes a mark back that the relay refused', async () => {
    const a = relay.insert(USER);
    let state!: ReturnType<typeof useNotifications>;
    const Probe = () => ((state = useNotifications({ client })), null);
    render(<Probe />);
    await pass();
    relay.refuseNext('mark_read', 'internal');
    let answer!: Promise<boolean>;
    act(() => void (answer = state.markAsRead(a.id)));
    await pass();
    expect(await answer).toBe(false);
    expect(state).toMatchObject({ unreadCount: 1, notifications: [{ is_read: false }] });
    expect(state.error).toBeTruthy();
  });

  it('shows what happened while the connection was lost', async () => {
    render(<Both />);
    await pass();
    relay.crash();
    relay.insert(USER);
    await pass(5_000);
    expect(relay.connections).toHaveLength(2);
    expect(screen.getByText('unread 1')).toBeTruthy();
  });
});
