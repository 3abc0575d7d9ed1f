// Tokens, good and hostile, as tables: `[name, token, code]`, the code that a relay closes with by every way, or by each way
// that is named. Each set is for a relay that is configured with its `env`. node:crypto alone makes the tokens;
// one that would not wait is made by a function.
import { constants, createHmac, sign } from 'node:crypto';
import { jwk, keyFile, newEc, newRsa, newSecret, part, seconds, token, unsignedToken } from './jwt.mjs';

const MALFORMED = 4000; // also: a token that names nobody
const REFUSED = 4001;
/** The request does not even reach the relay's own code: an HTTP status or the end of the connection. */
export const NO_REQUEST = 'no request';
/** A header cannot carry it; libwebsockets takes no such query. */
const MALFORMED_FRAME = { query: NO_REQUEST, frame: MALFORMED };

const secret = newSecret();
const rsa = newRsa();
const ec = newEc();
const otherRsa = newRsa();
const otherEc = newEc();
const pem = (key) => key.export({ type: 'spki', format: 'pem' });
const der = (key) => key.export({ type: 'spki', format: 'der' });

/** Every subject that a good token names; each must be a user. */
export const LONGEST = `u-${'x'.repeat(126)}`;
export const PUNCTUATED = 'u-a.b_c@d:e-f';

const exp = () => seconds() + 600;
/** Claims as text around a valid subject and expiry; for what JSON.stringify would not write. */
const claims = (more) => `{"sub":"u-alice","exp":${exp()}${more}}`;
const header = (more) => ({ header: `{"alg":"HS256","typ":"JWT"${more}}` });

const good = token(secret);
const [head, body, signature] = good.split('.');
const input = `${head}.${body}`;
const hmac = (text, key = secret, hash = 'sha256') => createHmac(hash, key).update(text).digest('base64url');
const bytesOf = (text) => Buffer.from(text, 'base64url');
const signedBy = (text, bytes) => `${text}.${bytes.toString('base64url')}`;
const latin1 = (text) => Buffer.from(text, 'latin1');

/** The last character changed in bits that carry nothing: another text of the same bytes (RFC 4648 §3.5). */
function otherSpelling(text) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1)) ^ 1];
}

/** A good token of exactly so many bytes. */
function sized(size) {
  for (let pad = size; pad > 0; pad -= 1) {
    const made = token(secret, { pad: 'p'.repeat(Math.floor(pad * 0.75)) });
    if (made.length === size) return made;
  }
  throw new Error(`no token of ${size} bytes`);
}

const nested = (levels) => '['.repeat(levels) + ']'.repeat(levels);

