import type { ConfigFiles } from "./files.ts";
import type { Report } from "./problem.ts";

/** What the checks need beside the configuration. */
export interface CheckContext {
  readonly report: Report;
  readonly files: ConfigFiles;
  readonly now: Date;
  /** Whether there must be a database: the command `mc-proxy connector` needs none. */
  readonly needsDatabase: boolean;
}
