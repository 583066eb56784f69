import type { Response } from 'express';
import { clearCookiesPage } from './pages.js';
import { sendPage } from './send-answer.js';

/** Its form would post `Origin: null` under no-referrer (ATTACKS 23). */
export function sendClearCookiesPage(response: Response): void {
  response.set('Referrer-Policy', 'same-origin');
  sendPage(response, clearCookiesPage());
}
