/**
 * The commands.
 *
 * @module
 */
export { runMcProxy } from "./mc_proxy.ts";
