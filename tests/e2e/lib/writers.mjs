// The application: writers that run random transactions side by side and know how each ended. Every version that they
// write carries a tag in its message, so that what was rolled back can be recognised wherever it turns up; a row's
// title is its user, so that a row shown to somebody else can be, too.
import { CANARY } from './relay.mjs';
import { random } from './form.mjs';
import { sleep } from './wait.mjs';

const LEVELS = ['read committed', 'repeatable read', 'serializable'];

/** Rows that transactions may pick from. What is taken out for a deletion is not picked again. */
class Ids {
  #list = [];

  add(ids) {
    this.#list.push(...ids);
  }

  /** Often one of the newest, so that writers meet on it. */
  pick(dice) {
    return dice.chance(0.3) ? dice.of(this.#list.slice(-10)) : dice.of(this.#list);
  }

  take(dice) {
    if (this.#list.length === 0) return undefined;
    const i = dice.between(0, this.#list.length - 1);
    const [id] = this.#list.splice(i, 1, this.#list.at(-1));
    this.#list.pop();
    return id;
  }
}

/** One transaction as its body sees it: statements that note what they touched. */
class Transaction {
  constructor(client, dice, ids, users, tag) {
    Object.assign(this, { client, dice, ids, users, tag, base: tag });
    this.rows = 0; // written
    this.inserted = []; // ids
    this.touched = []; // ids
    this.doomed = []; // tags of what was undone
    this.steps = []; // for messages of failures
  }

  get message() {
    return `${CANARY} ${this.tag}`;
  }

  async run(what, text, values = []) {
    const result = await this.client.query(text, values);
    this.steps.push(`${what} ${result.rowCount}`);
    this.rows += result.rowCount;
    this.touched.push(...result.rows.map((row) => row.id).filter(Boolean));
    return result;
  }

  async insert(count = 1, columns = '', expression = '') {
    const users = Array.from({ length: count }, () => this.dice.of(this.users));
    const { rows } = await this.run('insert',
      `insert into herald.notifications (user_id, title, message${columns && `, ${columns}`})
       select u, u, $2${expression && `, ${expression}`} from unnest($1::text[]) u returning id::text`,
      [users, this.message]);
    this.inserted.push(...rows.map((row) => row.id));
    return rows.map((row) => row.id);
  }

  /** Sets columns of a row, one of its own or any; every change brings the tag along. */
  update(assignments = '', id = this.ids.pick(this.dice)) {
    this.touched.push(id);
    return this.run('update', `update herald.notifications set message = $2${assignments && `, ${assignments}`}
      where id = $1 returning id::text`, [id, this.message]);
  }

  move(id = this.ids.pick(this.dice)) {
    return this.run('move',
      'update herald.notifications set user_id = $3, title = $3, message = $2 where id = $1 returning id::text',
      [id, this.message, this.dice.of(this.users)]);
  }

  remove(id = this.ids.take(this.dice)) {
    return this.run('delete', 'delete from herald.notifications where id = $1 returning id::text', [id]);
  }

  /** What happens in there never was. */
  async undone(body) {
    const { tag, inserted } = this;
    this.tag = `${this.base}-undone${this.doomed.length}`;
    this.doomed.push(this.tag);
    this.inserted = [];
    await this.client.query('savepoint undone');
    await body();
    await this.client.query('rollback to savepoint undone');
    this.steps.push('rollback to savepoint');
    Object.assign(this, { tag, inserted });
  }

  async savepoint(body) {
    await this.client.query('savepoint kept');
    await body();
    await this.client.query('release savepoint kept');
  }
}

const some = async (n, step) => {
  for (let i = 0; i < n; i += 1) await step();
};

/**
 * What a transaction may do: its share of all, and its body. `ends` is how it ends, if not by COMMIT. A `durable` one
 * is flushed: a read that is acknowledged because somebody had read it before must not be taken back.
 */
const KINDS = [
  { share: 22, body: (tx) => tx.insert() },
  { share: 8, body: (tx) => some(tx.dice.between(2, 6), () => tx.insert()) },
  { share: 4, body: (tx) => tx.insert(tx.dice.between(20, 60)) },
  { share: 18, body: (tx) => tx.update() },
  { share: 6, body: (tx) => some(tx.dice.between(2, 5), () => tx.update()) },
  { share: 6, body: (tx) => tx.update('read_at = coalesce(read_at, now())'), durable: true },
  { share: 9, body: (tx) => some(tx.dice.between(1, 4), () => tx.remove()) },
  { share: 6, body: (tx) => tx.move() },
  { share: 2, body: (tx) => tx.update('id = gen_random_uuid()', tx.ids.take(tx.dice)) },
  { share: 5, body: upsert },
  { share: 3, body: (tx) => tx.insert(1, 'expires_at', `now() + interval '${tx.dice.between(0, 4000)} ms'`) },
  { share: 1, body: (tx) => tx.update(tx.dice.of([`expires_at = now() + interval '1 s'`, 'expires_at = null'])) },
  { share: 5, body: savepoints },
  { share: 6, body: everything, ends: 'rollback' },
  { share: 1, body: long },
  { share: 2, body: everything, ends: 'prepare', durable: true },
];

function upsert(tx) {
  return tx.run('upsert',
    `insert into herald.notifications (user_id, title, message, dedupe_key) values ($1, $1, $2, $3)
     on conflict (user_id, dedupe_key) where dedupe_key is not null do update set message = excluded.message
     returning id::text`,
    [tx.dice.of(tx.users), tx.message, `k${tx.dice.between(1, 3)}`]);
}

async function savepoints(tx) {
  const [id] = await tx.insert();
  await tx.undone(async () => {
    await tx.insert(2);
    await tx.update('', id);
    await tx.remove(id);
  });
  await tx.savepoint(async () => {
    await tx.update('', id);
    await some(tx.dice.between(1, 8), () => tx.savepoint(() => tx.insert()));
  });
  await tx.undone(() => tx.move());
}

async function everything(tx) {
  const [id] = await tx.insert(2);
  await tx.update();
  await tx.move(id);
  await tx.remove();
}

async function long(tx) {
  await tx.insert();
  await sleep(tx.dice.between(200, 2500));
  await tx.update();
  await tx.insert();
}

const LAZY_KINDS = KINDS.filter((kind) => !kind.durable);

function choose(dice, kinds) {
  let at = dice.between(1, kinds.reduce((sum, kind) => sum + kind.share, 0));
  return kinds.find((kind) => (at -= kind.share) <= 0);
}

export class Writers {
  /**
   * `users` are user ids. `lazily` is the share of transactions with synchronous_commit = off, `lazy = true` makes it
   * all of them; `pause_ms` is the longest pause of a writer between two transactions.
   */
  constructor({ db, users, count = 8, lazily = 0, pause_ms = 20 }) {
    Object.assign(this, { db, users, lazily, pause_ms, lazy: false, stopping: false });
    this.ids = new Ids();
    this.log = []; // one entry a transaction, for messages of failures
    this.doomed = new Set(); // tags that nobody may ever see
    this.flushing = 0; // transactions under way that are not lazy
    this.recent = []; // ids inserted by acknowledged transactions while lazy
    this.figures = { transactions: 0, committed: 0, rolledBack: 0, failed: 0, unknown: 0, rows: 0 };
    this.running = Array.from({ length: count }, (_, i) => this.#write(i, random(`writer ${i}`)));
  }

  async stop() {
    this.stopping = true;
    await Promise.all(this.running);
  }

  async #write(number, dice) {
    let client = null;
    for (let n = 1; !this.stopping; n += 1) {
      client ??= await this.#connect(number);
      if (client && !(await this.#transaction(client, dice, `w${number}.${n}`))) client = null;
      await sleep(dice.between(0, this.pause_ms));
    }
    client ??= await this.#connect(number);
    await client?.end();
  }

  /** Null: not now. What a broken connection left prepared is finished first: it holds its locks. */
  async #connect(number) {
    try {
      const client = await this.db.session();
      const { rows } = await client.query(
        `select gid from pg_prepared_xacts where database = current_database() and gid like $1`, [`w${number}.%`]);
      for (const { gid } of rows) await client.query(`commit prepared '${gid}'`);
      return client;
    } catch {
      await sleep(50);
      return this.stopping ? this.#connect(number) : null;
    }
  }

  /** False: the connection is gone. */
  async #transaction(client, dice, tag) {
    const lazy = this.lazy || dice.chance(this.lazily);
    const kind = choose(dice, lazy ? LAZY_KINDS : KINDS);
    const tx = new Transaction(client, dice, this.ids, this.users, tag);
    this.flushing += lazy ? 0 : 1;
    let outcome = 'failed';
    let error;
    try {
      await client.query(`begin isolation level ${dice.of(LEVELS)};
        set local synchronous_commit = ${lazy ? 'off' : 'on'};
        set local herald.quiet = ${kind.ends === 'prepare' ? 'on' : 'off'}`);
      await kind.body(tx);
      if (kind.ends !== 'rollback') outcome = 'unknown'; // from here on only the table knows
      await this.#end(client, kind, tag, dice);
      outcome = kind.ends === 'rollback' ? 'rolledBack' : 'committed';
    } catch (failure) {
      error = failure;
      // An error that the server reports is a rollback, unless it reports that it goes down.
      if (failure.severity === 'ERROR') outcome = 'failed';
    }
    const open = error === undefined || (await client.query('rollback').then(() => true, () => false));
    this.flushing -= lazy ? 0 : 1;
    this.#note(tx, outcome, lazy, error);
    if (!open) await client.end().catch(() => {});
    return open;
  }

  async #end(client, kind, tag, dice) {
    if (kind.ends !== 'prepare') return client.query(kind.ends ?? 'commit');
    await client.query(`prepare transaction '${tag}'`);
    await sleep(dice.between(0, 300));
    return client.query(`commit prepared '${tag}'`);
  }

  #note(tx, outcome, lazy, error) {
    const happened = outcome === 'committed' || outcome === 'unknown';
    const doomed = happened ? tx.doomed : [tx.base, ...tx.doomed];
    for (const tag of doomed) this.doomed.add(tag);
    if (happened) this.ids.add(tx.inserted);
    if (outcome === 'committed' && lazy && this.lazy) this.recent.push(...tx.inserted);
    this.figures.transactions += 1;
    this.figures[outcome] += 1;
    if (happened) this.figures.rows += tx.rows;
    this.log.push({
      at: performance.now(),
      tag: tx.base,
      outcome: `${outcome}${lazy ? ', lazily' : ''}${error ? `: ${error.message}` : ''}`,
      steps: tx.steps.join(', '),
      ids: tx.touched,
    });
  }

  /** What the writers did to a row, for messages of failures. */
  historyOf(id) {
    return this.log.filter((entry) => entry.ids.includes(id))
      .map(({ at, tag, outcome, steps }) => ({ at, what: `${tag}: ${steps}: ${outcome}` }));
  }
}
