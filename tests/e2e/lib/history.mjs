// A history: a cluster, two relays of different kind, users with one to three tabs each, writers, and the oracle that
// compares them in the end. Faults are the business of the test that starts it.
import { random } from './form.mjs';
import { Oracle } from './oracle.mjs';
import { Cluster } from './postgres.mjs';
import { startRelay } from './relay.mjs';
import { Tab } from './tab.mjs';
import { eventually, sleep } from './wait.mjs';
import { Writers } from './writers.mjs';

const RELAYS = [
  { HERALD_FEED: 'notify', HERALD_WORKERS: '1' },
  { HERALD_FEED: 'poll', HERALD_WORKERS: '2' },
];

export class History {
  /**
   * Starts everything and waits until every tab is live. `settings`: PostgreSQL's; `relayEnv`: for both relays;
   * `writers`: options of Writers; `lossy`: see Oracle; `act_ms`: the pause between two users' actions;
   * `streams`: the share of the tabs' dials that are for Server-Sent Events; `through` starts the proxy that tabs dial, of
   * these relays.
   */
  static async start({ users = 200, settings = {}, relayEnv = {}, writers = {}, lossy = false, act_ms = 15, streams = 0.3, through } = {}) {
    const history = new History();
    history.cluster = await Cluster.start({ max_prepared_transactions: 20, ...settings });
    history.db = await history.cluster.database();
    history.relays = await Promise.all(RELAYS.map((env) =>
      startRelay(history.db, { HERALD_LOG_LEVEL: 'info', ...env, ...relayEnv })));
    history.proxy = await through?.(...history.relays);
    const names = Array.from({ length: users }, (_, i) => `user${i}`);
    await history.db.addUsers(names);
    history.writers = new Writers({ db: history.db, users: names.map((name) => `u-${name}`), ...writers });
    history.oracle = new Oracle({ db: history.db, writers: history.writers, lossy });
    history.#open(names, streams);
    await eventually('every tab to be live', () => history.tabs.every((tab) => tab.live), 60_000);
    for (const tab of history.tabs) tab.absences = [];
    history.acting = history.#act(act_ms);
    return history;
  }

  #open(names, streams) {
    const dice = random('tabs');
    this.tabs = names.flatMap((username) => Array.from({ length: dice.between(1, 3) }, (_, i) => new Tab({
      username,
      number: i + 1,
      relays: this.proxy ? [this.proxy] : this.relays,
      dice: random(`${username} ${i}`),
      lossy: this.oracle.lossy,
      streams,
      onShow: this.oracle.shown,
    })));
    this.oracle.tabs = this.tabs;
  }

  /** Users read what they are shown. */
  async #act(pause_ms) {
    const dice = random('users');
    while (!this.stopping) {
      if (!this.writers.lazy) dice.of(this.tabs).act(dice);
      await sleep(pause_ms);
    }
  }

  /** Ends the writing, waits for the relays and asks the oracle; its figures. */
  async judge() {
    this.stopping = true;
    await this.acting;
    await this.writers.stop();
    for (const relay of this.relays) await relay.ready(30_000);
    return this.oracle.judge();
  }

  async end() {
    this.stopping = true;
    this.writers.stopping = true;
    await Promise.all(this.tabs.map((tab) => tab.stop()));
    await this.writers.stop();
    await this.proxy?.end();
    await this.cluster.end();
  }
}
