/**
 * HTTP backends that are killed, hang and flap under load: how many requests fail, counted
 * beside HAProxy in front of the same backends with the same settings at the same time; and how one
 * that is back is let in. `BACKENDS_UNDER_LOAD_SECONDS=60` goes on for as long.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import type { Socket } from "node:net";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { startAdmin } from "../support/admin.ts";
import { testWithCommands } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { type Count, Flapping, inWords, type Killable } from "../support/failing_backends.ts";
import { startHaproxy } from "../support/foreign_servers.ts";
import {
  CLIENTS,
  HOST,
  type HttpBackend,
  type HttpClient,
  identity,
  startHttpBackend,
} from "../support/l7.ts";
import { unusedPorts } from "../support/ports.ts";

const SECONDS = Number(Deno.env.get("BACKENDS_UNDER_LOAD_SECONDS") ?? 2);
/** Of each proxy and each rule at one time: connections that are kept, and streams of one. */
const KEPT = 2;
const STREAMS = 2;
const AT_ONCE = KEPT + STREAMS;
/**
 * For a connection, which is taken or refused at once by all of these backends: however busy the
 * machine, no other one is late.
 */
const CONNECT_MS = 5000;
/**
 * For an answer, and for a check: short where that is how one that hangs is seen, and longer than the
 * load goes on, so that nobody asks one that hangs twice.
 */
const ANSWER_MS = { killed: 20_000, hanging: 2000, flapping: 20_000 } as const;
const CHECK_TIMEOUT_MS = { killed: 5000, hanging: 1000, flapping: 5000 } as const;
const CHECK_MS = 200;

/** Who asks: a path of each, so that backends can tell them apart. */
type Asker = "ours" | "theirs";

/** A server that says who asked it, and over how many connections. */
interface Server extends HttpBackend, Killable {
  /** From now on nobody is answered, checks neither. */
  hang(): void;
  readonly asked: Record<Asker, number>;
  readonly dialled: Readonly<Record<Asker, ReadonlySet<Socket>>>;
}

async function startServer(port?: number): Promise<Server> {
  let answers = true;
  const asked = { ours: 0, theirs: 0 };
  const dialled = { ours: new Set<Socket>(), theirs: new Set<Socket>() };
  const backend = await startHttpBackend("http1", (request: IncomingMessage, response) => {
    const asker = /^\/(ours|theirs)/.exec(request.url ?? "")?.[1] as Asker | undefined;
    if (asker !== undefined) {
      asked[asker]++;
      dialled[asker].add(request.socket);
    }
    request.resume();
    request.on("end", () => {
      if (answers) (response as ServerResponse).end("ok");
    });
  }, port === undefined ? {} : { port });
  return Object.assign(backend, {
    asked,
    dialled,
    kill: () => backend[Symbol.asyncDispose](),
    hang() {
      answers = false;
    },
  });
}

/** What became of requests; of those that failed, how many may be sent twice. */
interface RequestCount extends Count {
  safe: number;
}

/** Clients that ask one thing after the other; every fourth request may not be sent twice. */
async function load(
  { port, serverName, path }: {
    readonly port: number;
    readonly serverName: string;
    readonly path: Asker;
  },
  isOver: () => boolean,
): Promise<RequestCount> {
  const count = { ok: 0, failed: 0, safe: 0 };
  const ask = async (client: HttpClient, i: number) => {
    const question = { path: `/${path}`, authority: serverName };
    const isSafe = i % 4 !== 3;
    const asked = !isSafe
      ? client.ask({ ...question, method: "POST", body: "content" })
      : client.ask(question);
    const isServed = await asked.then(({ status }) => status === 200, () => false);
    count[isServed ? "ok" : "failed"]++;
    if (!isServed && isSafe) count.safe++;
    return isServed;
  };
  const lanes = (version: keyof typeof CLIENTS, streams: number) =>
    (async () => {
      while (!isOver()) {
        await using client = await CLIENTS[version]({ port, serverName });
        await Promise.all(Array.from({ length: streams }, async () => {
          // Another connection after a failure: it may be what has failed.
          for (let i = 0; i < 20 && !isOver(); i++) if (!await ask(client, i)) break;
        }));
      }
    })();
  const kept = Array.from({ length: KEPT }, () => lanes("http/1.1", 1));
  await Promise.all([...kept, lanes("h2", STREAMS)]);
  return count;
}

/** The figures are for people, and for long runs. */
function tell(line: string): void {
  if (SECONDS > 2) Deno.stderr.writeSync(new TextEncoder().encode(`\n${line}\n`));
}

/** The name that each rule's route has; all of the one certificate. */
const NAMES = { killed: HOST, hanging: "b.test", flapping: "x.wild.test" } as const;
type Rule = keyof typeof NAMES;
const RULES = Object.keys(NAMES) as Rule[];

