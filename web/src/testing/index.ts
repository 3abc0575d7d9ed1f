/* A relay for your own tests: give its WebSocket to the client, and act as the database. It speaks the protocol, with
 * users, cursors and pages, and can be told to misbehave.
 *
 *   const relay = createFakeRelay();
 *   const client = createClient({ url: relay.url, getToken: () => 'dummy-jwt-for-alice', shareSocket: false,
 *     environment: { WebSocket: relay.WebSocket } });
 *   await client.connect();
 *   relay.insert('alice', { title: 'Build passed' }); */
import type { ClientFrame, ErrorCode, Notification } from '../protocol.js';
import type { Environment } from '../types.js';
import { createFakeInbox, time, type FakeInbox } from './inbox.js';
import { FakeSocket, type FakeEnd } from './socket.js';

/** What happens to the next dials. `accept`: all is well. `refuse`: no connection; the second time the client tries a
 * stream as well, by the global `fetch`. `silent`: nothing ever comes. A number:
 * the close code that follows the token. */
export type Mood = 'accept' | 'refuse' | 'silent' | number;

export interface FakeConnection {
  /** Null until the token came. */
  readonly user: string | null;
  readonly url: URL;
  /** Every message that came. */
  readonly received: readonly ClientFrame[];
  isOpen(): boolean;
  /** Any frame, also a wrong one. */
  send(frame: object): void;
  close(code: number, reason?: string): void;
  /** Open, but dead: takes and gives nothing any more. */
  freeze(): void;
}

export interface FakeRelay extends Pick<Environment, 'WebSocket'> {
  readonly url: string;
  /** All there ever were; the newest last. */
  readonly connections: readonly FakeConnection[];
  /** Open now. */
  open(): FakeConnection[];
  mood: Mood;
  insert(user: string, given?: Partial<Notification>): Notification;
  update(user: string, id: string, change: Partial<Notification>): Notification;
  remove(user: string, id: string): void;
  /** A frame of the application's own to all tabs of a user. */
  broadcast(user: string, frame: { type: string; [name: string]: unknown }): void;
  /** Ends all connections without a close frame, as a crash does. */
  crash(): void;
  /** The answer to the next request of a type is this error. */
  refuseNext(type: ClientFrame['type'], code: ErrorCode): void;
}

interface Change {
  readonly user: string;
  readonly frame: object;
}

