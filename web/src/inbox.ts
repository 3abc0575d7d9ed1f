/* The inbox: the client's events come in, immutable snapshots go out, for any framework. It asks for pages and marks,
 * and shows marks before they are confirmed. It lives while somebody listens: the first listener connects the client,
 * the last one to leave disconnects it, and then nothing is left of it. */
import { createRows, type Rows } from './inbox_rows.js';
import type { Client, ConnectionState, Notification, StateEvent } from './types.js';

/** What a view shows. A new object whenever something changed, else the same. */
export interface InboxSnapshot {
  /** Newest first; marks under way are in it. */
  readonly notifications: readonly Notification[];
  /** The server's exact total, less the marks under way. */
  readonly unreadCount: number;
  readonly isConnected: boolean;
  readonly connectionState: ConnectionState;
  /** Why the last request or the connection failed, in English; null when all is well. */
  readonly error: string | null;
  readonly hasMore: boolean;
  /** The first page has come. */
  readonly isLoaded: boolean;
  /** A page is under way. */
  readonly isLoading: boolean;
}

export interface Inbox {
  getSnapshot(): InboxSnapshot;
  /** What a server renders. */
  getServerSnapshot(): InboxSnapshot;
  /** Calls back after every change; the answer ends it. */
  subscribe(listener: () => void): () => void;
  /** Calls back with every unread notification that was just pushed; the answer ends it. */
  onArrival(listener: (notification: Notification) => void): () => void;
  /** The newest unread ones, which are then in the list; rejects when they could not be had. */
  getUnread(limit?: number): Promise<readonly Notification[]>;
  /** Shows it as read at once. False: it failed, and is shown unread again. */
  markAsRead(id: string): Promise<boolean>;
  markAllAsRead(): Promise<boolean>;
  /** The next older page. */
  loadMore(): Promise<void>;
  /** Does again what `error` tells of. */
  retry(): void;
}

const PAGE = 20;
const PUSHED_MAX = 1000; // more than that beside the pages: only the newest page is kept
const PAUSE_MS = 100; // between two changes that nobody here asked for

const nothing: InboxSnapshot = {
  notifications: [], unreadCount: 0, isConnected: false, connectionState: 'CLOSED', error: null, hasMore: false,
  isLoaded: false, isLoading: false,
};

const inboxes = new WeakMap<Client, Inbox>();

/** The one inbox of a client. */
export function inboxOf(client: Client): Inbox {
  const inbox = inboxes.get(client) ?? createInbox(client);
  inboxes.set(client, inbox);
  return inbox;
}

