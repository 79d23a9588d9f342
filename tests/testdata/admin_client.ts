/**
 * An admin client that stays connected until its server is gone, and then ends by itself.
 *
 * @module
 */
import { createClient } from "../../lib/client/mod.ts";

/** Attempts afterwards: a corrupted heap shows when memory is taken and given back. */
const ATTEMPTS = 20;

const [socketPath = ""] = Deno.args;
using admin = createClient({ socketPath });
await admin.getStatus({});
await Deno.stdout.write(new TextEncoder().encode("connected\n"));
await Deno.stdin.read(new Uint8Array(1));
for (let i = 0; i < ATTEMPTS; i++) {
  await admin.getStatus({}, { timeoutMs: 100 }).catch(() => {});
  await Deno.readTextFile(new URL(import.meta.url));
}
Deno.exit(0);
