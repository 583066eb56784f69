export * from './clock.js';
export * from './cookie-header.js';
export * from './identity-headers.js';
export * from './record-contract.js';
export * from './redis-keys.js';
export * from './session-cookie.js';
export * from './session-record.js';
export * from './session.js';
