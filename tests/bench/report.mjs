#!/usr/bin/env node
// Makes tables of the benchmark's raw figures:
//   tests/bench/report.mjs [FILE]           prints them (build/bench/figures.jsonl)
//   tests/bench/report.mjs --docs [FILE]    puts them, and charts, into docs/PERFORMANCE.md and docs/images, and the
//                                           file beside them as docs/images/performance.jsonl
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { drawCharts } from './report/charts.mjs'
import { capacityTable, growthTables } from './report/growth.mjs'
import { readFigures } from './report/figures.mjs'
import { countsTable, mustsTable, scrapeTable, serversTable, streamsTable, watchTable, writersTable } from './report/musts.mjs'

const checkout = fileURLToPath(new URL('../..', import.meta.url))
const args = process.argv.slice(2)
const toDocs = args[0] === '--docs' && Boolean(args.shift())
const file = args[0] ?? `${checkout}build/bench/figures.jsonl`

function machineText({ machine: m, lines }) {
  const rounds = Math.max(...lines.map((line) => line.round))
  return `Rounds: ${rounds}. Machine: ${m.cpu}, ${m.cores} cores, ${m.memory_mib} MiB, Linux ${m.kernel}, ${m.system}; PostgreSQL ${m.postgresql}, libwebsockets ${m.libwebsockets}, Node.js ${m.node}; commit ${m.commit}, ${m.date}.${m.note ? ` ${m.note}` : ''}`
}

const figures = readFigures(file)
const blocks = {
  machine: machineText(figures),
  musts: mustsTable(figures),
  servers: serversTable(figures),
  counts: countsTable(figures),
  streams: streamsTable(figures),
  writers: writersTable(figures),
  watch: watchTable(figures),
  scrape: scrapeTable(figures),
  growth: growthTables(figures),
  capacity: capacityTable(figures),
}

// Text between <!-- NAME --> and <!-- end --> is replaced.
function fill(text, name, block) {
  const pattern = new RegExp(`(<!-- ${name} -->\n)[^]*?(<!-- end -->)`)
  if (!pattern.test(text)) throw new Error(`no place for ${name}`)
  return text.replace(pattern, (_, begin, end) => `${begin}${block}\n${end}`)
}

if (toDocs) {
  const page = `${checkout}docs/PERFORMANCE.md`
  const text = Object.entries(blocks).reduce((text, [name, block]) => fill(text, name, block), readFileSync(page, 'utf8'))
  writeFileSync(page, text)
  drawCharts(figures, `${checkout}docs/images/`)
  copyFileSync(file, `${checkout}docs/images/performance.jsonl`)
} else {
  console.log(Object.values(blocks).filter(Boolean).join('\n\n'))
}
