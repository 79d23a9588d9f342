import assert from "node:assert/strict";
import { nameKey } from "../../../lib/dns/mod.ts";
import { nameOf } from "../../support/dns_server.ts";
import { ADMIN, FILE, SEEN, start, ZONE } from "../../support/rest_api.ts";

Deno.test("POST of a record adds it, relative to the zone", async () => {
  await using api = await start();
  const { ask } = api;
  const record = { name: "ns2", type: "A", value: "203.0.113.7", ttl: 300 };
  const reply = await ask("POST", `${ZONE}/records`, { body: record });
  assert.equal(reply.status, 201);
  assert.deepEqual(reply.json, {
    ...{ id: 4, name: "ns2.example.net.", type: "A", value: "203.0.113.7", ttl: 300 },
    ...{ serial: 8, version: "1.8", pending_workers: [] },
  });
  assert.equal(reply.field("location"), "/v1/zones/example.net./records/4");
  assert.equal(reply.field("etag"), '"1.8"');
  assert.equal((await ask("POST", `${ZONE}/records`, { body: record })).status, 409);
  const got = await ask("GET", reply.field("location") ?? "");
  assert.equal(got.json.value, "203.0.113.7");
  const [entry] = (await ask("GET", "/v1/audit?limit=1")).json.entries;
  assert.deepEqual([entry.actor, entry.action, entry.subject], [
    "static token 2",
    "AddRecord",
    "zone example.net.",
  ]);
});

Deno.test("zones are made, listed and removed", async () => {
  await using api = await start("");
  const { ask } = api;
  const zone = { name: "Example.NET", "name_servers": ["ns"], ttl: 60 };
  const made = await ask("POST", "/v1/zones", { body: zone });
  assert.equal(made.status, 201);
  assert.equal((await ask("POST", "/v1/zones", { body: zone })).status, 409);
  const { zones } = (await ask("GET", "/v1/zones")).json;
  assert.deepEqual(zones, [{ name: "Example.NET.", serial: 1, records: 2, version: "1.1" }]);
  assert.equal((await ask("GET", made.field("location") ?? "")).json.records, 2);
  assert.equal((await ask("DELETE", ZONE, { fields: { "if-match": '"1.2"' } })).status, 412);
  assert.equal((await ask("DELETE", ZONE, { fields: { "if-match": '"1.1"' } })).status, 204);
  assert.equal((await ask("GET", ZONE)).status, 404);
  assert.equal((await ask("DELETE", ZONE)).status, 404);
});

Deno.test("a record is replaced and removed, a set is replaced, read and removed", async () => {
  await using api = await start();
  const { ask } = api;
  const body = { name: "x", type: "AAAA", value: "::1" };
  assert.equal((await ask("PUT", `${ZONE}/records/3`, { body })).json.name, "x.example.net.");
  assert.equal((await ask("DELETE", `${ZONE}/records/3`)).json.serial, 9);
  for (const id of ["3", "0", "-1", "1e1", "x", "99999999999999999999"]) {
    assert.equal((await ask("DELETE", `${ZONE}/records/${id}`)).status, 404);
  }
  const set = `${ZONE}/rrsets/@/MX`;
  const values = ["10 a", "20 b"];
  const replaced = await ask("PUT", set, { body: { values, ttl: 5 } });
  assert.equal(replaced.json.records.length, 2);
  assert.deepEqual((await ask("GET", set)).json, {
    ...{ ttl: 5, values: ["10 a.example.net.", "20 b.example.net."] },
  });
  assert.equal((await ask("DELETE", set)).status, 200);
  assert.equal((await ask("GET", set)).status, 404);
});

Deno.test("records are listed page by page, and by name and type", async () => {
  await using api = await start();
  const { ask } = api;
  const first = (await ask("GET", `${ZONE}/records?limit=2`)).json;
  assert.deepEqual([first.records.length, first.next], [2, 2]);
  const second = (await ask("GET", `${ZONE}/records?limit=2&after=2`)).json;
  assert.deepEqual([second.records.length, second.next], [1, undefined]);
  const found = (await ask("GET", `${ZONE}/records?name=NS&type=a`)).json.records;
  assert.deepEqual(found.map(({ value }: { value: string }) => value), ["192.0.2.1"]);
  for (
    const query of ["limit=0", "limit=10001", "limit=x", "after=-1", "nope=1", "limit=1&limit=2"]
  ) {
    assert.equal((await ask("GET", `${ZONE}/records?${query}`)).status, 400, query);
  }
});

