/* What the client takes and gives: its options, events, errors and the picture of itself that the debug panel shows.
 * Frames of the protocol are in protocol.ts. */
import type {
  ApplicationMessage, ClientFrame, MarkFailed, Notification, Notifications, NotificationUpdated, ServerFrame, UnreadCount,
  UnreadNotifications,
} from './protocol.js';

export type { ApplicationMessage, ClientFrame, Notification, ServerFrame };

/** CLOSED: not asked to be connected. FAILED: gave up; `connect()`, coming online or back into view start anew, the last
 * two not after a refusal. RECONNECTING: waiting or dialling after a break or a failure. */
export type ConnectionState = 'CONNECTING' | 'OPEN' | 'CLOSING' | 'CLOSED' | 'RECONNECTING' | 'FAILED';

/** Why a state was entered. */
export type StateReason =
  | 'connect' // connect() was called
  | 'connected' // the relay took the token
  | 'disconnect' // disconnect() was called
  | 'logout' // another tab logged out, or the token went away
  | 'lost' // the connection broke or could not be made
  | 'silent' // the connection was open but dead
  | 'draining' // the relay stops
  | 'wake' // online, visible or shown again
  | 'suspend' // the page is frozen or kept for later
  | 'handover' // another tab takes the shared socket over
  | 'token_refused' // 4001
  | 'refused' // 4000 or 4002: final
  | 'no_token' // getToken() gave none
  | 'gave_up'; // five attempts failed

/** `code` of a HeraldError: the relay's, or the client's own. */
export type HeraldErrorCode =
  | 'bad_json' | 'bad_message' | 'unknown_type' | 'bad_field' | 'rate_limited' | 'unavailable' | 'internal' | 'not_found'
  | 'closed' // disconnect() before the answer
  | 'expired' // not answered within 60 s
  | 'overflow' // the oldest of more than 100
  | 'gave_up' | 'refused' | 'token_refused' | 'no_token';

/** `sse`: Server-Sent Events and HTTP, after WebSockets have failed. */
export type Transport = 'websocket' | 'sse';

/** Emitted on every change of the state. */
export interface StateEvent {
  readonly type: 'state';
  readonly state: ConnectionState;
  readonly previous: ConnectionState;
  readonly reason: StateReason;
  /** Set with FAILED. */
  readonly error: Error & { readonly code: HeraldErrorCode } | null;
  /** Of the last close, if there was one. */
  readonly closeCode: number | null;
  /** Retries made since the series began. */
  readonly attempts: number;
  /** Until the next dial; null when none is planned. */
  readonly retryInMs: number | null;
  /** Of this connection, or of the last one. */
  readonly transport: Transport;
}

/** A message that will not be sent, or whose answer is not waited for any longer. */
export interface DroppedEvent {
  readonly type: 'dropped';
  readonly message: ClientFrame;
  readonly reason: 'overflow' | 'expired' | 'closed';
}

/** What `subscribe('*')` gets. Frames come without duplicates and stale versions. */
export type ClientEvent = ServerFrame | ApplicationMessage | StateEvent | DroppedEvent;

type Typed = ServerFrame | StateEvent | DroppedEvent;

/** The event of one type; a type that the protocol does not know is a broadcast of the application. */
export type EventOf<T extends string> = T extends '*'
  ? ClientEvent
  : T extends Typed['type'] ? Extract<Typed, { type: T }> : ApplicationMessage;

/** What `subscribe(handler)` gets: `new`, `updated`, `deleted`, `unread`, `count`, and all others under their own name.
 * `data` is the notification (`new`, `updated`), else the whole frame. */
export interface ShortEvent {
  readonly type: string;
  readonly data: unknown;
}

/** The last closes are kept. */
export interface CloseRecord {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly code: number;
  readonly reason: string;
}

export interface LogEntry {
  readonly at: number;
  /** One word. */
  readonly event: string;
  /** Never a token or the text of a notification. */
  readonly detail: string;
}

