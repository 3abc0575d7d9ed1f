// docs/protocol/openapi.yaml held against the relay: it is OpenAPI, its examples are taken and given, and random
// requests, valid and not, never get an answer that it does not allow, nor one of 500 and above.
// HERALD_API_REQUESTS (1000) says how many; HERALD_API_SEED repeats those of a failure.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { createRequire } from 'node:module';
import Ajv from 'ajv/dist/2020.js';
import { devToken } from './lib/client.mjs';
import { API, ask } from './lib/http.mjs';
import { complaint, misfit, openapi, resolve } from './lib/openapi.mjs';
import { Cluster } from './lib/postgres.mjs';
import { RawSocket } from './lib/raw.mjs';
import { CANARY, startRelay } from './lib/relay.mjs';
import { readProtocol } from './lib/schemas.mjs';

const operations = Object.entries(openapi.paths).flatMap(([path, item]) =>
  Object.entries(item).filter(([method]) => method !== 'parameters').map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })));

const mediaOf = (part) => Object.values(resolve(part)?.content ?? {});

describe('the OpenAPI document', () => {
  it('is OpenAPI 3.1', () => {
    const meta = createRequire(import.meta.url)('@seriousme/openapi-schema-validator/schemas/v3.1/schema.json');
    const validate = new Ajv({ strict: false, validateFormats: false }).compile(meta);
    assert.ok(validate(openapi), JSON.stringify(validate.errors?.slice(0, 5), null, 1));
  });

  it('has examples that are as it says', () => {
    let seen = 0;
    for (const { path, method, requestBody, responses } of operations) {
      for (const media of [requestBody, ...Object.values(responses)].flatMap(mediaOf)) {
        for (const value of [media.example, ...Object.values(media.examples ?? {}).map((example) => example.value)]) {
          if (value === undefined) continue;
          assert.equal(misfit(media.schema, value), null, `${method} ${path}`);
          seen += 1;
        }
      }
    }
    assert.ok(seen >= 12, String(seen));
  });

  it('has the codes that docs/PROTOCOL.md has', () => {
    const section = readProtocol('../PROTOCOL.md').split('\n### Problems\n')[1].split('\n##')[0];
    const codes = [...section.matchAll(/^\| \d{3} \| `(\w+)`/gm)].map(([, code]) => code);
    assert.deepEqual(codes, openapi.components.schemas.problem.properties.code.enum);
  });
});

/** Numbers of Mulberry32. */
function generator(seed) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n) => Math.floor(next() * n);
  const one = (list) => list[below(list.length)];
  return { below, one, chance: (p) => next() < p };
}

const UNKNOWN = '00000000-0000-4000-8000-000000000000';