function createInbox(client: Client): Inbox {
  const listeners = new Set<() => void>();
  const arrivals = new Set<(notification: Notification) => void>();
  let snapshot = nothing;
  let rows: Rows = createRows();
  let stop: (() => void) | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stale = false; // something changed since the snapshot, and the timer will tell
  let user: string | null = null;
  let reading = 0; // number of the reading of the first page; an older one's answer is not wanted
  let counted = 0; // counts pushed: a page that was read before the last one has an older count
  let pushed = 0;
  let more: Promise<void> | null = null;
  let again: (() => void) | null = null; // what retry() does

  // ---- snapshots ----

  /** Tells the listeners now. */
  function emit(change: Partial<InboxSnapshot> = {}): void {
    stale = false;
    snapshot = {
      ...snapshot,
      ...change,
      notifications: rows.list(),
      unreadCount: rows.unread(),
      hasMore: rows.next() !== null,
    };
    for (const listener of listeners) listener();
  }

  /** The same for what was pushed: at once, but no more than every PAUSE_MS. */
  function changed(): void {
    stale = true;
    if (timer !== undefined) return;
    emit();
    timer = setTimeout(() => {
      timer = undefined;
      if (stale) changed();
    }, PAUSE_MS);
  }

  function failed(reason: unknown, retry: () => void): void {
    again = retry;
    emit({ error: reason instanceof Error ? reason.message : String(reason) });
  }

  // ---- pages ----

  /** The page's count is exact unless a newer one was pushed since it was asked for. */
  function takeCount(count: number, since: number): void {
    if (counted === since) rows.setCount(count);
  }

  async function load(): Promise<void> {
    const number = ++reading;
    const since = counted;
    pushed = 0;
    rows.expect();
    emit({ isLoading: true });
    try {
      const page = await client.getNotifications({ limit: PAGE });
      if (number !== reading) return;
      rows.replace(page);
      takeCount(page.count, since);
      emit({ isLoaded: true, isLoading: false, error: null });
    } catch (reason) {
      if (number !== reading) return;
      snapshot = { ...snapshot, isLoading: false };
      failed(reason, load);
    }
  }

  async function loadNext(): Promise<void> {
    const number = reading;
    const since = counted;
    emit({ isLoading: true });
    try {
      const page = await client.getNotifications({ limit: PAGE, before: rows.next() });
      if (number !== reading) return;
      rows.addPage(page);
      takeCount(page.count, since);
      emit({ isLoading: false, error: null });
    } catch (reason) {
      if (number !== reading) return;
      snapshot = { ...snapshot, isLoading: false };
      failed(reason, loadMore);
    }
  }

  async function loadMore(): Promise<void> {
    if (rows.next() === null) return;
    more ??= loadNext().finally(() => (more = null));
    return more;
  }

  async function getUnread(limit = 10): Promise<readonly Notification[]> {
    const number = reading;
    const since = counted;
    const page = await client.getUnreadNotifications(limit);
    if (number === reading) {
      page.notifications.forEach(rows.put);
      takeCount(page.count, since);
      emit();
    }
    return page.notifications;
  }

  // ---- marks ----

  async function markAsRead(id: string): Promise<boolean> {
    rows.mark(id);
    emit();
    try {
      const answer = await client.markAsRead(id);
      rows.put(answer.notification);
      return true;
    } catch (reason) {
      if ((reason as { code?: unknown }).code === 'not_found') rows.remove(id);
      else failed(reason, () => void markAsRead(id));
      return false;
    } finally {
      rows.unmark(id);
      emit();
    }
  }

  async function markAllAsRead(): Promise<boolean> {
    const end = rows.markAll();
    emit();
    try {
      await client.markAllAsRead();
      end(true);
      return true;
    } catch (reason) {
      end(false);
      failed(reason, () => void markAllAsRead());
      return false;
    } finally {
      emit();
    }
  }

  // ---- events ----

  function pushedRow(notification: Notification, isNew: boolean): void {
    if (!rows.push(notification)) return changed();
    if ((pushed += 1) > PUSHED_MAX) void load();
    if (isNew && !notification.is_read) for (const listener of arrivals) listener(notification);
    changed();
  }

  function connected(userId: string, count: number): void {
    if (user !== null && user !== userId) forget();
    user = userId;
    rows.setCount(count);
    loadOnce();
    changed();
  }

  /** Whichever tells first that the connection is there. */
  function loadOnce(): void {
    if (!snapshot.isLoaded && !snapshot.isLoading) void load();
  }

  const connection = () => ({ connectionState: client.getState(), isConnected: client.isConnected() });

  function stateChanged({ error }: Pick<StateEvent, 'error'>): void {
    const now = connection();
    if (now.connectionState === 'CLOSED') forget(); // on purpose, as at a logout
    if (now.isConnected) loadOnce();
    emit({ ...now, error: error ? error.message : now.isConnected ? null : snapshot.error });
  }

  /** The answer ends it all. */
  function listen(): () => void {
    const ends = [
      client.subscribe('state', stateChanged),
      client.subscribe('connected', ({ user_id, unread_count }) => connected(user_id, unread_count)),
      client.subscribe('new_notification', ({ notification }) => pushedRow(notification, true)),
      client.subscribe('notification_updated', (frame) => {
        if (frame.success) pushedRow(frame.notification, false);
      }),
      client.subscribe('notification_deleted', ({ notification_id }) => {
        rows.remove(notification_id);
        changed();
      }),
      client.subscribe('unread_count', ({ count }) => {
        counted += 1;
        rows.setCount(count);
        changed();
      }),
      client.subscribe('resumed', (frame) => {
        if ('resync' in frame) void load();
      }),
    ];
    return () => ends.forEach((end) => end());
  }

  // ---- the life ----

  /** Forgets everything of the user that was. */
  function forget(): void {
    rows = createRows();
    reading += 1;
    pushed = 0;
    user = again = null;
    snapshot = nothing;
  }

  function start(): () => void {
    const end = listen();
    const owns = client.getState() === 'CLOSED';
    if (owns) void client.connect().catch(() => {}); // a `state` event tells
    else if (client.isConnected()) loadOnce();
    emit(connection());
    return () => {
      end();
      clearTimeout(timer);
      timer = undefined;
      forget();
      if (owns) client.disconnect();
    };
  }

  function subscribe(listener: () => void): () => void {
    const own = () => listener(); // the same function may listen twice
    listeners.add(own);
    stop ??= start();
    return () => {
      listeners.delete(own);
      // React leaves and comes back at once in development: only who is still away afterwards has left.
      queueMicrotask(() => {
        if (listeners.size) return;
        stop?.();
        stop = null;
      });
    };
  }

  return {
    getSnapshot: () => snapshot,
    getServerSnapshot: () => nothing,
    subscribe,
    onArrival(listener) {
      arrivals.add(listener);
      return () => arrivals.delete(listener);
    },
    getUnread,
    markAsRead,
    markAllAsRead,
    loadMore,
    retry() {
      emit({ error: null });
      if (snapshot.connectionState === 'FAILED') void client.connect().catch(() => {});
      else again?.();
    },
  };
}
