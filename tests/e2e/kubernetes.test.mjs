// deploy/kubernetes: the manifests fit the published schemas, with no field that Kubernetes would ignore, and what they
// say of the relay is so: its variables, its port, its probes, its user, and the time it may take to stop.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import yaml from 'yaml';
import { pgherald, root } from './lib/env.mjs';
import { Cluster } from './lib/postgres.mjs';
import { run } from './lib/program.mjs';
import { startRelay } from './lib/relay.mjs';

const read = (path) => readFileSync(join(root, path), 'utf8');

/** The compiled schema of a kind, by its file: the package's models copy what they are given before they look at it. */
async function schema(name) {
  const { validate } = await import(new URL(`node_modules/kubernetes-models/_schemas/IoK8sApi${name}.mjs`, import.meta.url));
  return validate;
}

const schemas = {
  Deployment: await schema('AppsV1Deployment'),
  Service: await schema('CoreV1Service'),
  PodDisruptionBudget: await schema('PolicyV1PodDisruptionBudget'),
  NetworkPolicy: await schema('NetworkingV1NetworkPolicy'),
};

/** What is wrong with a document: values that its schema refuses, and fields that the schema never asked for. */
function complaints(document) {
  const ignored = new Map();
  const watched = (value, path) => {
    if (typeof value !== 'object' || value === null) return value;
    if (!Array.isArray(value)) for (const key of Object.keys(value)) ignored.set(`${path}/${key}`, true);
    const children = Object.fromEntries(Object.entries(value).map(([key, child]) => [key, watched(child, `${path}/${key}`)]));
    const copy = Array.isArray(value) ? Object.values(children) : children;
    return new Proxy(copy, {
      get(target, key) {
        if (typeof key === 'string') ignored.delete(`${path}/${key}`);
        return target[key];
      },
    });
  };
  const validate = schemas[document.kind];
  const good = validate(watched(document, ''));
  return [...(good ? [] : validate.errors.map(({ instancePath, message, keyword }) => `${instancePath} ${message ?? keyword}`)), ...ignored.keys()];
}

describe('deploy/kubernetes', () => {
  const documents = yaml.parseAllDocuments(read('deploy/kubernetes/pgherald.yaml')).map((document) => {
    assert.deepEqual([...document.errors, ...document.warnings], []);
    return document.toJS();
  });
  const [deployment, service, budget, policy] = documents;
  const pod = deployment.spec.template.spec;
  const [container] = pod.containers;
  const env = Object.fromEntries(container.env.map(({ name, value }) => [name, value]));
  let cluster;
  let relay;
  before(async () => {
    cluster = await Cluster.start();
    relay = await startRelay(await cluster.database());
  });
  after(() => cluster?.end());

  it('fits the published schemas, with no field besides', () => {
    assert.deepEqual(documents.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`),
      ['apps/v1 Deployment', 'v1 Service', 'policy/v1 PodDisruptionBudget', 'networking.k8s.io/v1 NetworkPolicy']);
    for (const document of documents) assert.deepEqual(complaints(document), [], document.kind);
  });

  it('a wrong value and an unknown field would be found', () => {
    const broken = structuredClone(deployment);
    broken.spec.replicas = 'two';
    broken.spec.template.spec.containers[0].livenessProb = {};
    broken.specs = {};
    assert.deepEqual(complaints(broken), ['/spec/replicas type', '/specs', '/spec/template/spec/containers/0/livenessProb']);
  });

  it('everything selects the pods, and leads to the relay\'s port', () => {
    const { labels } = deployment.spec.template.metadata;
    for (const selector of [deployment.spec.selector.matchLabels, service.spec.selector, budget.spec.selector.matchLabels,
      policy.spec.podSelector.matchLabels, pod.topologySpreadConstraints[0].labelSelector.matchLabels]) assert.deepEqual(selector, labels);
    const [port] = container.ports;
    assert.equal(env.HERALD_LISTEN, `0.0.0.0:${port.containerPort}`);
    const targets = [service.spec.ports[0].targetPort, policy.spec.ingress[0].ports[0].port,
      ...['startupProbe', 'livenessProbe', 'readinessProbe'].map((probe) => container[probe].httpGet.port)];
    assert.deepEqual(new Set(targets), new Set([port.name]));
    assert.ok(budget.spec.maxUnavailable < deployment.spec.replicas);
  });

  it('the relay takes its variables', async () => {
    const values = { ...env, HERALD_DATABASE_URL: 'postgresql://relay:x@db.example.org/app' };
    const { code, output } = await run(pgherald, ['serve', '--print-config'], { env: values });
    assert.equal(code, 0, output);
    for (const name of Object.keys(env)) assert.match(output, new RegExp(`^${name}=.*# environment$`, 'm'));
    const mount = container.volumeMounts.find(({ name }) => name === pod.volumes[0].name);
    assert.equal(env.HERALD_JWT_KEY_FILE, `${mount.mountPath}/${pod.volumes[0].secret.items[0].path}`);
  });

  it('the probes are answered', async () => {
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      assert.equal((await relay.get(container[probe].httpGet.path)).status, 200, probe);
    }
    assert.equal(container.livenessProbe.httpGet.path, '/healthz', 'a database that is away is no reason for a restart');
  });

  it('it may take the time that draining takes', () => {
    const [command, seconds] = container.lifecycle.preStop.exec.command;
    assert.equal(command, 'sleep');
    assert.ok(pod.terminationGracePeriodSeconds > Number(seconds) + Number(env.HERALD_DRAIN_SECONDS) + 3);
  });

  it('it runs as the image\'s user, and may do nothing else', () => {
    const [, uid, gid] = /^USER (\d+):(\d+)$/m.exec(read('deploy/Dockerfile'));
    const { runAsUser, runAsGroup, runAsNonRoot, seccompProfile } = pod.securityContext;
    assert.deepEqual({ runAsUser, runAsGroup, runAsNonRoot, seccompProfile },
      { runAsUser: Number(uid), runAsGroup: Number(gid), runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    assert.deepEqual(container.securityContext,
      { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } });
    assert.equal(pod.automountServiceAccountToken, false);
  });
});
