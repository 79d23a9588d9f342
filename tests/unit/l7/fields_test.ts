import assert from "node:assert/strict";
import { endToEndFields, isTrailerField, listMembers } from "../../../lib/l7/fields.ts";

Deno.test("endToEndFields() lowers names and drops what belongs to one connection", () => {
  const raw = [
    ["Host", "a.test"],
    ["Connection", "keep-alive, X-Private"],
    ["Keep-Alive", "timeout=5"],
    ["X-Private", "1"],
    ["Proxy-Connection", "keep-alive"],
    ["Proxy-Authorization", "Basic x"],
    ["Transfer-Encoding", "chunked"],
    ["Upgrade", "h2c"],
    ["HTTP2-Settings", "AAMAAABk"],
    ["X-Kept", "2"],
  ].flat();
  assert.deepEqual(endToEndFields(raw), ["host", "a.test", "x-kept", "2"]);
});

Deno.test("endToEndFields() keeps what other hops rely on, whatever Connection names", () => {
  const raw = ["Connection", "close, Content-Length, Cookie, Authorization, Host"].concat(
    ["Content-Length", "5", "Cookie", "a=1", "Authorization", "Bearer x", "Host", "a.test"],
  );
  assert.deepEqual(endToEndFields(raw), [
    "content-length",
    "5",
    "cookie",
    "a=1",
    "authorization",
    "Bearer x",
    "host",
    "a.test",
  ]);
});

Deno.test("endToEndFields() keeps order, duplicates and names of an object's prototype", () => {
  const raw = ["__proto__", "a", "X-A", "1", "x-a", "2", "constructor", "b"];
  assert.deepEqual(endToEndFields(raw), raw.map((text) => text.toLowerCase()));
});

Deno.test("endToEndFields() keeps of TE only that trailers are welcome", () => {
  assert.deepEqual(endToEndFields(["TE", "gzip;q=0.5, Trailers"]), ["te", "trailers"]);
  assert.deepEqual(endToEndFields(["TE", "gzip"]), []);
});

Deno.test("listMembers() reads lists over several fields", () => {
  const fields = ["connection", "a, B ,", "x", "y", "connection", "c"];
  assert.deepEqual(listMembers(fields, "connection"), ["a", "b", "c"]);
});

const NOT_TRAILERS = [
  "content-length",
  "transfer-encoding",
  "host",
  "authorization",
  "cookie",
  "set-cookie",
  "content-type",
  "x-forwarded-for",
  "x-real-ip",
  "connection",
  "te",
  ":path",
];
Deno.test("isTrailerField() refuses what decides on framing, routing or identity", () => {
  for (const name of NOT_TRAILERS) assert.equal(isTrailerField(name), false, name);
  for (const name of ["grpc-status", "grpc-message", "digest", "server-timing", "x-checksum"]) {
    assert.equal(isTrailerField(name), true, name);
  }
});
