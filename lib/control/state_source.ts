import { RefusedError } from "../queue/mod.ts";
import type { ControlOptions } from "./control_options.ts";
import type { Difference } from "./difference.ts";
import type { Operation } from "./operation.ts";

/** Where the truth about the state is. */
export interface StateSource {
  readonly kind: "database" | "file" | "postgres";
  /** Of the database or the file, or of the group; empty for a database in memory. */
  readonly path: string;
}

/** What the configuration says, and which group it is. */
export function sourceOf(
  { config: { state: { source }, database }, file }: Pick<ControlOptions, "config" | "file">,
  group: { readonly path: string } | undefined,
): StateSource {
  if (group !== undefined) return { kind: "postgres", path: group.path };
  return { kind: source, path: source === "file" ? file?.path ?? "" : database.path };
}

/**
 * The one gate of all changes where a file is the truth: what it does not say is refused, but for blocks
 * that end on their own.
 *
 * @param file absent: the database is the truth.
 * @throws {RefusedError} `failed_precondition`
 */
export function refuseWhatIsTheFiles(
  differences: readonly Difference[],
  { isOfFile = false, isOfWholeState = false, inFile = "edit it" }: Operation,
  file: string | undefined,
): void {
  if (file === undefined || isOfFile) return;
  const refused = differences.find(({ kind, isPassing = false }) =>
    kind !== "dns_set" && (isOfWholeState || !isPassing)
  );
  if (refused === undefined) return;
  throw new RefusedError(
    "failed_precondition",
    `${file} says what is served (state.source = "file"): ${inFile}, then \`mcproxyctl reload\`; ` +
      "here only blocks that end on their own are taken (`mcproxyctl firewall add ... --ttl 1h`)",
  );
}
