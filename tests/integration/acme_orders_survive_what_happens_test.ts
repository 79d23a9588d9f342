/**
 * Whole programs with a CA that does what Pebble cannot: it hangs, lies and never ends, it waits while
 * the program is killed, and it changes its mind.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  issuedNames,
  L7,
  type ProvedAt,
  readOne,
  startWithCa,
  untilIssued,
  withFolder,
} from "../support/acme_proxy.ts";
import { createServerIdentity } from "../support/certificates.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { type Instead, type IssuingCa, startIssuingCa } from "../support/issuing_ca.ts";
import { runCtl } from "../support/mcproxyctl.ts";
import { unusedPorts } from "../support/ports.ts";
import type { Proxy } from "../support/proxy.ts";
import { certificateOf } from "../support/server_certificate.ts";

async function provedAt(ca: IssuingCa): Promise<ProvedAt> {
  const [port, httpPort] = await unusedPorts(2) as [number, number];
  return { directory: ca.directory, caPem: ca.caPem, port, httpPort };
}

const failures = (proxy: Proxy) => proxy.events("certificate could not be obtained");

/** Nothing before the client gives up. */
const never = () => new Promise<undefined>(() => {});

const endless = () =>
  new Response(
    new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(65_536).fill(0x41)),
    }),
  );

Deno.test("sixteen orders are under way at one time, and one that ends makes room for the next", async () => {
  const asked: string[] = [];
  const fails = Promise.withResolvers<Response>();
  await using ca = await startIssuingCa((step, name) => {
    if (step !== "newOrder") return undefined;
    asked.push(name);
    return asked.length === 1 ? fails.promise : never();
  });
  await withFolder(async (folder) => {
    const names = Array.from({ length: 18 }, (_, i) => `host-${i}.example`);
    const routes = names.map((hostname) => ({ hostname, ...L7 }));
    await using proxy = await startWithCa(await provedAt(ca), { folder, routes });
    await eventually(() => asked.length >= 16, "sixteen are ordered");
    fails.resolve(new Response("x", { status: 503 }));
    await eventually(() => failures(proxy).length === 1, "one has failed");
    await eventually(() => asked.length >= 17, "the next is ordered");
    assert.equal(asked.length, 17);
    assert.equal(new Set(asked).size, 17);
  });
});

Deno.test("a CA that hangs, never ends, lies or is down for some names holds up no other", async () => {
  const { certPem: foreign } = await createServerIdentity("lies.example");
  const instead: Instead = (step, name) => {
    if (name === "slow.example" && step === "newOrder") return never();
    if (name === "endless.example" && step === "cert") return endless();
    if (name === "lies.example" && step === "cert") return new Response(foreign);
    if (name === "down.example" && step === "finalize") return new Response("x", { status: 503 });
    return undefined;
  };
  await using ca = await startIssuingCa(instead);
  await withFolder(async (folder) => {
    const names = ["slow", "endless", "lies", "down", "good"].map((it) => `${it}.example`);
    const at = await provedAt(ca);
    const routes = names.map((hostname) => ({ hostname, ...L7 }));
    await using proxy = await startWithCa(at, { folder, routes });
    await eventually(() => failures(proxy).length === 3, "three have failed", 20_000);
    await untilIssued(proxy, 1, "one is issued");
    assert.deepEqual(issuedNames(proxy), ["good.example"]);
    const why = new Map(failures(proxy).map(({ hostname, error }) => [hostname, String(error)]));
    assert.match(why.get("endless.example") ?? "", /more than|over|larger/);
    assert.match(why.get("lies.example") ?? "", /does not belong|not used/);
    assert.match(why.get("down.example") ?? "", /refuses finalizing the order \(503\)/);
    assert.equal(why.has("slow.example"), false, "it is waited for, within its time");
    assert.equal(await certificateOf(at.port, "good.example", ca.root), "DNS:good.example");
    await assert.rejects(certificateOf(at.port, "lies.example", ca.root));
    // A route that is removed in the middle of its order takes the order along; nobody has failed.
    const socketPath = join(folder, "admin.sock");
    const listener = `127.0.0.1:${at.port}`;
    const removed = await runCtl({ socketPath }, ["routes", "remove", listener, "slow.example"]);
    assert.equal(removed.code, 0, removed.stderr);
    assert.equal(await proxy.stop(), 0);
    assert.equal(failures(proxy).length, 3);
  });
});

