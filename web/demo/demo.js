// The demo page: one user's notifications over one WebSocket (docs/PROTOCOL.md).
// Frames come in, `app` changes, render() shows it. Counts, order and read marks are only ever what a frame
// said. Text is set as text, never as HTML.

const HEARTBEAT_MS = 30_000;
const ANSWER_MS = 10_000; // a socket that takes longer to connect or to answer a ping is dead
const RETRY_MS = [3_000, 6_000, 12_000, 24_000, 48_000];
const PAGE = 20;
const MAX_PAGE = 100;
const MAX_SHOWN = 400; // rows; when more arrive, the newest page is loaded afresh
const MAX_VERSIONS = 5_000;
const MAX_FRAMES = 12;
const LONG_TEXT = 220; // characters; longer messages are folded
const SEVERITIES = { info: 'Info', success: 'Success', warning: 'Warning', error: 'Error' };
const PHASES = { connecting: 'Connecting', live: 'Live', waiting: 'Retrying', offline: 'Offline', ended: 'Signed out' };

const dev = { users: ['alice', 'bob', 'ashumba'], psql: 'psql', example: "select herald.notify_user('alice', title => 'Hello')" };

const app = {
  filter: 'all', // or 'unread'
  frames: [], // for the activity list, newest first
};

/** What belongs to one user and is forgotten with them. */
const freshUser = (user) => ({
  user,
  unread: null, // the server's count; null until it told one
  items: new Map(), // id → notification, as loaded
  versions: new Map(), // id → highest version seen, also of what is no longer loaded
  loaded: false,
  next: null, // the server's token for the page after the loaded ones
  oldest: '', // created_at where the loaded pages end
  request: null, // the page that was asked for, and what happened since
  reading: new Set(), // ids asked to be marked read and not yet answered; survives a reconnect
  readAllUntil: null, // the same for "mark all read"
  arriving: new Set(), // ids to announce and to animate in
});

const link = {
  phase: 'connecting', // a key of PHASES; set by enter() only
  socket: null,
  attempt: 0, // failures since the last `connected`
  reason: '', // why it ended
  retryAt: 0,
  serverDelay: null, // ms, when `draining` said when to come back
  timers: {},
  pingAt: 0,
  heardAt: 0,
  roundTrip: null, // ms
};

// ---- Helpers ----

const $ = (id) => document.getElementById(id);
const text = (value) => (typeof value === 'string' ? value : '');

function el(tag, props, ...children) {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children);
  return node;
}

function icon(name) {
  const [svg, use] = ['svg', 'use'].map((tag) => document.createElementNS('http://www.w3.org/2000/svg', tag));
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  setIcon(use, name);
  svg.append(use);
  return svg;
}

function setIcon(use, name) {
  use.setAttribute('href', `#i-${name}`);
}

