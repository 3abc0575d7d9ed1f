// Every error that somebody can meet has a name, and docs/OPERATIONS.md has its cause and remedy: the program's table is
// held against the document, the protocol's schemas, and the places in the source where errors arise.
import { before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pgherald, root } from './lib/env.mjs';
import { run } from './lib/program.mjs';

const read = (...path) => readFileSync(join(root, ...path), 'utf8');
const sources = readdirSync(join(root, 'relay')).filter((name) => name.endsWith('.c') && name !== 'errors.c').map((name) => read('relay', name));

/** The first group of every match in the relay's sources. */
const inSources = (pattern) => new Set(sources.flatMap((text) => [...text.matchAll(pattern)].map(([, word]) => word)));

const sorted = (set) => [...set].sort();

describe('errors', () => {
  let table;
  const names = (...places) => new Set(table.filter(({ place }) => places.includes(place)).map(({ name }) => name));
  const all = () => new Set(table.map(({ name }) => name));

  before(async () => {
    const { code, output } = await run(pgherald, ['doctor', '--errors']);
    assert.equal(code, 0, output);
    table = output.trimEnd().split('\n').slice(2).map((row) => {
      const [, name, place, cause, remedy] = /^\| `(\w+)` \| (\w+) \| ([^|]+) \| ([^|]+) \|$/.exec(row) ?? assert.fail(row);
      return { row, name, place, cause, remedy };
    });
    assert.ok(table.length > 50);
  });

  it('docs/OPERATIONS.md has exactly the program\'s table', () => {
    const documented = read('docs/OPERATIONS.md').split('| error | seen in |')[1].split('\n\n')[0].split('\n').slice(2);
    assert.deepEqual(documented, table.map(({ row }) => row));
  });

  it('every warning and error of the log has an entry, and an entry of the log is logged', () => {
    const logged = inSources(/log_(?:warn|error)\((?:[^"();]*\? )?"(\w+)"/g);
    assert.ok(logged.size >= 20, sorted(logged).join());
    assert.deepEqual(sorted(logged).filter((name) => !all().has(name)), []);
    const anywhere = inSources(/"(\w+)"/g);
    assert.deepEqual(sorted(names('log')).filter((name) => !anywhere.has(name)), []);
  });

  it('every code that the schemas allow in a message has an entry, and no other', () => {
    const { $defs: { errorCode, markErrorCode } } = JSON.parse(read('docs/protocol/schemas/server.json'));
    const codes = new Set([errorCode, markErrorCode].flatMap((list) => list.oneOf?.map((one) => one.const) ?? list.enum));
    assert.deepEqual(sorted(codes), sorted(names('message')));
  });

  it('every code of a problem has an entry, and an entry of the API is a problem', () => {
    const codes = new Set([...read('relay/problem.c').matchAll(/\[PROBLEM_\w+\] = \{\d+, "[^"]+", "(\w+)"/g)].map(([, code]) => code));
    assert.ok(codes.size > 20, sorted(codes).join());
    assert.deepEqual(sorted(codes).filter((code) => !all().has(code)), []);
    assert.deepEqual(sorted(names('API')).filter((code) => !codes.has(code)), []);
  });

  it('whatever the commands blame has an entry, and an entry is blamed', () => {
    const blamed = new Set([
      ...inSources(/\bfindings_(?:warn|fail)\([^"();]+, "(\w+)"/g),
      ...inSources(/\bfail\(\s*error,\s*"([a-z]+_[a-z_]+): /g),
      ...inSources(/\bfail\([A-Z_]+, "(\w+)",/g),
      ...inSources(/"pgherald [a-z -]+: ([a-z]+_[a-z_]+): /g),
    ]);
    assert.deepEqual(sorted(blamed).filter((name) => !all().has(name)), []);
    const others = inSources(/\bcode = "(\w+)"/g); // chosen before it is said
    assert.deepEqual(sorted(names('command')).filter((name) => !blamed.has(name) && !others.has(name)), []);
    const causes = inSources(/^ {4}\{"[0-9A-Z]{5}", "(\w+)"/gm);
    const stateless = ['database_unreachable', 'database_error', 'tls_refused']; // without an SQLSTATE
    assert.deepEqual(sorted(causes), sorted(names('database')).filter((name) => !stateless.includes(name)));
  });
});
