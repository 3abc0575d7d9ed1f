// Made from docs/protocol/schemas by scripts/generate-protocol.mjs (npm run protocol). Do not edit.

export type Frame = ServerFrame | ApplicationMessage | ClientFrame;
/**
 * A frame of the relay, but for what the application broadcasts (ApplicationMessage).
 */
export type ServerFrame =
  | Connected
  | NewNotification
  | NotificationUpdated
  | MarkFailed
  | NotificationDeleted
  | UnreadCount
  | UnreadNotifications
  | Notifications
  | Resumed
  | Resync
  | TokenExpiring
  | Authenticated
  | Draining
  | Pong
  | ErrorFrame;
/**
 * A lower-case UUID.
 */
export type Uuid = string;
/**
 * An exact number of notifications.
 */
export type Count = number;
/**
 * An opaque string: from where to go on after a break.
 */
export type Cursor = string;
/**
 * RFC 3339 in UTC with microseconds, or null.
 */
export type TimeOrNull = string | null;
/**
 * What the client put into its message, at most 64 bytes of UTF-8; its answers carry it.
 */
export type Ref = string;
export type Severity = 'info' | 'success' | 'warning' | 'error';
/**
 * RFC 3339 in UTC with microseconds.
 */
export type Time = string;
/**
 * `code` of a `notification_updated` with `success:false`.
 */
export type MarkErrorCode = 'not_found' | 'unavailable';
/**
 * How long to wait.
 */
export type Milliseconds = number;
/**
 * `code` of an `error`.
 */
export type ErrorCode =
  'bad_json' | 'bad_message' | 'unknown_type' | 'bad_field' | 'rate_limited' | 'unavailable' | 'internal';
/**
 * A message that the relay reads. It ignores fields it does not know.
 */
export type ClientFrame =
  Ping | Authenticate | Resume | GetUnread | GetNotifications | MarkRead | MarkManyRead | MarkAllRead;

/**
 * The token was good. The first frame of every connection.
 */
export interface Connected {
  type: 'connected';
  message: 'Application startup complete';
  user_id: string;
  session_id: Uuid;
  unread_count: Count;
  cursor: Cursor;
  /**
   * Seconds between the relay's PINGs.
   */
  heartbeat_interval: number;
  token_expires_at: TimeOrNull;
  protocol: 1;
  ref?: Ref;
}
/**
 * A row was inserted for the user, or given to the user.
 */
export interface NewNotification {
  type: 'new_notification';
  notification: Notification;
  cursor: Cursor;
}
export interface Notification {
  id: Uuid;
  title: string;
  message: string;
  category: string | null;
  severity: Severity;
  action_url: string | null;
  /**
   * Any JSON value, or null.
   */
  data: unknown;
  created_at: Time;
  read_at: TimeOrNull;
  is_read: boolean;
  /**
   * Starts at 1 and grows by 1 with every change of the row.
   */
  version: number;
}
/**
 * A row changed, whatever changed it; also the positive answer to `mark_read`.
 */
export interface NotificationUpdated {
  type: 'notification_updated';
  notification_id: Uuid;
  success: true;
  notification: Notification;
  cursor: Cursor;
  ref?: Ref;
}
/**
 * The negative answer to `mark_read`.
 */
export interface MarkFailed {
  type: 'notification_updated';
  notification_id: Uuid;
  success: false;
  code: MarkErrorCode;
  ref?: Ref;
}
/**
 * Deleted, expired, or given to another user. It may name one the client has never seen.
 */
export interface NotificationDeleted {
  type: 'notification_deleted';
  notification_id: Uuid;
  cursor: Cursor;
}
/**
 * The user's exact total; also the answer to `mark_all_read`.
 */
export interface UnreadCount {
  type: 'unread_count';
  count: Count;
  cursor: Cursor;
  ref?: Ref;
}
/**
 * A page of unread notifications; `count` is the exact unread total.
 */
export interface UnreadNotifications {
  type: 'unread_notifications';
  count: Count;
  /**
   * Newest first.
   */
  notifications: Notification[];
  /**
   * `before` of the next page; null on the last one.
   */
  next: string | null;
  cursor: Cursor;
  ref?: Ref;
}
/**
 * A page of all notifications; `count` is the exact unread total.
 */
export interface Notifications {
  type: 'notifications';
  count: Count;
  /**
   * Newest first.
   */
  notifications: Notification[];
  /**
   * `before` of the next page; null on the last one.
   */
  next: string | null;
  cursor: Cursor;
  ref?: Ref;
}
/**
 * The end of a catch-up: `count` changes came before it.
 */
