/* Desktop notifications: arrivals go in, each is shown once, by whichever tab is first, and only while nobody looks at
 * any of them. It owns those it has shown, and closes them when they are read or deleted anywhere. */
import { useCallback, useEffect, useRef, useState } from 'react';
import type { Inbox } from '../inbox.js';
import type { Notification as Row } from '../types.js';

const OLD_MS = 60_000; // what is caught up after an absence is no news
const LOOKING_FIRST_MS = 300; // a tab that somebody looks at takes the lock before all others
const LOCK_MS = 10_000; // in this time every tab has heard of it

const available = () => typeof Notification !== 'undefined' && isSecureContext;

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Calls `show` in one tab of the browser. Without locks the tag alone makes several into one. */
async function once(id: string, show: () => void): Promise<void> {
  if (!navigator.locks) return show();
  if (!document.hasFocus()) await wait(LOOKING_FIRST_MS);
  await navigator.locks.request(`pgherald.desktop.${id}`, { ifAvailable: true }, async (lock) => {
    if (!lock) return;
    show();
    await wait(LOCK_MS);
  });
}

export interface Desktop {
  /** There is something to ask the user for. */
  readonly canAsk: boolean;
  /** Must be called from a click. */
  readonly ask: () => void;
}

export function useDesktop(inbox: Inbox, on: boolean, onClick: () => void): Desktop {
  const [permission, setPermission] = useState<NotificationPermission | null>(null);
  const click = useRef(onClick);
  useEffect(() => {
    click.current = onClick;
  });
  useEffect(() => setPermission(on && available() ? Notification.permission : null), [on]);

  useEffect(() => {
    if (permission !== 'granted') return undefined;
    const shown = new Map<string, Notification>();
    let over = false;
    const show = ({ id, title, message }: Row) => {
      if (over || document.hasFocus()) return;
      const note = new Notification(title, { body: message, tag: id });
      shown.set(id, note);
      note.onclick = () => {
        focus();
        note.close();
        click.current();
      };
      note.onclose = () => shown.delete(id);
    };
    const endArrivals = inbox.onArrival((row) => {
      if (Date.now() - Date.parse(row.created_at) < OLD_MS) void once(row.id, () => show(row));
    });
    const endChanges = inbox.subscribe(() => {
      if (!shown.size) return;
      const unread = new Set(inbox.getSnapshot().notifications.filter((row) => !row.is_read).map((row) => row.id));
      for (const [id, note] of shown) if (!unread.has(id)) note.close();
    });
    return () => {
      over = true;
      endArrivals();
      endChanges();
      for (const note of shown.values()) note.close();
    };
  }, [inbox, permission]);

  const ask = useCallback(() => void Notification.requestPermission().then(setPermission), []);
  return { canAsk: permission === 'default', ask };
}
