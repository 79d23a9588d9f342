import { VERSION } from "../../lib/cli/version.ts";
import { runMcproxyctl } from "../../lib/ctl/mod.ts";
import { clientProgram } from "./program.ts";

/** How a run of mcproxyctl ended. */
export interface CtlResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line of mcproxyctl, which may open the socket and nothing else. */
export function ctlCommandLine(socket: string, args: readonly string[]): string[] {
  const { flags, script } = clientProgram(socket);
  return ["run", ...flags, script, "--socket", socket, ...args];
}

/**
 * Runs mcproxyctl to its end, with a text as its standard input: as `lib/cli/mcproxyctl.ts` does, but
 * in this process, which may do more. {@link spawnCtl} is the program as it is installed.
 */
export async function runCtl(
  { socketPath }: { readonly socketPath: string },
  args: readonly string[],
  input = "",
): Promise<CtlResult> {
  const [stdout, stderr] = [new Text(), new Text()];
  const streams = { stdin: { readable: new Blob([input]).stream() }, stdout, stderr };
  const line = ["--socket", socketPath, ...args];
  const code = await runMcproxyctl(line, { version: VERSION, streams });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** Runs mcproxyctl to its end in a process of its own, under the flags of an installation. */
export async function spawnCtl(
  { socketPath }: { readonly socketPath: string },
  args: readonly string[],
  { input = "", env = {} }: { readonly input?: string; readonly env?: Record<string, string> } = {},
): Promise<CtlResult> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ctlCommandLine(socketPath, args),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1", ...env },
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await process.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** What was written. */
class Text {
  readonly #decoder = new TextDecoder();
  text = "";

  writeSync(bytes: Uint8Array): number {
    this.text += this.#decoder.decode(bytes, { stream: true });
    return bytes.length;
  }
}
