// Charts as SVG, without anything but text: bars of the servers beside each other, lines of what grows.
import { writeFileSync } from 'node:fs'
import { labelsOf, makeMedian, show } from './figures.mjs'
import { servers } from './musts.mjs'

const colours = { pgherald: '#2f6fde', bare: '#8a94a3', node: '#3c873a', none: '#8a94a3', 'no-relay': '#b9c2ce', adaptive: '#2f6fde', notify: '#d9822b', poll: '#7a5cc2' }
const names = { bare: 'bare epoll', node: 'Node.js ws + pg', none: "without pgherald's triggers", 'no-relay': 'triggers, no relay' }
const style = 'font-family="system-ui,sans-serif" font-size="12" fill="#57606a"'

const text = (x, y, content, more = '') => `<text x="${x}" y="${y}" ${more}>${content}</text>`

function svg(width, height, title, parts) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">
<rect width="${width}" height="${height}" fill="#fff"/>
<g ${style}>
${parts.join('\n')}
</g>
</svg>
`
}

function legend(keys, y) {
  let x = 16
  return keys.map((key) => {
    const name = names[key] ?? key
    const part = `<rect x="${x}" y="${y - 10}" width="12" height="12" rx="2" fill="${colours[key]}"/>${text(x + 18, y, name)}`
    x += 18 + name.length * 7 + 22
    return part
  })
}

// groups: [{ title, values: { server: number } }], each scaled to its own largest value.
function barChart(title, groups, keys) {
  const [row, left, full] = [18, 250, 330]
  const parts = [text(16, 24, title, 'font-size="15" font-weight="600" fill="#1f2328"'), ...legend(keys, 46)]
  let y = 68
  for (const { title: name, values } of groups) {
    const largest = Math.max(...keys.map((key) => values[key] ?? 0))
    parts.push(text(left - 10, y + (row * keys.length) / 2 + 2, name, 'text-anchor="end"'))
    for (const key of keys) {
      const width = Math.max(1, ((values[key] ?? 0) / largest) * full).toFixed(1)
      parts.push(`<rect x="${left}" y="${y}" width="${width}" height="${row - 4}" rx="2" fill="${colours[key]}"/>`)
      parts.push(text((left + Number(width) + 6).toFixed(1), y + row - 7, show(values[key])))
      y += row
    }
    y += 12
  }
  return svg(660, y + 4, title, parts)
}

function serverBars(figures, title, wanted) {
  const median = makeMedian(figures)
  const groups = wanted
    .map(([name, figure, key, label]) => ({
      title: name,
      values: Object.fromEntries(servers.map((server) => [server, median(figure, server, key, label)])),
    }))
    .filter(({ values }) => values.pgherald !== undefined)
  return barChart(title, groups, servers)
}

function writerBars(figures, figure, title) {
  const median = makeMedian(figures)
  const variants = ['none', 'no-relay', 'adaptive', 'notify', 'poll']
  const groups = labelsOf(figures, figure).map((label) => ({
    title: `${label} writers`,
    values: Object.fromEntries(variants.map((variant) => [variant, median(figure, variant, 'tps', label)])),
  }))
  return barChart(title, groups, variants)
}

const charts = {
  'performance-latency.svg': (f) =>
    serverBars(f, 'From the INSERT to the frame, 500 rows a second, ms', [
      ['1,000 users, p50', 'latency', 'latency_p50_ms', '1000 users'],
      ['1,000 users, p99', 'latency', 'latency_p99_ms', '1000 users'],
      ['10,000 users, p50', 'latency', 'latency_p50_ms', '10000 users'],
      ['10,000 users, p99', 'latency', 'latency_p99_ms', '10000 users'],
      ['10,000 rows in one transaction', 'each', 'last_p50_ms'],
      ["one row, the last of its user's 10,000 tabs", 'tabs', 'last_p50_ms'],
    ]),
  'performance-cpu.svg': (f) =>
    serverBars(f, 'CPU of the server, µs', [
      ['a delivery, 8,000/s to 10,000 users', 'throughput', 'cpu_us'],
      ['a delivery, one user with 10,000 tabs', 'tabs', 'cpu_us'],
      ['a client that connects, HS256', 'connect-HS256', 'cpu_us'],
      ['a client that connects, ES256', 'connect-ES256', 'cpu_us'],
      ['a mark_read', 'mark', 'cpu_us'],
    ]),
  'performance-memory.svg': (f) =>
    serverBars(f, 'Memory and write-backs', [
      ['bytes an idle connection', 'idle', 'bytes_each'],
      ['mark_read acknowledged a second', 'mark', 'acknowledged_s'],
    ]),
  'performance-writers.svg': (f) => writerBars(f, 'writers', 'Transactions a second of writers, local disk'),
  'performance-writers-slow.svg': (f) => writerBars(f, 'writers-slow', 'Transactions a second of writers, fdatasync + 1 ms'),
}

export function drawCharts(figures, folder) {
  for (const [file, draw] of Object.entries(charts)) writeFileSync(folder + file, draw(figures))
}
