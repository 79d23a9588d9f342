import { type KeyPath, parseDocument, type Problem, type Raw, Report } from "../schema/mod.ts";
import { RULE_LISTS } from "./whole_file.ts";

/** What is wrong with a field of the state, under the name that the admin API gives it. */
export interface FieldProblem {
  /** Such as `state.listeners[0].routes[1].route.tls_cert`. */
  readonly field: string;
  readonly message: string;
}

/**
 * Where in a file that was applied the fields stand that were refused.
 *
 * @example
 * ```ts
 * import { placeProblems } from "./places.ts";
 * import assert from "node:assert/strict";
 *
 * const text = '[[listeners]]\naddr = ":1"\n[[listeners.routes]]\ntls_cert = "a.pem"\n';
 * const field = "state.listeners[0].routes[0].route.tls_cert";
 * assert.deepEqual(placeProblems(text, [{ field, message: "the file does not exist" }]), [
 *   { line: 4, column: 1, key: "listeners[0].routes[0].tls_cert", message: "the file does not exist" },
 * ]);
 * ```
 */
export function placeProblems(text: string, problems: readonly FieldProblem[]): Problem[] {
  const parsed = parseDocument(text);
  if (!parsed.ok) return [];
  const report = new Report(parsed.positions);
  for (const { field, message } of problems) {
    report.problem(pathInFile(field, parsed.document), message);
  }
  return report.problems;
}

/** The key in the file of a field of the protocol. */
function pathInFile(field: string, document: Readonly<Record<string, Raw>>): KeyPath {
  const path = [...field.matchAll(/[^.[\]]+/g)].map(([part]) =>
    /^\d+$/.test(part) ? Number(part) : part
  );
  if (path[0] !== "state") return path;
  const [, table, ...rest] = path;
  if (table === "rate_limit") return ["firewall", rest[0] === "window" ? "rate_window" : table];
  if (table !== "firewall") return [table ?? "", ...withoutMessages(rest)];
  const [, index = 0, ...inside] = rest;
  return typeof index === "number"
    ? pathOfRule(index, inside, document)
    : ["firewall", "rules", index];
}

/** The protocol has a message for the settings of a listener and of a route, a file has not. */
function withoutMessages(path: KeyPath): KeyPath {
  return path.filter((part, i) =>
    !((part === "listener" || part === "route") && typeof path[i - 1] === "number")
  );
}

/** Rules are records of an exported state, or elements of the lists of a configuration. */
function pathOfRule(
  index: number,
  inside: KeyPath,
  { firewall }: Readonly<Record<string, Raw>>,
): KeyPath {
  const table = (typeof firewall === "object" ? firewall : {}) as Readonly<Record<string, Raw>>;
  let before = 0;
  for (const list of RULE_LISTS) {
    const { [list]: elements } = table;
    const length = Array.isArray(elements) ? elements.length : 0;
    if (index < before + length) return ["firewall", list, index - before];
    before += length;
  }
  return ["firewall", "rules", index, ...inside];
}
