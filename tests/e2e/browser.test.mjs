// Cross-site WebSocket hijacking, tried from real pages in a real browser: a page of an allowed origin connects; with
// the very same script and token a page of another origin does not.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { visit } from './lib/browser.mjs';
import { devToken } from './lib/client.mjs';
import { freePort } from './lib/ports.mjs';
import { Cluster } from './lib/postgres.mjs';
import { PATH, startRelay } from './lib/relay.mjs';
import { within } from './lib/wait.mjs';

const NAMES = [
  'behindProxy', 'otherPort', 'otherName', 'noOrigin', 'listed', 'unlisted', 'relaysHost', 'unlistedNoOrigin', 'frames',
];

/** Reports to its own server how its dial ended: the type of the first frame, or 'refused'. */
const page = (url) => `<!doctype html><script>
  const report = (text) => fetch('/report', { method: 'POST', mode: 'no-cors', body: text });
  const socket = new WebSocket(${JSON.stringify(url)});
  let first;
  socket.onmessage = ({ data }) => first ?? report(first = JSON.parse(data).type);
  socket.onclose = () => first ?? report('refused');
</script>`;

/** A web site: its page, where that reports to, and the relay behind it as behind a proxy. */
class Site {
  async open() {
    this.port = await freePort();
    this.host = `127.0.0.1:${this.port}`;
    this.reported = new Promise((resolve) => (this.report = resolve));
    this.server = http.createServer((request, response) => this.#answer(request, response));
    this.server.on('upgrade', (request, socket) => this.#pass(request, socket));
    await new Promise((resolve) => this.server.listen(this.port, '127.0.0.1', resolve));
    return this;
  }

  #answer(request, response) {
    if (request.url === '/report') request.on('data', (text) => this.report(text.toString()));
    response.setHeader('Content-Type', 'text/html');
    if (this.policy) response.setHeader('Content-Security-Policy', this.policy);
    response.end(request.url === '/' ? this.body : '');
  }

  /** As nginx does with `proxy_set_header Host $http_host`. */
  #pass({ url, rawHeaders }, socket) {
    const lines = rawHeaders.map((text, i) => (i % 2 ? `${text}\r\n` : `${text}: `)).join('');
    const relay = net.connect(this.relay.port, '127.0.0.1', () => relay.write(`GET ${url} HTTP/1.1\r\n${lines}\r\n`));
    for (const [from, to] of [[relay, socket], [socket, relay]]) from.on('error', () => to.destroy()).pipe(to);
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

describe('a page in a browser', () => {
  let cluster;
  let sameHost; // the default
  let listed; // HERALD_ALLOWED_ORIGINS names one site
  const sites = {};

  before(async () => {
    cluster = await Cluster.start();
    const db = await cluster.database();
    for (const name of NAMES) sites[name] = await new Site().open();
    sameHost = await startRelay(db);
    listed = await startRelay(db, { HERALD_ALLOWED_ORIGINS: `http://${sites.listed.host}` });

    /** The site's page dials that relay, directly or through the site. */
    const dials = (site, relay, { through = false } = {}) => {
      site.relay = relay;
      site.body = page(`ws://${through ? site.host : `127.0.0.1:${relay.port}`}${PATH}?token=${devToken('alice')}`);
    };
    dials(sites.behindProxy, sameHost, { through: true });
    dials(sites.otherPort, sameHost);
    dials(sites.otherName, sameHost, { through: true });
    dials(sites.noOrigin, sameHost, { through: true });
    dials(sites.listed, listed);
    dials(sites.unlisted, listed);
    dials(sites.relaysHost, listed, { through: true });
    dials(sites.unlistedNoOrigin, listed);
    sites.noOrigin.policy = 'sandbox allow-scripts';
    sites.unlistedNoOrigin.policy = 'sandbox allow-scripts';
    const { frames, ...pages } = sites;
    const url = (site) => `http://${site === sites.otherName ? `localhost:${site.port}` : site.host}/`;
    frames.body = Object.values(pages).map((site) => `<iframe src="${url(site)}"></iframe>`).join('');
    const reports = Promise.all(Object.values(pages).map((site) => site.reported));
    await within(60_000, () => 'the reports of all pages', visit(`http://${frames.host}/`, reports));
  });
  after(async () => {
    Object.values(sites).forEach((site) => site.close());
    await cluster?.end();
  });

  const report = (site) => sites[site].reported;
  const refusals = (relay) => relay.log().match(/event=handshake_refused pid=\d+ status=403 reason="origin not allowed"$/gm)?.length;

  it('of the relay\'s own host connects, through the proxy that serves it', async () => {
    assert.equal(await report('behindProxy'), 'connected');
  });

  it('of another port is refused by default', async () => assert.equal(await report('otherPort'), 'refused'));

  it('of another name of the same address is refused by default', async () => {
    assert.equal(await report('otherName'), 'refused');
  });

  it('without an origin of its own is refused by default', async () => {
    assert.equal(await report('noOrigin'), 'refused');
  });

  it('of an origin in HERALD_ALLOWED_ORIGINS connects', async () => assert.equal(await report('listed'), 'connected'));

  it('of an origin that is not in the list is refused', async () => assert.equal(await report('unlisted'), 'refused'));

  it('of the relay\'s own host is refused when the list does not have it', async () => {
    assert.equal(await report('relaysHost'), 'refused');
  });

  it('without an origin of its own is refused with a list, too', async () => {
    assert.equal(await report('unlistedNoOrigin'), 'refused');
  });

  it('is refused by HTTP 403, not by an accident', () => {
    assert.deepEqual([refusals(sameHost), refusals(listed)], [3, 3]);
  });
});
