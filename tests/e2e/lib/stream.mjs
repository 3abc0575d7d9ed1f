// An application that writes at a steady rate: inserts, changes and deletes, so that after a while the table stays as
// large as it is. Rows are as the tabs and the oracle want them: the title is the user, the message begins with a tag.
import { CANARY } from './relay.mjs';
import { sleep } from './wait.mjs';

const TICK_MS = 50;

export class Stream {
  /** `users` are ids, drawn with `dice`; `rows` the table's size; `bytes(user)` the length of a message. */
  constructor({ db, users, dice, per_s, rows = 5_000, bytes = () => 100 }) {
    Object.assign(this, { db, users, dice, per_s, rows, bytes });
    this.ids = [];
    this.events = 0;
    // What the oracle asks of writers: nothing of this was ever rolled back.
    this.doomed = new Set();
    this.figures = {};
    this.running = this.#run();
  }

  historyOf() {
    return [];
  }

  stop() {
    this.stopping = true;
    return this.running;
  }

  /** Events that are late are caught up with, so that the rate holds. */
  async #run() {
    const start = performance.now();
    while (!this.stopping) {
      const due = Math.floor((performance.now() - start) * this.per_s / 1_000) - this.events;
      if (due > 0) await this.#write(Math.min(due, this.per_s));
      await sleep(TICK_MS);
    }
  }

  async #write(events) {
    const kinds = Array.from({ length: events }, () => this.#kind());
    const count = (kind) => kinds.filter((one) => one === kind).length;
    const users = Array.from({ length: count('insert') }, () => this.dice.of(this.users));
    this.events += events;
    const messages = users.map((user) => `${CANARY} ${this.events} ${'x'.repeat(this.bytes(user))}`);
    const added = await this.db.sql(`insert into herald.notifications (user_id, title, message)
      select u, u, m from unnest($1::text[], $2::text[]) t (u, m) returning id::text`, [users, messages]);
    await this.db.sql(`update herald.notifications set category = 'changed' where id = any($1::uuid[])`,
      [Array.from({ length: count('update') }, () => this.dice.of(this.ids))]);
    await this.db.sql('delete from herald.notifications where id = any($1::uuid[])', [this.ids.splice(0, count('delete'))]);
    this.ids.push(...added.map((row) => row.id));
  }

  #kind() {
    if (this.ids.length === 0) return 'insert';
    if (this.dice.chance(0.3)) return 'update';
    return this.ids.length > this.rows ? this.dice.of(['insert', 'delete']) : 'insert';
  }
}
