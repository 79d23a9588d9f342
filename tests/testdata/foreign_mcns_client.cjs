// deno-lint-ignore-file camelcase no-console -- not a program of ours: fields are named as in the proto
// A client of MCNS as somebody else would write it: Node, grpc-js over TLS, the proto file.
const { readFileSync } = require("node:fs");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [, , port, protoFolder, caPath, token, zoneFile] = process.argv;
const load = (file) =>
  grpc.loadPackageDefinition(loader.loadSync(file, {
    includeDirs: [protoFolder],
    keepCase: true,
    longs: String,
    defaults: true,
  }));
const ssl = grpc.credentials.createSsl(readFileSync(caPath));
const make = (Service) => new Service(`localhost:${port}`, ssl);
const zones = make(load("mcns/v1/zones.proto").mcns.v1.ZoneService);
const health = make(load("grpc/health/v1/health.proto").grpc.health.v1.Health);

function call(client, method, request, bearer = token) {
  const metadata = new grpc.Metadata();
  if (bearer !== "") metadata.set("authorization", `Bearer ${bearer}`);
  return new Promise((resolve, reject) => {
    client[method](request, metadata, (error, answer) => error ? reject(error) : resolve(answer));
  });
}

const codeOf = (promise) => promise.then(() => 0, ({ code }) => code);

async function main() {
  const out = {};
  const zone = "example.net";
  out.health = (await call(health, "Check", {}, "")).status;
  out.none = await codeOf(call(zones, "ListZones", {}, ""));
  out.wrong = await codeOf(call(zones, "ListZones", {}, "wrong"));
  await call(zones, "CreateZone", { zone, name_servers: ["ns"], ttl: 300 });
  const record = { name: "ns", type: "A", value: "203.0.113.7", ttl: 300 };
  out.added = (await call(zones, "AddRecord", { zone, record })).record;
  out.duplicate = await codeOf(call(zones, "AddRecord", { zone, record }));
  const bad = { ...record, value: "x" };
  out.invalid = await call(zones, "AddRecord", { zone, record: bad })
    .catch(({ code, details }) => [code, details.split(":")[0]]);
  const late = { zone, record: { ...record, name: "b" }, if_version: ["1.1"] };
  out.aborted = await codeOf(call(zones, "AddRecord", late));
  const { secret } = await call(zones, "CreateToken", { name: "a", scopes: [`read:${zone}`] });
  out.read = (await call(zones, "GetZone", { zone }, secret)).zone.serial;
  out.denied = await codeOf(call(zones, "AddRecord", { zone, record: late.record }, secret));
  const imported = await call(zones, "ImportZone", { zone, file: readFileSync(zoneFile) });
  out.imported = [imported.added, imported.removed, imported.created];
  out.exported = await new Promise((resolve, reject) => {
    const metadata = new grpc.Metadata();
    metadata.set("authorization", `Bearer ${token}`);
    let text = "";
    const stream = zones.ExportZone({ zone }, metadata);
    stream.on("data", ({ lines }) => text += lines);
    stream.on("end", () => resolve(text.split("\n").length - 1));
    stream.on("error", reject);
  });
  const set = { zone, name: "@", type: "MX", values: ["10 a"], ttl: 60 };
  out.set = (await call(zones, "ReplaceSet", set)).records[0].value;
  const [only] = (await call(zones, "ListRecords", { zone, type: "MX" })).records;
  out.got = (await call(zones, "GetRecord", { zone, id: only.id })).record.ttl;
  const other = { ...record, type: "MX", name: "m", value: "5 b" };
  out.replaced = (await call(zones, "ReplaceRecord", { zone, id: only.id, record: other })).record
    .name;
  await call(zones, "RemoveRecord", { zone, id: only.id });
  out.gone = await codeOf(call(zones, "RemoveSet", { zone, name: "m", type: "MX" }));
  out.explained = (await call(zones, "Explain", { name: "ns.example.net", type: "A" })).verdict;
  out.audit = (await call(zones, "ListAudit", { limit: 1 })).entries[0].action;
  out.status = (await call(zones, "GetStatus", {})).zones;
  out.tokens = (await call(zones, "ListTokens", {})).tokens[0].name;
  await call(zones, "RemoveToken", { name: "a" });
  out.removed = await codeOf(call(zones, "GetZone", { zone }, secret));
  out.kept = (await call(zones, "WriteBack", {})).aside !== undefined;
  await call(zones, "RemoveZone", { zone });
  out.zones = (await call(zones, "ListZones", {})).zones.length;
  zones.close();
  health.close();
  console.log(JSON.stringify(out));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
