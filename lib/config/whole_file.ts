import { parseDocument, type Problem, type Raw } from "../schema/mod.ts";
import { readStateFile, type State } from "../state/mod.ts";
import { loadConfig } from "./load.ts";
import { rulesOf } from "./rules.ts";
import { SETTINGS } from "./settings.ts";

/** What of `[firewall]` can be changed at run time, in the order of `rulesOf`. */
export const RULE_LISTS = [
  "blocked_ips",
  "blocked_cidrs",
  "blocked_countries",
  "allowed_ips",
  "allowed_cidrs",
  "allowed_countries",
] as const;
export const WITH_THEM: readonly string[] = [
  "rate_limit",
  "rate_window",
  "allowed_skip_rate_limit",
];
const STATE_TABLES: readonly string[] = ["listeners", "firewall"];

/** The state that a file wants, or everything that is wrong with it. */
export type WantedState =
  | {
    readonly ok: true;
    readonly state: State;
    /** Settings of the process, which are read at its start, as they are written in the file. */
    readonly skipped: readonly string[];
  }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * Reads the state out of a configuration file, or out of one that holds nothing else, as it is exported.
 * A part that the file does not name is absent: without a list of `[firewall]` the rules stay.
 */
export function readWantedState(text: string): WantedState {
  const parsed = parseDocument(text);
  if (!parsed.ok) return { ok: false, problems: [parsed.problem] };
  const { document } = parsed;
  const firewall = tableOf(document.firewall);
  const skipped = processSettings(document, firewall);
  const lists = RULE_LISTS.filter((key) => Object.hasOwn(firewall, key));
  if (skipped.length === 0 && lists.length === 0) {
    const read = readStateFile(text);
    return read.ok ? { ...read, skipped } : read;
  }
  // What the files hold that it names is for the proxy to say, which has to read them.
  const loaded = loadConfig(text, { readsFiles: false, needsDatabase: false });
  if (!loaded.ok) return loaded;
  const { config } = loaded;
  const { rateLimit: limit, rateWindowMs: windowMs } = config.firewall;
  const state: State = {
    ...document.listeners !== undefined && { listeners: config.listeners },
    ...lists.length > 0 && { rules: rulesOf(config.firewall) },
    ...Object.hasOwn(firewall, "rate_limit") && { rateLimit: { limit, windowMs } },
  };
  return { ok: true, state, skipped };
}

/** Known ones: what is unknown is a problem, of whichever kind of file. */
function processSettings(
  document: Readonly<Record<string, Raw>>,
  firewall: Readonly<Record<string, Raw>>,
): string[] {
  const { fields } = SETTINGS.shape;
  const tables = [...fields.values()].map(({ key }) => key).filter((key) =>
    !STATE_TABLES.includes(key) && Object.hasOwn(document, key)
  );
  const keys = [...fields.get("firewall")?.kind.shape?.fields.values() ?? []].map(({ key }) => key)
    .filter((key) => !WITH_THEM.includes(key) && !RULE_LISTS.some((list) => list === key))
    .filter((key) => Object.hasOwn(firewall, key));
  return [...tables.map((key) => `[${key}]`), ...keys.map((key) => `firewall.${key}`)];
}

function tableOf(value: Raw | undefined): Readonly<Record<string, Raw>> {
  const isTable = typeof value === "object" && !Array.isArray(value);
  return isTable ? value as Readonly<Record<string, Raw>> : {};
}
