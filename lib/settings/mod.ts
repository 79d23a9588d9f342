/**
 * What the configuration files of all programs here have in common: tables that mean the same in each,
 * the files that they name, and how their reference is written.
 *
 * @module
 */
export { ConfigFiles, type ReadFile } from "./files.ts";
export { type LoadedSettings, type LoadOptions, loadSettings, type OverrideValue } from "./load.ts";
export { log, type LogConfig, type LogFormat, type LogLevel } from "./log.ts";
export { httpsUrl, listenEndpoint, MAX_SOCKET_PATH, serverEndpoint } from "./endpoints.ts";
export { metrics, type MetricsConfig } from "./metrics.ts";
export { checkPair, type PairPlace } from "./pair.ts";
export { renderReference } from "./reference.ts";
