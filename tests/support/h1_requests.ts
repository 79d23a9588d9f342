/**
 * Requests as they are on the wire, and servers that answer them.
 *
 * @module
 */
import assert from "node:assert/strict";
import { TestServer } from "./h1_pair.ts";

export const request = (path: string, ...fields: string[]) =>
  [`GET ${path} HTTP/1.1`, "Host: a.test", ...fields, "", ""].join("\r\n");

/** The first request of a fresh server, unanswered. */
export function asked(head: string) {
  const server = new TestServer();
  server.receive(head);
  const [seen] = server.requests;
  assert.ok(seen !== undefined);
  return { server, stream: seen.stream, seen };
}
