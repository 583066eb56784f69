import { sessionHandle, type SessionHandle, type SessionId } from '@sallyport/shared';
import type { Redis } from 'ioredis';
import type { InProcessGateway } from './in-process-gateway.js';
import type { ModelIdp } from './model-idp.js';
import { SessionOracle } from './session-oracle.js';
import type { SessionReader } from './session-reader.js';
import type { Turns } from './turns.js';

export const people = ['ada', 'eve'] as const;

/** What every schedule of a suite shares. */
export interface WorldParts {
  readonly admin: Redis;
  readonly gateways: readonly InProcessGateway[];
  readonly turns: Turns;
  readonly idp: ModelIdp;
  readonly reader: SessionReader;
  readonly directory: Directory;
}

/** The permission service: what a person may do, and whether it answers. */
export interface Directory {
  rolesOf: (userId: string) => number;
  down: boolean;
}

/** Where a schedule plays: its replicas, its clock, and what is expected of it. */
export class Scene {
  readonly oracle = new SessionOracle();
  readonly parts: WorldParts;
  readonly #gateways: readonly InProcessGateway[];
  /** Seconds that were let pass, beside the real ones. */
  passed = 0;
  readonly #begin = Date.now();
  /** Failures that were put in: after the first, what must live is not known any more. */
  failures = 0;

  constructor(parts: WorldParts, replicas: number) {
    this.parts = parts;
    this.#gateways = parts.gateways.slice(0, replicas);
  }

  /** Seconds of the schedule. */
  now(): number {
    return this.passed + (Date.now() - this.#begin) / 1000;
  }

  gateway(replica: number): InProcessGateway {
    const found = this.#gateways[replica % this.#gateways.length];
    if (found === undefined) throw new Error('no replica');
    return found;
  }

  /** One of all ids that were ever given. */
  some(which: number): SessionId | undefined {
    const ids = this.oracle.ids();
    return ids[which % Math.max(1, ids.length)];
  }
}

/** Both lists carry whose they are and which version, so that a mix of two shows. */
export function rolesIn(userId: string, number: number) {
  const version = String(number);
  return { roles: [`${userId}.r${version}`], permissions: [`${userId}.p${version}`] };
}

export function handleOf(id: SessionId): SessionHandle {
  return sessionHandle(id, 'hashed');
}

export function gatewayKeyOf(id: SessionId): string {
  return `gateway:session:{extauthz:session:${handleOf(id)}}`;
}
