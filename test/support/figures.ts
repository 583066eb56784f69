import { appendFileSync } from 'node:fs';
import { figureLine, type Figure } from '../../bench/figures/figure.js';

/**
 * A number that a proof among the tests brings. `npm run figures` collects them (FIGURES_FILE); an
 * ordinary run prints the line.
 */
export function reportFigure(figure: Figure): void {
  const file = process.env['FIGURES_FILE'];
  console.log(figureLine(figure));
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(figure)}\n`);
}