/** Random requests; `good` ones must be taken, `bad` ones refused, and of the others nobody says. */
function requests(seed, users, ids) {
  const { below, one, chance } = generator(seed);
  const text = () => Array.from({ length: below(12) }, () => one(['a', ' ', '"', '\\', 'ä', '😀', '\n', '\u0001', '\u2028', '<b>', '%', '\u202e', '\'', CANARY])).join('');
  const json = (depth) => (depth === 0 ? one([null, true, 1.5, -0, 1e300, 12345678901234567890, '', text()])
    : one([() => Array.from({ length: below(4) }, () => json(depth - 1)), () => Object.fromEntries(Array.from({ length: below(4) }, (_, i) => [`${text()}${i}`, json(depth - 1)])), () => json(0)])());
  const anyId = () => (ids.length && chance(0.8) ? one(ids) : UNKNOWN);
  const item = () => `${API}/${chance(0.1) ? anyId().toUpperCase() : anyId()}`;
  const maybe = (member, value) => (chance(0.4) ? { [member]: value() } : {});
  const notification = () => ({
    title: `t${text()}`, ...maybe('message', text), ...maybe('category', () => one([null, 'ci', text()])),
    ...maybe('severity', () => one(['info', 'success', 'warning', 'error'])), ...maybe('action_url', () => one([null, '/x', text()])),
    ...maybe('data', () => json(3)), ...maybe('expires_at', () => one([null, '2999-01-01T00:00:00Z', '2999-12-31T23:59:59.123456789+14:00'])),
    ...maybe('user_id', () => `u-${one(users)}`), ...maybe(`x${text()}`, () => json(1)),
  });
  const query = () => {
    const parts = [
      ...(chance(0.5) ? [`limit=${one([1, 2, 10, 100, '007'])}`] : []), ...(chance(0.4) ? [`unread=${one(['true', 'false'])}`] : []),
      ...(chance(0.3) ? [`category=${encodeURIComponent(one(['ci', 'none', 'ä&=', '😀'.repeat(60)]))}`] : []),
      ...(chance(0.3) ? [`severity=${one(['info', 'error'])}`] : []),
      ...(chance(0.3) ? [`before=${one([`2026-01-01T00:00:00Z_${UNKNOWN}`, `2999-01-01T00%3A00%3A00.5%2B02:00_${UNKNOWN}`])}`] : []),
      ...(chance(0.2) ? [one(['x=1', 'limits=0', 'x', 'token=x', `_=${CANARY}`])] : []),
    ];
    return parts.length ? `?${parts.join('&')}` : '';
  };
  const keyed = () => (chance(0.3) ? { 'Idempotency-Key': one([`k${below(1e9)}`, '"quoted"'.repeat(1 + below(20)), `~ ${below(1e9)}`]) } : {});
  const known = () => (chance(0.4) ? { 'If-None-Match': one(['*', '*', '"x"', 'W/"x", "y"', 'x', ',', '"'.repeat(50)]) } : {});
  const good = {
    list: () => ({ method: one(['GET', 'HEAD']), path: API + query(), headers: known() }),
    create: () => ({ method: 'POST', path: API, json: notification(), headers: keyed() }),
    get: () => ({ method: one(['GET', 'HEAD']), path: item(), headers: known() }),
    patch: () => ({ method: 'PATCH', path: item(), json: { is_read: chance(0.5), ...maybe('x', () => json(1)) } }),
    readAll: () => ({ method: 'POST', path: `${API}/read-all`, ...one([{}, { body: '', headers: { 'Content-Type': 'application/json' } }, { json: {} }, { json: { until: one([null, '2026-01-01T00:00:00Z']) } }]) }),
    remove: () => ({ method: 'DELETE', path: chance(0.5) ? `${API}/${UNKNOWN}` : item() }),
    options: () => ({ method: 'OPTIONS', path: one([API, `${API}/read-all`, item()]), user: undefined, headers: one([{}, { Origin: 'https://app.example.org', 'Access-Control-Request-Method': 'PATCH' }]) }),
  };
  const valid = () => ({ user: one(users), good: true, ...one(Object.values(good))() });
  const withBody = () => ({ user: one(users), ...one([good.create, good.patch])() });
  const bad = [
    () => ({ ...valid(), method: one(['GET', 'POST']), path: API, ...one([{ user: undefined }, { token: 'x' }, { token: `${devToken('x')} y` }, { user: undefined, headers: { Authorization: `Basic ${devToken(users[0])}` } }, { user: 'nobody-there' }]) }),
    () => ({ user: one(users), method: 'GET', path: `${API}?${one(['limit=0', 'limit=101', 'limit=', 'limit', 'limit=1.0', 'limit=-1', 'limit=1&limit=1', 'limit=99999999999999999999', 'unread=1', 'unread=', 'unread=TRUE', 'unread=true&unread=true', 'severity=fatal', 'severity=', 'before=x', 'before=', `before=2026-02-30T00:00:00Z_${UNKNOWN}`, `before=2026-13-01T00:00:00Z_${UNKNOWN}`, `before=2026-01-01T00:00:00Z_${UNKNOWN}x`, 'category=', `category=${'x'.repeat(256)}`, 'category=%ff%fe', 'category=a&category=b'])}` }),
    () => ({ user: one(users), method: 'POST', path: API, body: one(['', '{', 'null', '[]', '"x"', '{"title":"a","title":"b"}', '{"title":"\\u0000"}', '{"title":"\\ud800"}', '{"title":"x","data":1e999}', `{"title":"x","data":${'['.repeat(3000)}}`, '{"title":"x"} {}', '\ufeff{"title":"x"}']), headers: { 'Content-Type': 'application/json' } }),
    () => ({ user: one(users), method: 'POST', path: API, json: { ...notification(), ...one([{ title: '' }, { title: 5 }, { title: null }, { message: null }, { message: {} }, { category: 1 }, { severity: 'fatal' }, { severity: null }, { action_url: [] }, { user_id: '' }, { user_id: 7 }, { user_id: null }, { user_id: 'ä'.repeat(129) }, { expires_at: 'tomorrow' }, { expires_at: 5 }, { expires_at: '2026-02-30T00:00:00Z' }]) } }),
    () => ({ user: one(users), method: 'PATCH', path: item(), json: one([{}, { is_read: 1 }, { is_read: 'true' }, { is_read: null }]) }),
    () => ({ user: one(users), method: 'POST', path: `${API}/read-all`, json: one([{ until: 5 }, { until: 'x' }, { until: '' }, { until: '2026-02-30T00:00:00Z' }]) }),
    () => ({ ...withBody(), headers: one([{ 'Content-Type': 'text/plain' }, { 'Content-Type': 'application/json; charset=latin1' }, { 'Content-Type': 'application/jsonx' }, { 'Content-Type': '' }, { 'Content-Encoding': 'gzip' }, { Expect: 'wonders' }]) }),
    () => ({ user: one(users), method: 'POST', path: API, json: { title: 'x'.repeat(one([8200, 20_000, 300_000])) } }),
    () => ({ user: one(users), method: 'POST', path: API, json: notification(), headers: { 'Idempotency-Key': one(['', 'x'.repeat(256), 'x'.repeat(5000), 'caf\u00e9']) } }),
    () => ({ user: one(users), method: one(['GET', 'DELETE', 'OPTIONS']), path: item(), json: { x: 1 } }),
    () => ({ ...valid(), path: one(['/api/', '/api/v1', `${API}/`, `${API}/x`, `${API}/read-all/`, `${API}/${UNKNOWN}/`, `${API}/${UNKNOWN}0`, '/api/v2/notifications', `${API}/${'x'.repeat(200)}`]) }),
    () => ({ user: one(users), method: one(['PUT', 'TRACE', 'PROPFIND', 'DELETE', 'PATCH']), path: API }),
    () => ({ user: one(users), method: one(['GET', 'PUT', 'DELETE']), path: `${API}/read-all` }),
    () => ({ user: one(users), method: one(['GET', 'POST', 'OPTIONS']), path: `${API}?category=${one(['%', 'a%4', '%zz', '%00', '%%41', '%u0061'])}`, agent: false }), // libwebsockets answers a later one
    () => ({ ...valid(), headers: { Origin: one(['https://evil.example', 'null', 'https://app.example.org.evil.example', `https://${'x'.repeat(600)}`]) } }),
  ];
  return () => {
    if (chance(0.5)) return valid();
    return { bad: true, ...one(bad)() , good: false };
  };
}

