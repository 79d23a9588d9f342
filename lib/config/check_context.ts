import type { Report } from "../schema/mod.ts";
import type { ConfigFiles } from "../settings/mod.ts";

/** What the checks need beside the configuration. */
export interface CheckContext {
  readonly report: Report;
  readonly files: ConfigFiles;
  readonly now: Date;
  /** Whether there must be a database: the command `mc-proxy connector` needs none. */
  readonly needsDatabase: boolean;
}
