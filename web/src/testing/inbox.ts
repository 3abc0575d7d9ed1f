/* The notifications of one user of the fake relay, as the relay's tables would have them. */
import type { Notification } from '../protocol.js';

export interface FakeInbox {
  /** Newest first. */
  rows(): readonly Notification[];
  unread(): number;
  insert(given: Partial<Notification>): Notification;
  /** A new version of a row; null when there is none. */
  update(id: string, change: Partial<Notification>): Notification | null;
  remove(id: string): boolean;
}

export function createFakeInbox(): FakeInbox {
  const rows = new Map<string, Notification>();
  let created = 0;

  const newest = () => [...rows.values()].sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
  return {
    rows: newest,
    unread: () => newest().filter((row) => !row.is_read).length,
    insert(given) {
      const row: Notification = {
        id: uuid(++created), title: 'Title', message: '', category: null, severity: 'info', action_url: null,
        data: null as unknown as Notification['data'], created_at: time(created), read_at: null, is_read: false, version: 1,
        ...given,
      };
      rows.set(row.id, row);
      return row;
    },
    update(id, change) {
      const row = rows.get(id);
      if (!row) return null;
      const next = { ...row, ...change, version: row.version + 1 };
      rows.set(id, next);
      return next;
    },
    remove: (id) => rows.delete(id),
  };
}

const uuid = (n: number) => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;

/** Each later than the one before; not the real time, so that tests see the same every day. */
export const time = (n: number) => new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString().replace('Z', '000Z');
