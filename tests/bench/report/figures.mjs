// Reads the benchmark's raw figures (JSON lines) and gives medians over the rounds.
import { readFileSync } from 'node:fs'

export function readFigures(path) {
  const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line))
  return {
    machine: lines.find((line) => line.figure === 'machine') ?? {},
    lines: lines.filter((line) => line.figure !== 'machine'),
  }
}

function medianOf(values) {
  const sorted = values.filter((value) => typeof value === 'number').sort((a, b) => a - b)
  if (sorted.length === 0) return undefined
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

// median('latency', 'node', 'latency_p50_ms', '1000'): undefined when nothing was measured. Without a label: all lines.
export function makeMedian({ lines }) {
  return (figure, server, key, label) =>
    medianOf(
      lines
        .filter((line) => line.figure === figure && line.server === server && (label === undefined || line.label === label))
        .map((line) => line[key]),
    )
}

// The labels of a figure, in the order of their numbers.
export function labelsOf({ lines }, figure) {
  const labels = new Set(lines.filter((line) => line.figure === figure).map((line) => line.label))
  return [...labels].sort((a, b) => parseFloat(a) - parseFloat(b))
}


// Three significant digits, thousands apart.
export function show(value) {
  if (value === undefined || !Number.isFinite(value)) return '–'
  if (value === 0) return '0'
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return value.toFixed(digits).replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ',')
}

export function markdown(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n')
}
