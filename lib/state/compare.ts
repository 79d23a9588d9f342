import { identityOf, type RecordShape, same } from "../schema/mod.ts";
import { LISTENER, type Listener } from "./listener.ts";
import { POLICY } from "./policy.ts";
import { ROUTE, type RouteSettings } from "./route.ts";
import { isAutomaticBan, isTimedBlock, RULE, type RuleSettings } from "./rule.ts";
import type { State } from "./state.ts";

/**
 * How many differences there are from one state to another, as `apply` counts them: what is added with a
 * listener or a route counts too, what goes with one does not. Parts that the wanted state does not have are as
 * they should be.
 *
 * @param options `isWhole`: the wanted state is the truth, which leaves nothing else but blocks for a time.
 */
export function countDifferences(
  present: State,
  wanted: State,
  { isWhole = false }: { readonly isWhole?: boolean } = {},
): number {
  const { listeners, rules, rateLimit: limit } = wanted;
  const before = present.rateLimit ?? { limit: 0, windowMs: 0 };
  const isLimited = limit !== undefined && (limit.limit !== before.limit ||
    (limit.limit > 0 && limit.windowMs !== before.windowMs));
  return (listeners === undefined ? 0 : countListeners(present.listeners ?? [], listeners)) +
    (rules === undefined ? 0 : countRules(present.rules ?? [], rules, isWhole)) + Number(isLimited);
}

/** Bans that the proxy makes on its own come and go, whatever is wanted. */
function countRules(
  before: readonly RuleSettings[],
  after: readonly RuleSettings[],
  isWhole: boolean,
): number {
  const comesAndGoes = isWhole ? isTimedBlock : isAutomaticBan;
  const key = (rule: RuleSettings) => identityOf(RULE.shape, rule);
  const wantedKeys = new Set(after.map(key));
  const counted = before.filter((rule) => !comesAndGoes(rule) || wantedKeys.has(key(rule)));
  return count(counted, after, { shape: RULE.shape, key });
}

function countListeners(before: readonly Listener[], after: readonly Listener[]): number {
  return count(before, after, {
    shape: LISTENER.shape,
    key: ({ addr }) => addr,
    inside: (left, right) => countRoutes(left?.routes ?? [], right.routes),
  });
}

function countRoutes(before: readonly RouteSettings[], after: readonly RouteSettings[]): number {
  return count(before, after, {
    shape: ROUTE.shape,
    key: ({ hostname }) => hostname,
    // An update that leaves l7 takes the policies along.
    inside: (left, right) =>
      count(right.mode === "l7" ? left?.policies ?? [] : [], right.policies ?? [], {
        shape: POLICY.shape,
        key: (policy) => identityOf(POLICY.shape, policy),
      }),
  });
}

/** Of two lists, whose entries have names. */
function count<T extends object>(
  before: readonly T[],
  after: readonly T[],
  { shape, key, inside = () => 0 }: {
    readonly shape: RecordShape;
    readonly key: (entry: T) => string;
    /** What is kept apart from an entry. */
    readonly inside?: (before: T | undefined, after: T) => number;
  },
): number {
  const left = new Map(before.map((entry) => [key(entry), entry]));
  let found = 0;
  for (const entry of after) {
    const old = left.get(key(entry));
    left.delete(key(entry));
    if (old === undefined || !sameFields(shape, old, entry)) found++;
    found += inside(old, entry);
  }
  return found + left.size;
}

function sameFields({ fields }: RecordShape, a: object, b: object): boolean {
  const [left, right] = [a, b] as readonly Readonly<Record<string, unknown>>[];
  return [...fields].every(([property, { apart }]) =>
    apart === true || same(left?.[property], right?.[property])
  );
}
