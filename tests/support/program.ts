/**
 * The programs as tests start them. `deno task test` bundles each into one script first, which starts
 * in two thirds of the processor time that the sources take; without, they run from the sources. Tests
 * of the permissions, the soak, and fixtures with a thread of their own always take the sources.
 *
 * @module
 */
import { join } from "node:path";
import { clientFlags, mcnsFlags, serverFlags } from "../../deploy/runtime.ts";
import { type BundledProgram, makeBundle } from "../../tools/bundle.ts";
import { ROOT } from "./module_graph.ts";

/** The folder of the bundles; set by `tools/test.ts`. */
export const BUNDLES_VARIABLE = "MC_PROXY_TEST_BUNDLES";

const bundles = Deno.env.get(BUNDLES_VARIABLE);

/** What a bundle needs and the sources must not have: nothing is looked up beside it. */
const ALONE = ["--no-config", "--no-npm"];

/** The flags of a program, as `deno run` takes them, and its script behind them. */
export interface Program {
  readonly flags: readonly string[];
  readonly script: string;
}

/** Puts the one-script form of a program there: that of this run of tests, or one made now. */
export async function placeBundle(program: BundledProgram, path: string): Promise<void> {
  if (bundles !== undefined) await Deno.copyFile(join(bundles, `${program}.js`), path);
  else await makeBundle(program, path);
}

/** The proxy under the flags of an installation with this folder of data. */
export function proxyProgram(data: string): Program {
  return bundles === undefined
    ? { flags: serverFlags({ source: ROOT, data }), script: join(ROOT, "main.ts") }
    : {
      flags: [...ALONE, ...serverFlags({ source: bundles, data })],
      script: join(bundles, "mc-proxy.js"),
    };
}

/** What comes behind `deno` to run a command of the proxy. */
export function proxyLine(data: string, ...args: readonly string[]): string[] {
  const { flags, script } = proxyProgram(data);
  return ["run", ...flags, script, ...args];
}

/** The name server under the flags of an installation with this folder of data. */
export function nameServerProgram(data: string): Program {
  return bundles === undefined
    ? { flags: mcnsFlags({ source: ROOT, data }), script: join(ROOT, "lib/cli/mcns.ts") }
    : {
      flags: [...ALONE, ...mcnsFlags({ source: bundles, data })],
      script: join(bundles, "mcns.js"),
    };
}

/** `mcproxyctl`, which may open this socket and nothing else. */
export function clientProgram(socket: string): Program {
  return bundles === undefined
    ? {
      flags: [...clientFlags(socket), "--config", join(ROOT, "deno.json")],
      script: join(ROOT, "lib/cli/mcproxyctl.ts"),
    }
    : { flags: [...ALONE, ...clientFlags(socket)], script: join(bundles, "mcproxyctl.js") };
}