export interface Resumed {
  type: 'resumed';
  count: Count;
  cursor: Cursor;
  ref?: Ref;
}
/**
 * What the client has may be out of date: it forgets it, shows the page that follows and reads more.
 */
export interface Resync {
  type: 'resumed';
  resync: true;
  cursor: Cursor;
  ref?: Ref;
}
/**
 * The token is about to expire: send `authenticate` with a new one.
 */
export interface TokenExpiring {
  type: 'token_expiring';
  /**
   * Seconds.
   */
  expires_in: number;
}
/**
 * The new token was good.
 */
export interface Authenticated {
  type: 'authenticated';
  token_expires_at: TimeOrNull;
  ref?: Ref;
}
/**
 * This relay is going to stop. Connect again `retry_after_ms` after the close, not earlier.
 */
export interface Draining {
  type: 'draining';
  retry_after_ms: Milliseconds;
}
/**
 * The answer to `ping`.
 */
export interface Pong {
  type: 'pong';
  cursor: Cursor;
  ref?: Ref;
}
/**
 * A message was refused. The connection stays open.
 */
export interface ErrorFrame {
  type: 'error';
  code: ErrorCode;
  message: string;
  retry_after_ms?: Milliseconds;
  ref?: Ref;
}
/**
 * Any other type is what the application broadcasts, byte for byte.
 */
export interface ApplicationMessage {
  type: string;
  [k: string]: unknown;
}
/**
 * Answered by `pong`.
 */
export interface Ping {
  type: 'ping';
  ref?: Ref;
}
/**
 * Answered by `connected`, or by `authenticated` when already connected.
 */
export interface Authenticate {
  type: 'authenticate';
  token: string;
  /**
   * The last cursor, to be told what was missed. An old one is no error.
   */
  cursor?: string | null;
  ref?: Ref;
}
/**
 * Answered by what changed since, then `resumed`.
 */
export interface Resume {
  type: 'resume';
  /**
   * The last cursor. An old one is no error.
   */
  cursor: string;
  ref?: Ref;
}
/**
 * Answered by `unread_notifications`.
 */
export interface GetUnread {
  type: 'get_unread';
  /**
   * Default 10.
   */
  limit?: number;
  /**
   * `next` of an earlier page, or null for the first.
   */
  before?: string | null;
  ref?: Ref;
}
/**
 * Answered by `notifications`, read ones included.
 */
export interface GetNotifications {
  type: 'get_notifications';
  /**
   * Default 10.
   */
  limit?: number;
  /**
   * `next` of an earlier page, or null for the first.
   */
  before?: string | null;
  ref?: Ref;
}
/**
 * Answered by `notification_updated`.
 */
export interface MarkRead {
  type: 'mark_read';
  /**
   * A UUID; upper case is accepted.
   */
  notification_id: string;
  ref?: Ref;
}
/**
 * Answered by `notification_updated` each.
 */
export interface MarkManyRead {
  type: 'mark_read';
  /**
   * @minItems 1
   * @maxItems 100
   *
   * Items: A UUID; upper case is accepted.
   */
  notification_ids: string[];
  ref?: Ref;
}
/**
 * Answered by `unread_count` with the new total.
 */
export interface MarkAllRead {
  type: 'mark_all_read';
  /**
   * A time (notifications created until then), a cursor (those last changed before it), or null.
   */
  until?: string | null;
  ref?: Ref;
}
/** The WebSocket close codes that the relay sends. */
export const CloseCode = {
  /** The relay stops, or the client gave no sign of life. Retry. */
  GOING_AWAY: 1001,
  /** A frame that breaks RFC 6455. A bug of the client; retry. */
  PROTOCOL_ERROR: 1002,
  /** A binary frame. A bug of the client; retry. */
  TEXT_ONLY: 1003,
  /** Invalid UTF-8. A bug of the client; retry. */
  INVALID_UTF8: 1007,
  /** A message over HERALD_MAX_MESSAGE_BYTES. A bug of the client; retry. */
  MESSAGE_TOO_LARGE: 1009,
  /** At capacity, or the database is away. Retry later. */
  TRY_LATER: 1013,
  /** No token, a malformed one, or no such user. Final. */
  NOT_AUTHENTICATED: 4000,
  /** Expired or not accepted. Get a new token, then retry. */
  TOKEN_REFUSED: 4001,
  /** Disconnected by the application. Final. */
  DISCONNECTED: 4002,
  /** Too many messages, connections or failed logins. Retry later. */
  TOO_MANY: 4029,
} as const;
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode];