/** Leaves equal text alone: written again, it would be read out again. */
function setText(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

function announce(message) {
  setText($('announce'), message);
}

/** localStorage, or nothing where it is switched off. */
function stored(key, value) {
  try {
    if (value === null) localStorage.removeItem(`pgherald.demo.${key}`);
    else if (value !== undefined) localStorage.setItem(`pgherald.demo.${key}`, value);
    return localStorage.getItem(`pgherald.demo.${key}`);
  } catch { return null; }
}

/** An absolute http, https or mailto address, or '': nothing else may become a link. */
function safeUrl(value) {
  const url = text(value) && URL.parse(value, location.href);
  return url && ['http:', 'https:', 'mailto:'].includes(url.protocol) ? url.href : '';
}

const fullTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
const shortDate = new Intl.DateTimeFormat('en', { dateStyle: 'medium' });
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

function ago(time) {
  const seconds = (time - Date.now()) / 1000;
  const size = Math.abs(seconds);
  if (size < 45) return 'just now';
  if (size < 3_570) return relative.format(Math.round(seconds / 60), 'minute');
  if (size < 84_600) return relative.format(Math.round(seconds / 3_600), 'hour');
  return size < 7 * 86_400 ? relative.format(Math.round(seconds / 86_400), 'day') : shortDate.format(time);
}

function dayOf(time) {
  const midnight = new Date();
  midnight.setHours(0, 0, 0, 0);
  if (time >= midnight) return 'Today';
  midnight.setDate(midnight.getDate() - 1);
  return time >= midnight ? 'Yesterday' : 'Earlier';
}

// ---- Connection ----

let spoken = '';

function enter(phase, reason = '') {
  Object.assign(link, { phase, reason });
  if (phase !== 'connecting' && phase !== spoken) announce(PHASES[phase]);
  if (phase !== 'connecting') spoken = phase;
  changed();
}

function setTimer(name, ms, action) {
  clearTimeout(link.timers[name]);
  link.timers[name] = setTimeout(action, ms);
}

/** Forgets the socket and its timers; events that it still has are ignored. */
function dropSocket() {
  const { socket } = link;
  Object.assign(link, { socket: null, serverDelay: null, roundTrip: null });
  Object.values(link.timers).forEach(clearTimeout);
  socket?.close(1000);
  app.request = null;
}

function connect() {
  dropSocket();
  const url = new URL('api/v1/notifications/ws', location.origin + location.pathname);
  url.protocol = url.protocol.replace('http', 'ws');
  const socket = new WebSocket(url);
  const ifCurrent = (handle) => (event) => { if (socket === link.socket) handle(event); };
  socket.onopen = ifCurrent(authenticate);
  socket.onmessage = ifCurrent(hear);
  socket.onclose = ifCurrent(({ code, reason }) => lost(code, reason));
  link.socket = socket;
  setTimer('answer', ANSWER_MS, () => lost(1006, 'no answer'));
  enter('connecting');
}

function authenticate() {
  send({ type: 'authenticate', token: `dummy-jwt-for-${app.user}` });
}

/** False when there is no connection; nothing is queued here. */
function send(frame) {
  if (link.socket?.readyState !== WebSocket.OPEN) return false;
  link.socket.send(JSON.stringify(frame));
  logFrame('out', frame.type);
  return true;
}

function hear({ data }) {
  let frame = null;
  try { frame = JSON.parse(data); } catch { /* logged below */ }
  if (!text(frame?.type)) return logFrame('in', 'not a frame');
  logFrame('in', frame.type, noteOf(frame)); // renders
  link.heardAt = Date.now();
  if (link.phase === 'live') clearTimeout(link.timers.answer);
  receive(frame);
}

/** The close code decides: 4000, 4001 and 4002 end here, after all others the page comes back by itself. */
function lost(code, reason) {
  const { serverDelay } = link;
  logFrame('in', `closed ${code}`, reason);
  dropSocket();
  if (code === 4001) return enter('ended', `The token was refused (${reason || code}): get a new one.`);
  if (code === 4000 || code === 4002) return enter('ended', `The server said: ${reason || code}.`);
  const step = RETRY_MS[Math.min(link.attempt, RETRY_MS.length - 1)];
  const delay = serverDelay ?? step * (0.8 + 0.4 * Math.random());
  Object.assign(link, { serverDelay, attempt: link.attempt + 1, retryAt: Date.now() + delay });
  setTimer('retry', delay, connect);
  enter(navigator.onLine ? 'waiting' : 'offline');
}

function ping() {
  link.pingAt = performance.now();
  send({ type: 'ping' });
  setTimer('answer', ANSWER_MS, () => lost(1006, 'no answer'));
  setTimer('heartbeat', HEARTBEAT_MS, ping);
}

/** The network or the reader is back: do not sit out the wait, and do not trust a socket that was silent. */
function wake() {
  if (link.phase === 'live' && Date.now() - link.heardAt > ANSWER_MS) ping();
  // A draining server spreads its clients over time: that wait is kept.
  if ((link.phase === 'waiting' || link.phase === 'offline') && link.serverDelay === null) connect();
}

// ---- Server → page ----
// hear() has asked for a render already.

function receive(frame) {
  if (frame.type !== 'resumed' && Number.isInteger(frame.count)) app.unread = frame.count;
  if (frame.type !== 'pong' && frame.type !== 'unread_count') {
    setText($('sql-status'), `Received ${frame.type} ${text(frame.notification?.title)}`);
  }
  switch (frame.type) {
    case 'connected': return onConnected(frame);
    case 'new_notification': return onNew(frame.notification);
    case 'notification_updated': return onUpdated(frame);
    case 'notification_deleted': return onDeleted(frame.notification_id);
    case 'unread_notifications':
    case 'notifications': return onPage(frame);
    case 'unread_count': return onCount();
    case 'resumed': return frame.resync ? requestPage() : undefined;
    case 'token_expiring': return authenticate();
    case 'authenticated': return undefined;
    case 'draining': link.serverDelay = frame.retry_after_ms ?? null; return undefined;
    case 'pong': link.roundTrip = performance.now() - link.pingAt; return undefined;
    case 'error': return onError(frame);
    default: return onBroadcast(frame);
  }
}

function onConnected(frame) {
  clearTimeout(link.timers.answer);
  link.attempt = 0;
  app.unread = frame.unread_count;
  enter('live');
  requestPage(); // no cursor is kept: loading what is shown makes every reconnect the same as the first
  if (app.readAllUntil) sendReadAll();
  sendReads([...app.reading]);
  setTimer('heartbeat', 1_000, ping); // the first one soon, for the round trip
}

/** Takes a notification as the new state of its id; false when it is malformed, repeated or older than what is known. */
function accept(item) {
  if (!text(item?.id) || !text(item.created_at)) return false;
  const known = app.versions.get(item.id) ?? 0;
  if (item.version < known || (item.version === known && app.items.has(item.id))) return false;
  app.versions.set(item.id, item.version);
  if (app.versions.size > MAX_VERSIONS) app.versions.delete(app.versions.keys().next().value);
  app.items.set(item.id, item);
  app.request?.live.add(item.id);
  if (item.is_read) app.reading.delete(item.id);
  return true;
}

function onNew(item) {
  if (app.versions.has(item?.id) || !accept(item)) return;
  app.arriving.add(item.id);
  if (app.items.size > MAX_SHOWN && !app.request) refreshSoon();
}

function onUpdated({ notification_id: id, notification, success, code, message }) {
  app.reading.delete(id);
  if (success === false) {
    if (code === 'not_found') onDeleted(id);
    toast('error', 'Not marked as read', code === 'not_found' ? 'This notification no longer exists.' : text(message));
  } else if (app.items.has(id) || app.next === null || notification?.created_at >= app.oldest) {
    accept(notification); // anything older is on a page that is not loaded
  }
}

function onDeleted(id) {
  app.items.delete(id);
  app.versions.delete(id);
  app.reading.delete(id);
  app.request?.deleted.add(id);
}

/** A page. What arrived or went away after it was asked for is newer than the page. */
function onPage({ type, ref, notifications, next }) {
  const { request, items: before } = app;
  const wanted = app.filter === 'unread' ? 'unread_notifications' : 'notifications';
  if (ref && ref !== request?.ref) return; // answers an outdated question
  if (!ref && type !== wanted) return requestPage(); // a resynchronisation, but of the other list
  if (!request?.more) app.items = new Map([...before].filter(([id]) => request?.live.has(id)));
  for (const item of notifications) {
    if (request?.deleted.has(item.id) || accept(item)) continue;
    if (before.has(item.id)) app.items.set(item.id, before.get(item.id)); // known, as new or newer
  }
  Object.assign(app, { request: null, loaded: true, next, oldest: text(notifications.at(-1)?.created_at) });
  if (app.items.size > MAX_SHOWN) refreshSoon(); // a flood came in meanwhile
  if (request?.more) announce(`${notifications.length} more loaded`);
  if (request?.more && !next) focusRow(notifications[0]?.id); // the button goes away
}

/** The count is exact: when the rows contradict it, they are stale. */
function onCount() {
  const rowsUnread = [...app.items.values()].filter((item) => !item.is_read).length;
  if (app.unread < rowsUnread || (app.next === null && app.unread > rowsUnread)) refreshSoon();
  app.readAllUntil = null;
}

function onError({ ref, code, message, retry_after_ms: wait }) {
  if (ref === 'read') app.reading.clear();
  if (ref === 'read-all') app.readAllUntil = null;
  if (ref && ref === app.request?.ref) {
    app.request = null;
    refreshSoon(wait || 3_000);
  }
  toast('error', 'The server reports a problem', text(message) || text(code));
}

/** Whatever the application broadcasts; shown when it carries something to read. */
function onBroadcast(frame) {
  const message = text(frame.text) || text(frame.message) || text(frame.title);
  if (message) toast('info', frame.type.replaceAll('_', ' '), message);
}

// ---- Page → server ----

let pageNumber = 0;
let refreshTimer = null;

function requestPage(more = false) {
  const ref = `page-${++pageNumber}`;
  const type = app.filter === 'unread' ? 'get_unread' : 'get_notifications';
  const limit = more ? PAGE : Math.min(Math.max(app.items.size, PAGE), MAX_PAGE);
  const sent = send({ type, limit, ref, ...(more && { before: app.next }) });
  app.request = sent ? { ref, more, live: new Set(), deleted: new Set() } : null;
  changed();
}

function refreshSoon(ms = 300) {
  refreshTimer ??= setTimeout(() => { refreshTimer = null; requestPage(); }, ms);
}

function markRead(id) {
  if (app.reading.has(id)) return;
  app.reading.add(id);
  sendReads([id]); // not connected: onConnected() sends it
  changed();
}

function sendReads(ids) {
  for (let at = 0; at < ids.length; at += 100) send({ type: 'mark_read', notification_ids: ids.slice(at, at + 100), ref: 'read' });
}

/** Up to the newest one on screen: what arrives meanwhile stays unread. */
function markAllRead() {
  if (!app.unread || !app.items.size || app.readAllUntil) return;
  app.readAllUntil = [...app.items.values()].map((item) => item.created_at).sort().at(-1);
  sendReadAll();
  changed();
}

function sendReadAll() {
  send({ type: 'mark_all_read', until: app.readAllUntil, ref: 'read-all' });
}

// ---- Rendering ----

let renderTimer = null;

/** Asks for a render; many changes become one. A timer, because a hidden tab has no frames but a title. */
function changed() {
  renderTimer ??= setTimeout(render, 16);
}

function render() {
  renderTimer = null;
  renderHeader();
  renderBanner();
  renderList();
  renderEdges();
  renderFrames();
}

function renderHeader() {
  const count = app.unread ?? 0;
  const short = count > 99 ? '99+' : String(count);
  $('link').dataset.phase = link.phase;
  setIcon($('link').querySelector('use'), link.phase);
  setText($('link').lastChild, PHASES[link.phase]);
  setText($('badge'), short);
  $('badge').hidden = !count;
  $('bell').ariaLabel = `${count} unread. Show unread notifications`;
  setText($('summary'), app.unread === null ? 'Loading…' : `${count || 'Nothing'} unread for ${app.user}`);
  document.title = `${count ? `(${short}) ` : ''}Notifications · pgherald`;
  $('read-all').ariaDisabled = String(!count || app.readAllUntil !== null);
}

function bannerWords() {
  const seconds = Math.max(1, Math.ceil((link.retryAt - Date.now()) / 1000));
  switch (link.phase) {
    case 'ended': return ['You are signed out.', link.reason];
    case 'offline': return ['You are offline.', 'The list is as it was and catches up when the network is back.'];
    case 'connecting': return ['Connecting again…', ''];
    default: return [link.attempt > RETRY_MS.length ? `No connection after ${link.attempt} attempts.` : 'Not connected.',
      `Trying again in ${seconds} s. What you mark as read is sent then.`];
  }
}

function renderBanner() {
  const banner = $('banner');
  const shown = link.phase !== 'live' && (link.phase !== 'connecting' || link.attempt > 0);
  if (!shown && banner.contains(document.activeElement)) $('inbox').focus();
  banner.hidden = !shown;
  if (!shown) return;
  const [title, detail] = bannerWords();
  banner.dataset.phase = link.phase;
  setIcon(banner.querySelector('use'), link.phase);
  setText($('banner-title'), title);
  setText($('banner-text'), detail);
  setText($('retry'), link.phase === 'ended' ? 'Sign in again' : 'Try now');
}

const rows = new Map(); // id → { node, parts } of makeRow()
const days = new Map(); // heading → section

function makeRow(id) {
  const node = $('row').content.firstElementChild.cloneNode(true);
  const parts = Object.fromEntries([...node.querySelectorAll('[data-part]')].map((part) => [part.dataset.part, part]));
  parts.read.onclick = () => markRead(id);
  parts.expand.onclick = () => {
    const open = parts.expand.ariaExpanded === 'false';
    parts.expand.ariaExpanded = String(open);
    setText(parts.expand, open ? 'Show less' : 'Show more');
  };
  node.onanimationend = () => node.classList.remove('arriving');
  return { node, parts };
}

function fillRow({ node, parts }, item) {
  const severity = Object.hasOwn(SEVERITIES, item.severity) ? item.severity : 'info';
  const time = new Date(item.created_at);
  const title = text(item.title);
  const message = text(item.message);
  const url = safeUrl(item.action_url);
  const waiting = app.reading.has(item.id);
  node.dataset.severity = severity;
  node.classList.toggle('unread', !item.is_read);
  parts.state.hidden = item.is_read;
  setIcon(parts.icon, severity);
  setText(parts.title, title);
  setText(parts.message, message);
  parts.message.hidden = !message;
  parts.expand.hidden = message.length <= LONG_TEXT && message.split('\n', 4).length < 4;
  setText(parts.severity, SEVERITIES[severity]);
  setText(parts.category, text(item.category));
  parts.category.hidden = !text(item.category);
  setText(parts.time, ago(time));
  Object.assign(parts.time, { dateTime: item.created_at, title: fullTime.format(time) });
  Object.assign(parts.open, { href: url, title: url, hidden: !url, ariaLabel: `Open: ${title}` });
  Object.assign(parts.read, { hidden: item.is_read, ariaLabel: `Mark read: ${title}`, ariaDisabled: String(waiting) });
  setText(parts.readText, waiting && link.phase !== 'live' ? 'Queued' : 'Mark read');
}

/** Makes `children` the children of `parent` and touches only what differs: focus and animations survive. */
function reconcile(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  let at = parent.firstElementChild;
  for (const child of children) {
    if (child === at) at = at.nextElementSibling;
    else parent.insertBefore(child, at);
  }
}

function shownItems() {
  return [...app.items.values()]
    .filter((item) => (app.filter === 'all' || !item.is_read) && !Number.isNaN(Date.parse(item.created_at)))
    .sort((a, b) => (a.created_at < b.created_at || (a.created_at === b.created_at && a.id < b.id) ? 1 : -1))
    .slice(0, MAX_SHOWN);
}

function renderList() {
  const focused = document.activeElement;
  const focusedAt = [...$('list').querySelectorAll('.row')].indexOf(focused.closest('.row'));
  const groups = new Map();
  for (const item of shownItems()) {
    if (!rows.has(item.id)) rows.set(item.id, makeRow(item.id));
    fillRow(rows.get(item.id), item);
    const day = dayOf(new Date(item.created_at));
    if (!groups.has(day)) groups.set(day, []);
    groups.get(day).push(rows.get(item.id).node);
  }
  welcome();
  reconcile($('list'), [...groups].map(([day, nodes]) => {
    if (!days.has(day)) days.set(day, el('section', {}, el('h2', { textContent: day }), el('ol', { role: 'list' })));
    reconcile(days.get(day).lastChild, nodes);
    return days.get(day);
  }));
  for (const id of rows.keys()) if (!app.items.has(id)) rows.delete(id);
  if (focusedAt >= 0 && (!focused.isConnected || focused.hidden)) focusNear(focusedAt);
}

/** Announces what just arrived and lets it in gently; a flood just appears. */
function welcome() {
  const fresh = [...app.arriving];
  app.arriving.clear();
  if (fresh.length === 1) announce(`New notification: ${text(app.items.get(fresh[0])?.title)}`);
  if (fresh.length > 1) announce(`${fresh.length} new notifications`);
  if (fresh.length <= 5) fresh.forEach((id) => rows.get(id)?.node.classList.add('arriving'));
}

/** The focused button went away: go on with the next one that can be marked. */
function focusNear(index) {
  const all = [...$('list').querySelectorAll('.row')];
  const next = [...all.slice(index), ...all.slice(0, index).reverse()].find((row) => row.matches('.unread'));
  (next?.querySelector('.actions button') ?? $('inbox')).focus();
}

function focusRow(id) {
  if (document.activeElement !== $('load-more')) return;
  render();
  (rows.get(id)?.node ?? $('inbox')).focus();
}

function renderEdges() {
  const none = !$('list').firstChild;
  const waiting = link.phase !== 'ended' && (!app.loaded || app.request !== null);
  const caughtUp = app.filter === 'unread' && app.items.size > 0;
  $('loading').hidden = !none || !waiting;
  $('empty').hidden = !none || waiting;
  $('more').hidden = none || !app.next || app.items.size >= MAX_SHOWN;
  $('load-more').ariaDisabled = String(app.request !== null || link.phase !== 'live');
  setText($('empty-title'), caughtUp ? 'All caught up' : 'Nothing here yet');
  setText($('empty-text'), caughtUp ? 'What is new shows up here the moment it is committed.' : 'Insert a row in PostgreSQL and watch it arrive.');
}

function noteOf(frame) {
  if (Number.isInteger(frame.count)) return `count ${frame.count}`;
  return text(frame.code);
}

function logFrame(direction, type, note = '') {
  app.frames = [{ direction, type, note, time: new Date() }, ...app.frames].slice(0, MAX_FRAMES);
  changed();
}

let framesShown = null;

function renderFrames() {
  const ms = link.roundTrip;
  setText($('round-trip'), ms === null ? '' : `round trip ${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`);
  if (framesShown === app.frames) return;
  framesShown = app.frames;
  $('frames').replaceChildren(...app.frames.map(({ direction, type, note, time }) => el('li', {},
    el('span', { className: direction }, icon(direction), el('span', { className: 'hidden', textContent: direction === 'in' ? 'received' : 'sent' })),
    el('span', { textContent: type }),
    el('span', { className: 'note', dir: 'auto', textContent: note }),
    el('time', { textContent: time.toTimeString().slice(0, 8), dateTime: time.toISOString() }))));
}

/** Stays until it is dismissed; three at most, none twice. */
function toast(severity, title, message) {
  const close = el('button', { className: 'round', type: 'button', ariaLabel: `Dismiss: ${title}` }, icon('close'));
  const node = el('div', { className: 'toast' }, icon(severity), el('p', { dir: 'auto' }, el('strong', { textContent: title }), message.slice(0, 300)), close);
  node.dataset.severity = severity;
  close.onclick = () => node.remove();
  const older = [...$('toasts').children].filter((other) => other.textContent !== node.textContent);
  $('toasts').replaceChildren(...older.slice(-2), node);
}

// ---- User and theme ----

function signIn(user) {
  dropSocket();
  Object.assign(app, freshUser(user));
  link.attempt = 0;
  stored('user', user);
  history.replaceState(null, '', `#${user}`);
  $('second-tab').href = `#${user}`;
  renderUsers();
  connect();
}

function makeAvatar(user) {
  const avatar = el('span', { className: 'avatar', ariaHidden: 'true', textContent: user.slice(0, 1).toUpperCase() });
  avatar.dataset.tone = String(dev.users.indexOf(user) % 3);
  return avatar;
}

function renderUsers() {
  $('account').ariaLabel = `Signed in as ${app.user}. Switch user`;
  $('account').replaceChildren(makeAvatar(app.user), el('span', { textContent: app.user }), icon('down'));
  $('user-list').replaceChildren(...dev.users.map((user) => {
    const button = el('button', { type: 'button', ariaCurrent: user === app.user ? 'true' : null }, makeAvatar(user), user, icon('check'));
    button.onclick = () => { $('users').hidePopover(); signIn(user); };
    return el('li', {}, button);
  }));
}

function userOfHash() {
  return dev.users.find((user) => `#${user}` === location.hash);
}

const root = document.documentElement;
const systemDark = matchMedia('(prefers-color-scheme: dark)');
const theme = () => root.dataset.theme ?? (systemDark.matches ? 'dark' : 'light');

/** Keeps only a choice that differs from the system's, so that choosing back means following it again. */
function setTheme(choice) {
  delete root.dataset.theme;
  if (choice && choice !== theme()) root.dataset.theme = choice;
  stored('theme', root.dataset.theme ?? null);
  $('theme').ariaLabel = `Switch to ${theme() === 'dark' ? 'light' : 'dark'} theme`;
}

// ---- "Try it from SQL" ----

const recipes = { // label → statement for a quoted user
  'Notification': (user) => dev.example.replace(/'[^']*'/, user),
  'Plain INSERT': (user) => `insert into herald.notifications (user_id, title) values (${user}, 'Inserted by hand')`,
  'Warning with link': (user) => `select herald.notify_user(${user}, title => 'Disk almost full', message => 'db-1 has 4 % left.', category => 'ops', severity => 'warning', action_url => 'https://www.postgresql.org/docs/current/diskusage.html')`,
  '25 at once': (user) => `select herald.notify_user(${user}, title => 'Order ' || n, category => 'orders') from generate_series(1, 25) n`,
  'Tell everybody': () => `select herald.broadcast_to_all('{"type": "system_alert", "text": "Maintenance at 18:00 UTC"}')`,
  'Mark all read': (user) => `select herald.mark_all_read(${user})`,
};

function makeRecipes() {
  $('recipes').append(...Object.keys(recipes).map((name, index) => el('label', {},
    el('input', { type: 'radio', name: 'recipe', value: name, checked: index === 0, autocomplete: 'off' }), el('span', { textContent: name }))));
  $('recipes').onchange = showCommand;
}

function showCommand() {
  const sql = recipes[document.querySelector('[name=recipe]:checked').value](`'${app.user}'`);
  setText($('sql-code'), `${dev.psql} -c "${sql.replace(/["\\$`]/g, '\\$&')}"`); // quoted for a POSIX shell
  setText($('sql-user'), app.user);
  setText($('copy-text'), 'Copy');
  setText($('sql-status'), 'Waiting for it to arrive…');
}

