/**
 * The `mc-proxy` command.
 *
 * @module
 */
import { runMcProxy } from "./lib/cli/mod.ts";

if (import.meta.main) {
  Deno.exit(await runMcProxy(Deno.args));
}
