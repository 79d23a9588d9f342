/**
 * What whoever carries TCP has to do, on the runtime's handles or on `node:net`.
 *
 * @module
 */
import { createSockets, type SocketsKind } from "../../lib/tcp/mod.ts";
import { testConnecting, testHandOver } from "./sockets/connecting.ts";
import { testEnds } from "./sockets/ends.ts";
import { testInheriting } from "./sockets/inheriting.ts";
import { testNames } from "./sockets/names.ts";
import { testReading, testWriting } from "./sockets/reading_and_writing.ts";

/** Registers the suite for one kind of sockets. */
export function testSockets(kind: SocketsKind): void {
  const sockets = createSockets(kind);
  const test = (name: string, fn: () => Promise<void>) => Deno.test(`${kind}: ${name}`, fn);
  testNames(sockets, test);
  testReading(sockets, test);
  testWriting(sockets, test);
  testEnds(sockets, test);
  testConnecting(sockets, test);
  testHandOver(sockets, test);
  testInheriting(sockets, test);
}
