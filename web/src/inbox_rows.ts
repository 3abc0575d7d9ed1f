/* The rows of an inbox: pages and pushes come in, one list goes out, newest first. It owns the newest version of each
 * row, where the loaded pages end, and the marks under way, which lie over the rows and never change them. */
import type { Notification } from './types.js';

/** A page as the relay sends it. */
export interface Page {
  readonly notifications: readonly Notification[];
  readonly next: string | null;
}

export type Rows = ReturnType<typeof createRows>;

const newestFirst = (a: Notification, b: Notification) =>
  a.created_at < b.created_at || (a.created_at === b.created_at && a.id < b.id) ? 1 : -1;

export function createRows() {
  let rows = new Map<string, Notification>();
  let fresh: Map<string, Notification> | null = null; // what came while the first page is under way
  let end: Notification | null = null; // the last row of the pages; null: every row belongs here
  let next: string | null = null;
  const marks = new Map<string, Notification>(); // id → the row as it will be when the mark has succeeded
  const owed = new Set<string>(); // those of them that the server's count does not know yet
  let settled = 0; // marks that have succeeded since the last count
  let offset = 0; // of the count, while everything is being marked: rows that are not here
  let count = 0;
  let sorted: readonly Notification[] | null = [];

  const asRead = (row: Notification): Notification => ({ ...row, is_read: true });

  /** A mark that is under way lies over the row's new state, too. */
  function laidOver(row: Notification): void {
    if (!marks.has(row.id)) return;
    if (!row.is_read) return void marks.set(row.id, asRead(row));
    marks.delete(row.id);
    if (owed.delete(row.id)) settled += 1;
  }

  function unmark(id: string): void {
    owed.delete(id);
    if (marks.delete(id)) sorted = null;
  }

  function mark(id: string): boolean {
    const row = rows.get(id);
    if (!row || row.is_read || marks.has(id)) return false;
    marks.set(id, asRead(row));
    owed.add(id);
    sorted = null;
    return true;
  }

  /** The server's count less the marks under way. */
  const unread = () => Math.max(0, count - offset - settled - owed.size);

  function put(row: Notification): boolean {
    const known = rows.get(row.id);
    if (known && known.version >= row.version) return false;
    rows.set(row.id, row);
    fresh?.set(row.id, row);
    laidOver(row);
    sorted = null;
    return true;
  }

  function addPage(page: Page): void {
    page.notifications.forEach(put);
    next = page.next;
    end = next === null ? null : (page.notifications.at(-1) ?? end);
    sorted = null;
  }

  return {
    /** A row that changed. One older than the loaded pages is left to its own page. True: it was not here before. */
    push(row: Notification): boolean {
      const known = rows.has(row.id);
      if (!known && end && newestFirst(row, end) > 0) return false;
      return put(row) && !known;
    },

    put,

    remove(id: string): void {
      fresh?.delete(id);
      unmark(id);
      if (rows.delete(id)) sorted = null;
    },

    addPage,

    /** From now on until replace(), what comes is kept aside as well: the first page was asked for. */
    expect(): void {
      fresh = new Map();
    },

    /** The first page: it and what came since it was asked for are all there is. */
    replace(page: Page): void {
      rows = fresh ?? new Map();
      fresh = null;
      for (const id of marks.keys()) if (!owed.has(id)) marks.delete(id);
      addPage(page);
    },

    get: (id: string) => rows.get(id),

    next: () => next,

    /** Shows a row as read. False: there is nothing to show. */
    mark,

    /** The mark has failed, or there is nothing left to wait for: the row is what the server says. */
    unmark,

    /** Shows everything as read; the answer tells how it ended. Rows stay as they look until the server tells of them. */
    markAll(): (succeeded: boolean) => void {
      const ids = [...rows.keys()].filter(mark);
      const taken = unread();
      offset += taken;
      return (succeeded) => {
        offset -= taken;
        for (const id of ids) if (succeeded) owed.delete(id); else unmark(id);
      };
    },

    /** The server's exact count. What has succeeded before is in it. */
    setCount(exact: number): void {
      count = exact;
      settled = 0;
    },

    unread,

    list(): readonly Notification[] {
      sorted ??= [...rows.values()].sort(newestFirst).map((row) => marks.get(row.id) ?? row);
      return sorted;
    },
  };
}
