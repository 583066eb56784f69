import type { Origins } from './csrf.js';
import type { DenyReason } from './decision.js';
import { decodedPath, readPath } from './path.js';
import { ruleTree } from './rule-tree.js';
import { sessionRule, type Rule } from './rule.js';

/** What the rules say of a path and method, before anything is known of the session. */
export interface Route {
  /** The rule that decides; undefined where a file has none for it. */
  readonly rule: Rule | undefined;
  /** A rule on trial that stands before it. */
  readonly shadow: Rule | undefined;
  /** Whether the answer depends on a session at all. */
  readonly needsSession: boolean;
  /** Decided already, against the request. */
  readonly refusal: DenyReason | undefined;
  /** Decided already: a CORS preflight that its rule lets pass. */
  readonly preflight: boolean;
}

export interface Policy {
  /** The ids that may be metric labels. */
  readonly ids: ReadonlySet<string>;
  readonly ruleCount: number;
  /** Undefined for a path that does not mean the same to everyone. */
  readonly route: (method: string, path: string) => Route | undefined;
}

/** @param fallback for what no rule covers; undefined denies it */
export function compilePolicy(rules: readonly Rule[], fallback: Rule | undefined): Policy {
  const order = new Map(rules.map((rule, index) => [rule, index]));
  const orderOf = (rule: Rule): number => order.get(rule) ?? rules.length;
  const enforced = ruleTree(
    rules.filter((rule) => !rule.shadow),
    orderOf,
  );
  const shadowRules = rules.filter((rule) => rule.shadow);
  const shadows = shadowRules.length === 0 ? undefined : ruleTree(shadowRules, orderOf);
  // One route per rule, made here: a match without a shadow allocates nothing.
  const routes = new Map(rules.map((rule) => [rule, routeOf(rule, undefined)]));
  const none = routeOf(fallback, undefined);

  return {
    ids: new Set(rules.map((rule) => rule.id)),
    ruleCount: rules.length,
    route(method, path) {
      const reading = readPath(path);
      if (reading === 'ambiguous') return undefined;
      if (rules.length === 0) return none;
      const text = reading === 'plain' ? path : (decodedPath(path) ?? path);
      const rule = enforced.find(text, method);
      const shadow = shadows?.find(text, method);
      if (shadow !== undefined && (rule === undefined || orderOf(shadow) < orderOf(rule)))
        return routeOf(rule ?? fallback, shadow);
      return rule === undefined ? none : (routes.get(rule) ?? none);
    },
  };
}

/** No file: everything that reaches this service needs a session. */
export function sessionPolicy(origins: Origins): Policy {
  return compilePolicy([], sessionRule(origins));
}

function routeOf(rule: Rule | undefined, shadow: Rule | undefined): Route {
  const asks = (one: Rule | undefined): boolean => one !== undefined && one.allow !== 'public';
  return {
    rule,
    shadow,
    needsSession: asks(rule) || asks(shadow),
    refusal: undefined,
    preflight: false,
  };
}

export function refusedRoute(refusal: DenyReason): Route {
  return { rule: undefined, shadow: undefined, needsSession: false, refusal, preflight: false };
}

export function preflightRoute(rule: Rule): Route {
  return { rule, shadow: undefined, needsSession: false, refusal: undefined, preflight: true };
}
