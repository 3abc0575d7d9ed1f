/* The client of one tab: options in, methods and events out. It knows what was shown (cursor, versions) and what waits
 * for an answer; its hub has the socket. */
import { environmentOf } from './environment.js';
import { HeraldError } from './error.js';
import { createEvents, shortEvent } from './events.js';
import { createOwnHub, type Hub } from './hub.js';
import { createOutbox, type Outbox } from './outbox.js';
import { watchPage } from './pages.js';
import type { Connected, Notifications, NotificationUpdated, UnreadCount, UnreadNotifications } from './protocol.js';
import { createSeen } from './seen.js';
import { createSharedHub } from './share.js';
import { CLOSED, errorOf, type Status } from './status.js';
import { identityOf } from './token.js';
import type {
  Client, ClientEvent, ClientFrame, ClientOptions, Environment, LogEntry, ServerFrame, ShortEvent, StateReason,
} from './types.js';

const PATH = '/api/v1/notifications/ws';
const TOKEN_KEY = 'token';
const LOG_KEPT = 200;

/** Answers that concern only who asked; all other frames are for every tab of the socket. */
const ANSWERS = new Set(['notifications', 'unread_notifications', 'error', 'pong']);
/** Events of the client itself; a broadcast of such a type cannot be told from them. */
const OWN = new Set(['state', 'dropped']);

interface Parts {
  readonly env: Environment;
  readonly hub: Hub;
  readonly outbox: Outbox;
}

