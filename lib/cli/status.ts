import { loadConfigFile } from "./load.ts";
import { CommandError } from "./command_error.ts";
import { VERSION } from "./version.ts";

/** Longer than a look at every worker takes, shorter than a monitoring system waits. */
const TIMEOUT_MS = 10_000;

/**
 * `mc-proxy status`: asks the instance that runs with a configuration. Resolves with the exit code:
 * 0 healthy, 1 not healthy, 3 not reachable.
 *
 * @throws {CommandError} if the configuration has no admin API.
 */
export async function runStatus(configPath: string, options: { json?: boolean }): Promise<number> {
  const { grpc } = loadConfigFile(configPath).config;
  if (grpc === undefined) {
    throw new CommandError(`${configPath}: without [grpc] there is nobody to ask`);
  }
  // gRPC is most of the program: other commands start without it.
  const { runMcproxyctl } = await import("../ctl/mod.ts");
  const json = options.json ? ["--json"] : [];
  const timeout = ["--timeout", `${TIMEOUT_MS}ms`];
  const args = ["--socket", grpc.addr, ...timeout, ...json, "status"];
  return await runMcproxyctl(args, { version: VERSION });
}
