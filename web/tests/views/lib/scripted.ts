/* A client whose relay is the test: it says what arrives and how each request ends. */
import type { Client, ConnectionState, DebugInfo, Notification, Notifications as NotificationsPage } from '../../../src/types.js';

let serial = 0;

/** A notification; later ones are newer. */
export function row(fields: Partial<Notification> = {}): Notification {
  serial += 1;
  const created_at = new Date(Date.UTC(2026, 0, 1) + serial * 1000).toISOString().replace('Z', '000Z');
  return {
    id: `00000000-0000-4000-8000-${String(serial).padStart(12, '0')}`, title: `Title ${serial}`, message: `Message ${serial}`,
    category: null, severity: 'info', action_url: null, data: null, created_at, read_at: null, is_read: false, version: 1, ...fields,
  };
}

/** The same row, later: read. */
export const asRead = (row: Notification): Notification =>
  ({ ...row, is_read: true, read_at: row.created_at, version: row.version + 1 });

export const page = (notifications: readonly Notification[], fields: Partial<NotificationsPage> = {}): NotificationsPage =>
  ({
    type: 'notifications', count: notifications.filter((row) => !row.is_read).length, notifications: [...notifications],
    next: null, cursor: 'c', ...fields,
  });

/** A request that waits for the test. */
interface Request {
  readonly name: string;
  readonly argument: unknown;
  readonly answer: (value?: unknown) => Promise<void>;
  readonly refuse: (code: string) => Promise<void>;
}

const settle = async () => {
  for (let i = 0; i < 5; i += 1) await Promise.resolve();
};

export class ScriptedClient implements Client {
  state: ConnectionState = 'CLOSED';
  connects = 0;
  disconnects = 0;
  readonly handlers = new Set<{ readonly type: unknown; readonly handler: unknown }>();
  readonly requests: Request[] = [];

  #ask(name: string, argument: unknown): Promise<never> {
    return new Promise((resolve, reject) => {
      this.requests.push({
        name,
        argument,
        answer: (value) => (resolve(value as never), settle()),
        refuse: (code) => (reject(Object.assign(new Error(`refused: ${code}`), { code })), settle()),
      });
    });
  }

  connect = async () => {
    this.connects += 1;
    this.become('CONNECTING');
  };

  disconnect = () => {
    this.disconnects += 1;
    this.become('CLOSED');
  };

  isConnected = () => this.state === 'OPEN';
  getState = () => this.state;
  getNotifications = (options: unknown) => this.#ask('getNotifications', options);
  getUnreadNotifications = (limit?: number) => this.#ask('getUnread', limit);
  markAsRead = (id: string) => this.#ask('markAsRead', id);
  markAllAsRead = () => this.#ask('markAllAsRead', undefined);
  send = () => 'sent' as const;

  getDebugInfo = (): DebugInfo => ({
    state: this.state, transport: 'websocket', attempts: 2, retryAt: null, closes: [{ at: 0, code: 1006, reason: '' }, { at: 1, code: 4001, reason: '' }],
    cursor: 'fba7bc12-734', roundTripMs: 12, queueLength: 0, userId: 'u1', sessionId: 's1', shared: true, leader: true,
    log: [{ at: 0, event: 'dial', detail: '' }],
  });

  subscribe = ((type: unknown, handler: unknown) => {
    const entry = { type, handler };
    this.handlers.add(entry);
    return () => void this.handlers.delete(entry);
  }) as Client['subscribe'];

  // ---- what the test does ----

  become(state: ConnectionState, error = ''): void {
    this.state = state;
    this.push({ type: 'state', state, error: error ? new Error(error) : null });
  }

  /** The fields that the inbox does not look at may be missing. */
  push(event: { readonly type: string; readonly [field: string]: unknown }): void {
    const heard = [...this.handlers].filter(({ type }) => type === event.type);
    for (const { handler } of heard) (handler as (event: unknown) => void)(event);
  }

  /** Connected, and the first page has come. */
  async open(rows: readonly Notification[] = [], { user = 'u1', ...fields }: Partial<NotificationsPage> & { user?: string } = {}): Promise<void> {
    this.become('OPEN');
    const first = page(rows, fields);
    this.push({ type: 'connected', user_id: user, unread_count: first.count });
    await this.last('getNotifications').answer(first);
  }

  insert(notification: Notification, count: number): void {
    this.push({ type: 'new_notification', notification });
    this.push({ type: 'unread_count', count });
  }

  update(notification: Notification): void {
    this.push({ type: 'notification_updated', success: true, notification });
  }

  last(name: string): Request {
    const found = this.requests.filter((request) => request.name === name).at(-1);
    if (!found) throw new Error(`nobody asked for ${name}`);
    return found;
  }
}
