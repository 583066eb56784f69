import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './machine.js';
import type { Measured } from './rounds.js';

const columns: readonly (readonly [title: string, value: (row: Measured) => string])[] = [
  ['service', ({ service }) => cpu(service)],
  ['Redis', ({ redis }) => cpu(redis)],
  ['Envoy', ({ envoy }) => cpu(envoy)],
  ['sum', ({ sum }) => cpu(sum)],
  ['total', ({ total }) => cpu(total)],
  ['rps', ({ rps }) => rps.toFixed(0)],
  ['p50 ms', ({ p50 }) => latency(p50)],
  ['p99 ms', ({ p99 }) => latency(p99)],
  ['checks', ({ checks }) => String(checks)],
  ['failed', ({ failures }) => String(failures)],
];

/** CPU-ms per check, as a Markdown table that goes into docs/performance.md as it is. */
export function table(title: string, rows: readonly Measured[]): string {
  const lines = [
    ['', ...columns.map(([name]) => name)],
    ['---', ...columns.map(() => '--:')],
    ...rows.map((row) => [row.name, ...columns.map(([, value]) => value(row))]),
  ];
  const text = lines.map((cells) => `| ${cells.join(' | ')} |`);
  return [`### ${title}`, '', ...text].join('\n');
}

function cpu(milliseconds: number): string {
  return milliseconds === 0 ? '–' : milliseconds.toFixed(4);
}

/** Of work that nobody waits for there is none. */
function latency(milliseconds: number): string {
  return Number.isNaN(milliseconds) ? '–' : milliseconds.toFixed(2);
}

/** @returns the path of the JSON file */
export function writeJson(name: string, content: object): string {
  const folder = join(root, 'bench/out');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}-${new Date().toISOString().replaceAll(':', '')}.json`);
  writeFileSync(file, `${JSON.stringify(content, undefined, 2)}\n`);
  return file;
}
