import { readFileSync, statSync } from "node:fs";
import {
  parseDocument,
  type Problem,
  type RecordKind,
  Report,
  tablesByKey,
} from "../schema/mod.ts";
import { ConfigFiles, type ReadFile, type ReadMode } from "./files.ts";

/** A configuration with what is odd about it, or everything that is wrong with it. */
export type LoadedSettings<Config> =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** A setting that is not from the file. */
export type OverrideValue = string | bigint | boolean | string[];

/** How a configuration is loaded. */
export interface LoadOptions {
  /** Reads the files that it names. Default: from the file system. */
  readonly readFile?: ReadFile;
  /** Who may do what with a file. Default: as the file system says, of files that are read from there. */
  readonly readMode?: ReadMode;
  /** When certificates must be valid. Default: now. */
  readonly now?: Date;
  /** Whether the files that it names are read and checked. Default: `true`. */
  readonly readsFiles?: boolean;
  /**
   * Settings that win over those of the file, by section and key: the flags of a command. Their
   * problems have the position of the section, or of the file's beginning.
   */
  readonly overrides?: Readonly<Record<string, Readonly<Record<string, OverrideValue>>>>;
}

/** What else there is to say of a configuration whose settings were read. */
export type CheckSettings<Config> = (
  config: Config,
  context: { readonly report: Report; readonly files: ConfigFiles; readonly now: Date },
) => void;

/**
 * Turns the text of a configuration file into what `settings` describe, or into every problem that it
 * has, in the order of the file. Reads the files that it names, writes nothing.
 */
export function loadSettings<Config>(
  text: string,
  { settings, check }: {
    readonly settings: RecordKind<Config>;
    readonly check: CheckSettings<Config>;
  },
  options: LoadOptions,
): LoadedSettings<Config> {
  const { readFile = readFileSync, now = new Date(), readsFiles = true, overrides = {} } = options;
  const { readMode = options.readFile === undefined ? modeOf : undefined } = options;
  const parsed = parseDocument(text);
  if (!parsed.ok) return { ok: false, problems: [parsed.problem] };
  const { document, positions } = parsed;
  for (const [section, values] of Object.entries(overrides)) {
    const given = document[section];
    const isTable = typeof given === "object" && !Array.isArray(given);
    // A section that is no table is refused as it is.
    if (given === undefined || isTable) {
      Object.assign(document, { [section]: { ...given as object, ...values } });
    }
  }
  const report = new Report(positions);
  const tables = tablesByKey(settings.shape);
  const config = settings.read(document, { path: [], report, tablesByKey: tables });
  const files = new ConfigFiles(readsFiles ? readFile : undefined, readMode && { readMode });
  check(config, { report, files, now });
  const { problems, warnings } = report;
  return problems.length > 0 ? { ok: false, problems } : { ok: true, config, warnings };
}

function modeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mode;
}
