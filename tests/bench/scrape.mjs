#!/usr/bin/env node
// Prometheus at a relay: GET /metrics, each on a connection of its own, ten a second, from the moment that the relay has
// its sessions. One JSON line of what they took, from the connect until the page is read.
//   scrape.mjs PORT LABEL ROUND SESSIONS SCRAPES
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const [port, label, round, sessions, scrapes] = process.argv.slice(2)

function scrape() {
  return new Promise((resolve, reject) => {
    get({ port, host: '127.0.0.1', path: '/metrics', agent: false }, async (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`/metrics: ${answer.statusCode}`))
      answer.setEncoding('utf8')
      let page = ''
      for await (const chunk of answer) page += chunk
      resolve(page)
    }).on('error', reject)
  })
}

const openSessions = (page) =>
  page.match(/^pgherald_sessions\{.*state="open".*$/gm).reduce((sum, line) => sum + Number(line.split(' ')[1]), 0)

for (let waited = 0; openSessions(await scrape()) < sessions; waited++) {
  if (waited === 600) throw new Error(`after a minute there are not ${sessions} sessions`)
  await sleep(100)
}
const took = []
let bytes
for (let done = 0; done < scrapes; done++) {
  await sleep(100)
  const start = performance.now()
  const page = await scrape()
  took.push(performance.now() - start)
  if (openSessions(page) < sessions) throw new Error('the sessions ended before the scrapes')
  bytes = Buffer.byteLength(page)
}
took.sort((a, b) => a - b)
const share = (part) => Number(took[Math.min(scrapes - 1, Math.floor(part * scrapes))].toFixed(3))
console.log(
  JSON.stringify({
    figure: 'scrape', server: 'pgherald', label, round: Number(round), sessions: Number(sessions), scrapes: took.length,
    bytes, scrape_p50_ms: share(0.5), scrape_p99_ms: share(0.99), scrape_max_ms: share(1),
  }),
)
