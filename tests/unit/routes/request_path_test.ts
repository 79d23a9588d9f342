import assert from "node:assert/strict";
import { compilePaths, readRequestPath } from "../../../lib/routes/mod.ts";

/** Targets, and the path that every backend reads in them; nothing where two read two. */
const TARGETS: readonly (readonly [target: string, path: string | undefined])[] = [
  ["/", "/"],
  ["/a/b", "/a/b"],
  ["/a/", "/a/"],
  ["/a?b=/../c", "/a"],
  ["/a?x=%2f;y", "/a"],
  ["*", "*"],
  ["/%61dmin", "/admin"],
  ["/a%20b", "/a b"],
  ["/a%3Fb", "/a?b"],
  ["/a%23b", "/a#b"],
  ["/%c3%a4", "/ä"],
  ["/A", "/A"],
  ["/...", "/..."],
  ["/.well-known/x", "/.well-known/x"],
  ["/a.b/..c", "/a.b/..c"],
  ["/100%25", "/100%"],
  // A mark of byte order is a part of the path as any other character is.
  ["/%ef%bb%bfa", "/\ufeffa"],
  // Dot segments, however they are written.
  ["/a/../b", undefined],
  ["/a/./b", undefined],
  ["/..", undefined],
  ["/a/..", undefined],
  ["/a/.", undefined],
  ["/%2e%2e/b", undefined],
  ["/.%2E/b", undefined],
  ["/a/%2e", undefined],
  ["/a/..%2fb", undefined],
  ["/a/..;/b", undefined],
  ["/a/..%3b/b", undefined],
  // Slashes that are some's and not others'.
  ["/a%2fb", undefined],
  ["/a%2Fb", undefined],
  ["/a\\b", undefined],
  ["/a%5cb", undefined],
  ["/a%5Cb", undefined],
  ["//a", undefined],
  ["/a//b", undefined],
  ["/a//", undefined],
  // Parameters of segments.
  ["/a;b", undefined],
  ["/a;/b", undefined],
  ["/a%3bb", undefined],
  // Escapes.
  ["/a%", undefined],
  ["/a%2", undefined],
  ["/a%zz", undefined],
  ["/a%u0041", undefined],
  ["/a%00", undefined],
  ["/a%0d%0aX:y", undefined],
  ["/a%7f", undefined],
  ["/%252e%252e/", undefined],
  ["/%2561dmin", undefined],
  ["/%252fa", undefined],
  // No UTF-8: alone, overlong, a surrogate, beyond Unicode.
  ["/%ff", undefined],
  ["/%c3", undefined],
  ["/%c0%af", undefined],
  ["/%c0%ae%c0%ae/", undefined],
  ["/%e0%80%af", undefined],
  ["/%ed%a0%80", undefined],
  ["/%f4%90%80%80", undefined],
  ["/\u00e4", undefined],
  ["a", undefined],
  ["", undefined],
  ["http://a.test/", undefined],
];

for (const [target, path] of TARGETS) {
  Deno.test(`readRequestPath() of ${JSON.stringify(target)} is ${JSON.stringify(path)}`, () => {
    const read = readRequestPath(target);
    assert.deepEqual(read.ok, path !== undefined);
    assert.equal(read.ok ? read.path : undefined, path);
  });
}

for (
  const [target, reason] of [
    ["", "it does not begin with a slash"],
    ["?/a", "it does not begin with a slash"],
    ["/a//b", "a segment is empty"],
    ["/a/..", "a segment is . or .."],
    ["/%2e%2e", "a segment is . or .."],
    ["/a;b", "a slash, a backslash or ; is not a plain one"],
    ["/%", "an escape is none, or not UTF-8"],
    ["/\x80", "an escape is none, or not UTF-8"],
    ["/%2541", "it is escaped twice"],
    ["/\x7f", "it holds a control character"],
    ["/%00", "it holds a control character"],
  ] as const
) {
  Deno.test(`readRequestPath() of ${JSON.stringify(target)} says: ${reason}`, () => {
    assert.deepEqual(readRequestPath(target), { ok: false, reason });
  });
}

Deno.test("compilePaths(): exact before prefix, the longest prefix, and only where a segment ends", () => {
  const table = compilePaths([
    { prefix: "/api" },
    { prefix: "/api/v1" },
    { exact: "/api/v1" },
    { exact: "/only" },
    { prefix: "/ä b" },
  ]);
  // As long as the longest prefix and shorter, with a slash where one was just looked at.
  assert.equal(table.match("/api//b")?.prefix, "/api");
  const taken = (path: string) => {
    const rule = table.match(path);
    return rule && (rule.exact === undefined ? `${rule.prefix}*` : rule.exact);
  };
  for (
    const [path, rule] of [
      ["/api", "/api*"],
      ["/api/", "/api*"],
      ["/api/x", "/api*"],
      ["/apix", undefined],
      ["/ap", undefined],
      ["/API", undefined],
      ["/api/v1", "/api/v1"],
      ["/api/v1/", "/api/v1*"],
      ["/api/v1/x/y", "/api/v1*"],
      ["/api/v10", "/api*"],
      ["/only", "/only"],
      ["/only/", undefined],
      ["/only/x", undefined],
      ["/ä b/c", "/ä b*"],
      ["/", undefined],
      ["*", undefined],
      [`/api/${"x/".repeat(30_000)}`, "/api*"],
      [`/${"x".repeat(60_000)}`, undefined],
    ] as const
  ) {
    assert.equal(taken(path), rule, path.slice(0, 40));
  }
  const all = compilePaths([{ prefix: "/" }, { prefix: "/a" }]);
  assert.deepEqual(["/", "/b", "/a", "/a/b"].map((path) => all.match(path)?.prefix), [
    "/",
    "/",
    "/a",
    "/a",
  ]);
});
