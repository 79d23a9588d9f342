// deno-lint-ignore-file camelcase no-console -- not a program of ours: fields are named as in the proto
// A client of the admin API as somebody else would write it: Node, grpc-js, the proto file.
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [, , socket, protoFolder, listenerAddr] = process.argv;
const load = (file) =>
  grpc.loadPackageDefinition(loader.loadSync(file, {
    includeDirs: [protoFolder],
    keepCase: true,
    longs: String,
    defaults: true,
    enums: String,
    oneofs: true,
  }));
const make = (Service) => new Service(`unix:${socket}`, grpc.credentials.createInsecure());
const admin = make(load("mc_proxy/v1/admin.proto").mc_proxy.v1.ProxyAdminService);
const health = make(load("grpc/health/v1/health.proto").grpc.health.v1.Health);
const { ServerReflection } =
  load("grpc/reflection/v1alpha/reflection.proto").grpc.reflection.v1alpha;
const call = (client, method, request) =>
  new Promise((resolve, reject) => {
    client[method](request, (error, answer) => error ? reject(error) : resolve(answer));
  });

async function main() {
  const out = {};
  out.health = (await call(health, "Check", { service: "mc_proxy.v1.ProxyAdminService" })).status;
  // The first protocol: nothing but these three fields.
  const route = {
    listener_addr: listenerAddr,
    hostname: "foreign.example",
    backend: "10.0.0.1:443",
  };
  out.added = (await call(admin, "AddRoute", route)).route;
  out.duplicate = await call(admin, "AddRoute", route).catch((
    { code, details },
  ) => [code, details]);
  out.invalid = await call(admin, "AddRoute", { ...route, hostname: "a b" })
    .catch(({ code, details }) => [code, details.split(":")[0]]);
  out.missing = await call(admin, "ListRoutes", { listener_addr: ":1" }).catch(({ code }) => code);
  out.routes = (await call(admin, "ListRoutes", { listener_addr: listenerAddr })).routes.length;
  await call(admin, "AddFirewallRule", {
    type: "cidr",
    value: "192.0.2.0/24",
    ttl: { seconds: 60 },
  });
  out.rules = (await call(admin, "GetFirewallRules", {})).rules.map((
    { type, value },
  ) => [type, value]);
  out.status = (await call(admin, "GetStatus", {})).status.listeners.map((it) => it.route_count);
  out.watched = await new Promise((resolve, reject) => {
    const stream = admin.WatchStatus({ interval: { nanos: 100_000_000 } });
    let seen = 0;
    stream.on("data", () => {
      if (++seen === 2) {
        stream.cancel();
        resolve(seen);
      }
    });
    stream.on("error", (error) => error.code === grpc.status.CANCELLED || reject(error));
  });
  out.services = await new Promise((resolve, reject) => {
    const stream = make(ServerReflection).ServerReflectionInfo();
    stream.on("data", (answer) => {
      if (answer.list_services_response) {
        resolve(answer.list_services_response.service.map(({ name }) => name));
      }
      stream.end();
    });
    stream.on("error", reject);
    stream.write({ list_services: "" });
  });
  console.log(JSON.stringify(out));
  process.exit();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