describe('the OpenAPI document against the relay', () => {
  let cluster;
  let db;
  let relay;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });

  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    relay = await startRelay(db, { HERALD_ALLOWED_ORIGINS: 'https://app.example.org' });
  });
  after(async () => {
    agent.destroy();
    await cluster?.end();
  });

  it('takes and gives what its examples say', async () => {
    const user = await db.person();
    const id = await db.notify(user, 'one');
    let taken = 0;
    for (const { path, method, requestBody, responses } of operations) {
      const examples = mediaOf(requestBody).flatMap((media) => Object.values(media.examples ?? {}));
      for (const json of examples.length ? examples.map((example) => example.value) : [undefined]) {
        if (method === 'DELETE') continue; // it is needed
        const answer = await ask(relay, method, path.replace('{id}', id), { user, json });
        const [success] = Object.keys(responses).sort();
        assert.equal(answer.status, Number(success), `${method} ${path} ${JSON.stringify(json)}: ${answer.text}`);
        assert.equal(complaint(method, path.replace('{id}', id), answer), null);
        taken += 1;
      }
    }
    assert.equal((await ask(relay, 'DELETE', `${API}/${id}`, { user })).status, 204);
    assert.ok(taken >= 14, String(taken));
  });

  it('random requests get no answer that it does not have', async () => {
    const count = Number(process.env.HERALD_API_REQUESTS ?? 1000);
    const seed = Number(process.env.HERALD_API_SEED ?? Date.now() % 2 ** 31);
    const users = await Promise.all(Array.from({ length: 4 }, () => db.person()));
    const ids = [];
    const next = requests(seed, users, ids);
    const statuses = {};
    const surprises = [];
    let left = count;

    async function try_(request) {
      const { method, path, good, bad } = request;
      let answer;
      try {
        answer = await ask(relay, method, path, { agent, ...request });
      } catch (error) {
        surprises.push(`${error.message}: ${JSON.stringify(request).slice(0, 400)}`);
        return;
      }
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
      if (answer.status === 201 && ids.push(answer.body.id) > 40) ids.shift();
      let why = complaint(method, path, answer);
      if (answer.status >= 500) why ??= answer.text;
      if (good && ![200, 201, 204, 304, 404, 409, 410, 422, 429].includes(answer.status)) why ??= `a good request: ${answer.text}`;
      if (bad && answer.status < 400) why ??= `a bad request was taken: ${answer.text}`;
      if (why) surprises.push(`${JSON.stringify(request).slice(0, 400)}: ${why.slice(0, 200)}`);
    }
    const worker = async () => {
      while (left > 0 && surprises.length < 10) {
        left -= 1;
        await try_(next());
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    assert.deepEqual(surprises, [], `HERALD_API_SEED=${seed}`);
    for (const status of [200, 201, 204, 400, 401, 403, 404, 405, 413, 415]) { // those that come by the dozen
      assert.ok(statuses[status] || count < 1000, `no ${status} among ${JSON.stringify(statuses)}`);
    }
    assert.equal((await relay.get('/readyz')).status, 200);
  });

  it('heads that no library would send get one of its answers, or none, and do no harm', async () => {
    const user = await db.person();
    const token = `Authorization: Bearer ${devToken(user)}`;
    const heads = [
      [`POST ${API} HTTP/1.1`, token, 'Content-Type: application/json', 'Transfer-Encoding: chunked', 411],
      [`GET ${API} HTTP/1.1`, token, 'Transfer-Encoding: chunked', 411],
      [`POST ${API} HTTP/1.1`, token, 'Content-Type: application/json', 'Content-Length: 5', 'Content-Length: 6', 400],
      [`POST ${API} HTTP/1.1`, token, 'Content-Length: -1', 400],
      [`POST ${API} HTTP/1.1`, token, 'Content-Length: 1e3', 400],
      [`POST ${API} HTTP/1.1`, token, 'Content-Length: 99999999999999999999', 400],
      [`POST ${API} HTTP/1.1`, token, 'Content-Type: application/json', 'Content-Length: 999999999999', 413],
      [`POST ${API} HTTP/1.1`, token, 'Content-Type: application/json', 'Content-Length: 5', 'Transfer-Encoding: chunked', 411],
      [`DELETE ${API}/${UNKNOWN} HTTP/1.1`, token, 'Transfer-Encoding: gzip', 411],
      [`BREW ${API} HTTP/1.1`, token, 405],
      [`get ${API} HTTP/1.1`, token, 405],
      [`GET ${API} HTTP/1.1`, token, token, 400],
      [`GET ${API} HTTP/1.0`, token, 200],
      [`POST ${API}/read-all HTTP/1.1`, token, 200],
      [`GET /x/..${API} HTTP/1.1`, token, 200],
      [`GET /%61pi/v1/notifications HTTP/1.1`, token, 200],
    ];
    for (const head of heads) {
      const status = head.at(-1);
      const socket = new RawSocket(relay);
      await socket.write(`${[...head.slice(0, -1), 'Host: x', 'Connection: close'].join('\r\n')}\r\n\r\n`);
      const answer = await socket.response();
      assert.equal(answer.status, status, `${head.join(' | ')}: ${answer.head}`);
      socket.destroy();
    }
    assert.equal((await ask(relay, 'GET', API, { user })).status, 200);
  });
});
