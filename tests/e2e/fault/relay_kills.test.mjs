// Relays and their workers are killed at random under random transactions: tabs come back with their cursors, to
// whichever relay, soon, and nothing was lost.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { form, random } from '../lib/form.mjs';
import { patience } from '../lib/env.mjs';
import { History } from '../lib/history.mjs';
import { Stalls } from '../lib/stalls.mjs';
import { sleep } from '../lib/wait.mjs';

const KILLS = form(20, 200);
const LIVE_AGAIN_P99_MS = 3_000;

describe('relays are killed at random', () => {
  let history;
  before(async () => {
    history = await History.start();
  });
  after(() => history?.end());

  /** Its tabs are lost from now on, whenever they notice. */
  async function killRelay(relay) {
    const at = performance.now();
    for (const tab of history.tabs) if (tab.relay === relay) tab.lost(at);
    await relay.kill();
    await relay.again();
  }

  async function killWorker(relay, dice) {
    const victims = relay.workers();
    if (victims.length) process.kill(dice.of(victims), 'SIGKILL');
  }

  it('nothing is lost, and tabs are live again within 3 s', async (t) => {
    const dice = random('kills');
    const involved = () => [...history.relays.flatMap((relay) => relay.processes()), ...history.cluster.processes()];
    const stalls = new Stalls(involved, t.signal, 500);
    for (let kills = 0; kills < KILLS; ) {
      await sleep(dice.between(200, 1500));
      const choice = dice.fraction();
      const relay = dice.of(history.relays);
      if (choice < 0.25) await killWorker(history.relays[1], dice);
      else if (choice < 0.9) await killRelay(relay);
      else await Promise.all(history.relays.map(killRelay));
      kills += choice < 0.9 ? 1 : 2;
    }
    const figures = await history.judge();
    t.diagnostic(JSON.stringify({ kills: KILLS, ...figures }));
    const stalled_ms = stalls.most(LIVE_AGAIN_P99_MS);
    assert.ok(figures.liveAgain_ms.p99 <= LIVE_AGAIN_P99_MS * patience + stalled_ms,
      `${JSON.stringify(figures.liveAgain_ms)}; all together stood still for ${Math.round(stalled_ms)} ms at most`);
  });
});
