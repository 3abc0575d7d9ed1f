// Writes src/protocol.ts from docs/protocol/schemas; with --check it only says whether the file is up to date.
// The schemas are the source: types of all frames, and constants for the codes that have names.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { compile } from 'json-schema-to-typescript';

const SCHEMAS = new URL('../../docs/protocol/schemas/', import.meta.url);
const TARGET = new URL('../src/protocol.ts', import.meta.url);
const BANNER = '// Made from docs/protocol/schemas by scripts/generate-protocol.mjs (npm run protocol). Do not edit.\n';
const LITERALS = ['errorCode', 'markErrorCode', 'severity'];

/** One document's schema, with references as they are in a document that holds all three. */
async function read(name) {
  const text = await readFile(new URL(`${name}.json`, SCHEMAS), 'utf8');
  return JSON.parse(text.replaceAll('common.json#/', '#/'));
}

const literalsOf = (schema) => schema.enum ?? schema.oneOf.map((row) => row.const);

/** A list of described constants is an enum to a type; its descriptions go to the constants. */
const asEnum = ({ title, description, ...schema }) => ({ title, description, enum: literalsOf(schema) });

/** Definitions and the two unions, in one schema whose own type is `Frame`. */
function merge(common, server, client) {
  const defs = { ...common.$defs, ...server.$defs, ...client.$defs };
  for (const name of LITERALS) defs[name] = asEnum(defs[name]);
  defs.notification.properties.data.tsType = 'unknown'; // else it would be an object
  const union = ({ title, description, oneOf }) => ({ title, description, oneOf });
  return {
    oneOf: ['serverFrame', 'applicationMessage', 'clientFrame'].map((name) => ({ $ref: `#/$defs/${name}` })),
    $defs: { ...defs, serverFrame: union(server), clientFrame: union(client) },
  };
}

/** Takes out what the library says about where a type was found. */
const withoutOrigins = (text) =>
  text
    .replaceAll(/\/\*\*\n \* This interface was referenced by [^/]*?\*\/\n/g, '')
    .replaceAll(/ \*\n \* This interface was referenced by .*\n \* via the `definition` .*\n/g, '');

/** A constant and the type of the same name, of rows that have a title each. */
function constants({ title, description, oneOf }) {
  const rows = oneOf.map((row) => `  /** ${row.description} */\n  ${row.title}: ${JSON.stringify(row.const)},\n`);
  const type = `export type ${title} = (typeof ${title})[keyof typeof ${title}];\n`;
  return `/** ${description} */\nexport const ${title} = {\n${rows.join('')}} as const;\n${type}`;
}

async function generate() {
  const [common, server, client] = await Promise.all(['common', 'server', 'client'].map(read));
  const types = await compile(merge(common, server, client), 'Frame', {
    bannerComment: BANNER,
    additionalProperties: false, // in types only: unknown fields are ignored, not read
    ignoreMinAndMaxItems: true, // an array that may hold 100 is no tuple
    style: { singleQuote: true, printWidth: 120 },
  });
  return withoutOrigins(types) + constants(server.$defs.closeCode);
}

const text = await generate();
if (!process.argv.includes('--check')) {
  await writeFile(TARGET, text);
} else if (text !== (await readFile(TARGET, 'utf8'))) {
  console.error(`${fileURLToPath(TARGET)} is out of date: run "npm run protocol" in web/`);
  process.exitCode = 1;
}
