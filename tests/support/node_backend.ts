/**
 * A backend that Node serves. The runtime's own HTTP/2 server ends the process it is in when peers
 * reset enough streams, so a backend that is to stand an attack is never part of the test.
 *
 * @module
 */
import { join } from "node:path";
import { ROOT } from "./module_graph.ts";

/** Where it is. */
export interface NodeBackend extends AsyncDisposable {
  readonly address: string;
  readonly pid: number;
}

/** Starts `tests/testdata/slow_h2c_backend.mjs`, or the one over HTTP/1.1. */
export async function startSlowBackend(protocol: "h2c" | "http1"): Promise<NodeBackend> {
  const child = new Deno.Command("node", {
    args: [join(ROOT, `tests/testdata/slow_${protocol}_backend.mjs`)],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const port = Number(new TextDecoder().decode(value));
  return {
    address: `127.0.0.1:${port}`,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      await child.stdin.close();
      await reader.cancel();
      await child.status;
    },
  };
}
