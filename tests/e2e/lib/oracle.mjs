// The judge: when all has come to rest, what every tab shows must be what the table says; and nothing may ever have
// been shown that was rolled back, belongs to somebody else, or had been passed already. A complaint has the row's
// history, as the writers and the table know it, and what the tab saw.
import assert from 'node:assert/strict';
import { seed } from './form.mjs';
import { patience } from './env.mjs';
import { eventually, sleep } from './wait.mjs';

const CONVERGE_MS = 60_000;
const COMPLAINTS_MAX = 5;

const tagOf = (row) => row.message.split(' ')[1];

export class Oracle {
  /** `lossy`: PostgreSQL may have lost what it had acknowledged, deletions too. */
  constructor({ db, writers, lossy = false }) {
    Object.assign(this, { db, writers, lossy });
    this.tabs = [];
    this.firstShown = new Map(); // tag -> who was shown it first, and which row
  }

  /** For a tab's `onShow`. */
  shown = (tab, row) => {
    const tag = tagOf(row);
    if (!this.firstShown.has(tag)) this.firstShown.set(tag, { tab, id: row.id });
  };

  /** Fails unless everything is as promised; call it when the writers have stopped. Its figures. */
  async judge() {
    await this.#expire();
    // Everything that is wrong in the end is looked for once more: a late frame may be on its way.
    await eventually('every tab to show what the table says',
      async () => this.#differences(await this.#table()).length === 0, CONVERGE_MS).catch(() => {});
    await sleep(500 * patience);
    const wrong = {
      'final states that differ': this.#differences(await this.#table()),
      'faults of tabs': this.tabs.flatMap((tab) => tab.faults.map((fault) => ({ tab, ...fault }))),
      'shown although it was rolled back': this.#phantoms(),
      'deletions told to the wrong user': this.lossy ? [] : await this.#strayDeletions(),
      'acknowledged reads that are not in the table': await this.#lostReads(),
    };
    const found = Object.entries(wrong).filter(([, list]) => list.length);
    const texts = [];
    for (const [what, list] of found) texts.push(await this.#report(what, list));
    const figures = this.figures();
    if (texts.length) assert.fail(`HERALD_FAULT_SEED=${seed} ${JSON.stringify(figures)}\n${texts.join('\n')}`);
    return figures;
  }

  /** What has expired goes for good. */
  async #expire() {
    await eventually('rows to expire', async () =>
      (await this.db.value('select count(*) from herald.notifications where expires_at > now()')) === '0', 10_000);
    await eventually('expired rows to be gone', async () => {
      await this.db.sql('select herald.relay_tidy()');
      return (await this.db.value('select count(*) from herald.notifications where expires_at <= now()')) === '0';
    }, 30_000);
  }

  /** user -> {rows: id -> notification, unread}. */
  async #table() {
    const users = new Map(this.tabs.map((tab) => [tab.user, { rows: new Map(), unread: 0 }]));
    const all = await this.db.sql('select user_id, herald.notification_json(n) as body from herald.notifications n');
    for (const { user_id, body } of all) {
      const row = JSON.parse(body);
      const user = users.get(user_id);
      user?.rows.set(row.id, row);
      if (user && !row.is_read) user.unread += 1;
    }
    return users;
  }

  #differences(table) {
    return this.tabs.flatMap((tab) => {
      const { rows, unread } = table.get(tab.user);
      const found = [];
      if (!tab.live) found.push({ tab, id: '', what: 'is not live' });
      for (const id of new Set([...rows.keys(), ...tab.rows.keys()])) {
        const [shown, kept] = [tab.rows.get(id), rows.get(id)].map((row) => row && JSON.stringify(row));
        if (shown !== kept) found.push({ tab, id, what: `shows ${shown}, the table has ${kept}` });
      }
      if (tab.count !== unread) found.push({ tab, id: '', what: `shows ${tab.count} unread, the table has ${unread}` });
      return found;
    });
  }

  #phantoms() {
    return [...this.writers.doomed].filter((tag) => this.firstShown.has(tag))
      .map((tag) => ({ ...this.firstShown.get(tag), what: `was shown ${tag}` }));
  }

  async #strayDeletions() {
    // A row that had expired may have been given more time.
    const rows = await this.db.sql(`select user_id, notification_id::text as id from herald.tombstones
      union all select user_id, id::text from herald.notifications`);
    const known = new Set(rows.map((row) => `${row.user_id} ${row.id}`));
    return this.tabs.flatMap((tab) => [...tab.deletions].filter((id) => !known.has(`${tab.user} ${id}`))
      .map((id) => ({ tab, id, what: 'was told of a deletion that never was' })));
  }

  async #lostReads() {
    const rows = await this.db.sql('select id::text from herald.notifications where read_at is null');
    return this.tabs.flatMap((tab) => rows.filter((row) => tab.acknowledged.has(row.id))
      .map((row) => ({ tab, id: row.id, what: 'a read was acknowledged, the table has it unread' })));
  }

  async #report(what, list) {
    const texts = [];
    for (const one of list.slice(0, COMPLAINTS_MAX)) texts.push(await this.#explain(one));
    return `${list.length} ${what}; the first:\n${texts.join('\n')}`;
  }

  async #explain({ tab, id, what }) {
    const line = ({ at, what: happened }) => `    ${at.toFixed(1)} ${happened}`;
    const [row] = id ? await this.db.sql('select * from herald.notifications where id = $1', [id]) : [];
    const graves = id
      ? await this.db.sql('select * from herald.tombstones where notification_id = $1 order by xid', [id]) : [];
    return [
      `  ${tab.name} ${id}: ${what}`,
      `   the table: ${JSON.stringify(row ?? null)}; tombstones: ${JSON.stringify(graves)}`,
      '   the writers:', ...(id ? this.writers.historyOf(id) : []).slice(-40).map(line),
      '   the tab:', ...tab.historyOf(id).slice(-60).map(line),
    ].join('\n');
  }

  figures() {
    const absences = this.tabs.flatMap((tab) => tab.absences).sort((a, b) => a - b);
    const at = (share) => Math.round(absences[Math.min(absences.length - 1, Math.floor(absences.length * share))] ?? 0);
    return {
      ...this.writers.figures,
      tabs: this.tabs.length,
      returns: absences.length,
      resyncs: this.tabs.reduce((sum, tab) => sum + tab.resyncs, 0),
      liveAgain_ms: { p50: at(0.5), p99: at(0.99), max: Math.round(absences.at(-1) ?? 0) },
    };
  }
}
