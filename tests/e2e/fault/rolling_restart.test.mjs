// Two relays behind nginx are replaced one after the other while five hundred tabs and the application are at work: what
// an upgrade is to those who use it. nginx has the configuration of deploy/proxy.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { patience } from '../lib/env.mjs';
import { form } from '../lib/form.mjs';
import { History } from '../lib/history.mjs';
import { PROXY_ADDRESS, startNginx } from '../lib/proxies.mjs';
import { Stalls } from '../lib/stalls.mjs';
import { eventually, mostWithin, sleep } from '../lib/wait.mjs';

const ROUNDS = form(1, 5);
const USERS = 250; // with two tabs each, on average
const DRAIN_S = 5;
const LIVE_AGAIN_P99_MS = 8_000; // nginx's fail_timeout is 10 s: nobody had to wait for a relay to be tried again
const SHARE_MAX = 0.25; // of the closes of one relay, within a tenth of its drain
const SPREAD_MS = (DRAIN_S - 1) * 1_000; // over which a relay closes them

/** When a relay closed its sessions because it was stopped, in ms. */
function closes(log) {
  return [...log.matchAll(/^time=(\S+) .*event=session_closed .*reason=shutdown/gm)].map(([, time]) => Date.parse(time));
}

describe('relays behind nginx are replaced one after the other', () => {
  let history;
  before(async () => {
    history = await History.start({
      users: USERS,
      relayEnv: { HERALD_TRUSTED_PROXIES: PROXY_ADDRESS, HERALD_DRAIN_SECONDS: String(DRAIN_S), HERALD_MAX_CONNECTIONS_PER_IP: '5000' },
      through: startNginx,
    });
  });
  after(() => history?.end());

  it('nothing is lost or shown twice, and tabs come back one by one', async (t) => {
    const begin = Date.now();
    for (let i = 0; i < ROUNDS * history.relays.length; i += 1) {
      const relay = history.relays[i % history.relays.length];
      const before = closes(relay.log()).length;
      await sleep(1_000);
      const stalls = new Stalls(relay.processes(), t.signal);
      await relay.stop(); // SIGTERM; it drains, and ends with 0
      stalls.stop();
      const times = closes(relay.log()).slice(before);
      t.diagnostic(`closed ${times.length} within ${Math.max(...times) - Math.min(...times)} ms`);
      assert.ok(times.length >= 50, `${times.length} tabs were on it`);
      // What was due while the relay stood still is closed at once.
      const share_max = SHARE_MAX + stalls.most(DRAIN_S * 100) / SPREAD_MS;
      assert.ok(mostWithin(DRAIN_S * 100, times) <= share_max * times.length, 'the closes are spread');
      await relay.again();
      await eventually('every tab to be live', () => history.tabs.every((tab) => tab.live), 60_000);
    }
    const seconds = (Date.now() - begin) / 1000;
    const figures = await history.judge();
    t.diagnostic(JSON.stringify({ rows_s: Math.round(figures.rows / seconds), ...figures }));
    assert.equal(figures.resyncs, 0, 'a successor replays, it need not tell everything again');
    assert.doesNotMatch(history.proxy.logs(), / 5\d\d \d+ [\d.]+$/m, 'one of the two is always there');
    assert.ok(figures.liveAgain_ms.p99 <= LIVE_AGAIN_P99_MS * patience, JSON.stringify(figures.liveAgain_ms));
  });
});
