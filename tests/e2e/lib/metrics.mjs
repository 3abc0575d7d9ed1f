// A relay's admin port, and its page of numbers taken apart.
import http from 'node:http';
import { freePort } from './ports.mjs';
import { startRelay } from './relay.mjs';

/** Starts a relay with an admin port, and waits until it is ready. */
export async function startWithAdmin(db, env = {}) {
  const port = await freePort();
  const relay = await startRelay(db, { HERALD_ADMIN_LISTEN: `127.0.0.1:${port}`, ...env });
  relay.adminPort = port;
  return relay;
}

/** `{status, type, headers, body}` of a request to the admin port. */
export function admin(relay, path, { method = 'GET', headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port: relay.adminPort, path, method, headers, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode, type: response.headers['content-type'], headers: response.headers, body }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.setTimeout(5_000, () => request.destroy(new Error(`${method} ${path}: no answer in 5 s`)));
    request.end();
  });
}

const SAMPLE = /^([a-z_]+)(?:\{([^}]*)\})? (\S+)$/;

/** Prometheus' text format: family → `{type, samples: [{name, labels, value}]}`. */
function parsePage(text) {
  const families = new Map();
  let family;
  for (const line of text.trimEnd().split('\n')) {
    const [, name, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (name) families.set(name, (family = { type, samples: [] }));
    if (line.startsWith('#')) continue;
    const [, sample, labels = '', value] = SAMPLE.exec(line);
    family.samples.push({
      name: sample,
      labels: Object.fromEntries([...labels.matchAll(/([a-z]+)="([^"]*)"/g)].map(([, key, word]) => [key, word])),
      value: Number(value),
    });
  }
  return families;
}

/** The page; `value(name, labels)` is the sum of the samples of that name with these labels. */
export async function metrics(relay) {
  const families = parsePage((await admin(relay, '/metrics')).body);
  const samples = [...families.values()].flatMap((family) => family.samples);
  const value = (name, labels = {}) => {
    const found = samples.filter((sample) => sample.name === name && Object.entries(labels).every(([key, word]) => sample.labels[key] === word));
    if (found.length === 0) throw new Error(`no ${name} ${JSON.stringify(labels)} on the page`);
    return found.reduce((sum, sample) => sum + sample.value, 0);
  };
  return { families, samples, value };
}
