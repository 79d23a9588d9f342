/**
 * Writes the generated documents: `deno task reference`.
 *
 * @module
 */
import { renderCtlReference } from "../lib/ctl/mod.ts";
import { renderConfigReference } from "../lib/config/mod.ts";
import { renderMcnsctlReference } from "../lib/dns_ctl/mod.ts";
import { renderMcnsReference } from "../lib/dns_config/mod.ts";

await write("config.md", renderConfigReference());
await write("mcns.md", renderMcnsReference());
await write("mcnsctl.md", renderMcnsctlReference());
await write("mcproxyctl.md", renderCtlReference());

async function write(name: string, text: string): Promise<void> {
  await Deno.writeTextFile(new URL(`../docs/${name}`, import.meta.url), text);
}
