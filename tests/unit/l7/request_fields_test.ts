import assert from "node:assert/strict";
import type { RequestHead } from "../../../lib/h2/mod.ts";
import { backendRequest, expectsContinue } from "../../../lib/l7/request_fields.ts";

const STRANGER = { ip: "192.0.2.7", trusted: false };
const HOP = { id: "c-0", version: "2" } as const;

function head(fields: string[], changes: Partial<RequestHead> = {}): RequestHead {
  return {
    method: "GET",
    scheme: "https",
    authority: "a.test",
    path: "/",
    protocol: "",
    fields,
    contentLength: -1,
    ...changes,
  };
}

/** Fields of a flat list as an object; repeated ones joined by a line break. */
function toObject(fields: readonly string[]): Record<string, string> {
  const object: Record<string, string> = Object.create(null);
  for (let i = 0; i < fields.length; i += 2) {
    const [name = "", value = ""] = fields.slice(i, i + 2);
    object[name] = name in object ? `${object[name]}\n${value}` : value;
  }
  return object;
}

Deno.test("backendRequest() tells the backend who asks", () => {
  const { fields } = backendRequest(head(["accept", "*/*"]), STRANGER, HOP);
  assert.deepEqual({ ...toObject(fields) }, {
    "accept": "*/*",
    "x-forwarded-for": "192.0.2.7",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "a.test",
    "x-real-ip": "192.0.2.7",
    "via": "2 mc-proxy",
    "x-request-id": "c-0",
  });
});

Deno.test("backendRequest() replaces what strangers claim about themselves", () => {
  const claims = [
    ["x-forwarded-for", "10.0.0.1"],
    ["x-forwarded-for", "10.0.0.2"],
    ["x-forwarded-proto", "http"],
    ["x-forwarded-host", "evil.test"],
    ["x-real-ip", "10.0.0.3"],
    ["forwarded", "for=10.0.0.4"],
  ].flat();
  const fields = toObject(backendRequest(head(claims), STRANGER, HOP).fields);
  assert.equal(fields["x-forwarded-for"], "192.0.2.7");
  assert.equal(fields["x-forwarded-proto"], "https");
  assert.equal(fields["x-forwarded-host"], "a.test");
  assert.equal(fields["x-real-ip"], "192.0.2.7");
  assert.equal(fields["forwarded"], undefined);
});

Deno.test("backendRequest() keeps what a believed peer says of earlier hops, and adds this one", () => {
  const claims = [
    ["x-forwarded-for", "198.51.100.1"],
    ["x-forwarded-proto", "http"],
    ["x-real-ip", "198.51.100.1"],
    ["via", "1.1 edge"],
  ].flat();
  const trusted = { ...STRANGER, trusted: true };
  const fields = toObject(backendRequest(head(claims), trusted, HOP).fields);
  assert.equal(fields["x-forwarded-for"], "198.51.100.1, 192.0.2.7");
  assert.equal(fields["x-forwarded-proto"], "http");
  assert.equal(fields["x-real-ip"], "198.51.100.1");
  assert.equal(fields["via"], "1.1 edge, 2 mc-proxy");
});

Deno.test("backendRequest() passes on a request id unless it could harm a log", () => {
  const idOf = (id: string) =>
    toObject(backendRequest(head(["x-request-id", id]), STRANGER, HOP).fields)["x-request-id"];
  assert.equal(idOf("7f3c-ABC_9"), "7f3c-ABC_9");
  assert.equal(idOf("a b"), "c-0");
  assert.equal(idOf('x" status=200'), "c-0");
  assert.equal(idOf("x".repeat(129)), "c-0");
});

Deno.test("backendRequest() answers Expect itself and keeps names of an object's prototype", () => {
  const { fields } = backendRequest(
    head(["expect", "100-continue", "__proto__", "x", "toString", "y"]),
    STRANGER,
    HOP,
  );
  assert.deepEqual(fields.slice(0, 4), ["__proto__", "x", "toString", "y"]);
  assert.equal(fields.includes("expect"), false);
});

Deno.test("expectsContinue() knows 100-continue in any case, and nothing else", () => {
  assert.equal(expectsContinue(["expect", "100-Continue"]), true);
  assert.equal(expectsContinue(["expect", "200-ok"]), false);
  assert.equal(expectsContinue([]), false);
});
