import { readJournal } from '../traffic/journal.js';
import { judge } from './judge.js';

/** The oracle is a process of its own: it shares nothing with the traffic but the journal. */
process.stdout.write(JSON.stringify(judge(readJournal(process.argv[2] ?? ''))));
