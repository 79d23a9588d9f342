/**
 * Writes the generated documents: `deno task reference`.
 *
 * @module
 */
import { renderConfigReference } from "../lib/config/mod.ts";

await Deno.writeTextFile(new URL("../docs/config.md", import.meta.url), renderConfigReference());
