/* The list of the panel: rows, one tab stop after the other, and arrow keys from row to row. */
import { useEffect, useRef, type KeyboardEvent, type ReactNode } from 'react';
import type { Notifications } from './useNotifications.js';
import type { Labels } from './labels/labels.js';

export interface ListProps extends Pick<Notifications, 'notifications' | 'hasMore' | 'isLoading' | 'loadMore'> {
  readonly labels: Labels;
  readonly renderItem: (notification: Notifications['notifications'][number]) => ReactNode;
}

/** Where a key leads from row `at` of `count`; null: nowhere. */
function target(key: string, at: number, count: number): number | null {
  if (key === 'ArrowDown') return Math.min(at + 1, count - 1);
  if (key === 'ArrowUp') return Math.max(at - 1, 0);
  if (key === 'Home') return 0;
  return key === 'End' ? count - 1 : null;
}

export function List({ notifications, hasMore, isLoading, loadMore, labels, renderItem }: ListProps) {
  const list = useRef<HTMLUListElement>(null);
  const focusAt = useRef<number | null>(null);

  const focusRow = (index: number) => (list.current?.children[index] as HTMLElement | undefined)?.focus();

  const onKeyDown = (event: KeyboardEvent) => {
    const rows = [...(list.current?.children ?? [])];
    const to = target(event.key, rows.findIndex((row) => row.contains(document.activeElement)), rows.length);
    if (to === null) return;
    event.preventDefault();
    focusRow(to);
  };

  // The last page takes the button away that has the focus: it goes on to the first row that came.
  useEffect(() => {
    if (isLoading || focusAt.current === null) return;
    if (!hasMore) focusRow(focusAt.current);
    focusAt.current = null;
  }, [isLoading, hasMore]);

  const more = () => {
    focusAt.current = notifications.length;
    void loadMore();
  };
  return (
    <>
      <ul className="pgh-list" role="list" ref={list} aria-label={labels.title} aria-busy={isLoading} onKeyDown={onKeyDown}>
        {notifications.map((notification) => (
          <li key={notification.id} className="pgh-item" tabIndex={-1} data-severity={notification.severity} data-unread={!notification.is_read || undefined}>
            {renderItem(notification)}
          </li>
        ))}
      </ul>
      {hasMore && (
        <button type="button" className="pgh-button pgh-more" aria-disabled={isLoading} onClick={more}>
          {isLoading ? labels.loading : labels.loadMore}
        </button>
      )}
    </>
  );
}