Deno.test("a zone file is exported, imported, and made only where it may be", async () => {
  await using api = await start();
  const { ask } = api;
  const exported = await ask("GET", `${ZONE}/file`);
  assert.equal(exported.field("content-type"), "text/dns");
  assert.match(exported.text, /^example\.net\. 300 IN SOA /);
  const again = await ask("PUT", `${ZONE}/file`, { body: exported.text });
  assert.deepEqual([again.status, again.json.added, again.json.serial], [200, 0, 7]);
  const only = { "if-none-match": "*" };
  assert.equal((await ask("PUT", `${ZONE}/file`, { body: FILE, fields: only })).status, 409);
  const other = "/v1/zones/other.example/file";
  const present = { "if-match": "*" };
  assert.equal((await ask("PUT", other, { body: FILE, fields: present })).status, 404);
  const bad = await ask("PUT", `${ZONE}/file`, { body: `${FILE}x A 1.2.3\n` });
  assert.equal(bad.status, 400);
  assert.equal(bad.json.fields[0].field, "line 5, column 5");
});

Deno.test("what is no request is refused with the field", async () => {
  await using api = await start();
  const { ask } = api;
  const post = async (body: unknown) => {
    const { status, json } = await ask("POST", `${ZONE}/records`, { body });
    assert.equal(status, 400, JSON.stringify(json));
    return (json.fields ?? []).map(({ field }: { field: string }) => field);
  };
  assert.deepEqual(await post("{"), ["body"]);
  assert.deepEqual(await post("[]"), ["body"]);
  assert.deepEqual(await post("null"), ["body"]);
  assert.deepEqual(await post({}), ["name", "type", "value"]);
  const record = { name: "x", type: "A", value: "192.0.2.1" };
  assert.deepEqual(await post({ ...record, ttl: "300" }), ["ttl"]);
  assert.deepEqual(await post({ ...record, ttl: -1 }), ["ttl"]);
  assert.deepEqual(await post({ ...record, ttl: 2 ** 31 }), ["ttl"]);
  assert.deepEqual(await post({ ...record, proxied: true }), ["proxied"]);
  assert.deepEqual(await post({ ...record, constructor: 1 }), ["constructor"]);
  assert.deepEqual(await post('{"__proto__":{},"name":"x","type":"A","value":"192.0.2.1"}'), [
    "__proto__",
  ]);
  assert.deepEqual(await post({ ...record, value: 1 }), ["value"]);
  assert.deepEqual(await post({ ...record, name: "x.example.org." }), ["name"]);
});

Deno.test("a version that is another one refuses every change, one that matches none", async () => {
  await using api = await start();
  const { ask } = api;
  const record = { name: "x", type: "A", value: "192.0.2.1" };
  const set = { values: ["192.0.2.7"] };
  const changes: [string, string, unknown][] = [
    ["POST", `${ZONE}/records`, record],
    ["PUT", `${ZONE}/records/3`, record],
    ["DELETE", `${ZONE}/records/3`, undefined],
    ["PUT", `${ZONE}/rrsets/x/A`, set],
    ["DELETE", `${ZONE}/rrsets/ns/A`, undefined],
    ["PUT", `${ZONE}/file`, FILE],
    ["DELETE", ZONE, undefined],
  ];
  for (const [method, target, body] of changes) {
    for (const tag of ['"1.6"', 'W/"1.7"', '"1.6", "2.7"', '""']) {
      const { status } = await ask(method, target, { body, fields: { "if-match": tag } });
      assert.equal(status, 412, `${method} ${target} ${tag}`);
    }
    for (const tag of ["1.7", '"1.7', "", '"1.7";']) {
      const { status } = await ask(method, target, { body, fields: { "if-match": tag } });
      assert.equal(status, 400, `${method} ${target} ${tag}`);
    }
  }
  const fields = { "if-match": '"1.6", "1.7"' };
  assert.equal((await ask("POST", `${ZONE}/records`, { body: record, fields })).status, 201);
  assert.equal((await ask("POST", "/v1/tokens", { body: {}, fields })).status, 400);
});

Deno.test("of two changes for one version one is made", async () => {
  await using api = await start();
  const fields = { "if-match": '"1.7"' };
  const replies = await Promise.all(
    ["a", "b", "c"].map((name) =>
      api.ask("POST", `${ZONE}/records`, {
        body: { name, type: "A", value: "192.0.2.1" },
        fields,
      })
    ),
  );
  assert.deepEqual(replies.map(({ status }) => status).sort(), [201, 412, 412]);
});

