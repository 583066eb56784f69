import { appendFileSync } from 'node:fs';
import { figureLine, type Figure } from '../../bench/figures/figure.js';

/**
 * A number that a proof among the tests brings. `npm run figures` collects them (FIGURES_FILE); in an
 * ordinary run the line is printed. Reported more than once, the worst counts.
 */
export function reportFigure(figure: Figure): void {
  const file = process.env['FIGURES_FILE'];
  if (file === undefined) console.log(figureLine(figure));
  else appendFileSync(file, `${JSON.stringify(figure)}\n`);
}
