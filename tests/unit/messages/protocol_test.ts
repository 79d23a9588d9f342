import assert from "node:assert/strict";
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import * as pb from "../../../lib/admin/gen/mod.ts";
import type { AnyField, RecordShape } from "../../../lib/schema/mod.ts";
import { DNS_SET, LISTENER, POLICY, RATE_LIMIT, ROUTE, RULE } from "../../../lib/state/mod.ts";

/** Each message that carries a record, with its fields that are something else. */
const MESSAGES: readonly (readonly [DescMessage, RecordShape, {
  readonly others?: readonly string[];
  /** Fields of the record that the message says in another way, or does not need. */
  readonly without?: readonly string[];
}])[] = [
  [pb.ListenerSchema, LISTENER.shape, {}],
  [pb.AddListenerRequestSchema, LISTENER.shape, { others: ["if_revision"] }],
  [pb.RouteSchema, ROUTE.shape, {}],
  [pb.AddRouteRequestSchema, ROUTE.shape, { others: ["listener_addr", "if_revision"] }],
  [pb.L7PolicySchema, POLICY.shape, {}],
  [pb.FirewallRuleSchema, RULE.shape, { others: ["id", "hits", "created_at"] }],
  [pb.AddFirewallRuleRequestSchema, RULE.shape, {
    others: ["ttl", "close_connections", "dry_run", "replay", "if_revision"],
    without: ["expires_at"],
  }],
  [pb.RateLimitSchema, RATE_LIMIT.shape, {}],
  [pb.DnsSetSchema, DNS_SET.shape, {}],
];

for (const [desc, shape, { others = [], without = [] }] of MESSAGES) {
  Deno.test(`the message ${desc.name} carries every field of its record, in its form`, () => {
    assert.deepEqual(protocolProblems(desc, shape, { others, without }), []);
  });
}

Deno.test("protocolProblems() notices what is missing, unknown, and of another form", () => {
  const { shape } = ROUTE;
  const options = { others: [], without: [] };
  const changed = (fields: Iterable<[string, AnyField]>) => ({ ...shape, fields: new Map(fields) });
  const backend = shape.fields.get("backend") as AnyField;
  const problems = protocolProblems(
    pb.RouteSchema,
    changed([
      ...[...shape.fields].filter(([property]) => property !== "hostname"),
      ["backend", { ...backend, kind: { ...backend.kind, form: "integer" } }],
      ["new", { ...backend, key: "new" }],
    ]),
    options,
  );
  assert.deepEqual(problems, [
    "backend is string, not an integer",
    "new is missing",
    "hostname is described nowhere",
  ]);
});

function protocolProblems(
  desc: DescMessage,
  shape: RecordShape,
  { others, without }: { readonly others: readonly string[]; readonly without: readonly string[] },
): string[] {
  const byName = new Map(desc.fields.map((field) => [field.name, field]));
  const known = new Set(others);
  const problems: string[] = [];
  for (const field of shape.fields.values()) {
    if (field.apart || without.includes(field.key)) continue;
    known.add(field.key);
    const found = byName.get(field.key);
    if (found === undefined) problems.push(`${field.key} is missing`);
    else problems.push(...formProblems(field, found));
  }
  const unknown = desc.fields.filter(({ name }) => !known.has(name));
  return [...problems, ...unknown.map(({ name }) => `${name} is described nowhere`)];
}

function formProblems({ key, kind }: AnyField, found: DescField): string[] {
  const type = typeOf(found);
  const wanted = TYPES[kind.form];
  if (!wanted.includes(type)) {
    const article = /^[aeiou]/.test(kind.form) ? "an" : "a";
    return [`${key} is ${type}, not ${article} ${kind.form}`];
  }
  if (kind.shape === undefined || found.message === undefined) return [];
  const inner = protocolProblems(found.message, kind.shape, { others: [], without: [] });
  return inner.map((problem) => `${key}: ${problem}`);
}

/** What a form is in the protocol. */
const TYPES: Readonly<Record<AnyField["kind"]["form"], readonly string[]>> = {
  boolean: ["bool"],
  integer: ["uint32"],
  duration: ["google.protobuf.Duration"],
  size: ["uint32"],
  time: ["google.protobuf.Timestamp"],
  text: ["string"],
  list: ["repeated string"],
  record: ["message"],
  records: ["repeated message"],
};

function typeOf(field: DescField): string {
  const { fieldKind, message } = field;
  if (fieldKind === "list") {
    const { listKind } = field;
    return listKind === "scalar"
      ? `repeated ${ScalarType[field.scalar].toLowerCase()}`
      : `repeated ${listKind}`;
  }
  if (fieldKind === "scalar") return ScalarType[field.scalar].toLowerCase();
  if (message === undefined) return fieldKind;
  return message.typeName.startsWith("google.") ? message.typeName : "message";
}
