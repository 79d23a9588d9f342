/**
 * The configuration file: TOML in, a checked {@link Config} or every problem at once out, each with
 * its line, column and a hint. `settings.ts` is the table of all settings; `docs/config.md` is
 * written from it.
 *
 * @module
 */
export { loadConfig, type LoadOptions, type LoadResult } from "./load.ts";
export { changedSettings } from "./changed_settings.ts";
export { rulesOf } from "./rules.ts";
export { type FieldProblem, placeProblems } from "./places.ts";
export { wholeStateOf } from "./whole_state.ts";
export { readWantedState, type WantedState } from "./whole_file.ts";
export { formatProblem, type Problem } from "../schema/mod.ts";
export { acmeProblem } from "./acme_checks.ts";
export { namedFilesOf } from "./fleet_checks.ts";
export { parseShareKeys } from "./share_keys.ts";
export { renderConfigReference } from "./reference.ts";
export {
  type AcmeConfig,
  type AcmeDnsConfig,
  type BanConfig,
  type Config,
  type ConnectorConfig,
  type DatabaseConfig,
  type FirewallConfig,
  type GrpcConfig,
  type HistoryConfig,
  type L7Config,
  type McnsConfig,
  type NamedAddress,
  type ProxyConfig,
  type PublishConfig,
  type ServerConfig,
  type StateConfig,
  type StateLocalConfig,
  type StatePostgresConfig,
} from "./types.ts";
export {
  type LogConfig,
  type LogFormat,
  type LogLevel,
  type MetricsConfig,
  type ReadFile,
} from "../settings/mod.ts";