Deno.test("what has not changed is not sent again", async () => {
  await using api = await start();
  for (const target of [ZONE, `${ZONE}/records`, `${ZONE}/file`, `${ZONE}/records/1`]) {
    const tag = (await api.ask("GET", target)).field("etag") ?? "";
    const status = async (value: string) =>
      (await api.ask("GET", target, { fields: { "if-none-match": value } })).status;
    assert.equal(await status(tag), 304);
    assert.equal(await status(`W/${tag}`), 304);
    assert.equal(await status('"1.6"'), 200);
    assert.equal(await status("x"), 400);
  }
});

Deno.test("tokens let in to their zones and nowhere else", async () => {
  await using api = await start();
  const { ask } = api;
  const created = async (scopes: string[], ttl?: number) => {
    const body = { name: `t${Math.random()}`, scopes, ...ttl !== undefined && { ttl } };
    const { status, json } = await ask("POST", "/v1/tokens", { body });
    assert.equal(status, 201);
    return json.token as string;
  };
  await ask("POST", "/v1/zones", { body: { name: "sub.example.net", "name_servers": ["ns"] } });
  const reader = await created(["read:example.net"]);
  const writer = await created(["write:EXAMPLE.net."]);
  const record = { name: "x", type: "A", value: "192.0.2.1" };
  const can = async (token: string | null, method: string, target: string, body?: unknown) => {
    const { status, json } = await ask(method, target, { token, body });
    if (status === 403) assert.equal(json.code, "forbidden");
    return status;
  };
  assert.equal(await can(reader, "GET", ZONE), 200);
  assert.equal(await can(reader, "POST", `${ZONE}/records`, record), 403);
  assert.equal(await can(reader, "DELETE", `${ZONE}/records/3`), 403);
  assert.equal(await can(writer, "POST", `${ZONE}/records`, record), 201);
  assert.equal(await can(writer, "DELETE", ZONE), 403);
  assert.equal(await can(writer, "PUT", `${ZONE}/file`, FILE), 200);
  for (const token of [reader, writer]) {
    // One that is there and one that is not look the same.
    for (const zone of ["sub.example.net", "nothing.example", "example.org", "net"]) {
      assert.equal(await can(token, "GET", `/v1/zones/${zone}/records`), 403);
      assert.equal(await can(token, "PUT", `/v1/zones/${zone}/file`, FILE), 403);
    }
    for (const target of ["/v1/audit", "/v1/tokens"]) {
      assert.equal(await can(token, "GET", target), 403);
    }
    const { zones } = (await ask("GET", "/v1/zones", { token })).json;
    assert.deepEqual(zones.map(({ name }: { name: string }) => name), ["example.net."]);
    assert.equal(await can(token, "GET", "/v1/explain?name=a.sub.example.net&type=A"), 403);
    assert.equal(await can(token, "GET", "/v1/explain?name=ns.example.net&type=A"), 200);
    assert.equal(await can(token, "POST", "/v1/tokens", { name: "a", scopes: ["admin"] }), 403);
    assert.equal(await can(token, "POST", "/v1/write-back"), 403);
    assert.equal(await can(token, "POST", "/v1/zones", { name: "z", "name_servers": ["a"] }), 403);
  }
  // A writer of every zone makes none.
  const all = await created(["write:*"]);
  assert.equal(await can(all, "POST", "/v1/zones/sub.example.net/records", record), 201);
  assert.equal(await can(all, "PUT", "/v1/zones/new.example/file", FILE), 404);
});

Deno.test("no other spelling of a zone leads past its scope", async () => {
  await using api = await start();
  const { ask } = api;
  await ask("POST", "/v1/zones", { body: { name: "secret.example", "name_servers": ["ns"] } });
  const { json } = await ask("POST", "/v1/tokens", {
    body: { name: "a", scopes: ["write:example.net"] },
  });
  const token = json.token as string;
  const spellings = [
    "SECRET.example",
    "secret.example.",
    "example.net%2F..%2Fsecret.example",
    "example.net/../secret.example",
    "..%2Fsecret.example",
    "%73ecret.example",
    "%5C115ecret.example",
    "secret.example%00",
    "secret%2Eexample",
    "example.net%20",
    "example.net%3B",
    "*",
    "%2A",
    ".",
    "..",
    "%2E%2E",
    "",
  ];
  for (const zone of spellings) {
    for (const tail of ["", "/records", "/file"]) {
      const { status } = await ask("GET", `/v1/zones/${zone}${tail}`, { token });
      assert([400, 403, 404].includes(status), `${zone}${tail}: ${status}`);
      assert.notEqual(status, 200);
    }
  }
  assert.equal((await ask("GET", "/v1/zones/Example.NET%2E/records", { token })).status, 200);
  assert.equal((await ask("GET", "/v1/zones/%65xample.net", { token })).status, 200);
});

