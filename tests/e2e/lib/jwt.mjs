// Tokens and keys made in the test, so that a mistake shared with the relay cannot hide.
import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratch } from './env.mjs';
import { secretText } from './log.mjs';

let files = 0;

/** Writes a key file that the relay's account may read. */
export function keyFile(content, mode = 0o644) {
  files += 1;
  const path = join(scratch, `key${files}`);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

export const newSecret = () => secretText(randomBytes(32).toString('hex'));

export function newRsa(bits = 2048) {
  return generateKeyPairSync('rsa', { modulusLength: bits });
}

export function newEc(namedCurve = 'prime256v1') {
  return generateKeyPairSync('ec', { namedCurve });
}

/** A public key as a member of a JWK set. */
export function jwk(key, members) {
  return { ...key.export({ format: 'jwk' }), use: 'sig', ...members };
}

const isText = (value) => typeof value === 'string' || Buffer.isBuffer(value);

/** A part of a token: text and bytes as they are, everything else as JSON. */
export const part = (value) => Buffer.from(isText(value) ? value : JSON.stringify(value)).toString('base64url');

function signature(alg, key, input) {
  const hash = `sha${alg.slice(2)}`;
  if (alg.startsWith('HS')) return createHmac(hash, key).update(input).digest('base64url');
  const options = alg.startsWith('ES') ? { key, dsaEncoding: 'ieee-p1363' } : key;
  return sign(hash, Buffer.from(input), options).toString('base64url');
}

export const seconds = () => Math.floor(Date.now() / 1000);

/**
 * A signed token. `claims` are added to a valid subject and expiry (undefined removes one),
 * `header` to {alg, typ}; text or bytes in place of either are taken as they are.
 */
export function token(key, claims = {}, { alg = 'HS256', header = {}, signAs = alg } = {}) {
  const head = isText(header) ? header : { alg, typ: 'JWT', ...header };
  const body = isText(claims) ? claims : { sub: 'u-alice', exp: seconds() + 600, ...claims };
  const input = `${part(head)}.${part(body)}`;
  return `${input}.${signature(signAs, key, input)}`;
}

/** The same without a signature: `alg: none`. */
export function unsignedToken(claims = {}) {
  return `${part({ alg: 'none', typ: 'JWT' })}.${part({ sub: 'u-alice', exp: seconds() + 600, ...claims })}.`;
}
