/* The open panel: heading, state of the connection, errors, the list or what stands for it. */
import { useEffect, useRef, useState, type ReactNode } from 'react';
import type { Client } from '../types.js';
import { DebugPanel } from './DebugPanel.js';
import type { Desktop } from './desktop.js';
import { Icon } from './icons.js';
import { Item, type ItemProps } from './Item.js';
import type { Labels } from './labels/labels.js';
import { List } from './List.js';
import type { Notifications } from './useNotifications.js';

const TICK_MS = 30_000;

/** What an application may draw itself. */
export interface Slots {
  /** Inside a row. */
  readonly renderItem?: ((notification: ItemProps['notification'], inbox: Notifications) => ReactNode) | undefined;
  readonly renderEmpty?: (() => ReactNode) | undefined;
  /** In place of the heading and the state. */
  readonly renderHeader?: ((inbox: Notifications, close: () => void) => ReactNode) | undefined;
  readonly onNavigate?: ItemProps['onNavigate'];
}

export interface PanelProps extends Slots {
  readonly client: Client;
  readonly inbox: Notifications;
  readonly labels: Labels;
  readonly desktop: Desktop;
  readonly debug: boolean;
  readonly close: () => void;
}

/** The present, for "5 minutes ago". */
function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return now;
}

function Header({ inbox, labels, close }: Pick<PanelProps, 'inbox' | 'labels' | 'close'>) {
  const { connectionState } = inbox;
  return (
    <div className="pgh-header">
      <h2 className="pgh-heading">{labels.title}</h2>
      <span className="pgh-state" data-state={connectionState}>
        <Icon name={connectionState} />
        {labels.states[connectionState]}
      </span>
      <button type="button" className="pgh-button pgh-round" aria-label={labels.close} title={labels.close} onClick={close}>
        <Icon name="close" />
      </button>
    </div>
  );
}

/** What can be done with all of them. */
function Tools({ inbox, labels, desktop }: Pick<PanelProps, 'inbox' | 'labels' | 'desktop'>) {
  const { unreadCount, markAllAsRead } = inbox;
  return (
    <div className="pgh-tools">
      <button type="button" className="pgh-button" aria-disabled={!unreadCount} onClick={() => unreadCount && void markAllAsRead()}>
        {labels.markAllRead}
      </button>
      {desktop.canAsk && <button type="button" className="pgh-button" onClick={desktop.ask}>{labels.desktop}</button>}
    </div>
  );
}

/** What is wrong, in a few words; null when all is well. */
export function troubleOf({ connectionState, error }: Notifications, labels: Labels): string | null {
  if (connectionState === 'FAILED') return labels.states.FAILED;
  return error === null ? null : labels.errorText;
}

/** What is wrong and what to do; nothing when all is well. */
function Trouble({ inbox, labels }: Pick<PanelProps, 'inbox' | 'labels'>) {
  const { connectionState, error, retry } = inbox;
  const trouble = troubleOf(inbox, labels);
  if (trouble === null) {
    return connectionState === 'RECONNECTING' || connectionState === 'CLOSED' ? <p className="pgh-note">{labels.offlineText}</p> : null;
  }
  return (
    <div className="pgh-error">
      <Icon name="error" />
      <p title={error ?? undefined}>{trouble}</p>
      <button type="button" className="pgh-button" onClick={retry}>{labels.retry}</button>
    </div>
  );
}

function Empty({ labels }: { labels: Labels }) {
  return (
    <div className="pgh-empty">
      <Icon name="bell" />
      <p>{labels.emptyText}</p>
    </div>
  );
}

const Loading = ({ labels }: { labels: Labels }) => (
  <div className="pgh-loading">
    <span className="pgh-hidden">{labels.loading}</span>
    <i /><i /><i />
  </div>
);

export function Panel(props: PanelProps) {
  const { client, inbox, labels, desktop, debug, close, onNavigate, renderItem, renderEmpty, renderHeader } = props;
  const { notifications, isLoaded, connectionState, error, markAsRead } = inbox;
  const panel = useRef<HTMLDivElement>(null);
  const now = useNow();

  // When it opens, and when what had the focus has gone (a row was deleted, an error is over).
  useEffect(() => {
    if (document.activeElement === document.body || !panel.current?.contains(document.activeElement)) panel.current?.focus();
  }, [notifications, error]);

  const row = (notification: ItemProps['notification']) =>
    renderItem ? renderItem(notification, inbox) : <Item {...{ notification, labels, now, markAsRead, onNavigate }} />;
  const isComing = !isLoaded && error === null && connectionState !== 'CLOSED';
  return (
    <div role="dialog" className="pgh-panel" aria-label={labels.title} tabIndex={-1} ref={panel}>
      {renderHeader ? renderHeader(inbox, close) : <Header {...{ inbox, labels, close }} />}
      <Tools {...{ inbox, labels, desktop }} />
      <Trouble {...{ inbox, labels }} />
      <div className="pgh-scroll">
        {isComing && !notifications.length && <Loading labels={labels} />}
        {isLoaded && !notifications.length && (renderEmpty ? renderEmpty() : <Empty labels={labels} />)}
        {notifications.length > 0 && <List {...inbox} labels={labels} renderItem={row} />}
      </div>
      {debug && <DebugPanel client={client} labels={labels} />}
    </div>
  );
}
