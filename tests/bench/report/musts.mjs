// What must be seen: pgherald's figure against its peers' in the same run, and the bound of their ratio.
import { labelsOf, makeMedian, markdown, show } from './figures.mjs'

const atMost = (bound) => ({ text: `≤ ${bound}`, holds: (value) => value <= bound })
const atLeast = (bound) => ({ text: `≥ ${bound}`, holds: (value) => value >= bound })

// A ratio of two medians; `peer` names the other side.
function against(name, unit, figure, key, peer, bound, label, ours = 'pgherald') {
  return (median) => {
    const [mine, other] = [median(figure, ours, key, label), median(figure, peer, key, label)]
    return { name, unit, mine, peer, other, value: mine / other, bound, ratio: true }
  }
}

// A figure that has to keep to a number by itself.
function alone(name, unit, figure, key, bound, label) {
  return (median) => {
    const mine = median(figure, 'pgherald', key, label)
    return { name, unit, mine, value: mine, bound }
  }
}

// The same figure of two runs of the same server.
function scaled(name, unit, figure, key, label, base, bound) {
  return (median) => {
    const [mine, other] = [median(figure, 'pgherald', key, label), median(figure, 'pgherald', key, base)]
    return { name, unit, mine, peer: `${base} worker`, other, value: mine / other, bound, ratio: true }
  }
}

function latency(users) {
  const label = `${users} users`
  return [
    against(`insert call → frame, 500/s to ${users} users, p50`, 'ms', 'latency', 'latency_p50_ms', 'node', atMost(1), label),
    against(`the same, p99`, 'ms', 'latency', 'latency_p99_ms', 'node', atMost(0.7), label),
  ]
}

function writers(figure, disk, bound) {
  return ['16', '64'].map((count) =>
    against(`${count} writers, ${disk}`, 'tps', figure, 'tps', 'none', atLeast(bound), count, 'adaptive'),
  )
}

const musts = [
  alone('memory an idle connection, 10,000', 'B', 'idle', 'bytes_each', atMost(2100)),
  ...latency(1000),
  ...latency(10000),
  against('throughput to 10,000 users, CPU a delivery', 'µs', 'throughput', 'cpu_us', 'bare', atMost(1.3)),
  against('one user with 10,000 tabs, CPU a delivery', 'µs', 'tabs', 'cpu_us', 'bare', atMost(1.2)),
  against('one transaction for each of 10,000 users, last frame', 'ms', 'each', 'last_p50_ms', 'bare', atMost(1)),
  against('the same', 'ms', 'each', 'last_p50_ms', 'node', atMost(0.65)),
  against('mark_read acknowledged', '/s', 'mark', 'acknowledged_s', 'node', atLeast(3)),
  against('the same', '/s', 'mark', 'acknowledged_s', 'bare', atLeast(0.5)),
  against('connect with JWT HS256, CPU a client', 'µs', 'connect-HS256', 'cpu_us', 'bare', atMost(3)),
  against('the same', 'µs', 'connect-HS256', 'cpu_us', 'node', atMost(0.4)),
  ...writers('writers', 'local disk', 0.75),
  ...writers('writers-slow', 'fdatasync + 1 ms', 0.9),
  alone('100,000 idle connections, failed or ended', '', 'idle100k', 'failed', atMost(0)),
  alone('100,000 idle connections, keep-alive 30 s', '% of a core', 'idle100k', 'cpu_percent', atMost(3)),
  scaled('two workers, deliveries', '/s', 'workers', 'deliveries_s', '2', '1', atLeast(1.3)),
]

export function mustsTable(figures) {
  const median = makeMedian(figures)
  const rows = musts
    .map((must) => must(median))
    .filter(({ mine }) => mine !== undefined)
    .map(({ name, unit, mine, peer, other, value, bound, ratio }) => [
      name,
      `${show(mine)} ${unit}`.trim(),
      peer ? `${peer} ${show(other)}` : '',
      ratio ? `${value.toFixed(2)} ×` : '',
      bound.text + (ratio ? ' ×' : ''),
      value === undefined || Number.isNaN(value) ? '–' : bound.holds(value) ? 'ok' : 'not',
    ])
  return markdown(['figure', 'pgherald', 'against', 'ratio', 'must', ''], rows)
}

