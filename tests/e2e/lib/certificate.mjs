// Certificates for tests of TLS.
import { execFileSync } from 'node:child_process';
import { chownSync } from 'node:fs';
import { join } from 'node:path';
import { account, scratch } from './env.mjs';

const KEYS = { ec: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], rsa: ['rsa:2048'], ed25519: ['ed25519'] };

/** A self-signed certificate for the loopback address, made by openssl; good for so many days; `{cert, key}` are paths. */
export function certificate(name, days = 2, type = 'ec') {
  const [cert, key] = ['crt', 'key'].map((end) => join(scratch, `${name}.${end}`));
  execFileSync('openssl', ['req', '-x509', '-newkey', ...KEYS[type], '-nodes', '-days', String(days),
    '-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'pipe' });
  if (account.uid !== undefined) [cert, key].forEach((path) => chownSync(path, account.uid, account.gid));
  return { cert, key };
}
