import assert from "node:assert/strict";
import { isTrailerField, withoutFalseLength } from "../../../lib/l7/fields.ts";

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

Deno.test("withoutFalseLength() drops a length from 1xx, 204 and 205, and from nothing else", () => {
  const fields = ["content-length", "4", "x-a", "1"];
  const lengthOf = (status: number) =>
    withoutFalseLength({ status, fields, contentLength: 4 }).fields.includes("content-length");
  for (const status of [100, 103, 199, 204, 205]) {
    assert.equal(lengthOf(status), false, `${status}`);
  }
  for (const status of [200, 203, 206, 304, 404]) assert.equal(lengthOf(status), true, `${status}`);
});
