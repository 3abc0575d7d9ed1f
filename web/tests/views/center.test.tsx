import { act, cleanup, fireEvent, render, screen, within } from '@testing-library/react';
import { StrictMode } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { arabic, english, german, NotificationCenter, type NotificationCenterProps } from '../../src/react/index.js';
import type { Notification } from '../../src/types.js';
import { asRead, row, ScriptedClient } from './lib/scripted.js';

let client: ScriptedClient;

beforeEach(() => {
  vi.useFakeTimers();
  client = new ScriptedClient();
  document.title = 'App';
});
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

const show = (props: NotificationCenterProps = {}) => render(<NotificationCenter client={client} {...props} />);
const open = (rows: readonly Notification[] = [], fields = {}) => act(() => client.open(rows, fields));
const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));
const push = (action: () => void) => act(async () => {
  action();
  await vi.advanceTimersByTimeAsync(150);
});
const bell = () => screen.getByRole('button', { name: /^Notifications/ });
const press = (element: Element) => act(async () => {
  (element as HTMLElement).focus();
  fireEvent.click(element);
});
const openPanel = async () => {
  await press(bell());
  return screen.getByRole('dialog');
};
const key = (name: string) => act(async () => void fireEvent.keyDown(document.activeElement!, { key: name }));
const rowsShown = () => within(screen.getByRole('list')).getAllByRole('listitem');

describe('the bell', () => {
  it('has a name with the count, and a badge that ends at 99+', async () => {
    show();
    expect(bell().getAttribute('aria-label')).toBe('Notifications');
    await open([row()], { count: 120 });
    expect(bell().getAttribute('aria-label')).toBe('Notifications, 120 unread');
    expect(bell().textContent).toBe('99+');
    await push(() => client.push({ type: 'unread_count', count: 0 }));
    expect(bell().textContent).toBe('');
  });

  it('says whether the panel is open', async () => {
    show();
    expect(bell().getAttribute('aria-expanded')).toBe('false');
    await openPanel();
    expect(bell().getAttribute('aria-expanded')).toBe('true');
    await press(bell());
    expect(screen.queryByRole('dialog')).toBeNull();
  });

  it('puts the count into the title of the document, and takes it away again', async () => {
    const { unmount } = show({ titleCount: true });
    await open([row()], { count: 3 });
    expect(document.title).toBe('(3) App');
    await push(() => client.push({ type: 'unread_count', count: 4 }));
    expect(document.title).toBe('(4) App');
    unmount();
    expect(document.title).toBe('App');
  });
});

