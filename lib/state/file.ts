import { stringify } from "smol-toml";
import {
  field,
  parseDocument,
  type Problem,
  record,
  records,
  recordToToml,
  Report,
  type ValueOf,
} from "../schema/mod.ts";
import { DNS_SET, MAX_DNS_SETS } from "./dns_record.ts";
import { MAX_LISTENERS, MAX_RULES } from "./limits.ts";
import { LISTENER } from "./listener.ts";
import { LIMIT, WINDOW } from "./rate_limit.ts";
import { RULE } from "./rule.ts";
import type { State } from "./state.ts";

/** How the state lies in a file, with the names of the configuration. */
const FILE = record({
  listeners: field("listeners", records(LISTENER, { maxLength: MAX_LISTENERS }), {
    optional: true,
    doc: "All listeners. Absent: they stay as they are.",
  }),
  firewall: field(
    "firewall",
    record({
      rateLimit: field("rate_limit", LIMIT, { optional: true, doc: "As in the configuration." }),
      rateWindowMs: field("rate_window", WINDOW, {
        optional: true,
        doc: "As in the configuration.",
      }),
      rules: field("rules", records(RULE, { maxLength: MAX_RULES }), {
        optional: true,
        doc: "All rules. Absent: they stay as they are.",
      }),
    }),
    { section: true, doc: "Who is refused." },
  ),
  records: field("records", records(DNS_SET, { maxLength: MAX_DNS_SETS }), {
    optional: true,
    doc: "Records at the name server beside the proxy. Those that are not named stay as they are.",
  }),
});

/** A state that was read, or everything that is wrong with its file. */
export type StateFile =
  | { readonly ok: true; readonly state: State }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * Reads a state from TOML. Without `[[listeners]]`, without `firewall.rules` or without
 * `firewall.rate_limit` that part of it is absent.
 */
export function readStateFile(text: string): StateFile {
  const parsed = parseDocument(text);
  if (!parsed.ok) return { ok: false, problems: [parsed.problem] };
  const report = new Report(parsed.positions);
  const { listeners, firewall, records: dnsSets } = FILE.read(parsed.document, {
    path: [],
    report,
  });
  const { rules, rateLimit: limit, rateWindowMs: windowMs = 0 } = firewall;
  if (limit !== undefined && limit > 0 && windowMs === 0) {
    report.problem(["firewall", "rate_window"], "is missing: rate_limit needs it");
  }
  if (report.problems.length > 0) return { ok: false, problems: report.problems };
  return {
    ok: true,
    state: {
      ...listeners && { listeners },
      ...rules && { rules },
      ...dnsSets && { records: dnsSets },
      ...limit !== undefined && { rateLimit: { limit, windowMs } },
    },
  };
}

/**
 * A state as {@link readStateFile} reads it, without records, which are the name server's. What has its
 * default is left out.
 */
export function writeStateFile({ listeners = [], rules = [], rateLimit }: State): string {
  const { limit = 0, windowMs = 0 } = rateLimit ?? {};
  const firewall = { rateLimit: limit, ...windowMs > 0 && { rateWindowMs: windowMs }, rules };
  const file: ValueOf<typeof FILE> = { listeners, firewall };
  return stringify(recordToToml(FILE.shape, file));
}
