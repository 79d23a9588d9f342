/**
 * mcnsctl: commands and their flags, what they ask of a running name server, and how they show the
 * answer. What a command does is loaded when it runs.
 *
 * @module
 */
export { renderMcnsctlReference } from "./reference.ts";
export { runMcnsctl } from "./run.ts";
