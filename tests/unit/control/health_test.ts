import assert from "node:assert/strict";
import { CertificateStore } from "../../../lib/certificates/mod.ts";
import { HealthMonitor, type HealthSource } from "../../../lib/control/mod.ts";
import type { LogRecord } from "../../../lib/observe/mod.ts";
import type { WorkerStatus } from "../../../lib/plane/mod.ts";
import { createServerIdentity, issueCertificate } from "../../support/certificates.ts";
import { eventually } from "../../support/deadline.ts";

const NOW = Date.parse("2026-06-01T00:00:00Z");
const DAY_MS = 24 * 3_600_000;

type State = WorkerStatus["state"];

function workerOf(state: State, index: number, lateMs = 0): WorkerStatus {
  return { index, state, restarts: 0, lateMs, pendingChanges: 0 };
}

/** A monitor over a proxy of which `source` says what is not as it should be. */
function monitor(states: readonly State[], source: Partial<HealthSource> = {}) {
  const logs: LogRecord[] = [];
  const health = new HealthMonitor({
    status: () => ({ workers: states.map((state, i) => workerOf(state, i)) }),
    certificates: () => [],
    geoipBuiltMs: () => undefined,
    refusals: () => [],
    fileWarnings: () => [],
    checkDatabase: () => {},
    log: (record) => logs.push(record),
    now: () => NOW,
    ...source,
  });
  return { health, logs, messages: () => logs.map(({ message }) => message) };
}

/** A store that two routes have asked for the pair of one file. */
async function storeOf(readFile: (path: string) => Promise<Uint8Array>): Promise<CertificateStore> {
  const store = new CertificateStore({ readFile, now: () => NOW });
  for (let i = 0; i < 2; i++) await store.pair({ certificate: "a.pem", key: "a.pem" });
  return store;
}

async function certificateUntil(notAfter: Date): Promise<Uint8Array> {
  const { authority } = await createServerIdentity("a.test");
  const notBefore = new Date(notAfter.getTime() - 90 * DAY_MS);
  const { certPem, keyPem } = await issueCertificate(authority, {
    dnsNames: ["a.test"],
    usages: ["server"],
    notBefore,
    notAfter,
  });
  return new TextEncoder().encode(certPem + keyPem);
}

for (
  const [states, state, problems] of [
    [["serving", "serving"], "serving", []],
    [["serving", "dead"], "serving", []],
    [["dead", "starting"], "unhealthy", ["no worker serves"]],
    [["draining", "draining"], "draining", ["draining"]],
    [["serving", "draining"], "draining", ["draining"]],
    [[], "unhealthy", ["no worker serves"]],
  ] as [State[], string, string[]][]
) {
  Deno.test(`HealthMonitor is ${state} with workers ${states.join(", ") || "none"}`, () => {
    const found = monitor(states).health.get();
    assert.equal(found.state, state);
    assert.deepEqual(found.problems, problems);
  });
}

for (
  const [late, problems, warnings] of [
    [[9999, 12_000], [], ["worker 1 has not turned for 12 s"]],
    [[10_000, 12_000], ["no worker has turned for 10 s"], [
      "worker 0 has not turned for 10 s",
      "worker 1 has not turned for 12 s",
    ]],
  ] as const
) {
  Deno.test(`HealthMonitor says so when workers are late by ${late.join(" and ")} ms`, () => {
    const workers = late.map((lateMs, i) => workerOf("serving", i, lateMs));
    const found = monitor([], { status: () => ({ workers }) }).health.get();
    assert.deepEqual(found.problems, problems);
    assert.deepEqual(found.warnings, warnings);
  });
}

Deno.test("HealthMonitor is unhealthy while the database cannot be written, and logs both turns", async () => {
  let full = false;
  const { health, messages } = monitor(["serving"], {
    checkDatabase() {
      if (full) throw new Error("the disk is full");
    },
  });
  await health.checkDatabase();
  assert.equal(health.get().state, "serving");
  full = true;
  await health.checkDatabase();
  await health.checkDatabase();
  assert.deepEqual(health.get().problems, ["the database cannot be written: the disk is full"]);
  assert.equal(health.get().state, "unhealthy");
  full = false;
  await health.checkDatabase();
  assert.equal(health.get().state, "serving");
  assert.deepEqual(messages(), [
    "the database cannot be written",
    "the database can be written again",
  ]);
});

