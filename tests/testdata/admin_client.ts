/**
 * An admin client that stays connected until its server is gone, and then ends by itself.
 *
 * @module
 */
import { createClient } from "../../lib/client/mod.ts";

/** Time for what a lost connection sets off: events, a new attempt, freed memory. */
const AFTERMATH_MS = 300;

const [socketPath = ""] = Deno.args;
using admin = createClient({ socketPath });
await admin.getStatus({});
await Deno.stdout.write(new TextEncoder().encode("connected\n"));
await Deno.stdin.read(new Uint8Array(1));
await new Promise((resolve) => setTimeout(resolve, AFTERMATH_MS));
Deno.exit(0);
