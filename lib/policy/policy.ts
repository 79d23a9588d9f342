import { RE2JS } from "re2js";
import type { Result } from "../addr/mod.ts";

/** Header fields as alternating names (lower case) and values. */
export type FieldList = readonly string[];

/** One thing that policies can look at. A new one is an entry of {@link POLICY_KINDS}. */
interface PolicyKind {
  /** For `docs/config.md`; continues "`name` …". */
  readonly doc: string;
  /** Checks what an operator wrote, which is neither empty nor too long. */
  readonly parse: (value: string) => Result<string>;
  /** A test of requests that returns whether one passes. The value is canonical. */
  readonly compile: (value: string) => (fields: FieldList) => boolean;
}

const POLICY_KINDS = {
  block_user_agent: {
    doc: "refuses requests whose `User-Agent` contains the value, in any case.",
    parse: parseUserAgent,
    compile: compileUserAgent,
  },
  require_header: {
    doc: "refuses those without a header field of that name.",
    parse: parseFieldName,
    compile: (name) => (fields) => fieldValues(fields, name).some((found) => found !== ""),
  },
} as const satisfies Readonly<Record<string, PolicyKind>>;

/** One of {@link L7_POLICY_TYPES}. */
export type L7PolicyType = keyof typeof POLICY_KINDS;

/** What a policy may look at. */
export const L7_POLICY_TYPES = Object.keys(POLICY_KINDS) as [L7PolicyType, ...L7PolicyType[]];

/** What the types mean, a sentence each, for the documentation. */
export const L7_POLICY_DOC = L7_POLICY_TYPES.map((it) => `\`${it}\` ${POLICY_KINDS[it].doc}`).join(
  " ",
);

/** A rule that requests of one route have to pass. */
export interface L7Policy {
  readonly id: number;
  readonly type: L7PolicyType;
  /**
   * `block_user_agent`: text that `User-Agent` must not contain, in any case, or `/regex/` in RE2's
   * syntax. `require_header`: name of a field that must be there with a value.
   */
  readonly value: string;
}

/** Longer values are no text of a User-Agent that anybody would write down. */
const MAX_VALUE_CHARACTERS = 1024;
// deno-lint-ignore no-control-regex -- they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
/** RFC 9110 §5.1: a token. */
const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Answers the first policy that a request fails. */
export type PolicySet = (fields: FieldList) => L7Policy | undefined;

/** A policy's value in canonical form, or what is wrong with it. */
export function parseL7Policy(type: string, value: string): Result<string> {
  const kind = kindOf(type);
  if (kind === undefined) {
    return { ok: false, reason: `the type is not one of ${L7_POLICY_TYPES.join(", ")}` };
  }
  if (value.trim() === "") return { ok: false, reason: "the value is empty" };
  if (value.length > MAX_VALUE_CHARACTERS) {
    return { ok: false, reason: `the value is over ${MAX_VALUE_CHARACTERS} characters` };
  }
  if (CONTROL.test(value)) return { ok: false, reason: "the value holds a control character" };
  return kind.parse(value);
}

function kindOf(type: string): PolicyKind | undefined {
  return L7_POLICY_TYPES.some((it) => it === type) ? POLICY_KINDS[type as L7PolicyType] : undefined;
}

/**
 * Compiles policies for the hot path. Patterns run in RE2's automaton, whose time grows with the
 * length of the input and nothing else: a stranger chooses the input.
 *
 * @throws {TypeError} if a policy is invalid; {@link parseL7Policy} says so before it is stored.
 *
 * @example
 * ```ts
 * import { compileL7Policies } from "./policy.ts";
 * import assert from "node:assert/strict";
 *
 * const check = compileL7Policies([
 *   { id: 1, type: "block_user_agent", value: "/(bot|crawler)$/" },
 *   { id: 2, type: "require_header", value: "x-api-key" },
 * ]);
 * assert.equal(check(["user-agent", "EvilBot", "x-api-key", "k"])?.id, 1);
 * assert.equal(check(["user-agent", "curl/8"])?.id, 2);
 * assert.equal(check(["user-agent", "curl/8", "x-api-key", "k"]), undefined);
 * ```
 */
export function compileL7Policies(policies: readonly L7Policy[]): PolicySet {
  if (policies.length === 0) return () => undefined;
  const checks = policies.map((policy) => ({ policy, passes: compileOne(policy) }));
  return (fields) => checks.find(({ passes }) => !passes(fields))?.policy;
}

function compileOne({ type, value }: L7Policy): (fields: FieldList) => boolean {
  const checked = parseL7Policy(type, value);
  if (!checked.ok) {
    throw new TypeError(`policy ${type} ${JSON.stringify(value)}: ${checked.reason}`);
  }
  return POLICY_KINDS[type].compile(checked.value);
}

function parseFieldName(value: string): Result<string> {
  return FIELD_NAME.test(value)
    ? { ok: true, value: value.toLowerCase() }
    : { ok: false, reason: "not the name of a header field" };
}

function parseUserAgent(value: string): Result<string> {
  const pattern = regexOf(value);
  if (pattern === undefined) return { ok: true, value };
  try {
    compilePattern(pattern);
    return { ok: true, value };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

function compileUserAgent(value: string): (fields: FieldList) => boolean {
  const pattern = regexOf(value);
  const matches = pattern === undefined ? substringMatcher(value) : compilePattern(pattern);
  // Each field by itself and all of them joined, as a backend may read repeated fields either way.
  return (fields) => {
    const found = fieldValues(fields, "user-agent");
    if (found.length > 1) found.push(found.join(", "));
    return !found.some(matches);
  };
}

/** The pattern between slashes; `undefined` for plain text. */
function regexOf(value: string): string | undefined {
  return value.length > 2 && value.startsWith("/") && value.endsWith("/")
    ? value.slice(1, -1)
    : undefined;
}

function substringMatcher(text: string): (value: string) => boolean {
  const wanted = text.toLowerCase();
  return (value) => value.toLowerCase().includes(wanted);
}

function compilePattern(pattern: string): (value: string) => boolean {
  const compiled = RE2JS.compile(pattern, RE2JS.CASE_INSENSITIVE);
  return (value) => compiled.matcher(value).find();
}

function fieldValues(fields: FieldList, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === name) values.push(fields[i + 1] ?? "");
  }
  return values;
}
