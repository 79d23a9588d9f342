import assert from "node:assert/strict";
import { loadConfig } from "../../../lib/config/mod.ts";
import { vectorPath } from "../../support/vectors.ts";

const DATABASE = "mmdb/test-data/GeoLite2-Country-Test.mmdb";

const configWith = (file: string) =>
  `database.path = "a"\n[firewall]\ngeoip_db = ${JSON.stringify(file)}\nblocked_countries = ["de"]`;

const found = vectorPath(DATABASE);

Deno.test({
  name: `loadConfig() takes a country database, and refuses half of one (vectors ${DATABASE})`,
  ignore: found === undefined,
  fn: () => {
    assert(found !== undefined);
    const whole = loadConfig(configWith(found));
    assert(whole.ok, JSON.stringify(whole));
    assert.deepEqual(whole.config.firewall.blockedCountries, ["DE"]);
    const bytes = Deno.readFileSync(found);
    const half = loadConfig(configWith(found), {
      readFile: () => bytes.slice(0, -bytes.length / 2),
    });
    assert(!half.ok);
    assert.match(half.problems[0]?.message ?? "", /is not a usable MaxMind database: /);
  },
});