testWithCommands(
  ["haproxy"],
  "HTTP backends that are killed, hang and flap cost no more requests than at HAProxy",
  async () => {
    await using one = await startServer();
    await using other = await startServer();
    const killed = await startServer();
    const killedPort = killed.port;
    await using hanging = await startServer();
    await using flapping = await Flapping.start(startServer);
    const third = { killed: killedPort, hanging: hanging.port, flapping: flapping.port };
    const ports = await unusedPorts(RULES.length);
    const portOf = (rule: Rule) => ports[RULES.indexOf(rule)] as number;
    const { certPem, keyPem } = await identity();
    await using admin = await startAdmin({
      config: `proxy.connect_timeout = "${CONNECT_MS}ms"\n`,
    });
    const [tlsCert, tlsKey] = [join(admin.folder, "a.pem"), join(admin.folder, "a.key")];
    await Deno.writeTextFile(tlsCert, certPem);
    await Deno.writeTextFile(tlsKey, keyPem);
    for (const rule of RULES) {
      await admin.client.addRoute({
        ...{ listenerAddr: admin.addr, hostname: NAMES[rule], mode: "l7", tlsCert, tlsKey },
        backendProtocol: "http1",
        backends: [one.port, other.port, third[rule]].map((port) => ({
          addr: `127.0.0.1:${port}`,
        })),
        idleTimeout: durationFromMs(ANSWER_MS[rule]),
        health: {
          ...{ kind: "http", path: "/check", status: "200" },
          ...{
            interval: durationFromMs(CHECK_MS),
            timeout: durationFromMs(CHECK_TIMEOUT_MS[rule]),
          },
        },
      });
    }
    const section = (rule: Rule) =>
      `listen ${rule}
  mode http
  bind 127.0.0.1:${portOf(rule)} ssl crt %DIR%/pair.pem alpn h2,http/1.1
  balance roundrobin
  retries 2
  option redispatch 1
  retry-on conn-failure empty-response
  http-request disable-l7-retry if METH_POST
  timeout connect ${CONNECT_MS}ms
  timeout server ${ANSWER_MS[rule]}ms
  timeout check ${CHECK_TIMEOUT_MS[rule]}ms
  option httpchk GET /check
  http-check expect status 200
  default-server check inter ${CHECK_MS}ms fall 3 rise 2 observe layer7 error-limit 5 on-error mark-down slowstart 30s
  server one 127.0.0.1:${one.port}
  server other 127.0.0.1:${other.port}
  server third 127.0.0.1:${third[rule]}
`;
    await using _haproxy = await startHaproxy({
      config: RULES.map(section).join(""),
      port: ports,
      files: { "pair.pem": `${certPem}\n${keyPem}` },
    });
    let isOver = false;
    const both = (rule: Rule, isOver: () => boolean) => {
      const serverName = NAMES[rule];
      return Promise.all([
        load({ port: admin.port, serverName, path: "ours" }, isOver),
        load({ port: portOf(rule), serverName, path: "theirs" }, isOver),
      ]);
    };
    const running = RULES.map((rule) => both(rule, () => isOver));
    await new Promise((resolve) => setTimeout(resolve, SECONDS * 500));
    await killed.kill();
    hanging.hang();
    await new Promise((resolve) => setTimeout(resolve, SECONDS * 500));
    isOver = true;
    const counts = await Promise.all(running);
    for (const [i, [ours, theirs]] of counts.entries()) {
      const rule = RULES[i] as Rule;
      tell(`${rule}: ${inWords(ours)} requests failed, at HAProxy ${inWords(theirs)}`);
      assert.ok(ours.ok > 0 && theirs.ok > 0, rule);
      // What was under way and may not be sent twice is lost to everybody; whoever asks one that
      // hangs waits for its answer, until the checks have seen it.
      const breaks = { killed: 1, hanging: 1, flapping: flapping.flaps + 1 }[rule];
      assert.ok(
        ours.failed <= Math.max(theirs.failed, AT_ONCE * breaks),
        `${rule}: ${inWords(ours)}`,
      );
      // Where a connection fails, or breaks off, another backend is asked.
      if (rule !== "hanging") assert.ok(ours.safe <= theirs.safe + 1, `${rule}: ${ours.safe} safe`);
    }
    const conditionOf = async (rule: Rule) => {
      const { backends } = await admin.client.listBackends({ hostname: NAMES[rule] });
      return backends[2]?.condition;
    };
    await eventually(
      async () => /^(failing|out)$/.test(await conditionOf("hanging") ?? ""),
      "seen",
    );

    // One that comes back is not flooded, neither with requests nor with connections: it gets a tenth
    // of its part at first, and all of it after 30 s.
    const backSince = performance.now();
    await using back = await startServer(killedPort);
    await eventually(async () => await conditionOf("killed") === "starting", "it is back");
    let left = 200;
    const [ours, theirs] = await both("killed", () => left-- <= 0);
    const part = (asker: Asker, { ok }: Count) =>
      `${back.asked[asker]} of ${ok} requests over ${back.dialled[asker].size} connections`;
    tell(`back: ${part("ours", ours)}, from HAProxy ${part("theirs", theirs)}`);
    assert.equal(ours.failed, 0);
    const weight = (performance.now() - backSince) / 30_000;
    assert.ok(back.asked.ours <= ours.ok * Math.max(1 / 6, weight), part("ours", ours));
    assert.ok(back.dialled.ours.size <= AT_ONCE, part("ours", ours));
  },
);