export const HS256 = {
  env: { HERALD_JWT_KEY_FILE: keyFile(secret) },
  good: [
    ['a plain token', good],
    ['no typ', token(secret, {}, { header: { typ: undefined } })],
    ['another typ', token(secret, {}, { header: { typ: 'at+jwt' } })],
    ['a kid, though the key has none', token(secret, {}, { header: { kid: 'any' } })],
    ['claims in another order, with spaces', token(secret, ` { "exp" : ${exp()} ,\n"sub":"u-alice" } `)],
    ['a claim\'s name written with an escape', token(secret, `{"\\u0073ub":"u-alice","exp":${exp()}}`)],
    ['any iss and aud where none is configured', token(secret, { iss: 'x', aud: ['y', 'z'] })],
    ['expired, but within the skew', () => token(secret, { exp: seconds() - 5 })],
    ['not yet valid, but within the skew', token(secret, { nbf: seconds() + 10 })],
    ['other claims of every kind', token(secret, { iat: 1.5, jti: null, deep: { a: [{ b: [{}] }] }, text: '😀\u2028' })],
    ['the longest subject', token(secret, { sub: LONGEST })],
    ['a subject with every punctuation', token(secret, { sub: PUNCTUATED })],
    ['3.9 kB', sized(3900)],
    ['8192 bytes', sized(8192), { frame: 1009 }], // as a message it is larger than HERALD_MAX_MESSAGE_BYTES
  ],
  bad: [
    // the header
    ['alg none without a signature', unsignedToken(), MALFORMED],
    ['alg none, signed', token(secret, {}, { alg: 'none', signAs: 'HS256' }), REFUSED],
    ['alg None', token(secret, {}, { alg: 'None', signAs: 'HS256' }), REFUSED],
    ['alg hs256', token(secret, {}, { alg: 'hs256', signAs: 'HS256' }), REFUSED],
    ['alg HS256 with a space', token(secret, {}, { alg: 'HS256 ', signAs: 'HS256' }), REFUSED],
    ['alg HS384', token(secret, {}, { alg: 'HS384' }), REFUSED],
    ['alg HS512', token(secret, {}, { alg: 'HS512' }), REFUSED],
    ['alg HS512, signed as HS256', token(secret, {}, { alg: 'HS512', signAs: 'HS256' }), REFUSED],
    ['alg HS256, signed as HS512', token(secret, {}, { signAs: 'HS512' }), REFUSED],
    ['alg RS256', token(rsa.privateKey, {}, { alg: 'RS256' }), REFUSED],
    ['alg PS256', token(secret, {}, { alg: 'PS256', signAs: 'HS256' }), REFUSED],
    ['alg dir, as in an encrypted token', token(secret, {}, { alg: 'dir', signAs: 'HS256' }), REFUSED],
    ['alg is an array', token(secret, {}, { header: { alg: ['HS256'] } }), REFUSED],
    ['alg is null', token(secret, {}, { header: { alg: null } }), REFUSED],
    ['alg is empty', token(secret, {}, { header: { alg: '' } }), REFUSED],
    ['no alg', token(secret, {}, { header: { alg: undefined } }), REFUSED],
    ['Alg', token(secret, {}, { header: { alg: undefined, Alg: 'HS256' } }), REFUSED],
    ['alg twice', token(secret, {}, { header: '{"alg":"HS256","alg":"none"}' }), MALFORMED],
    ['alg twice, the same', token(secret, {}, { header: '{"alg":"HS256","alg":"HS256"}' }), MALFORMED],
    ['alg twice, once with an escape', token(secret, {}, { header: '{"alg":"HS256","\\u0061lg":"none"}' }), MALFORMED],
    ['crit', token(secret, {}, { header: { crit: ['x'], x: 1 } }), REFUSED],
    ['crit empty', token(secret, {}, { header: { crit: [] } }), REFUSED],
    ['crit null', token(secret, {}, { header: { crit: null } }), REFUSED],
    ['crit b64', token(secret, {}, { header: { crit: ['b64'], b64: false } }), REFUSED],
    ['kid is a number', token(secret, {}, { header: { kid: 7 } }), REFUSED],
    ['kid is null', token(secret, {}, { header: { kid: null } }), REFUSED],
    ['kid with NUL', token(secret, {}, { header: { kid: 'a\u0000b' } }), MALFORMED],
    ['an empty key, as of kid /dev/null', token('', {}, { header: { kid: '../../../../dev/null' } }), REFUSED],
    ['its own key in jwk', token('attacker', {}, { header: { jwk: { kty: 'oct', k: part('attacker') } } }), REFUSED],
    ['a key elsewhere in jku', token('attacker', {}, { header: { jku: 'https://evil.example/keys' } }), REFUSED],
    ['a key elsewhere in x5u', token('attacker', {}, { header: { x5u: 'https://evil.example/cert' } }), REFUSED],
    ['its own certificate in x5c', token('attacker', {}, { header: { x5c: ['MIIB'] } }), REFUSED],
    ['a header that is an array', token(secret, {}, { header: '["HS256"]' }), MALFORMED],
    ['a header that is a string', token(secret, {}, { header: '"HS256"' }), MALFORMED],
    ['a header that is no JSON', token(secret, {}, { header: 'alg=HS256' }), MALFORMED],
    ['a header with more behind it', token(secret, {}, { header: '{"alg":"HS256"}{}' }), MALFORMED],
    ['a header with a BOM', token(secret, {}, { header: '\ufeff{"alg":"HS256"}' }), MALFORMED],
    ['a header with NUL behind it', token(secret, {}, { header: '{"alg":"HS256"}\u0000' }), MALFORMED],
    ['a header that is no UTF-8', token(secret, {}, { header: latin1('{"alg":"HS256","x":"\xff"}') }), MALFORMED],
    ['a header too deep', token(secret, {}, header(`,"x":${nested(2600)}`)), MALFORMED],
    // the signature
    ['another key', token(newSecret()), REFUSED],
    ['the key without its last byte', token(secret.slice(0, -1)), REFUSED],
    ['the key as hex bytes', token(Buffer.from(secret, 'hex')), REFUSED],
    ['a changed signature', `${input}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`, REFUSED],
    ['half a signature', signedBy(input, bytesOf(signature).subarray(0, 16)), REFUSED],
    ['a signature of one byte', `${input}.AA`, REFUSED],
    ['a signature with a byte more', signedBy(input, Buffer.concat([bytesOf(signature), Buffer.alloc(1)])), REFUSED],
    ['a signature of zeros', signedBy(input, Buffer.alloc(32)), REFUSED],
    ['a signature of something else', `${input}.${hmac('something else')}`, REFUSED],
    ['a changed payload', `${head}.${part(claims(',"admin":true'))}.${signature}`, REFUSED],
    ['a changed header', `${part('{"typ":"JWT","alg":"HS256"}')}.${body}.${signature}`, REFUSED],
    ['a signature of the payload alone', `${input}.${hmac(body)}`, REFUSED],
    // the form
    ['empty parts', '..', MALFORMED],
    ['no header', `.${body}.${signature}`, MALFORMED],
    ['no payload', `${head}..${signature}`, MALFORMED],
    ['no signature', `${input}.`, MALFORMED],
    ['two parts', input, MALFORMED],
    ['four parts', `${good}.x`, MALFORMED],
    ['a dot behind it', `${good}.`, MALFORMED],
    ['a dot before it', `.${good}`, MALFORMED],
    ['five parts, as in an encrypted token', `${head}.${body}.${signature}.x.y`, MALFORMED],
    ['a space within it', `${head} .${body}.${signature}`, MALFORMED],
    ['a line break within it', `${head}.\n${body}.${signature}`, MALFORMED_FRAME],
    ['a line break behind it', `${good}\n`, MALFORMED_FRAME],
    ['a space behind it', `${good} `, { query: MALFORMED, frame: MALFORMED }],
    ['NUL behind it', `${good}\u0000`, MALFORMED_FRAME],
    ['NUL before it', `\u0000${good}`, MALFORMED_FRAME],
    ['a quote around it', `"${good}"`, MALFORMED],
    ['Bearer before it', `Bearer ${good}`, MALFORMED],
    ['two tokens', `${good},${good}`, MALFORMED],
    ['padding', `${input}.${signature}=`, MALFORMED],
    ['the alphabet of plain base64', `${head}.${body}.+/${signature}`, MALFORMED],
    ['percent-encoded', good.replaceAll('.', '%2E'), MALFORMED],
    ['a signature in another spelling', `${input}.${otherSpelling(signature)}`, MALFORMED],
    ['a payload of 4n+1 characters', `${head}.e30AA.${hmac(`${head}.e30AA`)}`, MALFORMED],
    ['characters beyond ASCII', `${head}.${body}é.${signature}`, { query: MALFORMED, frame: MALFORMED }],
    ['a development token', 'dummy-jwt-for-alice', MALFORMED],
    ['no token at all', 'garbage', MALFORMED],
    ['8193 bytes', sized(8193), { query: MALFORMED, header: MALFORMED, frame: 1009 }],
    // the payload
    ['a payload that is an array', token(secret, `["u-alice",${exp()}]`), MALFORMED],
    ['a payload that is a string', token(secret, '"u-alice"'), MALFORMED],
    ['a payload that is no JSON', token(secret, 'sub=u-alice'), MALFORMED],
    ['an empty payload', token(secret, '{}'), REFUSED],
    ['a payload with more behind it', token(secret, `${claims('')}x`), MALFORMED],
    ['a payload with a BOM', token(secret, `\ufeff${claims('')}`), MALFORMED],
    ['a payload with NUL behind it', token(secret, `${claims('')}\u0000`), MALFORMED],
    ['a payload that is no UTF-8', token(secret, latin1(claims(',"x":"\xff"'))), MALFORMED],
    ['a payload too deep', token(secret, claims(`,"x":${nested(2600)}`)), MALFORMED],
    ['another token as payload', token(secret, good, { header: { cty: 'JWT' } }), MALFORMED],
    ['another token as a string', token(secret, JSON.stringify(good), { header: { cty: 'JWT' } }), MALFORMED],
    ['a comment', token(secret, `/**/${claims('')}`), MALFORMED],
    ['a trailing comma', token(secret, claims(',')), MALFORMED],
    ['an escaped NUL in a claim', token(secret, claims(',"x":"\\u0000"')), MALFORMED],
    ['half a surrogate in a claim', token(secret, claims(',"x":"\\ud800"')), MALFORMED],
    ['a claim twice, deep inside', token(secret, claims(',"x":{"a":1,"a":2}')), MALFORMED],
    // exp and nbf
    ['no exp', token(secret, { exp: undefined }), REFUSED],
    ['exp a string', token(secret, { exp: String(exp()) }), REFUSED],
    ['exp a fraction', token(secret, `{"sub":"u-alice","exp":${exp()}.5}`), REFUSED],
    ['exp with an exponent', token(secret, '{"sub":"u-alice","exp":9e9}'), REFUSED],
    ['exp null', token(secret, { exp: null }), REFUSED],
    ['exp true', token(secret, { exp: true }), REFUSED],
    ['exp an array', token(secret, { exp: [exp()] }), REFUSED],
    ['exp zero', token(secret, { exp: 0 }), REFUSED],
    ['exp negative', token(secret, { exp: -exp() }), REFUSED],
    ['exp the smallest number', token(secret, '{"sub":"u-alice","exp":-9223372036854775808}'), REFUSED],
    ['exp the largest number', token(secret, '{"sub":"u-alice","exp":9223372036854775807}'), REFUSED],
    ['exp larger than that', token(secret, '{"sub":"u-alice","exp":9223372036854775808}'), MALFORMED],
    ['exp 1e400', token(secret, '{"sub":"u-alice","exp":1e400}'), MALFORMED],
    ['exp in milliseconds', token(secret, { exp: exp() * 1000 }), REFUSED],
    ['exp a minute ago', token(secret, { exp: seconds() - 60 }), REFUSED],
    ['exp twice', token(secret, `{"sub":"u-alice","exp":1,"exp":${exp()}}`), MALFORMED],
    ['Exp', token(secret, { exp: undefined, Exp: exp() }), REFUSED],
    ['nbf an hour ahead', token(secret, { nbf: seconds() + 3600 }), REFUSED],
    ['nbf a string', token(secret, { nbf: '0' }), REFUSED],
    ['nbf a fraction', token(secret, claims(',"nbf":0.5')), REFUSED],
    ['nbf null', token(secret, { nbf: null }), REFUSED],
    // sub
    ['no sub', token(secret, { sub: undefined }), REFUSED],
    ['username instead of sub', token(secret, { sub: undefined, username: 'alice' }), REFUSED],
    ['sub empty', token(secret, { sub: '' }), REFUSED],
    ['sub a number', token(secret, { sub: 7 }), REFUSED],
    ['sub null', token(secret, { sub: null }), REFUSED],
    ['sub an array', token(secret, { sub: ['u-alice'] }), REFUSED],
    ['sub an object', token(secret, { sub: { id: 'u-alice' } }), REFUSED],
    ['sub of 129 bytes', token(secret, { sub: `${LONGEST}x` }), REFUSED],
    ['sub with a line break', token(secret, { sub: 'u-alice\r\nx: y' }), REFUSED],
    ['sub with NUL', token(secret, { sub: 'u-alice\u0000' }), MALFORMED],
    ['sub with a space', token(secret, { sub: 'u-alice ' }), REFUSED],
    ['sub beyond ASCII', token(secret, { sub: 'u-аlice' }), REFUSED], // a Cyrillic а
    ['sub with a quote', token(secret, { sub: 'u-alice\' or true --' }), REFUSED],
    ['sub with braces', token(secret, { sub: '{u-alice,u-bob}' }), REFUSED],
    ['sub twice', token(secret, claims(',"sub":"u-bob"')), MALFORMED],
    ['sub twice, once with an escape', token(secret, claims(',"\\u0073ub":"u-bob"')), MALFORMED],
    ['sub in other letters', token(secret, { sub: 'U-ALICE' }), MALFORMED],
    ['sub of nobody', token(secret, { sub: 'u-nobody' }), MALFORMED],
    ['sub of a disabled user', token(secret, { sub: 'u-disabled' }), MALFORMED],
  ],
};

