import type { Labels } from './labels.js';

export const german: Labels = {
  locale: 'de',
  title: 'Benachrichtigungen',
  bell: (unread) => (unread ? `Benachrichtigungen, ${unread} ungelesen` : 'Benachrichtigungen'),
  close: 'Schließen',
  markRead: 'Als gelesen markieren',
  markAllRead: 'Alle gelesen',
  loadMore: 'Mehr laden',
  loading: 'Wird geladen …',
  emptyText: 'Alles gelesen',
  offlineText: 'Keine Verbindung. Neues folgt, sobald sie wieder da ist.',
  errorText: 'Das hat nicht geklappt.',
  retry: 'Noch einmal',
  unread: 'Ungelesen:',
  states: {
    OPEN: 'Verbunden', CONNECTING: 'Verbindet', RECONNECTING: 'Verbindet erneut', CLOSING: 'Wird getrennt', CLOSED: 'Offline', FAILED: 'Nicht verbunden',
  },
  severities: { info: 'Info', success: 'Erfolg', warning: 'Warnung', error: 'Fehler' },
  arrived: (count, title) => (count === 1 ? `Neue Benachrichtigung: ${title}` : `${count} neue Benachrichtigungen`),
  desktop: 'Auch auf dem Desktop zeigen',
  debug: 'Verbindungsdetails',
  exportLog: 'Protokoll speichern',
};
