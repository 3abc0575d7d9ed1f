/* What the notification centre says, in one language. Text goes out as text; nothing here is HTML. */
import type { ConnectionState } from '../../types.js';

export interface Labels {
  /** A BCP 47 tag, for times and numbers. */
  readonly locale: string;
  /** The panel's heading. */
  readonly title: string;
  /** The name of the bell. */
  readonly bell: (unread: number) => string;
  readonly close: string;
  readonly markRead: string;
  readonly markAllRead: string;
  readonly loadMore: string;
  readonly loading: string;
  readonly emptyText: string;
  readonly offlineText: string;
  readonly errorText: string;
  readonly retry: string;
  /** In front of an unread one's title, for screen readers. */
  readonly unread: string;
  readonly states: Readonly<Record<ConnectionState, string>>;
  readonly severities: Readonly<Record<'info' | 'success' | 'warning' | 'error', string>>;
  /** Read out when some arrived; `title` is the newest one's. */
  readonly arrived: (count: number, title: string) => string;
  readonly desktop: string;
  readonly debug: string;
  readonly exportLog: string;
}
