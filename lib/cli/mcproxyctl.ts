/**
 * The mcproxyctl command: administers a running proxy through its socket.
 *
 * @module
 */
import { runMcproxyctl } from "../ctl/mod.ts";
import { VERSION } from "./version.ts";

if (import.meta.main) {
  Deno.exit(await runMcproxyctl(Deno.args, { version: VERSION }));
}
