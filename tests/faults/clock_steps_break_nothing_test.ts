import assert from "node:assert/strict";
import { join } from "node:path";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "../../lib/client/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { commandExists } from "../support/commands.ts";
import { buildClientHello } from "../support/hello.ts";
import type { Peer } from "../support/peer.ts";
import { unusedPort } from "../support/ports.ts";
import { startProxy } from "../support/proxy.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

/** Debian's `faketime`: reads at each look at the clock how far it is to be off. */
const LIBRARY = `/usr/lib/${Deno.build.arch}-linux-gnu/faketime/libfaketimeMT.so.1`;
const CAN_FAKE = commandExists("faketime") && exists(LIBRARY);
const HOUR_MS = 3_600_000;
/** An end is looked for every ten seconds, in case the clock was set forward. */
const PATIENCE_MS = 40_000;

const hello = buildClientHello({ serverName: "a.test" });

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** A proxy whose wall clock is set by `step`, while the monotonic one goes on as ever. */
async function startOnStepped() {
  const stack = new AsyncDisposableStack();
  const clock = stack.use(temporaryFolder());
  const file = join(clock.path, "offset");
  const step = (offset: string) => {
    // Renamed, since half a file is no time.
    Deno.writeTextFileSync(`${file}.new`, `${offset}\n`);
    Deno.renameSync(`${file}.new`, file);
  };
  step("+0");
  const backend = stack.use(await startEchoBackend());
  const port = await unusedPort();
  const proxy = stack.use(
    await startProxy({
      config: (folder) => ({
        grpc: { addr: join(folder, "admin.sock") },
        firewall: { rate_limit: 100, rate_window: "1m" },
        listeners: [{
          addr: `127.0.0.1:${port}`,
          routes: [{ hostname: "a.test", backend: backend.address }],
        }],
      }),
      env: {
        LD_PRELOAD: LIBRARY,
        FAKETIME_TIMESTAMP_FILE: file,
        FAKETIME_NO_CACHE: "1",
        FAKETIME_DONT_FAKE_MONOTONIC: "1",
      },
    }),
  );
  const client = stack.use(createClient({ socketPath: join(proxy.folder, "admin.sock") }));
  return {
    client,
    proxy,
    step,
    backend: backend.address,
    listenerAddr: `127.0.0.1:${port}`,
    connect: (localAddress = "127.0.0.1") => connectRaw({ port, localAddress }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function exchange(stream: Peer): Promise<void> {
  await stream.write("ping");
  assert.equal((await stream.read(4)).length, 4);
}

Deno.test({
  name: `steps of the clock end no stream, lose no change and bury no worker${
    CAN_FAKE ? "" : " (ignored: no faketime here)"
  }`,
  ignore: !CAN_FAKE,
  async fn() {
    await using it = await startOnStepped();
    await using stream = await it.connect();
    await stream.write(hello);
    await stream.read(hello.length);
    const steps = [87_600, -87_600, 1, -1, 0];
    for (const [number, hours] of steps.entries()) {
      const offset = `${hours < 0 ? "" : "+"}${hours}h`;
      it.step(offset);
      const hostname = `r${number}.test`;
      await it.client.addRoute({ ...it, hostname });
      await exchange(stream);
      await using fresh = await it.connect();
      fresh.end(hello);
      assert.equal((await fresh.readToEnd()).bytes.length, hello.length, `served at ${offset}`);
      assert.equal(await it.client.healthy(), true, `healthy at ${offset}`);
      // Its line is written a moment later, and has to be before the next step.
      await eventually(() => it.proxy.events("connection").length > number, "it is in the log");
      const seen = Date.parse(`${it.proxy.events("connection").at(-1)?.["@timestamp"]}`);
      const offMs = seen - Date.now() - hours * HOUR_MS;
      assert(Math.abs(offMs) < HOUR_MS / 2, `the program sees the step: ${offMs} ms beside it`);
    }
    const { routes } = await it.client.listRoutes({ listenerAddr: it.listenerAddr });
    assert.equal(routes.length, steps.length + 1);
    const { status } = await it.client.getStatus({});
    assert.deepEqual(status?.workers.map(({ state, restarts }) => [state, restarts]), [[
      "serving",
      0,
    ]]);
    await exchange(stream);
  },
});

Deno.test({
  name: `a rule ends when the clock is set past its end, and comes back with no step${
    CAN_FAKE ? "" : " (ignored: no faketime here)"
  }`,
  ignore: !CAN_FAKE,
  async fn() {
    await using it = await startOnStepped();
    await it.client.addFirewallRule({
      type: "ip",
      value: "127.0.0.9",
      ttl: durationFromMs(3_600_000),
    });
    const isServed = async () => {
      await using stream = await it.connect("127.0.0.9");
      stream.end(hello);
      return (await stream.readToEnd()).ending === "end";
    };
    assert.equal(await isServed(), false);
    it.step("-2h");
    assert.equal(await isServed(), false, "a step back ends no rule");
    it.step("+2h");
    await eventually(isServed, "the rule has ended", PATIENCE_MS);
    it.step("+0");
    assert.equal(await isServed(), true, "what ended stays ended");
  },
});
