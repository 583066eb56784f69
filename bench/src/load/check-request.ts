/** How large the measured field's CheckRequest was (PERFORMANCE): 17 headers, 833 bytes. */
const messageBytes = 833;

const idPlaceholder = '_'.repeat(43);

/** A gRPC frame with a prebuilt CheckRequest; only the session id differs between checks. */
export interface CheckFrame {
  readonly bytes: Buffer;
  /** Where the 43 characters of the session id stand. */
  readonly idOffset: number;
}

export function checkFrame(cookieName: string, path: string): CheckFrame {
  const plain = message(cookieName, path, '');
  // The user agent fills up; its own length may take a byte more once it is long.
  let padding = messageBytes - plain.length;
  let bytes = message(cookieName, path, 'm'.repeat(Math.max(0, padding)));
  while (bytes.length > messageBytes && padding > 0) {
    padding -= 1;
    bytes = message(cookieName, path, 'm'.repeat(padding));
  }
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  const frame = Buffer.concat([prefix, bytes]);
  return { bytes: frame, idOffset: frame.indexOf(idPlaceholder) };
}

/** Field numbers of envoy.service.auth.v3: proto/ has them with their names. */
function message(cookieName: string, path: string, userAgent: string): Buffer {
  const headers: Record<string, string> = {
    ':authority': 'shop.example',
    ':method': 'GET',
    ':path': path,
    ':scheme': 'https',
    accept: 'application/json',
    'accept-encoding': 'gzip, br',
    'accept-language': 'en-GB,en',
    cookie: `theme=dark; ${cookieName}=${idPlaceholder}; locale=en-GB`,
    origin: 'https://shop.example',
    referer: 'https://shop.example/orders',
    'sec-fetch-dest': 'empty',
    'sec-fetch-mode': 'cors',
    'sec-fetch-site': 'same-origin',
    'user-agent': userAgent,
    'x-forwarded-for': '192.0.2.10',
    'x-forwarded-proto': 'https',
    'x-request-id': '6f1d1b3e-6f7e-4d0a-9c55-0b7f4a1b2c3d',
  };
  const http = [
    text(2, 'GET'),
    ...Object.entries(headers).map(([name, value]) => field(3, [text(1, name), text(2, value)])),
    text(4, path),
    text(5, 'shop.example'),
    text(6, 'https'),
    text(10, 'HTTP/1.1'),
  ];
  return field(1, [field(4, [field(2, http)])]);
}

function text(number: number, value: string): Buffer {
  return field(number, [Buffer.from(value, 'latin1')]);
}

/** A length-delimited field. */
function field(number: number, parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([number * 8 + 2, ...varint(content.length)]), content]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}
