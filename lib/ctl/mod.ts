/**
 * mcproxyctl: commands and their flags, what they ask of a running proxy, and how they show the
 * answer. What a command does is loaded when it runs.
 *
 * @module
 */
export { renderCtlReference } from "./reference.ts";
export { runMcproxyctl } from "./run.ts";
