/**
 * The `mcns` command.
 *
 * @module
 */
import { runMcns } from "./mcns_command.ts";

if (import.meta.main) {
  Deno.exit(await runMcns(Deno.args));
}
