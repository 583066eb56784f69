import type { OwnerKind, SessionOwner } from '@sallyport/shared';

/** "Every session of this owner whose login began before this." */
export interface RevocationJob {
  readonly owner: SessionOwner;
  readonly seq: number;
}

/** The job as a member of `gateway:revoke-due`: each revocation its own, also of the same owner. */
export function encodeJob({ owner, seq }: RevocationJob): string {
  return `${owner.kind}:${owner.tag}:${seq}`;
}

export function decodeJob(text: string): RevocationJob | undefined {
  const [, kind, tag, seq] = /^(user|sub|sid):([A-Za-z0-9_-]{43}):([0-9]{1,16})$/.exec(text) ?? [];
  if (kind === undefined || tag === undefined) return undefined;
  return { owner: { kind: kind as OwnerKind, tag }, seq: Number(seq) };
}
