/**
 * The configuration file of MCNS: TOML in, a checked {@link McnsConfig} or every problem at once out,
 * each with its line, column and a hint. `docs/mcns.md` is written from the table of settings.
 *
 * @module
 */
export { parseCookieSecret } from "./cookie_secret.ts";
export { loadMcnsConfig, type LoadResult } from "./load.ts";
export { renderMcnsReference } from "./reference.ts";
export { formatProblem, type Problem } from "../schema/mod.ts";
export { type LogConfig, type MetricsConfig } from "../settings/mod.ts";
export {
  type AuthConfig,
  type CacheConfig,
  type CookieConfig,
  type DnsConfig,
  type DnsLimits,
  type DotConfig,
  type ForwardConfig,
  type KeyConfig,
  type ManagementConfig,
  type McIasConfig,
  type McnsConfig,
  type RrlConfig,
  type SecondaryConfig,
  type UpdateConfig,
  type ZoneConfig,
} from "./types.ts";
