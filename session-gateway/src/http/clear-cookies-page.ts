import type { Response } from 'express';
import { clearCookiesPage } from './pages.js';

/** Its form would post `Origin: null` under no-referrer (ATTACKS 23). */
export function sendClearCookiesPage(response: Response): void {
  response.set('Referrer-Policy', 'same-origin').type('html').send(clearCookiesPage());
}
