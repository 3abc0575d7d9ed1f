// The schemas of docs/protocol, compiled. Those of the server's frames are closed here: the relay may send no
// field that they do not name, while clients have to accept any.
import { readdirSync, readFileSync } from 'node:fs';
import Ajv from 'ajv/dist/2020.js';

const FOLDER = new URL('../../../docs/protocol/', import.meta.url);

export const readProtocol = (path) => readFileSync(new URL(path, FOLDER), 'utf8');
const readJson = (path) => JSON.parse(readProtocol(path));

const schemas = Object.fromEntries(['common', 'server', 'client'].map((name) => [name, readJson(`schemas/${name}.json`)]));

/** A copy in which objects have no members but the named ones. */
export function closed(schema) {
  if (schema === null || typeof schema !== 'object') return schema;
  if (Array.isArray(schema)) return schema.map(closed);
  const copy = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, closed(value)]));
  return copy.type === 'object' ? { additionalProperties: false, ...copy } : copy;
}

const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, strictTypes: false });
ajv.addSchema(schemas.common, 'common.json');
ajv.addSchema(closed(schemas.server), 'server.json');
ajv.addSchema(schemas.client, 'client.json');

const validator = (direction, name) => ajv.getSchema(`${direction}.json#/$defs/${name}`);
const frameNames = (direction) => schemas[direction].oneOf.map(({ $ref }) => $ref.split('/').at(-1));

/** Names of definitions by the `type` of their frames; two types have two forms. */
function formsByType(direction) {
  const forms = new Map();
  for (const name of frameNames(direction)) {
    const type = schemas[direction].$defs[name].properties.type.const;
    forms.set(type, [...(forms.get(type) ?? []), name]);
  }
  return forms;
}

export const FORMS = { server: formsByType('server'), client: formsByType('client') };

const constants = (name) => schemas.server.$defs[name].oneOf.map((row) => row.const);
export const ERROR_CODES = constants('errorCode');
export const CLOSE_CODES = constants('closeCode');

/** Which definition a frame of this direction is; null when it is none. */
export function formOf(direction, frame) {
  const names = FORMS[direction].get(frame.type) ?? (direction === 'server' ? ['applicationMessage'] : []);
  return names.find((name) => validator(direction, name)(frame)) ?? null;
}

/** Why a value is not as a definition says; an empty list when it is. */
export function complaints(direction, name, value) {
  const validate = validator(direction, name);
  if (validate(value)) return [];
  return validate.errors.map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`);
}

/** [file name, frame] of every example of a direction. */
export const examples = (direction) =>
  readdirSync(new URL(`examples/${direction}/`, FOLDER)).map((file) => [file, readJson(`examples/${direction}/${file}`)]);
