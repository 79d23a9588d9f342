/**
 * A field of the state is described once; everything that reads, writes or shows the state walks
 * over the description. Here every field of every record goes in each way there is, is read back
 * each way there is, and again after a restart. Whoever adds a field and forgets a way, or writes a
 * way with a list of fields of its own, meets this test.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { stringify } from "smol-toml";
import {
  identityOf,
  type Json,
  type RecordShape,
  recordToJson,
  recordToToml,
} from "../../lib/schema/mod.ts";
import {
  LISTENER,
  type Listener,
  POLICY,
  ROUTE,
  type RouteSettings,
  RULE,
  type RuleSettings,
  type State,
} from "../../lib/state/mod.ts";
import { type AdminFixture, startAdmin } from "../support/admin.ts";
import { createServerIdentity } from "../support/certificates.ts";
import { unusedPort } from "../support/ports.ts";
import { sampleState } from "../support/sample_state.ts";
import { countryDatabase } from "../support/vectors.ts";
import { type Carried, WAYS_IN, waysOut, withoutAbsent } from "../support/state_ways.ts";

/** A state whose files are there: each field has a value of its own. */
async function writtenState(folder: string): Promise<Required<State>> {
  await Deno.writeFile(join(folder, "geo.mmdb"), countryDatabase());
  const { certPem, keyPem } = await createServerIdentity("a.example");
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  await Deno.writeTextFile(cert, certPem);
  await Deno.writeTextFile(key, keyPem);
  const ports = [await unusedPort(), await unusedPort()] as const;
  return sampleState({ cert, key, ports });
}

/** A route may name countries where somebody knows them. */
function geoip(folder: string): string {
  return `firewall.geoip_db = "${join(folder, "geo.mmdb")}"\n`;
}

for (const [name, carried, way] of WAYS_IN) {
  Deno.test(`every field goes in by ${name} and comes out each way, also after a restart`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "mc-proxy-test-" });
    const state = await writtenState(folder);
    {
      await using admin = await startAdmin({ folder, config: geoip(folder) });
      await way(admin, state);
      await expectEverywhere(admin, state, carried);
      await expectInAudit(admin, state);
    }
    {
      await using admin = await startAdmin({ folder, config: geoip(folder) });
      await expectEverywhere(admin, state, carried);
    }
    await Deno.remove(folder, { recursive: true });
  });
}

Deno.test("every field goes in by the configuration file and comes out each way", async () => {
  const folder = await Deno.makeTempDir({ prefix: "mc-proxy-test-" });
  const state = await writtenState(folder);
  const listeners = state.listeners.map((it) => recordToToml(LISTENER.shape, it));
  const nothing = { rules: false, expiry: false };
  {
    await using admin = await startAdmin({
      folder,
      config: geoip(folder) + stringify({ listeners }),
    });
    await expectEverywhere(admin, state, nothing);
  }
  {
    await using admin = await startAdmin({ folder, config: geoip(folder) });
    await expectEverywhere(admin, state, nothing);
  }
  await Deno.remove(folder, { recursive: true });
});

/** Looks at the state from every side. */
async function expectEverywhere(
  admin: AdminFixture,
  state: Required<State>,
  { rules, expiry }: Carried,
): Promise<void> {
  const [listener, redirect] = state.listeners;
  const [route] = listener?.routes ?? [];
  const [rule] = state.rules;
  assert.ok(listener && redirect && route && rule);
  const wanted = {
    listener: recordToJson(LISTENER.shape, listener),
    route: recordToJson(ROUTE.shape, route),
    policies: (route.policies ?? []).map((it) => recordToJson(POLICY.shape, it)),
  };
  expectEachField(LISTENER.shape, listener, wanted.listener);
  expectEachField(ROUTE.shape, route, wanted.route);
  expectEachField(RULE.shape, rule, recordToJson(RULE.shape, rule));
  const { expires_at: _, ...ruleWithoutEnd } = recordToJson(RULE.shape, rule);
  const wantedRule = expiry ? recordToJson(RULE.shape, rule) : ruleWithoutEnd;
  for (const [way, found] of await waysOut(admin, listener.addr)) {
    const at: Listener | undefined = found.listeners.find((it) => it.addr === listener.addr);
    const seen: RouteSettings | undefined = at?.routes.find((it) => it.hostname === route.hostname);
    assert.ok(at && seen, `${way}: there is no ${listener.addr} ${route.hostname}`);
    assert.deepEqual(
      {
        listener: withoutAbsent(LISTENER.shape, recordToJson(LISTENER.shape, at)),
        route: recordToJson(ROUTE.shape, seen),
        policies: (seen.policies ?? []).map((it) => recordToJson(POLICY.shape, it)),
      },
      wanted,
      way,
    );
    const plain: Listener | undefined = found.listeners.find((it) => it.addr === redirect.addr);
    assert.deepEqual(
      plain && recordToJson(LISTENER.shape, { ...plain, routes: [] }),
      recordToJson(LISTENER.shape, redirect),
      way,
    );
    if (!rules) continue;
    const kept: RuleSettings | undefined = found.rules.find((it) =>
      identityOf(RULE.shape, it) === identityOf(RULE.shape, rule)
    );
    assert.deepEqual(kept && recordToJson(RULE.shape, kept), wantedRule, way);
    assert.deepEqual(found.rateLimit ?? state.rateLimit, state.rateLimit, way);
  }
}

/** What everything here is compared as has each field under its name, in what is in it as well. */
function expectEachField(shape: RecordShape, record: object, json: object): void {
  for (const [property, { key, apart, kind }] of shape.fields) {
    const value = (record as Record<string, unknown>)[property];
    if (apart === true || value === undefined) continue;
    assert.ok(key in json, `${key} is not said`);
    const said = [(json as Record<string, Json>)[key]].flat();
    const { shape: below } = kind;
    if (below === undefined) continue;
    for (const [i, it] of [value].flat().entries()) {
      expectEachField(below, it as object, said[i] as object);
    }
  }
}

/** The audit log says each field of what was added, or of what a route became. */
async function expectInAudit(
  { client }: AdminFixture,
  { listeners }: Required<State>,
): Promise<void> {
  const [listener] = listeners;
  const [route] = listener?.routes ?? [];
  assert.ok(listener && route);
  const { entries } = await client.getAuditLog({});
  const of = (subject: string) => entries.find((entry) => entry.subject === subject)?.after ?? "{}";
  assert.deepEqual(JSON.parse(of(listener.addr)), recordToJson(LISTENER.shape, listener));
  assert.deepEqual(
    JSON.parse(of(`${listener.addr} ${route.hostname}`)),
    recordToJson(ROUTE.shape, route, { hideSecrets: true }),
  );
  for (const { before, after } of entries) assert.doesNotMatch(before + after, /\$scrypt\$/);
}