const ISSUER = 'https://id.example.com/';
const forUs = (claimed) => token(secret, { iss: ISSUER, aud: 'pgherald', ...claimed });

export const PARTIES = {
  env: { HERALD_JWT_KEY_FILE: keyFile(secret), HERALD_JWT_ISSUER: ISSUER, HERALD_JWT_AUDIENCE: 'pgherald' },
  good: [
    ['the issuer, the audience', forUs({})],
    ['the audience among others', forUs({ aud: ['other', 'pgherald'] })],
  ],
  bad: [
    ['no iss', forUs({ iss: undefined }), REFUSED],
    ['iss without the slash', forUs({ iss: ISSUER.slice(0, -1) }), REFUSED],
    ['iss an array', forUs({ iss: [ISSUER] }), REFUSED],
    ['iss in capitals', forUs({ iss: ISSUER.toUpperCase() }), REFUSED],
    ['iss of somebody else', forUs({ iss: `${ISSUER}.evil.example` }), REFUSED],
    ['iss twice', token(secret, claims(`,"aud":"pgherald","iss":"x","iss":"${ISSUER}"`)), MALFORMED],
    ['no aud', forUs({ aud: undefined }), REFUSED],
    ['aud empty', forUs({ aud: '' }), REFUSED],
    ['aud an empty array', forUs({ aud: [] }), REFUSED],
    ['aud of others', forUs({ aud: ['other'] }), REFUSED],
    ['aud longer than ours', forUs({ aud: 'pgheraldx' }), REFUSED],
    ['aud with ours in a list of words', forUs({ aud: 'other pgherald' }), REFUSED],
    ['aud an array with something else in it', forUs({ aud: ['pgherald', 7] }), REFUSED],
    ['aud an array within an array', forUs({ aud: [['pgherald']] }), REFUSED],
    ['aud an object', forUs({ aud: { pgherald: true } }), REFUSED],
    ['aud a number', forUs({ aud: 0 }), REFUSED],
    ['aud null', forUs({ aud: null }), REFUSED],
  ],
};

