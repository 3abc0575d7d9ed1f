// docs/protocol/openapi.yaml, to hold answers against: what it does not allow is a complaint. Objects are closed here: the
// relay may send no member that the document does not name, while clients have to accept any.
import Ajv from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { closed, readProtocol } from './schemas.mjs';

export const openapi = parse(readProtocol('openapi.yaml'));

const BASE = 'https://pgherald.invalid/';
const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, strict: false });
for (const name of ['common', 'server']) ajv.addSchema(closed(JSON.parse(readProtocol(`schemas/${name}.json`))), `${BASE}schemas/${name}.json`);
ajv.addSchema({ components: { schemas: closed(openapi.components.schemas) } }, `${BASE}openapi.yaml`);

/** Follows references into the document itself. */
export function resolve(node) {
  if (!node?.$ref?.startsWith('#/')) return node;
  return resolve(node.$ref.slice(2).split('/').reduce((at, name) => at[name], openapi));
}

const validators = new Map();

/** Why a value is not as a schema of the document says; null when it is. */
export function misfit(schema, value) {
  const text = JSON.stringify(schema).replaceAll(/"\$ref":"(#|schemas\/)/g, (_, start) => `"$ref":"${BASE}${start === '#' ? 'openapi.yaml#' : start}`);
  if (!validators.has(text)) validators.set(text, ajv.compile(closed(JSON.parse(text))));
  const validate = validators.get(text);
  return validate(value) ? null : ajv.errorsText(validate.errors);
}

/** The template of a path, query and all; undefined when the document has none. */
export const templateOf = (path) => {
  const [plain] = path.split('?');
  return Object.keys(openapi.paths).find((template) => template === plain)
    ?? Object.keys(openapi.paths).find((template) => new RegExp(`^${template.replace('{id}', '[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}')}$`).test(plain));
};

const methodsOf = (template) => Object.keys(openapi.paths[template]).filter((name) => name !== 'parameters').map((name) => name.toUpperCase());

const PROBLEM = { content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/problem' } } } };

/** What the document says of an answer; a text when it does not allow it. */
function definition(method, path, { status, headers }) {
  const template = templateOf(path);
  if (!template) return [403, 404].includes(status) ? PROBLEM : `${status} for a path that is not there`;
  const operation = openapi.paths[template][method.toLowerCase()];
  if (operation) return resolve(operation.responses[String(status)]) ?? `${status} is not among its answers`;
  if (status === 403) return PROBLEM; // of another origin
  const allowed = (headers.allow ?? '').split(', ').sort();
  return status === 405 && String(allowed) === String(methodsOf(template).sort()) ? PROBLEM : `${status}, Allow: ${headers.allow}`;
}

function badHeader(defined, headers) {
  for (const [name, reference] of Object.entries(defined ?? {})) {
    const header = resolve(reference);
    const value = headers[name.toLowerCase()];
    if (value === undefined ? header.required : misfit(header.schema, value)) return `${name}: ${value}`;
  }
  return null;
}

function badBody(content, method, { headers, text, body, status }) {
  if (!content || method === 'HEAD') return text === '' ? null : `a body: ${text.slice(0, 80)}`;
  const media = content[headers['content-type']];
  if (!media) return `Content-Type: ${headers['content-type']}`;
  const wrong = misfit(media.schema, body ?? text);
  return wrong ?? (status >= 400 && body && body.status !== status ? `the problem says ${body.status}` : null);
}

/** Why an answer is none that the document allows; null when it is one. */
export function complaint(method, path, answer) {
  const defined = definition(method, path, answer);
  if (typeof defined === 'string') return defined;
  return badHeader(defined.headers, answer.headers) ?? badBody(defined.content, method, answer);
}