interface Opening {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Touches no global before it is used: safe to import and call on a server. */
export function createClient(options: ClientOptions = {}): Client {
  const events = createEvents();
  const seen = createSeen();
  const lines: LogEntry[] = [];
  let made: Parts | null = null;
  let status: Status = CLOSED;
  let connected: Connected | null = null;
  let cursor: string | null = null;
  let user: string | null = null;
  let suspended = false;
  let unwatch: (() => void) | null = null;
  let opening: Opening | null = null;
  let tokenRequest: Promise<string | null | undefined> | null = null;

  const parts = () => (made ??= make());

  function make(): Parts {
    const env = environmentOf(options.environment);
    const isShared = options.shareSocket !== false && env.window && env.locks && env.BroadcastChannel;
    const hub = (isShared ? createSharedHub : createOwnHub)({
      env, getToken, log, onFrame, onHello, onStatus,
      url: () => endpoint(env),
      tokenInQuery: options.tokenIn === 'query',
      jitter: options.jitter ?? 0.1,
      cursor: () => cursor,
      onLogout: () => end('logout'),
    });
    return { env, hub, outbox: createOutbox(env, hub.transmit, events.emit) };
  }

  function log(event: string, detail = ''): void {
    const entry = { at: parts().env.now(), event, detail };
    lines.push(entry);
    if (lines.length > LOG_KEPT) lines.shift();
    options.onLog?.(entry);
  }

  function endpoint({ window }: Environment): string {
    const url = new URL(options.url ?? PATH, (window as Window | undefined)?.location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    return url.href;
  }

  function getToken(renew: boolean): Promise<string | null | undefined> {
    const stored = () => parts().env.storage?.getItem(TOKEN_KEY);
    const ask = async () => (options.getToken ?? stored)({ renew });
    tokenRequest ??= ask()
      .then((token) => {
        if (token) become(identityOf(token));
        return token;
      })
      .finally(() => (tokenRequest = null));
    return tokenRequest;
  }

  /** What was shown to one user, and what that user asked for, is not the next one's. */
  function become(next: string): void {
    if (user !== null && user !== next) forget();
    user = next;
  }

  function forget(): void {
    cursor = null;
    seen.clear();
    parts().outbox.clear();
  }

  function onStatus(next: Status): void {
    const previous = status;
    status = next;
    const { state, reason, attempts, retryAt, closes, transport } = next;
    const error = errorOf(next);
    if (state === 'OPEN') {
      parts().outbox.flush(next.session);
      opening?.resolve();
    } else if (state === 'FAILED' || state === 'CLOSED') {
      opening?.reject(error ?? new HeraldError('closed', 'the client was disconnected'));
    }
    if (state === previous.state && retryAt === previous.retryAt) return;
    events.emit({
      type: 'state', state, reason, error, attempts, transport,
      previous: previous.state,
      closeCode: closes.at(-1)?.code ?? null,
      retryInMs: retryAt && retryAt - parts().env.now(),
    });
  }

  function onFrame(frame: ServerFrame): void {
    const isMine = parts().outbox.take(frame);
    const { ref, ...plain } = frame as ServerFrame & { ref?: string };
    if ('cursor' in frame) cursor = frame.cursor;
    if (ref !== undefined && !isMine && isPrivate(frame)) return;
    if (OWN.has(frame.type)) return log('ignored', frame.type);
    if (frame.type === 'connected') connected = frame;
    if ('resync' in frame) seen.clear();
    if (!isStale(frame)) events.emit((isMine ? frame : plain) as ClientEvent);
  }

  const isPrivate = (frame: ServerFrame) => ANSWERS.has(frame.type) || ('success' in frame && !frame.success);

  const isStale = (frame: ServerFrame) =>
    (frame.type === 'new_notification' || (frame.type === 'notification_updated' && frame.success)) &&
    !seen.isNew(frame.notification.id, frame.notification.version);

  /** What other tabs were told while this one was away is read anew. */
  function onHello(frame: Connected): void {
    const isBehind = cursor !== null && cursor !== frame.cursor;
    const { outbox } = parts();
    outbox.unsend();
    onFrame(frame);
    if (!isBehind) return;
    onFrame({ type: 'resumed', resync: true, cursor: frame.cursor });
    outbox.add({ type: 'get_unread' }).then((page) => onFrame({ ...page, ref: undefined } as ServerFrame), () => {});
  }

  function onStorage({ key, newValue }: StorageEvent): void {
    if (options.getToken || (key !== null && key !== TOKEN_KEY)) return;
    if (newValue === null) return end('logout');
    if (identityOf(newValue) === user) return;
    end('logout');
    void begin();
  }

  function suspend(): void {
    if (suspended || status.state === 'FAILED') return;
    suspended = true;
    parts().hub.suspend();
    onStatus({ ...status, state: 'RECONNECTING', reason: 'suspend', retryAt: null });
  }

  function restore(): void {
    if (!suspended) return parts().hub.wake(true);
    suspended = false;
    parts().hub.connect('wake');
  }

  function begin(): Promise<void> {
    const { env, hub } = parts();
    unwatch ??= watchPage(env, {
      onWake: (fresh) => suspended || hub.wake(fresh), onSuspend: suspend, onRestore: restore, onStorage,
    });
    suspended = false;
    opening ??= openingOf(() => (opening = null));
    const { promise } = opening;
    hub.connect('connect');
    if (status.state === 'OPEN') opening?.resolve();
    return promise;
  }

  function end(reason: StateReason, allTabs = false): void {
    if (!made) return;
    unwatch?.();
    unwatch = null;
    suspended = false;
    if (reason === 'logout' || allTabs) forget();
    made.outbox.clear();
    made.hub.disconnect(reason, allTabs);
    // What this tab followed, or what was suspended, has nothing to close.
    const isOver = status.state === 'CLOSED' || status.state === 'CLOSING';
    if (!isOver) onStatus({ ...status, state: 'CLOSED', reason, error: null, retryAt: null });
  }

  function request<T extends ServerFrame>(message: ClientFrame): Promise<T> {
    const { outbox } = parts();
    const answer = outbox.add(message) as Promise<T>;
    if (status.state === 'OPEN') outbox.flush(status.session);
    return answer;
  }

  return {
    connect: begin,
    disconnect: ({ allTabs = false } = {}) => end('disconnect', allTabs),
    isConnected: () => status.state === 'OPEN',
    getState: () => status.state,
    send(message) {
      void request(message);
      return status.state === 'OPEN' ? 'sent' : 'queued';
    },
    subscribe(type: string | ((event: ShortEvent) => void), handler?: (event: never) => void) {
      if (typeof type === 'string') return events.on(type, handler!);
      return events.on('*', (event) => type(shortEvent(event)));
    },
    getUnreadNotifications: (limit = 10, before = null) =>
      request<UnreadNotifications>({ type: 'get_unread', limit, before }),
    getNotifications: ({ limit = 10, before = null } = {}) =>
      request<Notifications>({ type: 'get_notifications', limit, before }),
    markAsRead: (id) => request<NotificationUpdated>({ type: 'mark_read', notification_id: id }),
    markAllAsRead: (until) => request<UnreadCount>({ type: 'mark_all_read', until: until ?? null }),
    getDebugInfo() {
      const { state, attempts, retryAt, closes, roundTripMs, transport } = status;
      return {
        state, attempts, retryAt, closes, roundTripMs, transport, cursor,
        queueLength: made?.outbox.size() ?? 0,
        userId: connected?.user_id ?? null,
        sessionId: connected?.session_id ?? null,
        shared: made?.hub.shared ?? false,
        leader: made?.hub.isLeader() ?? false,
        log: [...lines],
      };
    },
  };
}

/** A promise whose rejection is no unhandled one: `connect()` need not be awaited. */
function openingOf(settled: () => void): Opening {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((yes, no) => {
    resolve = () => (settled(), yes());
    reject = (error) => (settled(), no(error));
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/** A client with the defaults. */
export const wsService: Client = createClient();
