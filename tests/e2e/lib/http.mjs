// Requests to the HTTP API: whole answers, over connections that are kept or not.
import http from 'node:http';
import https from 'node:https';
import { devToken } from './client.mjs';

export const API = '/api/v1/notifications';

/**
 * One request; `{status, headers, text, body}`, where body is the JSON of the text, if it is JSON. `user` stands for a
 * development token, `json` for a body and its type; `body` is sent as it is.
 */
export function ask(relay, method, path, { user, token = user && devToken(user), json, body = json && JSON.stringify(json), headers = {}, agent = false } = {}) {
  const all = {
    ...(token && { Authorization: `Bearer ${token}` }),
    ...(json !== undefined && { 'Content-Type': 'application/json' }),
    ...(body !== undefined && { 'Content-Length': Buffer.byteLength(body) }),
    ...headers,
  };
  return new Promise((resolve, reject) => {
    const { port, socketPath, ca } = relay;
    const request = (ca ? https : http).request({ host: '127.0.0.1', port, socketPath, ca, path, method, headers: all, agent, setHost: true }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const type = response.headers['content-type'] ?? '';
        resolve({ status: response.statusCode, headers: response.headers, text, body: /json$/.test(type) && text !== '' ? JSON.parse(text) : undefined });
      });
    });
    request.on('error', reject);
    request.setTimeout(30_000, () => request.destroy(new Error(`${method} ${path}: no answer in 30 s`)));
    request.end(body);
  });
}