export function createFakeRelay({ heartbeatSeconds = 30 }: { heartbeatSeconds?: number } = {}): FakeRelay {
  const inboxes = new Map<string, FakeInbox>();
  const connections: Connection[] = [];
  const changes: Change[] = []; // a cursor is a place in them
  const refusals = new Map<string, ErrorCode>();

  interface Connection extends FakeConnection {
    user: string | null;
    push(frame: object): void;
  }

  const inboxOf = (user: string) => inboxes.get(user) ?? inboxes.set(user, createFakeInbox()).get(user)!;
  const cursor = () => `fake-${changes.length}`;
  const tabsOf = (user: string) => connections.filter((one) => one.isOpen() && one.user === user);

  /** A change is remembered for who comes back, and told to who is there; `except` gets it as an answer. */
  function tell(user: string, change: object, except?: Connection, count = true): void {
    changes.push({ user, frame: change });
    for (const tab of tabsOf(user)) {
      if (tab !== except) tab.push({ ...change, cursor: cursor() });
      if (count) tab.push({ type: 'unread_count', count: inboxOf(user).unread(), cursor: cursor() });
    }
  }

  const updated = (row: Notification) =>
    ({ type: 'notification_updated', notification_id: row.id, success: true, notification: row });

  function page(user: string, type: string, { limit, before }: { limit?: number; before?: string | null }, ref?: string) {
    const all = inboxOf(user).rows().filter((row) => type === 'notifications' || !row.is_read);
    const from = before ? all.findIndex((row) => row.id === before) + 1 : 0;
    const rows = all.slice(from, from + (limit ?? 10));
    const next = from + rows.length < all.length ? rows.at(-1)!.id : null;
    return { type, count: inboxOf(user).unread(), notifications: rows, next, cursor: cursor(), ref };
  }

  function markRead(tab: Connection, ids: readonly string[], ref?: string): void {
    const inbox = inboxOf(tab.user!);
    for (const id of ids) {
      const row = inbox.rows().find((one) => one.id === id);
      if (!row) {
        tab.push({ type: 'notification_updated', notification_id: id, success: false, code: 'not_found', ref });
        continue;
      }
      if (row.is_read) {
        tab.push({ ...updated(row), cursor: cursor(), ref });
        continue;
      }
      const next = inbox.update(id, { is_read: true, read_at: time(changes.length) })!;
      tell(tab.user!, updated(next), tab);
      tab.push({ ...updated(next), cursor: cursor(), ref });
    }
  }

  function markAllRead(tab: Connection, until?: string | null, ref?: string): void {
    const inbox = inboxOf(tab.user!);
    for (const row of inbox.rows()) {
      if (row.is_read || (until && row.created_at > until)) continue;
      tell(tab.user!, updated(inbox.update(row.id, { is_read: true, read_at: time(changes.length) })!), undefined, false);
    }
    tab.push({ type: 'unread_count', count: inbox.unread(), cursor: cursor(), ref });
  }

  function resume(tab: Connection, from: string, ref?: string): void {
    const place = Number(/^fake-(\d+)$/.exec(from)?.[1] ?? NaN);
    if (!(place <= changes.length)) {
      tab.push({ type: 'resumed', resync: true, cursor: cursor(), ref });
      tab.push(page(tab.user!, 'unread_notifications', {}));
      return;
    }
    const missed = changes.slice(place).filter(({ user }) => user === tab.user);
    for (const { frame } of missed) tab.push({ ...frame, cursor: cursor() });
    tab.push({ type: 'resumed', count: missed.length, cursor: cursor(), ref });
  }

  function authenticate(tab: Connection, token: string, from?: string | null, ref?: string): void {
    if (typeof relay.mood === 'number') return tab.close(relay.mood, 'as the test wants it');
    const user = userOf(token);
    if (!user) return tab.close(4000, 'malformed token');
    if (tab.user) return tab.push({ type: 'authenticated', token_expires_at: null, ref });
    tab.user = user;
    tab.push({
      type: 'connected', message: 'Application startup complete', user_id: user,
      session_id: `00000000-0000-4000-9000-${String(connections.length).padStart(12, '0')}`,
      unread_count: inboxOf(user).unread(), cursor: from || cursor(), heartbeat_interval: heartbeatSeconds,
      token_expires_at: null, protocol: 1, ref,
    });
    if (from) resume(tab, from);
  }

  function serve(tab: Connection, message: ClientFrame): void {
    const { ref } = message;
    if (message.type === 'authenticate') return authenticate(tab, message.token, message.cursor, ref);
    if (!tab.user) return tab.close(4000, 'authenticate first');
    const code = refusals.get(message.type);
    if (code) {
      refusals.delete(message.type);
      return tab.push({ type: 'error', code, message: `${code}, as the test wants it`, ref });
    }
    switch (message.type) {
      case 'ping': return tab.push({ type: 'pong', cursor: cursor(), ref });
      case 'resume': return resume(tab, message.cursor, ref);
      case 'get_unread': return tab.push(page(tab.user, 'unread_notifications', message, ref));
      case 'get_notifications': return tab.push(page(tab.user, 'notifications', message, ref));
      case 'mark_read':
        return markRead(tab, 'notification_ids' in message ? message.notification_ids : [message.notification_id], ref);
      case 'mark_all_read': return markAllRead(tab, message.until, ref);
      default: return tab.push({ type: 'error', code: 'unknown_type', message: 'unknown type', ref });
    }
  }

  function dialled(end: FakeEnd): void {
    const received: ClientFrame[] = [];
    let frozen = false;
    const tab: Connection = {
      user: null, url: end.url, received,
      isOpen: end.isOpen,
      push: (frame) => frozen || end.deliver(JSON.stringify(frame)),
      send: (frame) => end.deliver(JSON.stringify(frame)),
      close: end.close,
      freeze: () => void (frozen = true),
    };
    connections.push(tab);
    if (relay.mood === 'refuse') return end.close(1006, '');
    if (relay.mood === 'silent') return;
    end.onText = (text) => {
      if (frozen) return;
      const message = JSON.parse(text) as ClientFrame;
      received.push(message);
      serve(tab, message);
    };
    end.accept();
    const query = end.url.searchParams;
    if (query.has('token')) authenticate(tab, query.get('token')!, query.get('cursor'));
  }

  const relay: FakeRelay = {
    url: 'ws://relay.test/api/v1/notifications/ws',
    WebSocket: class extends FakeSocket {
      constructor(url: string) {
        super(url, dialled);
      }
    } as unknown as Environment['WebSocket'],
    connections,
    open: () => connections.filter((one) => one.isOpen()),
    mood: 'accept',
    insert(user, given = {}) {
      const row = inboxOf(user).insert(given);
      tell(user, { type: 'new_notification', notification: row });
      return row;
    },
    update(user, id, change) {
      const row = inboxOf(user).update(id, change);
      if (!row) throw new Error(`${user} has no notification ${id}`);
      tell(user, updated(row));
      return row;
    },
    remove(user, id) {
      if (inboxOf(user).remove(id)) tell(user, { type: 'notification_deleted', notification_id: id });
    },
    broadcast: (user, frame) => tabsOf(user).forEach((tab) => tab.push(frame)),
    crash: () => relay.open().forEach((one) => one.close(1006)),
    refuseNext: (type, code) => void refusals.set(type, code),
  };
  return relay;
}

/** Of `dummy-jwt-for-{username}`, or the `sub` of a JWT that nobody checks. */
function userOf(token: string): string | null {
  const dummy = /^dummy-jwt-for-(.+)$/.exec(token);
  if (dummy) return dummy[1]!;
  try {
    return JSON.parse(atob(token.split('.')[1]!)).sub ?? null;
  } catch {
    return null;
  }
}