Deno.test("names with a slash have it encoded", async () => {
  await using api = await start("");
  const name = "0/25.2.0.192.in-addr.arpa";
  await api.ask("POST", "/v1/zones", { body: { name, "name_servers": ["ns.example."] } });
  const path = `/v1/zones/${encodeURIComponent(name)}`;
  assert.equal((await api.ask("GET", path)).status, 200);
  const set = { values: ["host.example."] };
  assert.equal((await api.ask("PUT", `${path}/rrsets/1%2F2/PTR`, { body: set })).status, 200);
});

Deno.test("wrong tokens are refused, and guessers not heard for a while", async () => {
  await using api = await start();
  const status = async (token: string | null, address = "192.0.2.7") =>
    (await api.ask("GET", "/v1/zones", { token, address })).status;
  const none = await api.ask("GET", "/v1/zones", { token: null });
  assert.equal(none.status, 401);
  assert.equal(none.field("www-authenticate"), 'Bearer realm="mcns"');
  for (const token of ["", "x", `${ADMIN}x`, ADMIN.slice(1), "x".repeat(9000), "a b", "é"]) {
    assert.equal(await status(token, "192.0.2.1"), 401);
  }
  for (let i = 0; i < 30; i++) assert.equal(await status("wrong"), 401);
  assert.equal(await status("wrong"), 429);
  assert.equal(await status(ADMIN), 429);
  assert.equal(await status(ADMIN, "192.0.2.8"), 200);
  for (let i = 0; i < 40; i++) assert.equal(await status(null, "192.0.2.9"), 401);
});

Deno.test("a token that ended or was removed lets nobody in", async () => {
  await using api = await start();
  const { json } = await api.ask("POST", "/v1/tokens", {
    body: { name: "a", scopes: ["admin"], ttl: 1 },
  });
  assert.equal(json.expires_at, "1970-01-01T00:00:02.000Z");
  assert.equal((await api.ask("GET", "/v1/status", { token: json.token })).status, 200);
  const { tokens } = (await api.ask("GET", "/v1/tokens")).json;
  assert.deepEqual(tokens.map(({ name }: { name: string }) => name), ["a"]);
  assert.equal((await api.ask("DELETE", "/v1/tokens/a")).status, 204);
  assert.equal((await api.ask("DELETE", "/v1/tokens/a")).status, 404);
  assert.equal((await api.ask("GET", "/v1/status", { token: json.token })).status, 401);
  assert.equal(
    (await api.ask("POST", "/v1/tokens", { body: { name: "b", scopes: ["x"] } })).status,
    400,
  );
});

Deno.test("status, health, explain and what there is not", async () => {
  await using api = await start();
  const { ask } = api;
  assert.deepEqual((await ask("GET", "/v1/status")).json, {
    ...{ version: "1.2.3", zones: 1, records: 3, revision: 1, problem: "" },
    addresses: [],
  });
  assert.deepEqual((await ask("GET", "/v1/health", { token: null })).json, { status: "ok" });
  const explained = (await ask("GET", "/v1/explain?name=x.example.org&type=A&from=192.0.2.1")).json;
  assert.equal(explained.verdict, "not_authoritative");
  assert.equal(explained.recursion, "192.0.2.1 would be answered");
  assert.equal((await ask("GET", "/v1/explain?name=x.example.org")).status, 400);
  assert.equal((await ask("GET", "/v1/nothing")).status, 404);
  assert.equal((await ask("GET", "/v1/zones/")).status, 404);
  const wrong = await ask("PATCH", ZONE);
  assert.equal(wrong.status, 405);
  assert.equal(wrong.field("allow"), "GET, DELETE, HEAD");
  assert.equal((await ask("GET", "/v1/zones/%FF")).status, 400);
  assert.equal((await ask("POST", "/v1/write-back")).status, 404);
  assert.deepEqual(api.messages, []);
});

