/**
 * Backends that are killed, hang and flap under load: how many connections fail, counted beside
 * HAProxy in front of the same backends with the same settings at the same time.
 * `BACKENDS_UNDER_LOAD_SECONDS=60` goes on for as long.
 *
 * @module
 */
import assert from "node:assert/strict";
import { startAdmin } from "../support/admin.ts";
import { type Backend, startBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { testWithCommands } from "../support/commands.ts";
import { DeafBackend } from "../support/deaf_backend.ts";
import { eventually } from "../support/deadline.ts";
import { type Count, Flapping, inWords, type Killable } from "../support/failing_backends.ts";
import { startHaproxy } from "../support/foreign_servers.ts";
import { buildClientHello } from "../support/hello.ts";
import { unusedPort } from "../support/ports.ts";

const SECONDS = Number(Deno.env.get("BACKENDS_UNDER_LOAD_SECONDS") ?? 2);
/** Clients of each proxy and each route at one time. */
const CLIENTS = 4;
const ATTEMPT_MS = 500;
const CHECK_MS = 200;

async function startEcho(port?: number): Promise<Backend & Killable> {
  const backend = await startBackend({
    ...port !== undefined && { port },
    onConnection: ({ socket }) => void socket.pipe(socket),
  });
  return Object.assign(backend, {
    async kill() {
      for (const peer of backend.connections) peer.reset();
      await backend[Symbol.asyncDispose]();
    },
  });
}

/** Clients that connect, say something, hear it back and leave, one after the other. */
async function load(
  port: number,
  serverName: string,
  isOver: () => boolean,
): Promise<Count> {
  const hello = buildClientHello({ serverName });
  const count = { ok: 0, failed: 0 };
  await Promise.all(Array.from({ length: CLIENTS }, async () => {
    while (!isOver()) {
      await using client = await connectRaw({ port });
      const isServed = await client.write(hello).then(() => client.read(hello.length))
        .then(() => true, () => false);
      count[isServed ? "ok" : "failed"]++;
      client.socket.destroy();
    }
  }));
  return count;
}

/** The figures are for people, and for long runs. */
function tell(line: string): void {
  if (SECONDS > 2) Deno.stderr.writeSync(new TextEncoder().encode(`\n${line}\n`));
}

testWithCommands(
  ["haproxy"],
  "a killed, a hanging and a flapping backend cost no more than at HAProxy",
  async () => {
    await using one = await startEcho();
    await using other = await startEcho();
    const killed = await startEcho();
    const killedPort = killed.port;
    using hanging = await DeafBackend.start();
    await using flapping = await Flapping.start(startEcho);
    const third = { killed: killedPort, hanging: hanging.port, flapping: flapping.port };
    const rules = Object.keys(third) as (keyof typeof third)[];
    const ports = {
      killed: await unusedPort(),
      hanging: await unusedPort(),
      flapping: await unusedPort(),
    };
    await using admin = await startAdmin({
      config: `proxy.connect_timeout = "${3 * ATTEMPT_MS}ms"\n`,
    });
    const duration = (ms: number) => ({ seconds: 0n, nanos: ms * 1_000_000 });
    for (const rule of rules) {
      await admin.client.addRoute({
        listenerAddr: admin.addr,
        hostname: `${rule}.test`,
        backends: [one.port, other.port, third[rule]].map((port) => ({
          addr: `127.0.0.1:${port}`,
        })),
        health: { kind: "tcp", interval: duration(CHECK_MS), timeout: duration(CHECK_MS) },
      });
    }
    const section = (rule: keyof typeof third) =>
      `listen ${rule}
  mode tcp
  bind 127.0.0.1:${ports[rule]}
  balance roundrobin
  retries 2
  option redispatch 1
  timeout connect ${ATTEMPT_MS}ms
  default-server check inter ${CHECK_MS}ms fall 3 rise 2 observe layer4 error-limit 5 on-error mark-down slowstart 30s
  server one 127.0.0.1:${one.port}
  server other 127.0.0.1:${other.port}
  server third 127.0.0.1:${third[rule]}
`;
    await using _haproxy = await startHaproxy({
      config: rules.map(section).join(""),
      port: Object.values(ports),
    });
    let isOver = false;
    const running = rules.map((rule) =>
      Promise.all([
        load(admin.port, `${rule}.test`, () => isOver),
        load(ports[rule], `${rule}.test`, () => isOver),
      ])
    );
    await new Promise((resolve) => setTimeout(resolve, SECONDS * 500));
    await killed.kill();
    await new Promise((resolve) => setTimeout(resolve, SECONDS * 500));
    isOver = true;
    const counts = await Promise.all(running);
    for (const [i, [ours, theirs]] of counts.entries()) {
      const rule = rules[i] as keyof typeof third;
      tell(`${rule}: ${inWords(ours)} failed, at HAProxy ${inWords(theirs)}`);
      assert.ok(ours.ok > 0 && theirs.ok > 0, rule);
      // What was under way when a backend broke off is lost to everybody.
      const breaks = { killed: 1, hanging: 0, flapping: flapping.flaps + 1 }[rule];
      assert.ok(
        ours.failed <= Math.max(theirs.failed, CLIENTS * breaks),
        `${rule}: ${inWords(ours)}`,
      );
    }
    await eventually(async () => {
      const { backends } = await admin.client.listBackends({ hostname: "hanging.test" });
      return /^(failing|out)$/.test(backends[2]?.condition ?? "");
    }, "the hanging backend is seen");
    // One that comes back is not flooded: of a third it gets a tenth at first, and all after 30 s.
    const backSince = performance.now();
    await using back = await startEcho(killedPort);
    await eventually(async () => {
      const { backends } = await admin.client.listBackends({ hostname: "killed.test" });
      return backends[2]?.condition === "starting";
    }, "the killed backend is back");
    const asked = () => back.connections.filter(({ received }) => received.length > 0).length;
    const before = asked();
    let left = 60;
    const { ok, failed } = await load(admin.port, "killed.test", () => left-- <= 0);
    assert.equal(failed, 0);
    // HAProxy's checks and ours say nothing.
    const weight = (performance.now() - backSince) / 30_000;
    const most = ok * Math.max(1 / 6, weight);
    assert.ok(asked() - before <= most, `${asked() - before} of ${ok}`);
  },
);
