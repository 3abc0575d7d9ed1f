import type { Labels } from './labels.js';

export const english: Labels = {
  locale: 'en',
  title: 'Notifications',
  bell: (unread) => (unread ? `Notifications, ${unread} unread` : 'Notifications'),
  close: 'Close',
  markRead: 'Mark as read',
  markAllRead: 'Mark all as read',
  loadMore: 'Load more',
  loading: 'Loading…',
  emptyText: 'You are all caught up',
  offlineText: 'You are offline. New notifications follow when the connection is back.',
  errorText: 'That did not work.',
  retry: 'Retry',
  unread: 'Unread:',
  states: {
    OPEN: 'Live', CONNECTING: 'Connecting', RECONNECTING: 'Reconnecting', CLOSING: 'Closing', CLOSED: 'Offline', FAILED: 'Not connected',
  },
  severities: { info: 'Info', success: 'Success', warning: 'Warning', error: 'Error' },
  arrived: (count, title) => (count === 1 ? `New notification: ${title}` : `${count} new notifications`),
  desktop: 'Show on the desktop, too',
  debug: 'Connection details',
  exportLog: 'Save log',
};
