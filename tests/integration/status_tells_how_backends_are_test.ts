/** Backends in `status`: each with its state, why and since when, for programs and for people. */
import assert from "node:assert/strict";
import { statusLines } from "../../lib/ctl/observe.ts";
import type { Status } from "../../lib/client/mod.ts";
import { startAdmin } from "../support/admin.ts";
import { startEchoBackend } from "../support/backends.ts";
import { eventually } from "../support/deadline.ts";
import { runCtl } from "../support/mcproxyctl.ts";
import { unusedPort } from "../support/ports.ts";
import { timestampMs } from "@bufbuild/protobuf/wkt";

const interval = { seconds: 0n, nanos: 100_000_000 };

Deno.test("status names each backend with its state, reason and since when, the worst first", async () => {
  await using well = await startEchoBackend();
  const dead = `127.0.0.1:${await unusedPort()}`;
  await using admin = await startAdmin();
  const { client, addr: listenerAddr } = admin;
  const { status: before } = await client.getStatus({});
  assert.deepEqual([before?.backends, before?.totalBackends], [[], 0]);
  assert.ok(before !== undefined && !statusLines(before).join().includes("backends"));
  const from = Date.now();
  await client.addRoute({
    ...{ listenerAddr, hostname: "a.test" },
    backends: [{ addr: well.address }, { addr: "127.0.0.1:9", state: "drain" }, { addr: dead }],
    health: { kind: "tcp", interval, fall: 1, rise: 1 },
  });
  const find = async () => (await client.getStatus({})).status;
  await eventually(async () => {
    const conditions = (await find())?.backends.map(({ condition }) => condition).join();
    return conditions === "failing,drain,up";
  }, "the checks have found out");
  const status = await find();
  const [failing, drained, up] = status?.backends ?? [];
  assert.equal(status?.totalBackends, 3);
  assert.deepEqual([failing, drained, up].map((it) => it?.backend?.addr), [
    dead,
    "127.0.0.1:9",
    well.address,
  ]);
  assert.match(failing?.reason ?? "", /refused|unreachable/i);
  assert.equal(drained?.reason, "drained by an operator");
  assert.equal(up?.reason, "");
  for (const it of [failing, drained, up]) {
    assert.equal(it?.listenerAddr, listenerAddr);
    assert.equal(it?.hostname, "a.test");
    const since = it?.since === undefined ? 0 : timestampMs(it.since);
    assert.ok(since >= from - 1000 && since <= Date.now(), `${since}`);
  }
  // It does not move while the state does not.
  const again = (await find())?.backends[0];
  assert.deepEqual(again?.since, failing?.since);
  const { stdout } = await runCtl(admin, ["status", "--json"]);
  const [first] = JSON.parse(stdout).status.backends;
  assert.equal(first.condition, "failing");
  assert.equal(first.backend.addr, dead);
  assert.equal(first.reason, failing?.reason);
  assert.ok(Math.abs(Date.parse(first.since) - timestampMs(failing?.since as never)) < 1);
  const lines = statusLines(status as Status);
  assert.ok(lines.some((line) => /^backends +3: 1 failing, 1 drain, 1 up$/.test(line)));
  const head = lines.findIndex((line) => /BACKEND +STATE +SINCE/.test(line));
  assert.match(lines[head + 1] ?? "", new RegExp(`${dead} +failing +\\d{4}-`));
  assert.match(lines[head + 2] ?? "", /127\.0\.0\.1:9 +drain .*drained by an operator/);
  assert.match(lines[head + 3] ?? "", new RegExp(`${well.address} +up `));
  const warning = admin.control.board.warnings()[0] ?? "";
  assert.ok(warning.includes(dead) && warning.includes("is failing since 2"));
});
