import { readFileSync } from 'node:fs';
import { findRedisServer } from '@sallyport/demo/parts/redis-server';
import { faultsOf, readExpected } from './gate.js';

/** `node bench/dist/figures/gate-main.js <list of expected figures> <log>...` */
const [list = '', ...logs] = process.argv.slice(2);
const expected = readExpected(readFileSync(list, 'utf8'));
const log = logs.map((file) => readFileSync(file, 'utf8')).join('\n');
const { version } = await findRedisServer();
const faults = faultsOf(log, expected, { hasRedis7: version[0] >= 7 });
for (const fault of faults) console.log(`not as it must be: ${fault}`);
if (faults.length > 0) process.exitCode = 1;
