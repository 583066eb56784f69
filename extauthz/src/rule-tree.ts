import type { Rule } from './rule.js';

/**
 * The rules as a tree of path segments, built once: a look-up walks the path's characters, compares
 * in place and allocates nothing.
 */
export interface RuleTree {
  /** The first rule in file order that covers the path (decoded, unambiguous) and the method. */
  find(path: string, method: string): Rule | undefined;
}

interface Placed {
  readonly rule: Rule;
  /** Its place in the file: the lower one wins. */
  readonly order: number;
}

interface Node {
  /** Children by the hash of their segment, so that no segment is cut out of the path. */
  readonly literals: Map<number, { readonly segment: string; readonly node: Node }[]>;
  star: Node | undefined;
  /** Rules for a path that ends here, one that ends here with a slash, and all below and here. */
  readonly end: Placed[];
  readonly slash: Placed[];
  readonly below: Placed[];
  /** The lowest order in this subtree: a walk that cannot win any more is not walked. */
  best: number;
}

export function ruleTree(rules: readonly Rule[], orderOf: (rule: Rule) => number): RuleTree {
  const root = newNode();
  for (const rule of rules) {
    for (const pattern of rule.paths) place(root, pattern, { rule, order: orderOf(rule) });
  }
  // The walk's state, kept outside the recursion: find never yields, so it is never shared.
  const state: { found: Placed | undefined } = { found: undefined };
  const winner = (): Rule | undefined => state.found?.rule;
  let path = '';
  let method = '';

  const consider = (candidates: readonly Placed[]): void => {
    for (const candidate of candidates) {
      if (state.found !== undefined && candidate.order >= state.found.order) return;
      const { methods } = candidate.rule;
      if (methods === undefined || methods.has(method)) {
        state.found = candidate;
        return;
      }
    }
  };

  /** @param from where the next segment begins; past the end if the path ended without a slash */
  const walk = (node: Node, from: number): void => {
    if (state.found !== undefined && node.best >= state.found.order) return;
    consider(node.below);
    if (from > path.length) {
      consider(node.end);
      return;
    }
    if (from === path.length) {
      consider(node.slash);
      return;
    }
    let to = from;
    let hash = hashSeed;
    for (; to < path.length; to += 1) {
      const code = path.charCodeAt(to);
      if (code === 0x2f) break;
      hash = hashStep(hash, code);
    }
    const children = node.literals.get(hash);
    if (children !== undefined) {
      for (const child of children) {
        if (child.segment.length === to - from && path.startsWith(child.segment, from)) {
          walk(child.node, to + 1);
        }
      }
    }
    if (node.star !== undefined) walk(node.star, to + 1);
  };

  return {
    find: (wantedPath, wantedMethod) => {
      state.found = undefined;
      path = wantedPath;
      method = wantedMethod;
      walk(root, 1);
      return winner();
    },
  };
}

function place(root: Node, pattern: string, placed: Placed): void {
  const segments = pattern.slice(1).split('/');
  const last = segments.at(-1);
  const ending = last === '**' ? 'below' : last === '' ? 'slash' : 'end';
  if (ending !== 'end') segments.pop();
  let node = root;
  node.best = Math.min(node.best, placed.order);
  for (const segment of segments) {
    node = child(node, segment);
    node.best = Math.min(node.best, placed.order);
  }
  if (ending === 'below') insert(node.below, placed);
  // Many servers take /x/ for /x: a rule that demands something must hold for both, while one that
  // opens a path opens it only as it is written.
  else if (placed.rule.allow === 'public') insert(node[ending], placed);
  else {
    insert(node.end, placed);
    insert(node.slash, placed);
  }
}

function child(node: Node, segment: string): Node {
  if (segment === '*') return (node.star ??= newNode());
  let hash = hashSeed;
  for (let at = 0; at < segment.length; at += 1) hash = hashStep(hash, segment.charCodeAt(at));
  const siblings = node.literals.get(hash) ?? [];
  node.literals.set(hash, siblings);
  const known = siblings.find((sibling) => sibling.segment === segment);
  if (known !== undefined) return known.node;
  const made = newNode();
  siblings.push({ segment, node: made });
  return made;
}

function insert(list: Placed[], placed: Placed): void {
  list.push(placed);
  list.sort((a, b) => a.order - b.order);
}

function newNode(): Node {
  return {
    literals: new Map(),
    star: undefined,
    end: [],
    slash: [],
    below: [],
    best: Number.POSITIVE_INFINITY,
  };
}

/** FNV-1a over UTF-16 units. Collisions cost a comparison, never a wrong match. */
const hashSeed = 0x811c9dc5 | 0;
function hashStep(hash: number, code: number): number {
  return Math.imul(hash ^ code, 0x01000193);
}