const rs256 = token(rsa.privateKey, {}, { alg: 'RS256' });
const [rsInput, rsSignature] = [rs256.slice(0, rs256.lastIndexOf('.')), bytesOf(rs256.split('.')[2])];
const underPublic = (key) => token(key, {}, { alg: 'HS256' });

const pss = { key: rsa.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING };

export const RS256 = {
  env: { HERALD_JWT_ALG: 'RS256', HERALD_JWT_KEY_FILE: keyFile(pem(rsa.publicKey)) },
  good: [['RS256', rs256]],
  bad: [
    ['HS256 under the public PEM', underPublic(pem(rsa.publicKey)), REFUSED],
    ['HS256 under the trimmed PEM', underPublic(pem(rsa.publicKey).trim()), REFUSED],
    ['HS256 under the public DER', underPublic(der(rsa.publicKey)), REFUSED],
    ['RS256, signed as HS256', token(pem(rsa.publicKey), {}, { alg: 'RS256', signAs: 'HS256' }), REFUSED],
    ['another RSA key', token(otherRsa.privateKey, {}, { alg: 'RS256' }), REFUSED],
    ['RS512', token(rsa.privateKey, {}, { alg: 'RS512' }), REFUSED],
    ['RS256 in the header, signed as RS512', token(rsa.privateKey, {}, { alg: 'RS256', signAs: 'RS512' }), REFUSED],
    ['PSS padding', signedBy(rsInput, sign('sha256', Buffer.from(rsInput), pss)), REFUSED],
    ['a signature of 1', signedBy(rsInput, Buffer.concat([Buffer.alloc(255), Buffer.from([1])])), REFUSED],
    ['a signature of zeros', signedBy(rsInput, Buffer.alloc(256)), REFUSED],
    ['a signature with a zero before it', signedBy(rsInput, Buffer.concat([Buffer.alloc(1), rsSignature])), REFUSED],
    ['a signature larger than the modulus', signedBy(rsInput, Buffer.alloc(256, 0xff)), REFUSED],
    ['ES256', token(ec.privateKey, {}, { alg: 'ES256' }), REFUSED],
    ['none', unsignedToken(), MALFORMED],
  ],
};

