// The admin port: what Prometheus reads there is valid, documented and true; the alerts and the dashboard ask for
// nothing that is not there.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, outcome } from './lib/client.mjs';
import { openStream } from './lib/event_stream.mjs';
import { root, scratch } from './lib/env.mjs';
import { API, ask } from './lib/http.mjs';
import { admin, metrics, startWithAdmin } from './lib/metrics.mjs';
import { Cluster } from './lib/postgres.mjs';
import { CANARY, spawnRelay, startRelay } from './lib/relay.mjs';
import { eventually, sleep, within } from './lib/wait.mjs';

const OPENMETRICS = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
const read = (path) => readFileSync(join(root, path), 'utf8');

// tests/run installs both for `e2e` and `asan`; elsewhere they may be missing.
const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
const python = ['/usr/bin/python3', 'python3'].find((path) =>
  spawnSync(path, ['-c', 'import prometheus_client.openmetrics.parser']).status === 0);

function runTool(command, args, input) {
  const { status, stdout, stderr } = spawnSync(command, args, { input, encoding: 'utf8' });
  assert.equal(status, 0, `${command} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout + stderr;
}

/** The table of docs/OPERATIONS.md: `name type labels`. */
function documented() {
  const table = read('docs/OPERATIONS.md').split('| metric | type | labels | |\n')[1].split('\n\n')[0];
  return table.split('\n').slice(1).map((row) => {
    const [, name, type, labels] = /^\| `(\w+)` \| (\w+) \| ([^|]*)\|/.exec(row);
    return `${name} ${type} ${[...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label).sort()}`;
  });
}

function found(families) {
  return [...families].map(([name, { type, samples }]) => {
    const labels = new Set(samples.flatMap((sample) => Object.keys(sample.labels)));
    labels.delete('le');
    return `${name} ${type} ${[...labels].sort()}`;
  });
}

/** Every metric that an expression names, and every label with its word, is on the page. */
function assertAsksForWhatIsThere(expression, samples) {
  const named = [...expression.matchAll(/\b(pgherald_\w+)(?:\{([^}]*)\})?/g)];
  for (const [, name, matchers = ''] of named) {
    const of = samples.filter((sample) => sample.name === name);
    assert.ok(of.length > 0, `${name} is not on the page: ${expression}`);
    for (const [, label, how, word] of matchers.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g)) {
      if (['instance', 'job'].includes(label)) continue; // Prometheus' own
      assert.ok(of.some((sample) => label in sample.labels), `${name} has no label ${label}: ${expression}`);
      if (how === '=' || how === '!=') assert.ok(of.some((sample) => sample.labels[label] === word), `${name} has no ${label}="${word}"`);
    }
    for (const [, labels] of expression.matchAll(/ by \(([^)]*)\)/g)) {
      for (const label of labels.split(/,\s*/).filter((one) => one !== 'instance')) {
        assert.ok(named.some(([, other]) => samples.some((sample) => sample.name === other && label in sample.labels)), `nothing has the label ${label}: ${expression}`);
      }
    }
  }
  return named.length;
}

const rules = [...read('deploy/prometheus/pgherald.rules.yml').matchAll(/- alert: (\w+)\n([^]*?)(?=\n\n|\n*$(?![^]))/g)]
  .map(([, name, body]) => ({
    name,
    expression: /expr: (?:>-\n)?([^]*?)\n {8}(?:for|labels):/.exec(body)[1],
    runbook: /^ {10}runbook: "(.+)"$/m.exec(body)?.[1],
  }));
const panels = JSON.parse(read('deploy/grafana/pgherald.json')).panels;
const queries = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expression: expr })));

/** To the admin port, saying nothing: how many ms until it is closed. */
function idleConnection(relay) {
  const since = performance.now();
  const socket = net.connect({ host: '127.0.0.1', port: relay.adminPort });
  return new Promise((resolve, reject) => socket.resume().on('close', () => resolve(performance.now() - since)).on('error', reject));
}

let cluster;
let db;
let idle; // since the beginning: the other tests are its time
before(async () => {
  cluster = await Cluster.start();
  db = await cluster.database();
});
after(() => cluster?.end());

for (const workers of ['1', '2']) {
  describe(`metrics with HERALD_WORKERS=${workers}`, () => {
    let relay;
    before(async () => {
      relay = await startWithAdmin(db, { HERALD_WORKERS: workers });
      idle ??= idleConnection(relay);
    });

    it('the page is what promtool takes, without a remark', { skip: !hasPromtool && 'no promtool' }, async () => {
      const { status, type, body } = await admin(relay, '/metrics');
      assert.equal(status, 200);
      assert.equal(type, 'text/plain; version=0.0.4; charset=utf-8');
      assert.equal(runTool('promtool', ['check', 'metrics'], body), '');
    });

    it('and OpenMetrics for who asks for it', { skip: !python && 'no prometheus_client' }, async () => {
      const { status, type, body } = await admin(relay, '/metrics', { headers: { Accept: OPENMETRICS } });
      assert.equal(status, 200);
      assert.equal(type, 'application/openmetrics-text; version=1.0.0; charset=utf-8');
      const parse = 'import sys; from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse; '
        + 'print(len(list(parse(sys.stdin.read()))))';
      assert.equal(Number(runTool(python, ['-c', parse], body)), documented().length);
    });

    it('but not for who asks for something else, or says that it will not do', async () => {
      const isOpen = async (accept) => (await admin(relay, '/metrics', { headers: { Accept: accept } })).type.startsWith('application/openmetrics-text');
      for (const accept of ['text/plain', 'application/openmetrics-text;q=0, text/plain', 'application/openmetrics-text; version=1.0.0 ; Q=0.000,text/plain', ',;', '']) {
        assert.equal(await isOpen(accept), false, accept);
      }
      for (const accept of ['text/plain, Application/OpenMetrics-Text', 'application/openmetrics-text;q=0.1;x=y', 'text/plain;q=0,application/openmetrics-text;q=1']) {
        assert.equal(await isOpen(accept), true, accept);
      }
    });

    it('it has what docs/OPERATIONS.md says, and nothing else', async () => {
      const { families } = await metrics(relay);
      assert.deepEqual(found(families).sort(), documented().sort());
    });

    it('what happens is counted', async () => {
      const user = await db.person();
      const before = await metrics(relay);
      const tab = await connect(relay, user);
      await db.notify(user, `${CANARY} one`);
      const { notification } = await tab.next('new_notification');
      await tab.ask({ type: 'mark_read', notification_id: notification.id });
      await tab.ask({ type: 'no such type' });
      await db.sql('select herald.disconnect_user($1)', [`u-${user}`]);
      assert.equal((await within(5_000, () => tab.seen(), tab.closed)).code, 4002);
      await outcome(relay, { token: `dummy-jwt-for-nobody-${CANARY}` });

      const more = async (name, labels) => (await metrics(relay)).value(name, labels) - before.value(name, labels);
      const expected = [
        [2, 'pgherald_sessions_opened_total'],
        [1, 'pgherald_sessions_closed_total', { code: '4002', reason: 'disconnected' }],
        [1, 'pgherald_sessions_closed_total', { code: '4000' }],
        [1, 'pgherald_logins_total', { result: 'ok' }],
        [1, 'pgherald_logins_total', { result: 'unknown_user' }],
        [1, 'pgherald_messages_received_total', { type: 'mark_read' }],
        [1, 'pgherald_messages_received_total', { type: 'invalid' }],
        [1, 'pgherald_messages_sent_total', { type: 'new_notification' }],
        [1, 'pgherald_messages_sent_total', { type: 'notification_updated' }],
        [1, 'pgherald_messages_sent_total', { type: 'error' }],
        [2, 'pgherald_messages_sent_total', { type: 'close' }],
        [1, 'pgherald_commit_to_socket_seconds_count'],
        [1, 'pgherald_commit_to_socket_seconds_bucket', { le: '+Inf' }],
        [1, 'pgherald_feed_changes_total', { kind: 'new' }],
        [1, 'pgherald_feed_changes_total', { kind: 'updated' }],
        [1, 'pgherald_feed_changes_total', { kind: 'disconnect' }],
        [1, 'pgherald_mark_read_batch_rows_count'],
        [1, 'pgherald_mark_read_batch_rows_bucket', { le: '1.0' }],
        [1, 'pgherald_query_seconds_count', { statement: 'mark_read' }],
        [0, 'pgherald_sessions'],
        [0, 'pgherald_queued_bytes'],
      ];
      for (const [count, name, labels] of expected) {
        await eventually(`${count} more ${name} ${JSON.stringify(labels)}`, async () => (await more(name, labels)) === count);
      }
    });

    it('requests of the HTTP API are counted, and streams apart from WebSockets', async () => {
      const user = await db.person();
      const before = await metrics(relay);
      const headers = { 'Idempotency-Key': `k-${workers}` };
      const json = { title: CANARY };
      for (let i = 0; i < 2; i += 1) assert.equal((await ask(relay, 'POST', API, { user, json, headers })).status, 201);
      assert.equal((await ask(relay, 'GET', API, { user })).status, 200);
      assert.equal((await ask(relay, 'GET', API)).status, 401);
      assert.equal((await ask(relay, 'GET', `${API}/nothing`, { user })).status, 404);
      assert.equal((await ask(relay, 'OPTIONS', API)).status, 204);
      const [stream, tab] = [await openStream(relay, user), await connect(relay, user)];
      const expected = [
        [2, 'pgherald_http_requests_total', { operation: 'create', status: '2xx' }],
        [1, 'pgherald_http_replays_total'],
        [1, 'pgherald_http_requests_total', { operation: 'list', status: '2xx' }],
        [1, 'pgherald_http_requests_total', { operation: 'list', status: '4xx' }],
        [1, 'pgherald_http_requests_total', { operation: 'other', status: '4xx' }],
        [1, 'pgherald_http_requests_total', { operation: 'options', status: '2xx' }],
        [6, 'pgherald_http_requests_total'],
        [2, 'pgherald_http_request_seconds_count', { operation: 'create' }],
        [1, 'pgherald_http_problems_total', { code: 'no_token' }],
        [1, 'pgherald_http_problems_total', { code: 'not_found' }],
        [2, 'pgherald_http_problems_total'],
        [0, 'pgherald_http_requests_under_way'],
        [1, 'pgherald_sessions', { transport: 'sse', state: 'open' }],
        [1, 'pgherald_sessions', { transport: 'websocket', state: 'open' }],
        [1, 'pgherald_sessions_opened_total', { transport: 'sse' }],
      ];
      for (const [count, name, labels] of expected) {
        await eventually(`${count} more ${name} ${JSON.stringify(labels)}`, async () =>
          (await metrics(relay)).value(name, labels) - before.value(name, labels) === count);
      }
      stream.destroy();
      await tab.close();
    });

    it('the time from commit to socket is no shorter than it took', async () => {
      const user = await db.person();
      const tab = await connect(relay, user);
      const before = (await metrics(relay)).value('pgherald_commit_to_socket_seconds_sum');
      const asked = performance.now();
      await tab.settle(db, user); // the look before the one that finds the row is no older than this
      process.kill(relay.pid, 'SIGSTOP'); // who has the feed
      await db.notify(user, 'late').then(() => sleep(300)).finally(() => process.kill(relay.pid, 'SIGCONT'));
      await tab.next('new_notification');
      const waited_s = (performance.now() - asked) / 1000;
      const measured = await eventually('the sum', async () => (await metrics(relay)).value('pgherald_commit_to_socket_seconds_sum') - before);
      // How much longer depends on how busy the machine is: the look's question is on its way meanwhile, which counts twice.
      assert.ok(measured > 0.299 && measured < 2 * waited_s, `${measured} s measured, ${waited_s} s waited for`);
    });

    it('says nothing of users, tokens and payloads', async () => {
      assert.doesNotMatch((await admin(relay, '/metrics')).body, new RegExp(`${CANARY}|user\\d|dummy|nobody`));
    });

    it('each process has its processor time and memory', async () => {
      const names = workers === '1' ? ['0'] : ['supervisor', '0', '1'];
      const { value, samples } = await eventually('all of them', async () => {
        const page = await metrics(relay);
        return page.value('pgherald_ready') === 1 && page;
      });
      assert.deepEqual(samples.filter(({ name }) => name === 'pgherald_process_resident_memory_bytes').map(({ labels }) => labels.process), names);
      for (const process of names) {
        assert.ok(value('pgherald_process_resident_memory_bytes', { process }) > 1024 * 1024);
        assert.ok(value('pgherald_process_cpu_seconds_total', { process }) > 0);
        assert.ok(Math.abs(value('pgherald_process_start_time_seconds', { process }) * 1000 - Date.now()) < 600_000);
      }
    });

    it('alerts and dashboard ask for what is on the page', async () => {
      const { samples } = await metrics(relay);
      assert.ok(rules.length >= 12 && queries.length >= 30);
      for (const { expression } of [...rules, ...queries]) {
        const asked = assertAsksForWhatIsThere(expression, samples);
        assert.ok(asked > 0 || expression.startsWith('up{'), expression);
      }
    });

    it('the main port has no metrics, and its health all the same', async () => {
      assert.equal((await relay.get('/metrics')).status, 404);
      assert.equal((await relay.get('/readyz')).status, 200);
    });

    it('/readyz and the page tell of a database that is away', async () => {
      await cluster.stop();
      const { body } = await eventually('503', async () => {
        const answer = await admin(relay, '/readyz');
        return answer.status === 503 && answer;
      });
      assert.match(JSON.parse(body).reason, /./);
      const { value } = await metrics(relay);
      assert.equal(value('pgherald_ready'), 0);
      assert.equal(value('pgherald_feed_state', { state: 'down' }), 1);
      assert.equal(value('pgherald_feed_state'), 1);
      assert.equal((await admin(relay, '/healthz')).status, 200);
      await eventually('the lag to grow', async () => (await metrics(relay)).value('pgherald_feed_lag_seconds') > 1);
      await cluster.boot();
      await eventually('200', async () => (await admin(relay, '/readyz')).status === 200);
    });
  });
}

describe('a worker that dies', () => {
  it('takes its gauges along, but not what it has counted', async () => {
    const relay = await startWithAdmin(db, { HERALD_WORKERS: '2' });
    const user = await db.person();
    const tab = await connect(relay, user);
    const before = await eventually('the tab on the page', async () => {
      const page = await metrics(relay);
      return page.value('pgherald_sessions', { state: 'open' }) === 1 && page;
    });
    const number = before.samples.find(({ name, value }) => name === 'pgherald_process_sessions' && value === 1).labels.process;
    const victim = relay.workers().find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[3] === number);
    process.kill(victim, 'SIGKILL');
    await tab.closed;
    await eventually('another one to be ready', async () => {
      const page = await metrics(relay);
      return page.value('pgherald_worker_restarts_total') === 1 && page.value('pgherald_ready') === 1;
    });
    const { value } = await metrics(relay);
    assert.equal(value('pgherald_workers'), 2);
    assert.equal(value('pgherald_sessions'), 0);
    assert.equal(value('pgherald_sessions_opened_total'), before.value('pgherald_sessions_opened_total'));
    assert.equal(value('pgherald_logins_total', { result: 'ok' }), 1);
  });
});

describe('the admin port', () => {
  let relay;
  before(async () => (relay = await startWithAdmin(db)));

  /** What comes back for these bytes, until the relay closes. */
  const talk = (bytes) => new Promise((resolve, reject) => {
    let answer = '';
    const socket = net.connect({ host: '127.0.0.1', port: relay.adminPort }, () => socket.write(bytes));
    socket.on('data', (chunk) => (answer += chunk));
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });

  it('answers each request once, whatever it is', async () => {
    const status = async (bytes) => /^HTTP\/1\.1 (\d{3}) /.exec(await talk(bytes))[1];
    const head = 'Host: localhost\r\n\r\n';
    assert.equal(await status(`GET /nothing HTTP/1.1\r\n${head}`), '404');
    assert.equal(await status(`GET /metrics/ HTTP/1.1\r\n${head}`), '404');
    assert.equal(await status(`POST /metrics HTTP/1.1\r\n${head}`), '405');
    assert.equal(await status('nonsense\r\n\r\n'), '400');
    assert.equal(await status(`GET /healthz HTTP/1.1\r\nA: ${'x'.repeat(8192)}`), '431');
    assert.equal(await status(`GET /healthz?a=b HTTP/1.0\r\n\r\n`), '200');
  });

  it('takes a request in pieces, and tells HEAD the length only', async () => {
    const { headers, body } = await admin(relay, '/metrics', { method: 'HEAD' });
    assert.equal(body, '');
    assert.ok(Number(headers['content-length']) > 10_000);
    const answer = await new Promise((resolve) => {
      let text = '';
      const socket = net.connect({ host: '127.0.0.1', port: relay.adminPort }, async () => {
        for (const piece of ['GET /hea', 'lthz HTTP/1.1\r\nHost: a\r', '\n\r', '\n']) {
          await new Promise((written) => socket.write(piece, written));
        }
      });
      socket.setNoDelay(true);
      socket.on('data', (chunk) => (text += chunk));
      socket.on('close', () => resolve(text));
    });
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nOK$/);
  });

  it('closes those beyond 32 at once, and serves again when they have left', async () => {
    const idle = await Promise.all(Array.from({ length: 32 }, () => new Promise((resolve) => {
      const socket = net.connect({ host: '127.0.0.1', port: relay.adminPort }, () => resolve(socket));
    })));
    await eventually('one to be closed without an answer', async () =>
      (await talk('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n').catch(() => '')) === '');
    idle.forEach((socket) => socket.destroy());
    await eventually('an answer', async () => (await admin(relay, '/healthz').catch(() => ({}))).status === 200);
  });

  it('is not there unless it is asked for', async () => {
    const plain = await startRelay(db);
    assert.equal((await plain.get('/metrics')).status, 404);
    assert.equal((await plain.get('/healthz')).status, 200);
  });

  it('may be a unix socket, which goes with the relay', async () => {
    const path = join(scratch, 'admin.sock');
    const own = await startRelay(db, { HERALD_ADMIN_LISTEN: `unix:${path}` });
    const answer = await new Promise((resolve, reject) => {
      let text = '';
      const socket = net.connect({ path }, () => socket.write('GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n'));
      socket.on('data', (chunk) => (text += chunk));
      socket.on('close', () => resolve(text));
      socket.on('error', reject);
    });
    assert.match(answer, /\r\n\r\n\{"ready":true\}$/);
    await own.stop();
    assert.ok(!readdirSync(scratch).includes('admin.sock'));
  });

  it('that is taken ends the relay at its start, and says which one', async () => {
    const late = await spawnRelay(db, { HERALD_ADMIN_LISTEN: `127.0.0.1:${relay.adminPort}` });
    assert.deepEqual(await late.program.end(), { code: 1, signal: null });
    assert.match(late.log(), /event=cannot_listen .*variable=HERALD_ADMIN_LISTEN/);
  });

  it('is free for a successor while clients are told to leave', async () => {
    const old = await startWithAdmin(db, { HERALD_WORKERS: '2', HERALD_DRAIN_SECONDS: '3' });
    const tab = await connect(old, 'alice');
    old.program.signal('SIGTERM');
    await tab.next('draining');
    const next = await startRelay(db, { HERALD_ADMIN_LISTEN: old.env.HERALD_ADMIN_LISTEN });
    next.adminPort = old.adminPort;
    assert.equal((await metrics(next)).value('pgherald_ready'), 1);
    await tab.closed;
    await old.program.end(15_000);
  });
});

it('a connection to the admin port that says nothing is closed after 10 s', async () => {
  const took_ms = await within(15_000, () => 'its end', idle);
  assert.ok(took_ms > 9_500, `${took_ms} ms`);
});

describe('what is in deploy', () => {
  it('alerts are what promtool takes, and fire as their tests say', { skip: !hasPromtool && 'no promtool' }, () => {
    runTool('promtool', ['check', 'config', join(root, 'deploy/prometheus/prometheus.yml')]);
    runTool('promtool', ['test', 'rules', join(root, 'deploy/prometheus/pgherald.rules.test.yml')]);
  });

  it('the dashboard asks in PromQL', { skip: !hasPromtool && 'no promtool' }, () => {
    const file = join(scratch, 'dashboard.rules.json'); // JSON is YAML
    const plain = (expression) => expression.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*');
    writeFileSync(file, JSON.stringify({
      groups: [{ name: 'dashboard', rules: queries.map(({ expression }, i) => ({ record: `query${i}`, expr: plain(expression) })) }],
    }));
    runTool('promtool', ['check', 'rules', file]);
  });

  it('each alert has a line for who is called, and a row in docs/OPERATIONS.md', () => {
    const table = read('docs/OPERATIONS.md').split('| alert | means | look at, and do |\n')[1].split('\n\n')[0];
    assert.deepEqual([...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name), rules.map(({ name }) => name));
    for (const { name, runbook } of rules) {
      const anchor = /docs\/OPERATIONS\.md#([a-z-]+)$/.exec(runbook ?? '')?.[1];
      const headings = [...read('docs/OPERATIONS.md').matchAll(/^#+ (.+)$/gm)].map(([, text]) => text.toLowerCase().replaceAll(/[^a-z ]/g, '').replaceAll(' ', '-'));
      assert.ok(headings.includes(anchor), `${name}: ${runbook}`);
    }
  });

  it('panels have a title, a text and a place of their own', () => {
    const taken = new Set();
    for (const { title, type, description, gridPos: { x, y, w, h } } of panels) {
      assert.ok(title && (type === 'row' || typeof description === 'string'), title);
      for (let i = 0; i < w * h; i += 1) {
        const place = `${x + (i % w)},${y + Math.floor(i / w)}`;
        assert.ok(!taken.has(place) && x + w <= 24, `${title} at ${place}`);
        taken.add(place);
      }
    }
  });
});
