// Server-Sent Events in a real browser, from a page of another origin.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { visit } from './lib/browser.mjs';
import { devToken } from './lib/client.mjs';
import { STREAM } from './lib/event_stream.mjs';
import { freePort } from './lib/ports.mjs';
import { Cluster } from './lib/postgres.mjs';
import { startRelay } from './lib/relay.mjs';
import { eventually } from './lib/wait.mjs';

describe('a page with a stream', () => {
  let cluster;
  let db;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
  });
  after(() => cluster?.end());

  it('EventSource and fetch of a page of another origin get frames; EventSource stops by itself after a final end', async () => {
    const port = await freePort();
    const own = await startRelay(db, { HERALD_ALLOWED_ORIGINS: `http://127.0.0.1:${port}` });
    const user = await db.person();
    const url = `http://127.0.0.1:${own.port}${STREAM}`;
    const page = `<!doctype html><script type="module">
      const report = (value) => fetch('/report', { method: 'POST', body: JSON.stringify(value) });
      const seen = { types: [], closes: [], fetched: '' };
      const response = await fetch('${url}', { headers: { Authorization: 'Bearer ${devToken(user)}' } });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      while (!seen.fetched.includes('"connected"')) seen.fetched += (await reader.read()).value;
      await reader.cancel();
      const source = new EventSource('${url}?token=${devToken(user)}');
      source.onmessage = ({ data, lastEventId }) => {
        seen.types.push(JSON.parse(data).type);
        if (seen.types.length === 1) report({ id: lastEventId });
      };
      source.addEventListener('close', ({ data, lastEventId }) => seen.closes.push([JSON.parse(data).code, lastEventId]));
      source.onerror = () => source.readyState === EventSource.CLOSED && report(seen);
    </script>`;
    const reports = [];
    const server = http.createServer((incoming, response) => {
      incoming.on('data', (text) => reports.push(JSON.parse(text)));
      response.setHeader('Content-Type', 'text/html');
      response.end(incoming.url === '/' ? page : '');
    });
    await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
    await visit(`http://127.0.0.1:${port}/`, (async () => {
      await eventually('the page to be connected', () => reports.length === 1, 60_000);
      await db.notify(user, 'hello');
      await db.sql('select herald.disconnect_user($1)', [`u-${user}`]);
      await eventually('the page to have stopped', () => reports.length === 2, 30_000);
    })());
    server.close();
    assert.match(reports[0].id, /^[0-9a-f]{8}-\d+$/);
    assert.match(reports[1].fetched, /"type":"connected"/);
    assert.ok(reports[1].types.includes('connected'));
    assert.deepEqual(reports[1].closes, [[4002, 'closed']]);
    await own.finish();
  });
});
