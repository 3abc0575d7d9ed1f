/* The hook: a component goes in, the inbox of its client comes out. All components of a page share one inbox and one
 * connection; it opens with the first of them and closes with the last. */
import { useMemo, useSyncExternalStore } from 'react';
import { wsService } from '../client.js';
import { inboxOf, type Inbox, type InboxSnapshot } from '../inbox.js';
import type { Client } from '../types.js';

export interface NotificationsOptions {
  /** Default: `wsService`. */
  readonly client?: Client;
}

export type Notifications = InboxSnapshot &
  Pick<Inbox, 'getUnread' | 'markAsRead' | 'markAllAsRead' | 'loadMore' | 'retry'>;

/** The state and what can be done. The functions are the same for the client's whole life. */
export function useNotifications({ client = wsService }: NotificationsOptions = {}): Notifications {
  const inbox = inboxOf(client);
  const snapshot = useSyncExternalStore(inbox.subscribe, inbox.getSnapshot, inbox.getServerSnapshot);
  return useMemo(() => {
    const { getUnread, markAsRead, markAllAsRead, loadMore, retry } = inbox;
    return { ...snapshot, getUnread, markAsRead, markAllAsRead, loadMore, retry };
  }, [inbox, snapshot]);
}

export default useNotifications;
