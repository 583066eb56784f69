/**
 * A fetch answer whose body has already been read. The platform's Response turns bytes into a stream
 * and back, which costs a third of the call itself; this one keeps them. Whatever reads a body
 * is answered from the bytes, as often as it is asked; forms, which nobody answers in, are not.
 */
export function wholeResponse(bytes: Buffer, init: ResponseInit): Response {
  const text = (): string => new TextDecoder().decode(bytes);
  const copy = (): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);
  const readings: Pick<Response, 'text' | 'json' | 'arrayBuffer' | 'blob' | 'clone'> = {
    text: () => Promise.resolve(text()),
    json: () => new Promise((resolve) => resolve(JSON.parse(text()))),
    arrayBuffer: () => Promise.resolve(copy().buffer),
    blob: () => Promise.resolve(new Blob([copy()])),
    clone: () => wholeResponse(bytes, init),
  };
  return Object.assign(new Response(null, init), readings);
}
