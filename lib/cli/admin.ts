import type { AdminServer } from "../admin/mod.ts";
import type { Config } from "../config/mod.ts";
import type { Control, Reload } from "../control/mod.ts";
import type { LogSink } from "../observe/mod.ts";
import type { Monitoring } from "./monitoring.ts";
import { VERSION } from "./version.ts";

/** What {@link startAdmin} is given. */
export interface AdminParts {
  readonly config: Config;
  readonly control: Control;
  readonly monitoring: Monitoring;
  readonly log: LogSink;
  /** Whether the socket may be one on which the process to be replaced still answers. */
  readonly takeOver: boolean;
  /** Reads files again. */
  readonly reload: Reload;
}

/**
 * Opens the admin API if the configuration asks for it.
 *
 * @throws {Error} if its socket cannot be made.
 */
export async function startAdmin(
  { config, control, monitoring, log, takeOver, reload }: AdminParts,
): Promise<AdminServer | undefined> {
  if (config.grpc === undefined) return undefined;
  // gRPC is most of the program, and a proxy without an admin API runs without it.
  const { AdminServer } = await import("../admin/mod.ts");
  const admin = await AdminServer.start({
    control,
    socketPath: config.grpc.addr,
    version: VERSION,
    log,
    takeOver,
    reload,
    warnings: () => monitoring.health().warnings,
    problem: () => {
      const { problems, refusals } = monitoring.health();
      return [...problems, ...refusals].join("; ");
    },
  });
  log({ level: "info", message: "admin API open", fields: { path: admin.path } });
  return admin;
}