// Every figure of every server; what the rows of the table above are made of.
const shown = [
  ['idle', 'bytes_each', 'B a connection'],
  ['connect-HS256', 'cpu_us', 'µs CPU a client'],
  ['connect-ES256', 'cpu_us', 'µs CPU a client'],
  ['churn', 'cpu_us', 'µs CPU a client'],
  ['latency', 'latency_p50_ms', 'ms p50'],
  ['latency', 'latency_p99_ms', 'ms p99'],
  ['latency', 'cpu_us', 'µs CPU a delivery'],
  ['throughput', 'cpu_us', 'µs CPU a delivery'],
  ['throughput', 'postgres_us_a_row', 'µs CPU of PostgreSQL a row'],
  ['throughput', 'latency_p99_ms', 'ms p99'],
  ['tabs', 'cpu_us', 'µs CPU a delivery'],
  ['tabs', 'last_p50_ms', 'ms to the last tab'],
  ['each', 'last_p50_ms', 'ms to the last user'],
  ['each', 'cpu_us', 'µs CPU a delivery'],
  ['mark', 'acknowledged_s', 'acknowledged/s'],
  ['mark', 'cpu_us', 'µs CPU'],
  ['mark', 'postgres_us', 'µs CPU of PostgreSQL'],
  ['resume', 'all_s', 's until all were told'],
  ['resume', 'cpu_us', 'µs CPU a client'],
  ['slow', 'latency_p99_ms', 'ms p99 of the others'],
  ['slow', 'growth_bytes', 'B more memory'],
  ['slow', 'slow_ended', 'slow tabs disconnected'],
]
export const servers = ['pgherald', 'bare', 'node']

export function serversTable(figures) {
  const median = makeMedian(figures)
  const rows = shown.flatMap(([figure, key, unit]) =>
    labelsOf(figures, figure).map((label) => [
      label ? `${figure}, ${label}` : figure,
      unit,
      ...servers.map((server) => show(median(figure, server, key, label))),
    ]),
  )
  return markdown(['figure', '', ...servers], rows)
}

// Nothing until it has been measured.
export function streamsTable(figures) {
  const median = makeMedian(figures)
  const rows = [
    ['streams-idle', 'bytes_each', 'memory an idle connection, B'],
    ['streams-idle', 'connect_cpu_us', 'CPU of a client that connects, µs'],
    ['streams-latency', 'latency_p50_ms', 'insert call → event, 500/s to 10,000 users, p50, ms'],
    ['streams-latency', 'latency_p99_ms', 'the same, p99, ms'],
    ['streams-latency', 'cpu_us', 'CPU a delivery, µs'],
    ['streams-each', 'last_p50_ms', 'one transaction for each of 10,000 users, last event, ms'],
    ['streams-each', 'cpu_us', 'CPU a delivery, µs'],
  ].map(([figure, key, name]) => [name, ...['websocket', 'sse'].map((label) => median(figure, 'pgherald', key, label))])
  if (rows.every(([, socket]) => socket === undefined)) return 'Not yet measured on a quiet machine: `tests/bench/run streams`.'
  return markdown(
    ['figure', 'WebSocket', 'Server-Sent Events', 'ratio'],
    rows.map(([name, socket, stream]) => [name, show(socket), show(stream), socket && stream ? `${(stream / socket).toFixed(2)} ×` : '–']),
  )
}

export function writersTable(figures) {
  const median = makeMedian(figures)
  const variants = ['none', 'no-relay', 'adaptive', 'notify', 'poll']
  const rows = ['writers', 'writers-slow'].flatMap((figure) =>
    labelsOf(figures, figure).map((label) => [
      figure === 'writers' ? 'local disk' : 'fdatasync + 1 ms',
      label,
      ...variants.map((variant) => show(median(figure, variant, 'tps', label))),
    ]),
  )
  return markdown(['disk', 'writers', ...variants], rows)
}

// The statement of an application's table at 1,000 a second, without and with what tells of its rows.
export function watchTable(figures) {
  const median = makeMedian(figures)
  const variants = ['alone', 'watch', 'by_hand', 'plain']
  const rows = ['watch', 'watch-slow'].map((figure) => {
    const alone = median(figure, 'alone', 'statement_ms')
    return [
      figure === 'watch' ? 'local disk' : 'fdatasync + 1 ms',
      ...variants.map((variant) => {
        const took = median(figure, variant, 'statement_ms')
        return took && variant !== 'alone' ? `${show(took)}, ${(took / alone).toFixed(2)} ×` : show(took)
      }),
    ]
  })
  return markdown(['disk', 'alone, ms', '`herald.watch`', 'a trigger by hand', 'the same into a plain table'], rows)
}

export function scrapeTable(figures) {
  const median = makeMedian(figures)
  const rows = labelsOf(figures, 'scrape').map((label) => [
    label.replace(/^1 /, 'one worker, ').replace(/^2 /, 'two workers, '),
    ...['scrape_p50_ms', 'scrape_p99_ms', 'bytes'].map((key) => show(median('scrape', 'pgherald', key, label))),
  ])
  return markdown(['/metrics with 10,000 sessions', 'p50 ms', 'p99 ms', 'bytes'], rows)
}

export function countsTable({ lines }) {
  const keys = ['deliveries', 'lost', 'duplicate', 'misrouted', 'failed']
  const rows = servers.map((server) => [
    server,
    ...keys.map((key) =>
      lines.filter((line) => line.server === server).reduce((sum, line) => sum + (line[key] ?? 0), 0).toLocaleString('en-US'),
    ),
  ])
  return markdown(['all runs together', ...keys], rows)
}
