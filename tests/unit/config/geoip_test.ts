import assert from "node:assert/strict";
import { loadConfig } from "../../../lib/config/mod.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";
import { countryDatabase } from "../../support/vectors.ts";

const configWith = (file: string) =>
  `database.path = "a"\n[firewall]\ngeoip_db = ${JSON.stringify(file)}\nblocked_countries = ["de"]`;

Deno.test({
  name: "loadConfig() takes a country database, and refuses half of one",
  fn: () => {
    using folder = temporaryFolder();
    const bytes = countryDatabase();
    const found = `${folder.path}/country.mmdb`;
    Deno.writeFileSync(found, bytes);
    const whole = loadConfig(configWith(found));
    assert(whole.ok, JSON.stringify(whole));
    assert.deepEqual(whole.config.firewall.blockedCountries, ["DE"]);
    const half = loadConfig(configWith(found), {
      readFile: () => bytes.slice(0, -bytes.length / 2),
    });
    assert(!half.ok);
    assert.match(half.problems[0]?.message ?? "", /is not a usable MaxMind database: /);
  },
});
