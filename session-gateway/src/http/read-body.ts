import type { Request } from 'express';
import { RefusedError } from './refused-error.js';

/** The body of a request, if it is of this type and not larger. @throws RefusedError */
export async function readBody(request: Request, type: string, limit: number): Promise<string> {
  const [given = ''] = (request.get('content-type') ?? '').toLowerCase().split(';', 1);
  if (given.trim() !== type) throw new RefusedError('bad_request');
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.byteLength;
      if (size > limit) throw new RefusedError('body_too_large');
      chunks.push(chunk);
    }
  } catch (error) {
    // Broken off by whoever sent it: no fault of ours.
    throw error instanceof RefusedError ? error : new RefusedError('bad_request');
  }
  return Buffer.concat(chunks).toString('utf8');
}
