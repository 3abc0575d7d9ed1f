/* One notification of the list. Its text is shown as text, whatever is in it. */
import { memo, type MouseEvent } from 'react';
import type { Notification } from '../types.js';
import { Icon } from './icons.js';
import type { Labels } from './labels/labels.js';
import { linkOf } from './link.js';
import { fullTime, timeAgo } from './time.js';

export interface ItemProps {
  readonly notification: Notification;
  readonly labels: Labels;
  /** The present, in ms; moves every half minute. */
  readonly now: number;
  readonly markAsRead: (id: string) => unknown;
  /** A link was clicked; prevent the event's default to go there by a router. */
  readonly onNavigate?: ((notification: Notification, event: MouseEvent) => void) | undefined;
}

function Title({ notification, markAsRead, onNavigate }: Omit<ItemProps, 'now' | 'labels'>) {
  const link = linkOf(notification.action_url);
  if (!link) return notification.title;
  const follow = (event: MouseEvent) => {
    if (!notification.is_read) markAsRead(notification.id);
    onNavigate?.(notification, event);
  };
  return (
    <a href={link.href} onClick={follow} {...(link.external && { target: '_blank', rel: 'noopener noreferrer' })}>
      {notification.title}
    </a>
  );
}

export const Item = memo(function Item({ labels, now, ...rest }: ItemProps) {
  const { notification, markAsRead } = rest;
  const { id, severity, title, message, category, created_at, is_read } = notification;
  /** The button goes away with the click: the focus stays with the item. */
  const read = (event: MouseEvent) => {
    event.currentTarget.closest('li')?.focus();
    markAsRead(id);
  };
  return (
    <>
      <Icon name={severity} />
      <div className="pgh-words">
        <h3 className="pgh-item-title">
          {!is_read && <span className="pgh-hidden">{labels.unread} </span>}
          <bdi><Title {...rest} /></bdi>
        </h3>
        {message && <p className="pgh-message" dir="auto">{message}</p>}
        <p className="pgh-meta">
          <span className="pgh-severity">{labels.severities[severity]}</span>
          {category && <span><bdi>{category}</bdi></span>}
          <time dateTime={created_at} title={fullTime(created_at, labels.locale)}>{timeAgo(created_at, now, labels.locale)}</time>
        </p>
      </div>
      {!is_read && (
        <button type="button" className="pgh-button pgh-read" aria-label={`${labels.markRead}: ${title}`} title={labels.markRead} onClick={read}>
          <Icon name="check" />
        </button>
      )}
    </>
  );
});
