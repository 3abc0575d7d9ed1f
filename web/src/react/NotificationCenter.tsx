'use client';
/* The notification centre: a bell with the unread count, and the panel that it opens. Styles: pgherald/styles.css. */
import { useCallback, useEffect, useRef, useState, type FocusEvent, type KeyboardEvent } from 'react';
import { wsService } from '../client.js';
import { inboxOf } from '../inbox.js';
import type { Client } from '../types.js';
import { useAnnouncer } from './announcer.js';
import { useDesktop } from './desktop.js';
import { Icon } from './icons.js';
import { english } from './labels/english.js';
import type { Labels } from './labels/labels.js';
import { Panel, troubleOf, type Slots } from './Panel.js';
import { useTitleCount } from './title.js';
import { useNotifications } from './useNotifications.js';

export interface NotificationCenterProps extends Slots {
  /** Default: `wsService`. */
  readonly client?: Client;
  /** All text; `english` (the default), `german`, `arabic`, or your own. Must be the same object between renders. */
  readonly labels?: Labels;
  /** Offers desktop notifications; the user is asked by a button in the panel. */
  readonly desktop?: boolean;
  /** The unread count in the document's title. */
  readonly titleCount?: boolean;
  /** Shows what the connection is doing. */
  readonly debug?: boolean;
  readonly className?: string;
}

/** Calls `close` when something outside is pressed. */
function usePressOutside(inside: { current: Element | null }, on: boolean, close: () => void): void {
  useEffect(() => {
    if (!on) return undefined;
    const press = ({ target }: Event) => {
      if (!inside.current?.contains(target as Node)) close();
    };
    document.addEventListener('pointerdown', press);
    return () => document.removeEventListener('pointerdown', press);
  }, [inside, on, close]);
}

const short = (count: number) => (count > 99 ? '99+' : count);

export function NotificationCenter(props: NotificationCenterProps) {
  const { client = wsService, labels = english, desktop = false, titleCount = false, debug = false, className = '', ...slots } = props;
  const inbox = useNotifications({ client });
  const [isOpen, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const bell = useRef<HTMLButtonElement>(null);
  const store = inboxOf(client);
  const spoken = useAnnouncer(store, labels, isOpen ? troubleOf(inbox, labels) : null);
  const leave = useCallback(() => setOpen(false), []);
  const offer = useDesktop(store, desktop, () => setOpen(true));
  useTitleCount(inbox.unreadCount, titleCount);
  usePressOutside(root, isOpen, leave);

  const close = () => {
    bell.current?.focus();
    setOpen(false);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (!isOpen || event.key !== 'Escape') return;
    event.stopPropagation(); // one Escape closes one thing
    close();
  };
  const onBlur = ({ relatedTarget }: FocusEvent) => {
    if (relatedTarget && !root.current?.contains(relatedTarget)) setOpen(false);
  };
  return (
    <div className={`pgh ${className}`} lang={labels.locale} ref={root} onKeyDown={onKeyDown} onBlur={onBlur}>
      <button
        type="button" className="pgh-bell" ref={bell} aria-label={labels.bell(inbox.unreadCount)}
        aria-haspopup="dialog" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}
      >
        <Icon name="bell" />
        {inbox.unreadCount > 0 && <span className="pgh-badge" aria-hidden="true">{short(inbox.unreadCount)}</span>}
      </button>
      <span className="pgh-hidden" role="status">{spoken}</span>
      {isOpen && <Panel {...slots} {...{ client, inbox, labels, debug, close }} desktop={offer} />}
    </div>
  );
}

export default NotificationCenter;
