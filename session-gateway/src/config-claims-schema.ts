import { z } from 'zod';
import { claimPathOf, type ClaimPath, type ClaimRules } from './oidc/claim-grants.js';

const pathText = 'must be a claim: its name, names with dots between them, or a list of names.';
const step = z.string(pathText).min(1, pathText).max(255, pathText);
const path = z
  .union(
    [
      step.transform(claimPathOf),
      z
        .array(step)
        .min(1)
        .max(10)
        .transform((steps) => steps as unknown as ClaimPath),
    ],
    pathText,
  )
  .refine((steps) => steps.every((one) => one !== ''), pathText);

const nameText = 'must be 1 to 128 letters, digits and . _ : -';
const names = z.array(z.string(nameText).regex(/^[A-Za-z0-9._:-]{1,128}$/, nameText)).max(256);
const granted = z.strictObject({ roles: names.default([]), permissions: names.default([]) });

/** `claims` of a registration: where its roles stand in what the provider says of a person. */
export const claimsSchema = z
  .strictObject({
    from: z
      .enum(['id_token', 'userinfo'], { error: 'must be id_token or userinfo.' })
      .default('id_token'),
    roles: path.optional(),
    permissions: path.optional(),
    mapping: z.record(z.string(), granted).optional(),
    absent: z.enum(['empty', 'refuse'], { error: 'must be empty or refuse.' }).default('empty'),
    permissionService: z
      .enum(['add', 'replace'], { error: 'must be add or replace.' })
      .default('add'),
  })
  .transform(({ from, roles, permissions, mapping, absent, permissionService }): ClaimRules => ({
    ...{ from, absent, permissionService },
    ...(roles === undefined ? {} : { roles }),
    ...(permissions === undefined ? {} : { permissions }),
    ...(mapping === undefined ? {} : { mapping: new Map(Object.entries(mapping)) }),
  }));