describe('the panel', () => {
  it('takes the focus and gives it back to the bell on Escape and on Close', async () => {
    show();
    const panel = await openPanel();
    expect(document.activeElement).toBe(panel);
    await key('Escape');
    expect(screen.queryByRole('dialog')).toBeNull();
    expect(document.activeElement).toBe(bell());
    await openPanel();
    await press(screen.getByRole('button', { name: 'Close' }));
    expect(document.activeElement).toBe(bell());
  });

  it('closes when something else is pressed or gets the focus, and leaves the focus there', async () => {
    render(<button type="button">elsewhere</button>);
    show();
    const elsewhere = screen.getByText('elsewhere');
    await openPanel();
    await act(async () => void fireEvent.pointerDown(elsewhere));
    expect(screen.queryByRole('dialog')).toBeNull();
    await openPanel();
    await act(async () => elsewhere.focus());
    expect(screen.queryByRole('dialog')).toBeNull();
    expect(document.activeElement).toBe(elsewhere);
  });

  it('goes from row to row by the arrow keys, Home and End', async () => {
    show();
    await open([row(), row(), row()]);
    await openPanel();
    const rows = () => rowsShown();
    await act(async () => rows()[0]?.focus());
    for (const [name, index] of [['ArrowDown', 1], ['ArrowDown', 2], ['ArrowDown', 2], ['ArrowUp', 1], ['Home', 0], ['ArrowUp', 0], ['End', 2]] as const) {
      await key(name);
      expect(document.activeElement, name).toBe(rows()[index]);
    }
  });

  it('has a state of the connection in words', async () => {
    show();
    const panel = await openPanel();
    for (const [state, words] of Object.entries(english.states)) {
      await act(async () => client.become(state as keyof typeof english.states));
      expect(within(panel).getAllByText(words).length).toBeGreaterThan(0);
    }
  });

  it('shows that it loads, then that there is nothing', async () => {
    show();
    await openPanel();
    expect(screen.getByText('Loading…')).toBeTruthy();
    await open([]);
    expect(screen.queryByText('Loading…')).toBeNull();
    expect(screen.getByText(english.emptyText)).toBeTruthy();
  });

  it('says when it is offline, and keeps what it has', async () => {
    show();
    await open([row({ title: 'kept' })]);
    await openPanel();
    await act(async () => client.become('RECONNECTING'));
    expect(screen.getByText(english.offlineText)).toBeTruthy();
    expect(screen.getByText('kept')).toBeTruthy();
  });

  it('shows an error with Retry, which does it again', async () => {
    show();
    const a = row();
    await open([a], { count: 1 });
    await openPanel();
    await press(screen.getByRole('button', { name: `Mark as read: ${a.title}` }));
    await act(() => client.last('markAsRead').refuse('unavailable'));
    expect(screen.getAllByText(english.errorText)).toHaveLength(2); // to see and to hear
    await press(screen.getByRole('button', { name: 'Retry' }));
    expect(within(screen.getByRole('dialog')).queryByText(english.errorText)).toBeNull();
    expect(client.requests.filter(({ name }) => name === 'markAsRead')).toHaveLength(2);
    expect(screen.getByRole('dialog').contains(document.activeElement)).toBe(true);
  });

  it('connects again by Retry after the connection failed', async () => {
    show();
    await openPanel();
    await act(async () => client.become('FAILED', 'five attempts'));
    expect(screen.getAllByText(english.states.FAILED)).toHaveLength(3); // to see twice, to hear once
    await press(screen.getByRole('button', { name: 'Retry' }));
    expect(client.connects).toBe(2);
  });

  it('marks one as read at once, and the focus stays with its row', async () => {
    show();
    const a = row();
    await open([row(), a], { count: 2 });
    await openPanel();
    await press(screen.getByRole('button', { name: `Mark as read: ${a.title}` }));
    expect(screen.queryByRole('button', { name: `Mark as read: ${a.title}` })).toBeNull();
    expect(bell().textContent).toBe('1');
    expect(document.activeElement).toBe(rowsShown()[1]);
    await act(() => client.last('markAsRead').answer({ notification: asRead(a) }));
    expect(rowsShown()[1]?.hasAttribute('data-unread')).toBe(false);
  });

  it('marks all as read once, and does nothing when there is nothing', async () => {
    show();
    await open([row()], { count: 30 });
    await openPanel();
    const all = screen.getByRole('button', { name: 'Mark all as read' });
    await press(all);
    expect(bell().textContent).toBe('');
    expect(all.getAttribute('aria-disabled')).toBe('true');
    await press(all);
    expect(client.requests.filter(({ name }) => name === 'markAllAsRead')).toHaveLength(1);
    expect(document.activeElement).toBe(all);
  });

  it('loads more, and moves the focus to the first that came when there are no more', async () => {
    show();
    const rows = [row(), row(), row()].reverse();
    await open(rows.slice(0, 1), { next: 'p2' });
    await openPanel();
    await press(screen.getByRole('button', { name: 'Load more' }));
    expect(screen.getByRole('button', { name: 'Loading…' })).toBeTruthy();
    await act(() => client.last('getNotifications').answer({ count: 3, notifications: rows.slice(1), next: null }));
    expect(rowsShown()).toHaveLength(3);
    expect(screen.queryByRole('button', { name: 'Load more' })).toBeNull();
    expect(document.activeElement).toBe(rowsShown()[1]);
  });

  it('keeps the focus in the panel when the row that has it is deleted', async () => {
    show();
    const a = row();
    await open([a, row()]);
    await openPanel();
    await act(async () => rowsShown()[1]?.focus());
    await push(() => client.push({ type: 'notification_deleted', notification_id: a.id }));
    expect(screen.getByRole('dialog').contains(document.activeElement)).toBe(true);
  });
});

describe('a row', () => {
  it('is told as unread and by its severity in words', async () => {
    show();
    await open([row({ severity: 'warning', category: 'ops' })]);
    await openPanel();
    expect(rowsShown()[0]?.textContent).toMatch(/Unread:.*Warning.*ops/);
  });

  it('shows text as text, whatever is in it', async () => {
    show();
    await open([row({ title: '<img src=x onerror=alert(1)>', message: '</script><b>bold</b>', category: '<i>' })]);
    const panel = await openPanel();
    expect(panel.querySelector('img, b, .pgh-meta i')).toBeNull();
    expect(panel.textContent).toContain('</script><b>bold</b>');
  });

  it('with a `javascript:` link has no link at all', async () => {
    show();
    await open([row({ action_url: 'javascript:alert(1)' }), row({ action_url: 'https://example.org/x' })]);
    await openPanel();
    const [link, ...others] = screen.getAllByRole('link');
    expect(others).toEqual([]);
    expect(link?.getAttribute('href')).toBe('https://example.org/x');
    expect(link?.getAttribute('rel')).toBe('noopener noreferrer');
  });

  it('is read when its link is followed, and the application may go there itself', async () => {
    const onNavigate = vi.fn((_: Notification, event: { preventDefault: () => void }) => event.preventDefault());
    show({ onNavigate });
    const a = row({ action_url: '/orders/1' });
    await open([a]);
    await openPanel();
    await press(screen.getByRole('link'));
    expect(client.last('markAsRead').argument).toBe(a.id);
    expect(onNavigate.mock.calls[0]?.[0].id).toBe(a.id);
  });
});

