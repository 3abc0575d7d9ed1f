// How the costs grow, and what that means on paper for many more users.
import { labelsOf, makeMedian, markdown, show } from './figures.mjs'

const columns = {
  'grow-connections': ['connections', { latency_p50_ms: 'p50 ms', latency_p99_ms: 'p99 ms', cpu_us: 'µs CPU a delivery', cpu_percent: '% of a core' }],
  'grow-rows': ['rows a transaction (4,000 rows/s)', { latency_p50_ms: 'p50 ms', latency_p99_ms: 'p99 ms', cpu_us: 'µs CPU a delivery', postgres_us_a_row: 'µs CPU of PostgreSQL a row' }],
  'grow-table-latency': ['rows in the table: latency', { latency_p50_ms: 'p50 ms', latency_p99_ms: 'p99 ms', cpu_us: 'µs CPU a delivery', postgres_us_a_row: 'µs CPU of PostgreSQL a row' }],
  'grow-table-resume': ['rows in the table: 10,000 come back', { all_s: 's until all were told', cpu_us: 'µs CPU a client', postgres_us: 'µs CPU of PostgreSQL a client' }],
  'grow-table-mark': ['rows in the table: mark_read', { acknowledged_s: 'acknowledged/s', cpu_us: 'µs CPU', postgres_us: 'µs CPU of PostgreSQL' }],
  'grow-relays': ['relays', { latency_p50_ms: 'p50 ms', latency_p99_ms: 'p99 ms', cpu_us: 'µs CPU a delivery, all relays', postgres_us_a_row: 'µs CPU of PostgreSQL a row' }],
  workers: ['workers', { deliveries_s: 'deliveries/s', cpu_us: 'µs CPU a delivery', last_p50_ms: 'ms to the last tab' }],
}

function growthTable(figures, figure) {
  const median = makeMedian(figures)
  const [what, keys] = columns[figure]
  const rows = labelsOf(figures, figure).map((label) => [
    Number(label).toLocaleString('en-US'),
    ...Object.keys(keys).map((key) => show(median(figure, 'pgherald', key, label))),
  ])
  return rows.length ? markdown([what, ...Object.values(keys)], rows) : ''
}

export function growthTables(figures) {
  return Object.keys(columns)
    .map((figure) => growthTable(figures, figure))
    .filter(Boolean)
    .join('\n\n')
}

// The assumptions that docs/PERFORMANCE.md states.
const KERNEL_BYTES = 5000
const ROWS_A_USER_A_DAY = 10
const PEAK = 5
const SECONDS_A_DAY = 86400

export function capacityTable(figures) {
  const median = makeMedian(figures)
  const bytes = median('idle', 'pgherald', 'bytes_each')
  const connectUs = median('connect-HS256', 'pgherald', 'cpu_us')
  const connectPostgresUs = median('connect-HS256', 'pgherald', 'postgres_us')
  const deliveryUs = median('throughput', 'pgherald', 'cpu_us')
  const rowUs = median('throughput', 'pgherald', 'postgres_us_a_row')
  const keepAlive = median('idle100k', 'pgherald', 'cpu_percent') / 100 / 1e5
  const rows = [1e6, 1e7, 1e8].map((users) => {
    const peakRows = (users * ROWS_A_USER_A_DAY * PEAK) / SECONDS_A_DAY
    return [
      users.toLocaleString('en-US'),
      `${show((users * (bytes + KERNEL_BYTES)) / 2 ** 30)} GiB`,
      show(users * keepAlive),
      show(peakRows),
      show((peakRows * deliveryUs) / 1e6),
      show((peakRows * rowUs) / 1e6),
      `${show((users * connectUs) / 1e6 / 60)} / ${show((users * connectPostgresUs) / 1e6 / 60)}`,
    ]
  })
  return markdown(
    ['tabs', 'memory, with the kernel\'s', 'cores: keep-alive', 'rows/s at the peak', 'cores: delivery', 'cores: PostgreSQL', 'CPU minutes to reconnect all: relays / PostgreSQL'],
    rows,
  )
}
