import assert from "node:assert/strict";
import { type Edit, FLEET_FORMATS, formatOf, put } from "../../../lib/fleet/mod.ts";
import type { AnyField, RecordShape } from "../../../lib/schema/mod.ts";
import { LISTENER, POLICY, RATE_LIMIT, ROUTE, RULE } from "../../../lib/state/mod.ts";

/** What proxies of the first format know, a line each. */
const FIRST = "tests/testdata/fleet_format_1.txt";

const KINDS = {
  listener: LISTENER.shape,
  route: ROUTE.shape,
  policy: POLICY.shape,
  rule: RULE.shape,
  "rate_limit": RATE_LIMIT.shape,
};

Deno.test("whatever is new in the state says with which format it came", async () => {
  const first = new Set((await Deno.readTextFile(FIRST)).trim().split("\n"));
  const { since, known } = FLEET_FORMATS;
  const all = Object.entries(KINDS).flatMap(([kind, shape]) => [...pathsOf(kind, shape)]);
  for (const { path, isOptional } of all) {
    if (first.has(path)) continue;
    const format = since.get(path) ?? since.get(path.split(".")[0] ?? "");
    assert.ok(
      format !== undefined && format > 1 && format <= known,
      `${path} is new: raise FLEET_FORMATS.known, and say so in FLEET_FORMATS.since`,
    );
    const parent = path.slice(0, path.lastIndexOf("."));
    const isWithinNew = parent.includes(".") && !first.has(parent);
    assert.ok(
      isOptional || isWithinNew,
      `${path} is new, and has to be optional: old proxies do not take it`,
    );
  }
  const there = new Set(all.map(({ path }) => path));
  for (const path of first) assert.ok(there.has(path), `${path} is gone: older proxies write it`);
});

Deno.test("formatOf() is that of the newest thing that edits say", () => {
  const since = new Map([
    ...[["route.description", 2], ["route.mode=l7", 3], ["route.paths.prefix", 4]] as const,
    ...[["policy", 5], ["do=strip", 6]] as const,
  ]);
  const formats: [Edit[], number][] = [
    [[], 1],
    [[route({})], 1],
    [[route({ description: "x" })], 2],
    [[route({ mode: "l7" })], 3],
    [[route({ paths: [{ prefix: "/a" }] })], 4],
    [[{ do: "cut", key: ["listener", ":1", "route", "a.test"] }], 1],
    [[{ do: "strip", key: ["listener", ":1"] }], 6],
    [[route({ description: "x" }), { do: "strip", key: ["listener", ":1"] }, route({})], 6],
  ];
  for (const [edits, format] of formats) {
    assert.equal(formatOf(edits, { since }), format, JSON.stringify(edits));
    assert.equal(formatOf(edits, { since: new Map() }), 1);
  }
});

/** Fields, at any depth, and the words that they may have. */
function* pathsOf(
  path: string,
  { fields }: RecordShape,
): Generator<{ path: string; isOptional: boolean }> {
  for (const field of fields.values()) {
    if (field.apart) continue;
    const own = `${path}.${field.key}`;
    const isOptional = "optional" in field;
    yield { path: own, isOptional };
    for (const word of wordsOf(field)) yield { path: `${own}=${word}`, isOptional: true };
    const shape = field.kind.shape ?? field.kind.element?.shape;
    if (shape !== undefined) yield* pathsOf(own, shape);
  }
}

function wordsOf({ kind }: AnyField): readonly string[] {
  return kind.words ?? kind.element?.words ?? [];
}

function route(fields: object): Edit {
  const route = {
    ...{ hostname: "a.test", backend: "127.0.0.1:1", mode: "l4", tlsCert: "", tlsKey: "" } as const,
    ...{ backendTls: false, sendProxyProtocol: false },
    ...fields,
  };
  return put({ kind: "route", addr: ":1", route });
}