export interface DebugInfo {
  readonly state: ConnectionState;
  readonly transport: Transport;
  readonly attempts: number;
  /** When the next dial is due, in milliseconds since 1970. */
  readonly retryAt: number | null;
  /** Newest last. */
  readonly closes: readonly CloseRecord[];
  readonly cursor: string | null;
  /** Of the last ping. */
  readonly roundTripMs: number | null;
  /** Messages that are not answered yet. */
  readonly queueLength: number;
  readonly userId: string | null;
  readonly sessionId: string | null;
  /** The socket is shared with other tabs. */
  readonly shared: boolean;
  /** This tab has the socket. */
  readonly leader: boolean;
  /** Newest last, at most 200. */
  readonly log: readonly LogEntry[];
}

export interface TokenRequest {
  /** The last token was refused or is about to expire: a stored one will not do. */
  readonly renew: boolean;
}

/** What a connection needs of a WebSocket, and of what stands in for one. */
export interface Socket {
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  send(text: string): void;
  close(code: number): void;
}

/** The parts of the browser that the client uses. Tests put others in. */
export interface Environment {
  readonly now: () => number;
  readonly random: () => number;
  readonly setTimeout: (callback: () => void, ms: number) => unknown;
  readonly clearTimeout: (timer: unknown) => void;
  readonly WebSocket: new (url: string, protocols: string) => WebSocket;
  readonly storage: Pick<Storage, 'getItem'> | undefined;
  readonly locks: Pick<LockManager, 'request'> | undefined;
  readonly BroadcastChannel: (new (name: string) => BroadcastChannel) | undefined;
  /** Gives `online`, `offline`, `pageshow`, `pagehide`, `storage`. */
  readonly window: EventTarget | undefined;
  /** Gives `visibilitychange`, `freeze`, `resume`. */
  readonly document: (EventTarget & { readonly visibilityState: string }) | undefined;
}

export interface ClientOptions {
  /** Of the endpoint, `ws:`, `wss:`, `http:`, `https:` or a path. Default: `/api/v1/notifications/ws` of the page's host. */
  readonly url?: string | URL;
  /** Asked on every connection and before the token expires. Default: `localStorage.getItem('token')`. */
  readonly getToken?: (request: TokenRequest) => string | null | undefined | Promise<string | null | undefined>;
  /** `query` puts the token into the URL, as some proxies log it. Default: `frame`. */
  readonly tokenIn?: 'frame' | 'query';
  /** One socket for all tabs of this browser with the same URL and user. Default: true, where the browser can. */
  readonly shareSocket?: boolean;
  /** Added to each wait before a retry: a random share of it, from 0 to this. Default: 0.1. */
  readonly jitter?: number;
  /** Called with every line of the log. */
  readonly onLog?: (entry: LogEntry) => void;
  readonly environment?: Partial<Environment>;
}

export interface PageRequest {
  /** 1 to 100, default 10. */
  readonly limit?: number;
  /** `next` of an earlier page. */
  readonly before?: string | null;
}

export interface Client {
  /** Resolves when the relay took the token; rejects with a HeraldError when the client gave up or was disconnected. May
   * be called at any time: starts a fresh series of attempts if the connection is not open. */
  connect(): Promise<void>;
  /** Ends the connection of this tab, drops what waits, forgets the cursor's user; nothing but connect() wakes it again.
   * `allTabs`: of all tabs that share the socket, as on logout. */
  disconnect(options?: { readonly allTabs?: boolean }): void;
  isConnected(): boolean;
  getState(): ConnectionState;
  /** Sends now, or after the next `connected`. A message that comes to nothing is told by a `dropped` event. */
  send(message: ClientFrame): 'sent' | 'queued';
  /** Calls back for each event of a type; the answer ends it. */
  subscribe<T extends string>(type: T, handler: (event: EventOf<T>) => void): () => void;
  subscribe(handler: (event: ShortEvent) => void): () => void;
  /** The newest unread notifications. Rejects with a HeraldError, as do the following. */
  getUnreadNotifications(limit?: number, before?: string | null): Promise<UnreadNotifications>;
  getNotifications(request?: PageRequest): Promise<Notifications>;
  /** Resolves after the commit. */
  markAsRead(id: string): Promise<NotificationUpdated>;
  /** `until`: an RFC 3339 time; only notifications created until then. */
  markAllAsRead(until?: string): Promise<UnreadCount>;
  getDebugInfo(): DebugInfo;
}

/** The negative answer to `markAsRead` is a HeraldError. */
export type { MarkFailed, Notifications, NotificationUpdated, UnreadCount, UnreadNotifications };