const es256 = token(ec.privateKey, {}, { alg: 'ES256' });
const [esInput, esSignature] = [es256.slice(0, es256.lastIndexOf('.')), bytesOf(es256.split('.')[2])];
const [r, s] = [esSignature.subarray(0, 32), esSignature.subarray(32)];
const zero = Buffer.alloc(32);
const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex'); // of P-256

export const ES256 = {
  env: { HERALD_JWT_ALG: 'ES256', HERALD_JWT_KEY_FILE: keyFile(pem(ec.publicKey)) },
  good: [
    ['ES256', es256],
    ['ES256 again: each signature is another', token(ec.privateKey, { jti: '2' }, { alg: 'ES256' })],
  ],
  bad: [
    ['another EC key', token(otherEc.privateKey, {}, { alg: 'ES256' }), REFUSED],
    ['HS256 under the public PEM', underPublic(pem(ec.publicKey)), REFUSED],
    ['a key on P-384', token(newEc('secp384r1').privateKey, {}, { alg: 'ES256' }), REFUSED],
    ['ES384', token(newEc('secp384r1').privateKey, {}, { alg: 'ES384' }), REFUSED],
    ['a signature in DER', signedBy(esInput, sign('sha256', Buffer.from(esInput), ec.privateKey)), REFUSED],
    ['r and s zero', signedBy(esInput, Buffer.concat([zero, zero])), REFUSED],
    ['r zero', signedBy(esInput, Buffer.concat([zero, s])), REFUSED],
    ['s zero', signedBy(esInput, Buffer.concat([r, zero])), REFUSED],
    ['r and s the order of the curve', signedBy(esInput, Buffer.concat([order, order])), REFUSED],
    ['r and s changed over', signedBy(esInput, Buffer.concat([s, r])), REFUSED],
    ['only r', signedBy(esInput, r), REFUSED],
    ['a byte more', signedBy(esInput, Buffer.concat([esSignature, Buffer.alloc(1)])), REFUSED],
  ],
};