function openDialog() {
  showCommand();
  $('sql').showModal();
}

async function copyCommand() {
  try {
    await navigator.clipboard.writeText($('sql-code').textContent);
    setText($('copy-text'), 'Copied');
  } catch { // no permission, or not a secure context: leave it selected
    getSelection().selectAllChildren($('sql-code'));
    setText($('copy-text'), 'Press Ctrl+C');
  }
}

// ---- Start ----

function setFilter(filter) {
  document.querySelector(`.filter [value=${filter}]`).checked = true;
  app.filter = filter;
  requestPage();
}

function listen() {
  $('bell').onclick = () => { setFilter('unread'); $('inbox').focus(); };
  $('theme').onclick = () => setTheme(theme() === 'dark' ? 'light' : 'dark');
  $('read-all').onclick = markAllRead;
  $('load-more').onclick = () => { if (app.next && !app.request) requestPage(true); };
  $('retry').onclick = () => { if (link.phase !== 'connecting') connect(); };
  $('try').onclick = openDialog;
  $('try-empty').onclick = openDialog;
  $('copy').onclick = copyCommand;
  $('sql-close').onclick = () => $('sql').close();
  $('sql').onclick = (event) => { if (event.target === $('sql')) $('sql').close(); }; // the backdrop
  document.querySelector('.filter').onchange = (event) => setFilter(event.target.value);
  systemDark.onchange = () => setTheme(root.dataset.theme);
  window.onhashchange = () => { if (userOfHash()) signIn(userOfHash()); };
  window.ononline = wake;
  window.onoffline = () => { if (link.phase === 'live') ping(); };
  window.onpageshow = wake;
  document.onvisibilitychange = () => { if (!document.hidden) wake(); };
  setInterval(() => { if (link.phase === 'waiting') renderBanner(); }, 1_000);
  setInterval(changed, 15_000); // "2 minutes ago"
}

async function start() {
  setTheme(stored('theme'));
  makeRecipes();
  listen();
  try {
    Object.assign(dev, await (await fetch('dev.json')).json());
  } catch { /* the defaults do */ }
  signIn(userOfHash() ?? dev.users.find((user) => user === stored('user')) ?? dev.users[0]);
}

Object.assign(app, freshUser(''));
start();