describe('what is read out', () => {
  const spoken = () => screen.getAllByRole('status')[0]?.textContent;

  it('is one text for many arrivals', async () => {
    show();
    await open([row()]);
    expect(spoken()).toBe('');
    for (let i = 0; i < 5; i += 1) await act(async () => client.insert(row(), i + 2));
    expect(spoken()).toBe('');
    await pass(1100);
    expect(spoken()).toBe('5 new notifications');
    await act(async () => client.insert(row({ title: 'One more' }), 7));
    await pass(1100);
    expect(spoken()).toBe('New notification: One more');
  });

  it('differs when the same arrives again', async () => {
    show();
    await open([]);
    const texts = [];
    for (let i = 0; i < 2; i += 1) {
      await act(async () => client.insert(row({ title: 'same' }), i));
      await pass(1100);
      texts.push(spoken());
    }
    expect(new Set(texts).size).toBe(2);
  });

  it('is what went wrong, once, while the panel is open', async () => {
    show();
    const a = row();
    await open([a]);
    await openPanel();
    await act(async () => client.become('FAILED', 'x'));
    expect(spoken()).toBe(english.states.FAILED);
    await act(async () => client.become('OPEN'));
    await act(async () => client.insert(row({ title: 'back' }), 2));
    await pass(1100);
    expect(spoken()).toBe('New notification: back');
  });

  it('is in one polite region, and nothing is an alert', async () => {
    show();
    await openPanel();
    await act(async () => client.become('FAILED', 'x'));
    expect(screen.getAllByRole('status')).toHaveLength(1);
    expect(screen.queryByRole('alert')).toBeNull();
    expect(document.querySelector('[aria-live=assertive]')).toBeNull();
  });
});

describe('what an application can change', () => {
  it.each([['German', german], ['Arabic', arabic]])('all text, as in %s', async (_, labels) => {
    show({ labels });
    await open([row({ title: '1', message: '', created_at: new Date().toISOString() })], { count: 3, next: 'p2' });
    await press(screen.getByRole('button'));
    const text = screen.getByRole('dialog').textContent;
    for (const word of [labels.title, labels.markAllRead, labels.loadMore, labels.states.OPEN, labels.severities.info]) expect(text).toContain(word);
    expect(text).not.toMatch(/Mark|Load|Unread|Live|ago/);
    expect(screen.getByRole('dialog').closest('[lang]')?.getAttribute('lang')).toBe(labels.locale);
  });

  it('has every label in every language', () => {
    for (const labels of [german, arabic]) {
      expect(Object.keys(labels).sort()).toEqual(Object.keys(english).sort());
      expect(Object.keys(labels.states).sort()).toEqual(Object.keys(english.states).sort());
    }
  });

  it('counts in Arabic as Arabic does', () => {
    expect([1, 2, 5, 40].map(arabic.bell).map((text) => text.split(': ')[1])).toEqual(['إشعار واحد', 'إشعاران', '5 إشعارات', '40 إشعارًا']);
  });

  it('the inside of a row, the header and what stands for an empty list', async () => {
    show({
      renderItem: ({ title, id }, { markAsRead }) => <button type="button" onClick={() => void markAsRead(id)}>my {title}</button>,
      renderEmpty: () => 'my empty list',
      renderHeader: ({ unreadCount }, close) => <button type="button" onClick={close}>my {unreadCount}</button>,
    });
    await open([]);
    await openPanel();
    expect(screen.getByText('my empty list')).toBeTruthy();
    const a = row({ title: 'row' });
    await push(() => client.insert(a, 1));
    await press(screen.getByText('my row'));
    expect(client.last('markAsRead').argument).toBe(a.id);
    await press(screen.getByText('my 0'));
    expect(screen.queryByRole('dialog')).toBeNull();
  });

  it('shows what the connection does when asked to debug, and saves it', async () => {
    const saved: Blob[] = [];
    URL.createObjectURL = (blob) => (saved.push(blob as Blob), 'blob:x');
    URL.revokeObjectURL = () => {};
    const click = vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(() => {});
    show({ debug: true });
    const panel = await openPanel();
    for (const text of ['attempts', '1006, 4001', 'fba7bc12-734', 'leader']) expect(panel.textContent).toContain(text);
    await press(within(panel).getByText('Save log'));
    expect(click).toHaveBeenCalledOnce();
    expect(JSON.parse(await saved[0]!.text())).toMatchObject({ cursor: 'fba7bc12-734' });
    click.mockRestore();
  });
});

describe('in strict mode', () => {
  it('connects once, and leaves no connection, listener or timer behind', async () => {
    const { unmount } = render(<StrictMode><NotificationCenter client={client} titleCount debug /></StrictMode>);
    await open([row()]);
    await openPanel();
    await push(() => client.insert(row(), 2));
    expect([client.connects, client.disconnects]).toEqual([1, 0]);
    await act(async () => unmount());
    expect([client.connects, client.disconnects, client.handlers.size, vi.getTimerCount()]).toEqual([1, 1, 0, 0]);
  });
});
