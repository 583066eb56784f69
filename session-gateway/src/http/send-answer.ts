import type { Response } from 'express';

/** A small object as the whole answer: what response.json does, without looking at every setting again. */
export function sendJson(response: Response, content: object): void {
  const text = JSON.stringify(content);
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.setHeader('Content-Length', Buffer.byteLength(text));
  response.end(text);
}

/** The same for a page: what response.type('html').send does. */
export function sendPage(response: Response, html: string): void {
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  response.setHeader('Content-Length', Buffer.byteLength(html));
  response.end(html);
}
