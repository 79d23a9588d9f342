import { join } from "node:path";
import { clientFlags } from "../../deploy/runtime.ts";
import { ROOT } from "./module_graph.ts";

/** How a run of mcproxyctl ended. */
export interface CtlResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line of mcproxyctl, which may open the socket and nothing else. */
export function ctlCommandLine(socket: string, args: readonly string[]): string[] {
  const config = ["--config", join(ROOT, "deno.json")];
  const program = join(ROOT, "lib/cli/mcproxyctl.ts");
  return ["run", ...clientFlags(socket), ...config, program, "--socket", socket, ...args];
}

/** Runs mcproxyctl to its end, with a text as its standard input. */
export async function runCtl(
  { socketPath }: { readonly socketPath: string },
  args: readonly string[],
  input = "",
): Promise<CtlResult> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ctlCommandLine(socketPath, args),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await process.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
