/**
 * The mcnsctl command: administers a running name server.
 *
 * @module
 */
import { runMcnsctl } from "../dns_ctl/mod.ts";
import { VERSION } from "./version.ts";

if (import.meta.main) {
  Deno.exit(await runMcnsctl(Deno.args, { version: VERSION }));
}
