import assert from "node:assert/strict";
import { join } from "node:path";
import { createRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { ProxyAdminService, reflection, reflectionAlpha } from "../../lib/admin/gen/mod.ts";
import { reflectionHandlers } from "../../lib/rpc_server/reflection.ts";
import { startAdmin } from "../support/admin.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { ROOT } from "../support/module_graph.ts";
import { linkNodeModules } from "../support/node_modules.ts";

const SERVICES = [
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
  "mc_proxy.v1.ProxyAdminService",
];

testWithCommands(["node"], "Node's own grpc-js with the proto file", async () => {
  await using admin = await startAdmin();
  await linkNodeModules(admin.folder);
  const script = join(admin.folder, "foreign_client.cjs");
  await Deno.copyFile(join(ROOT, "tests/testdata/foreign_client.cjs"), script);
  const { code, stdout, stderr } = await runCommand("node", [
    // Packages find each other beside the links, not beside what they point to.
    "--preserve-symlinks",
    "--preserve-symlinks-main",
    script,
    admin.socketPath,
    join(ROOT, "proto"),
    admin.addr,
  ]);
  assert.equal(code, 0, stderr);
  const found = JSON.parse(stdout);
  assertHas(found.added, {
    hostname: "foreign.example",
    backend: "10.0.0.1:443",
    mode: "l4",
    tls_cert: "",
    tls_key: "",
    backend_tls: false,
    send_proxy_protocol: false,
    backend_protocol: "auto",
    backend_tls_verify: false,
    backend_ca: "",
    backend_server_name: "",
    description: "",
    allowed_ips: [],
    allowed_cidrs: [],
    allowed_countries: [],
    backends: [],
    balance: "round_robin",
    health: null,
    queue_length: 128,
    _queue_length: "queue_length",
    queue_timeout: { seconds: "5", nanos: 0 },
    default: false,
    hsts: "",
    idle_timeout: null,
    maintenance: false,
    max_connections: 0,
    max_request_body: 0,
    rate_limit: null,
    request_headers: null,
    respond: null,
    response_headers: null,
    basic_auth: null,
    forward_auth: null,
    error_pages: [],
    paths: [],
  });
  delete found.added;
  assert.deepEqual(found, {
    health: "SERVING",
    duplicate: [6, `the route ${admin.addr} foreign.example exists already`],
    invalid: [3, "hostname"],
    missing: 5,
    routes: 1,
    rules: [["cidr", "192.0.2.0/24"]],
    status: [1],
    watched: 2,
    services: SERVICES,
  });
});

testWithCommands(["grpcurl"], "grpcurl by reflection, without files", async () => {
  await using admin = await startAdmin();
  const run = (...args: string[]) => {
    return runCommand("grpcurl", ["-unix", "-plaintext", ...args]);
  };
  const listed = await run(admin.socketPath, "list");
  assert.deepEqual(listed.stdout.trim().split("\n"), SERVICES);
  const route = { "listener_addr": admin.addr, hostname: "a.example", backend: "10.0.0.1:443" };
  const method = "mc_proxy.v1.ProxyAdminService/AddRoute";
  const added = await run("-d", JSON.stringify(route), admin.socketPath, method);
  assert.equal(added.code, 0, added.stderr);
  assert.equal(JSON.parse(added.stdout).route.mode, "l4");
});

/** What the reflection service answers to one request. */
async function ask(messageRequest: Parameters<typeof request>[0]) {
  const { v1 } = reflectionHandlers([
    ProxyAdminService,
    reflection.ServerReflection,
    reflectionAlpha.ServerReflection,
  ]);
  const answers = v1.serverReflectionInfo(request(messageRequest), {
    signal: new AbortController().signal,
    metadata: () => undefined,
  });
  for await (const { messageResponse } of answers) return messageResponse;
}

async function* request(
  messageRequest: import("../../lib/admin/gen/mod.ts").reflection.ServerReflectionRequest[
    "messageRequest"
  ],
) {
  yield {
    $typeName: "grpc.reflection.v1.ServerReflectionRequest" as const,
    host: "",
    messageRequest,
  };
}

Deno.test("reflection finds a service, a method, a message and a file, with all imports", async () => {
  for (
    const query of [
      { case: "fileContainingSymbol", value: "mc_proxy.v1.ProxyAdminService" },
      { case: "fileContainingSymbol", value: "mc_proxy.v1.ProxyAdminService.AddRoute" },
      { case: "fileContainingSymbol", value: "mc_proxy.v1.Route" },
      { case: "fileByFilename", value: "mc_proxy/v1/admin.proto" },
    ] as const
  ) {
    const answer = await ask(query);
    assert.equal(answer?.case, "fileDescriptorResponse", query.value);
    const bytes = answer?.case === "fileDescriptorResponse"
      ? answer.value.fileDescriptorProto ?? []
      : [];
    const names = bytes.map((file) => fromBinary(FileDescriptorProtoSchema, file).name);
    assert.deepEqual(names.toSorted(), [
      "google/protobuf/duration.proto",
      "google/protobuf/field_mask.proto",
      "google/protobuf/timestamp.proto",
      "mc_proxy/v1/admin.proto",
    ]);
  }
  assert.ok(createRegistry(ProxyAdminService.file).getMessage("mc_proxy.v1.Route"));
});

Deno.test("reflection says what it does not have", async () => {
  for (const value of ["", "nothing", "mc_proxy.v1.Nothing", "..", "mc_proxy"]) {
    const answer = await ask({ case: "fileContainingSymbol", value });
    assert.equal(answer?.case, "errorResponse", value);
  }
  assert.equal((await ask({ case: undefined }))?.case, "errorResponse");
});

/** A client that was written before a field came reads what it knows. */
function assertHas(found: Record<string, unknown>, wanted: Record<string, unknown>): void {
  for (const [field, value] of Object.entries(wanted)) {
    assert.deepEqual(found[field], value, field);
  }
}