Deno.test("a proof is shown again by the next process from its first moment on, and a crash loop orders once", async () => {
  // The authority never comes to an end with it, and is then gone.
  let isDown = false;
  await using ca = await startIssuingCa((step) =>
    isDown ? new Response("", { status: 503 }) : step === "challenge" ? never() : undefined
  );
  {
    await withFolder(async (folder) => {
      const at = await provedAt(ca);
      const options = {
        ...{ folder, routes: [{ hostname: "a.example", ...L7 }], redirects: true },
        acme: { challenge: "http-01" },
      };
      const database = join(folder, "mc-proxy.db");
      const proof = () => readOne(database, "SELECT key_authorization FROM acme_orders");
      const shown = async () => {
        await using client = await connectRaw({ port: at.httpPort });
        const path = `/.well-known/acme-challenge/${ca.token()}`;
        client.socket.write(`GET ${path} HTTP/1.1\r\nHost: a.example\r\n\r\n`);
        return (await client.readToEnd()).text.split("\r\n\r\n")[1];
      };
      const isShown = async () =>
        ca.token() !== "" && (await shown())?.startsWith(ca.token()) === true;
      {
        await using proxy = await startWithCa(at, options);
        await eventually(isShown, "it is shown");
        await proxy.stop("SIGKILL");
      }
      // Kept first, then shown.
      assert.match(String(proof()), new RegExp(`^${ca.token()}\\.`));
      await using old = await startWithCa(at, options);
      assert.equal(await shown(), proof());
      assert.deepEqual(ca.ordered, ["a.example"]);
      isDown = true;
      // Beside the one that has it, without the authority's help.
      await using successor = await startWithCa(at, { ...options, takeOver: true });
      await old.stop("SIGKILL");
      assert.equal(await shown(), proof());
      assert.ok(Number(readOne(database, "SELECT count(*) FROM acme_attempts")) <= 4);
      assert.deepEqual(issuedNames(successor), []);
    });
  }
});

Deno.test("a window of renewal that the authority moves is followed, and one that is over renews at once", async () => {
  await using ca = await startIssuingCa();
  await withFolder(async (folder) => {
    const at = await provedAt(ca);
    const options = { folder, routes: [{ hostname: "a.example", ...L7 }] };
    const database = join(folder, "mc-proxy.db");
    const renewAt = () => Number(readOne(database, "SELECT renew_at FROM acme_certificates"));
    const day = 86_400_000;
    const windowAt = (ms: number) => {
      const [start, end] = [new Date(ms), new Date(ms + day)];
      ca.window = { start: start.toISOString(), end: end.toISOString() };
      return [start.getTime(), end.getTime()] as const;
    };
    const [start, end] = windowAt(Date.now() + 20 * day);
    {
      await using proxy = await startWithCa(at, options);
      await untilIssued(proxy, 1, "it is issued");
      await eventually(() => renewAt() >= start && renewAt() <= end, "it is inside", 20_000);
    }
    windowAt(Date.now() - 10 * day);
    await using proxy = await startWithCa(at, options);
    await untilIssued(proxy, 1, "it is renewed");
    assert.deepEqual(ca.ordered, ["a.example", "a.example"]);
  });
});

Deno.test("another authority is moved to while the old certificate stays, and a database that is restored orders nothing", async () => {
  await using first = await startIssuingCa();
  const gate = Promise.withResolvers<undefined>();
  await using second = await startIssuingCa((step) =>
    step === "newOrder" ? gate.promise : undefined
  );
  await withFolder(async (folder) => {
    const at = await provedAt(first);
    const options = { folder, routes: [{ hostname: "a.example", ...L7 }] };
    const database = join(folder, "mc-proxy.db");
    const copy = join(folder, "copy.db");
    {
      await using proxy = await startWithCa(at, options);
      await untilIssued(proxy, 1, "it is issued");
      const socketPath = join(folder, "admin.sock");
      const written = await runCtl({ socketPath }, ["snapshot", copy]);
      assert.equal(written.code, 0, written.stderr);
    }
    const moved = { ...at, directory: second.directory, caPem: second.caPem };
    {
      await using proxy = await startWithCa(moved, options);
      assert.equal(await certificateOf(at.port, "a.example", first.root), "DNS:a.example");
      gate.resolve(undefined);
      await untilIssued(proxy, 1, "the other one issues");
      assert.equal(await certificateOf(at.port, "a.example", second.root), "DNS:a.example");
    }
    // The snapshot knows the first authority, its account and its certificate.
    for (const each of [database, `${database}-wal`, `${database}-shm`, `${database}.mark`]) {
      await Deno.remove(each).catch(() => {});
    }
    const elsewhere = join(folder, "restored");
    await Deno.mkdir(elsewhere);
    await Deno.copyFile(copy, join(elsewhere, "mc-proxy.db"));
    await using proxy = await startWithCa(at, { ...options, folder: elsewhere });
    assert.equal(await certificateOf(at.port, "a.example", first.root), "DNS:a.example");
    using db = new DatabaseSync(join(elsewhere, "mc-proxy.db"), { readOnly: true });
    assert.equal(db.prepare("SELECT count(*) AS n FROM acme_orders").get()?.n, 0);
    assert.deepEqual(issuedNames(proxy), []);
    assert.deepEqual(first.ordered, ["a.example"]);
  });
});