Deno.test("HealthMonitor says that a disk hangs while it does, asks it once, and when it answers", async () => {
  let answer = Promise.withResolvers<void>();
  let asked = 0;
  const { health, messages } = monitor(["serving"], {
    slowDiskMs: 20,
    checkDatabase() {
      asked++;
      return answer.promise;
    },
  });
  const look = health.checkDatabase();
  await health.checkDatabase();
  assert.equal(asked, 1, "those who ask meanwhile do not wait for a disk that hangs");
  assert.equal(health.get().state, "serving");
  await eventually(() => health.get().state === "unhealthy", "the disk is said to hang");
  assert.deepEqual(health.get().problems, [
    "the database cannot be written: the disk has not answered for 0.02 s",
  ]);
  assert.equal(health.get().databaseWritable, false);
  answer.resolve();
  await look;
  assert.equal(health.get().state, "serving");
  answer = Promise.withResolvers();
  answer.resolve();
  await health.checkDatabase();
  assert.deepEqual([asked, messages()], [2, [
    "the database cannot be written",
    "the database can be written again",
  ]]);
});

for (
  const [days, warning] of [
    [15, undefined],
    [13, /^the certificate "a\.pem" expires at 2026-06-14T/],
    [-1, /^the certificate "a\.pem" expired at 2026-05-31T/],
  ] as const
) {
  Deno.test(`HealthMonitor ${warning ? "warns" : "is silent"} ${days} days before a certificate ends`, async () => {
    const pem = await certificateUntil(new Date(NOW + days * DAY_MS));
    const store = await storeOf(() => Promise.resolve(pem));
    const { health, messages } = monitor(["serving"], { certificates: () => store.expiries() });
    health.checkFiles();
    const { warnings, state, certificates } = health.get();
    assert.equal(state, "serving");
    assert.equal(certificates.length, 1);
    assert.equal(certificates[0]?.expiresAtMs, NOW + days * DAY_MS);
    assert.equal(warnings.length, warning ? 1 : 0);
    if (warning) assert.match(warnings[0] ?? "", warning);
    assert.deepEqual(messages(), warnings);
  });
}

Deno.test("HealthMonitor warns about a certificate that cannot be read", async () => {
  const store = await storeOf(() => Promise.reject(new Deno.errors.NotFound("no such file")));
  const { health } = monitor(["serving"], { certificates: () => store.expiries() });
  health.checkFiles();
  assert.deepEqual(health.get().warnings, [
    'the certificate "a.pem" cannot be read: no such file',
  ]);
});

Deno.test("HealthMonitor warns about a GeoIP database older than 60 days", () => {
  for (
    const [age, warnings] of [[59, []], [61, ["the GeoIP database is of 2026-04-01"]]] as const
  ) {
    const { health, messages } = monitor(["serving"], {
      geoipBuiltMs: () => NOW - age * DAY_MS,
    });
    health.checkFiles();
    assert.deepEqual(health.get().warnings, warnings);
    assert.deepEqual(messages(), warnings);
  }
});

Deno.test("HealthMonitor logs a warning once, and again after a day", () => {
  let now = NOW;
  const built = NOW - 100 * DAY_MS;
  const { health, messages } = monitor(["serving"], {
    geoipBuiltMs: () => built,
    now: () => now,
  });
  health.checkFiles();
  health.checkFiles();
  assert.equal(messages().length, 1);
  now += DAY_MS;
  health.checkFiles();
  assert.equal(messages().length, 2);
});

Deno.test("HealthMonitor tells what could not be reloaded, and serves on", () => {
  const { health } = monitor(["serving"], {
    refusals: () => ["connector: ca.pem: is cut off"],
    fileWarnings: () => ["connector: a.crl: ignored"],
  });
  const { state, problems, refusals, warnings } = health.get();
  assert.deepEqual({ state, problems }, { state: "serving", problems: [] });
  assert.deepEqual(refusals, ["connector: ca.pem: is cut off"]);
  assert.deepEqual(warnings, ["connector: a.crl: ignored"]);
});

Deno.test("HealthMonitor says that a proxy drains because its group wants it, and why", () => {
  const { health } = monitor(["serving"], { groupDrain: () => "drained: alice wants it" });
  assert.equal(health.get().state, "draining");
  assert.deepEqual(health.get().problems, ["drained: alice wants it"]);
  assert.equal(monitor(["serving"], { groupDrain: () => undefined }).health.get().state, "serving");
});