const octet = newSecret();
const set = { keys: [
  jwk(rsa.publicKey, { kid: 'rsa-1', alg: 'RS256' }),
  jwk(otherRsa.publicKey, { kid: 'rsa-2', alg: 'RS256' }),
  jwk(ec.publicKey, { kid: 'ec-1', alg: 'ES256' }),
  { kty: 'oct', kid: 'hs-1', alg: 'HS256', use: 'sig', k: part(octet) },
] };
const named = (kid, key, alg, more = {}) => token(key, {}, { alg, header: { kid, ...more } });

const twoKids = '{"alg":"RS256","kid":"ec-1","kid":"rsa-1"}';
const withOwnJwk = { jwk: jwk(otherEc.publicKey, {}) };

export const JWKS = {
  env: { HERALD_JWT_ALG: 'RS256', HERALD_JWT_KEY_FILE: keyFile(JSON.stringify(set)) },
  good: [
    ['the first RSA key', named('rsa-1', rsa.privateKey, 'RS256')],
    ['the second RSA key', named('rsa-2', otherRsa.privateKey, 'RS256')],
    ['the EC key', named('ec-1', ec.privateKey, 'ES256')],
    ['the secret', named('hs-1', octet, 'HS256')],
  ],
  bad: [
    ['no kid', token(rsa.privateKey, {}, { alg: 'RS256' }), REFUSED],
    ['an unknown kid', named('rsa-3', rsa.privateKey, 'RS256'), REFUSED],
    ['kid empty', named('', rsa.privateKey, 'RS256'), REFUSED],
    ['kid in capitals', named('RSA-1', rsa.privateKey, 'RS256'), REFUSED],
    ['kid with a path', named('../rsa-1', rsa.privateKey, 'RS256'), REFUSED],
    ['kid with a path to another file', named('../../../../dev/null', '', 'HS256'), REFUSED],
    ['kid with a quote', named("rsa-1' or '1'='1", rsa.privateKey, 'RS256'), REFUSED],
    ['kid cut by NUL', named('rsa-1\u0000x', rsa.privateKey, 'RS256'), MALFORMED],
    ['kid twice', token(rsa.privateKey, {}, { alg: 'RS256', header: twoKids }), MALFORMED],
    ['kid an array', named(['rsa-1'], rsa.privateKey, 'RS256'), REFUSED],
    ['kid of 4 kB', named('k'.repeat(4096), rsa.privateKey, 'RS256'), REFUSED],
    ['kid of another RSA key', named('rsa-2', rsa.privateKey, 'RS256'), REFUSED],
    ['kid of a key of another algorithm', named('ec-1', rsa.privateKey, 'RS256'), REFUSED],
    ['HS256 under the public key that kid names', named('rsa-1', pem(rsa.publicKey), 'HS256'), REFUSED],
    ['HS256 under the public key, kid of the secret', named('hs-1', pem(rsa.publicKey), 'HS256'), REFUSED],
    ['RS256 with the kid of the secret', named('hs-1', rsa.privateKey, 'RS256'), REFUSED],
    ['an embedded jwk with the kid of ours', named('rsa-1', newRsa().privateKey, 'RS256', withOwnJwk), REFUSED],
  ],
};