Deno.test("a change in step with another program's is prepared, made and given up, for who may write its zones", async () => {
  await using api = await start();
  const { ask } = api;
  const zone = "example.net";
  const sets = [{ zone, name: "two", type: "A", ttl: 60, values: ["192.0.2.7"] }];
  const change = { id: "a", coordinator: "proxy", sets };
  const post = (body: unknown, token?: string) =>
    ask("POST", "/v1/changes", { body, ...token !== undefined && { token } });
  const prepared = await post(change);
  assert.deepEqual([prepared.status, prepared.json.state], [200, "prepared"]);
  const held = await ask("POST", `${ZONE}/records`, {
    body: { name: "x", type: "A", value: "192.0.2.1" },
  });
  assert.deepEqual([held.status, held.json.code], [503, "busy"]);
  const [waiting] = (await ask("GET", "/v1/changes")).json.changes;
  assert.deepEqual([waiting.id, waiting.zones], ["a", ["example.net."]]);
  const scopes = ["read:example.net", "write:other.example"];
  const { json } = await ask("POST", "/v1/tokens", { body: { name: "reader", scopes } });
  assert.equal((await post(change, json.token)).status, 403);
  for (const [method, target] of [["POST", "/v1/changes/a/commit"], ["DELETE", "/v1/changes/a"]]) {
    assert.equal((await ask(method ?? "", target ?? "", { token: json.token })).status, 403);
  }
  assert.deepEqual((await ask("GET", "/v1/changes", { token: json.token })).json.changes, []);
  const made = await ask("POST", "/v1/changes/a/commit");
  assert.deepEqual([made.status, made.json.state, made.json.sets.length], [200, "committed", 1]);
  assert.equal((await ask("GET", `${ZONE}/rrsets/two/A`)).status, 200);
  assert.equal((await ask("DELETE", "/v1/changes/a")).status, 409);
  assert.equal((await ask("POST", "/v1/changes/b/commit")).status, 404);
  assert.equal((await ask("DELETE", "/v1/changes/b")).status, 204);
  const old = [{ zone, version: "1.7" }];
  assert.equal((await post({ ...change, id: "c", "if_versions": old })).status, 412);
});

Deno.test("what goes wrong inside is logged, and said to nobody", async () => {
  await using api = await start();
  api.control.listZones = () => {
    throw new Error("secret");
  };
  const reply = await api.ask("GET", "/v1/zones");
  assert.equal(reply.status, 500);
  assert.doesNotMatch(reply.text, /secret/);
  assert.deepEqual(api.messages, ["a call of the API failed"]);
});

Deno.test("a secondary zone is shown with its primary, is refreshed, and changed by nobody", async () => {
  await using api = await start();
  const origin = nameOf("example.org");
  const refreshed: boolean[] = [];
  const { secondaries } = api.control;
  await secondaries.declare(new Map([[nameKey(origin), ["192.0.2.53:53"]]]));
  const state = { isExpired: false, refreshedAt: 1000, expiresAt: 61_000, failures: 0 };
  secondaries.follower = {
    state: () => ({ ...state, nextAt: 31_000, lastError: "" }),
    refresh: (_, { isWhole }) => {
      refreshed.push(isWhole);
      return isWhole ? Promise.reject(new Error("nobody answers")) : Promise.resolve();
    },
  };
  const { json } = await api.ask("GET", "/v1/zones/example.org");
  assert.deepEqual(json.secondary, {
    ...{ primaries: ["192.0.2.53:53"], primary: "", expired: false, failures: 0, last_error: "" },
    refreshed_at: "1970-01-01T00:00:01.000Z",
    expires_at: "1970-01-01T00:01:01.000Z",
    next_at: "1970-01-01T00:00:31.000Z",
  });
  const refresh = (zone: string, body: unknown) =>
    api.ask("POST", `/v1/zones/${zone}/refresh`, { body });
  assert.equal((await refresh("example.org", {})).status, 200);
  const failed = await refresh("example.org", { whole: true });
  assert.deepEqual([failed.status, refreshed], [409, [false, true]]);
  assert.match(failed.text, /no primary has it: nobody answers/);
  assert.match((await refresh("example.net", {})).text, /has no primary/);
  const record = { name: "www", type: "A", value: "192.0.2.1" };
  const added = await api.ask("POST", "/v1/zones/example.org/records", { body: record });
  assert.equal(added.status, 409);
  assert.match(added.text, /is changed at its primary \(192\.0\.2\.53:53\)/);
  assert.equal((await api.ask("GET", ZONE)).json.secondary, undefined);
});

Deno.test("every operation of the description was answered as it says", async () => {
  await using api = await start("");
  const missing = Object.values(api.description.paths).flatMap((path) => Object.values(path))
    .flatMap(({ operationId, responses }) => {
      const statuses = Object.keys(responses).filter((status) => /^2/.test(status));
      return statuses.map((status) => `${operationId} ${status}`);
    }).filter((one) => !SEEN.has(one));
  // A database in memory has no file to write back.
  assert.deepEqual(missing, ["WriteBack 200"]);
});
