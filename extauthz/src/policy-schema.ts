import { z } from 'zod';
import { readPattern } from './pattern.js';
import { defaultRuleId } from './rule.js';

const maxNames = 64;
const idGrammar = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const nameGrammar = /^[A-Za-z0-9._:-]{1,128}$/;

const id = z
  .string({ error: 'must be a name. Give every rule an id of its own.' })
  .regex(idGrammar, 'must be 1 to 64 letters, digits, . _ or -, and start with a letter or digit.')
  .refine((text) => text !== defaultRuleId && text !== 'other', {
    error: 'is reserved. Choose another name than "default" and "other".',
  });

const names = z
  .array(
    z
      .string({ error: 'must be text. Put it in quotes.' })
      .regex(nameGrammar, 'must be 1 to 128 letters, digits, . _ : or -, as sessions carry them.'),
    { error: 'must be a list, such as [ADMIN, EDITOR].' },
  )
  .min(1, 'is empty. Name at least one, or use "allow: authenticated".')
  .max(maxNames, `has more than ${maxNames} names.`);

const anyAll = z
  .strictObject(
    { any: names.optional(), all: names.optional() },
    {
      error: 'must be {any: […]} or {all: […]}.',
    },
  )
  .refine((value) => value.any !== undefined || value.all !== undefined, {
    error: 'names neither any nor all. Write {any: […]} or {all: […]}.',
  });

const allowHelp = 'must be public, authenticated, or {roles: {any: […]}, permissions: {all: […]}}.';

const grants = z
  .strictObject({ roles: anyAll.optional(), permissions: anyAll.optional() })
  .refine((value) => value.roles !== undefined || value.permissions !== undefined, {
    error: allowHelp,
  });

/** `on`/`off` too: YAML 1.2 reads them as text, and people write them. */
const onOff = z
  .union([z.boolean(), z.enum(['on', 'off'])], { error: 'must be on or off.' })
  .transform((value) => value === true || value === 'on');

const path = z
  .string({ error: 'must be a path such as /api/orders/**.' })
  .transform((text, context) => {
    const reading = readPattern(text);
    if ('pattern' in reading) return reading.pattern;
    context.addIssue({ code: 'custom', message: reading.problem });
    return z.NEVER;
  });

const rule = z.strictObject(
  {
    id,
    methods: z
      .array(
        z
          .string({ error: 'must be a method such as GET.' })
          .regex(/^[A-Z][A-Z-]{0,31}$/, 'must be written in upper-case letters, such as GET.'),
        { error: 'must be a list, such as [GET, POST].' },
      )
      .min(1, 'is empty. Leave it out for every method.')
      .optional(),
    path: z.union([path, z.array(path).min(1, 'is empty. Name at least one path.')], {
      error: 'must be a path such as /api/orders/**, or a list of paths.',
    }),
    allow: z.union([z.enum(['public', 'authenticated']), grants], { error: allowHelp }),
    csrf: onOff.optional(),
    shadow: z.boolean({ error: 'must be true or false.' }).optional(),
    preflight: z.enum(['allow', 'deny'], { error: 'must be allow or deny.' }).optional(),
  },
  { error: 'must be a rule: {id, path, allow, …}.' },
);

export const policySchema = z.strictObject(
  {
    version: z.literal(1, { error: 'must be 1.' }),
    default: z
      .enum(['deny', 'authenticated'], { error: 'must be deny or authenticated.' })
      .default('deny'),
    rules: z
      .array(rule, { error: 'must be a list of rules.' })
      .max(1000, 'has more than 1000 rules.'),
  },
  { error: 'The file must hold version, rules and, if wanted, default.' },
);
