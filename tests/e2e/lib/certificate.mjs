// Certificates for tests of TLS.
import { execFileSync } from 'node:child_process';
import { chownSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { account, scratch } from './env.mjs';

const KEYS = { ec: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], rsa: ['rsa:2048'], ed25519: ['ed25519'] };

/** So many days from now. */
export const inDays = (days) => new Date(Date.now() + days * 86_400_000);

/** Signs the certificate anew, valid between two dates (`new Date(…)`). */
export function redate({ cert, key }, from, until) {
  const folder = mkdtempSync(join(scratch, 'ca'));
  const config = join(folder, 'config');
  writeFileSync(config, `[ca]\ndefault_ca=own\n[own]\ncertificate=${cert}\nnew_certs_dir=${folder}\ndatabase=${folder}/index\nrand_serial=yes\ncopy_extensions=copy\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n`);
  writeFileSync(join(folder, 'index'), '');
  const day = (date) => date.toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  execFileSync('openssl', ['ca', '-batch', '-config', config, '-ss_cert', cert, '-keyfile', key, '-selfsign', '-notext',
    '-startdate', day(from), '-enddate', day(until), '-out', cert], { stdio: 'pipe' });
}

/** A self-signed certificate for the loopback address, made by openssl; good for so many days; `{cert, key}` are paths. */
export function certificate(name, days = 2, type = 'ec') {
  const [cert, key] = ['crt', 'key'].map((end) => join(scratch, `${name}.${end}`));
  execFileSync('openssl', ['req', '-x509', '-newkey', ...KEYS[type], '-nodes', '-days', String(days),
    '-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'pipe' });
  if (account.uid !== undefined) [cert, key].forEach((path) => chownSync(path, account.uid, account.gid));
  return { cert, key };
}
