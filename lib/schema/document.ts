import { parse, TomlError } from "smol-toml";
import type { Raw } from "./kind.ts";
import { locateKeys, type Position } from "./locate.ts";
import type { Problem } from "./problem.ts";

/** A TOML document with the places of its keys, or why it is none. */
export type ParsedDocument =
  | {
    readonly ok: true;
    readonly document: Record<string, Raw>;
    readonly positions: ReadonlyMap<string, Position>;
  }
  | { readonly ok: false; readonly problem: Problem };

/** Reads TOML; integers become `bigint`, so that `1.0` is not one. */
export function parseDocument(text: string): ParsedDocument {
  try {
    const document = parse(text, { integersAsBigInt: true });
    return { ok: true, document, positions: locateKeys(text) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return { ok: false, problem: syntaxProblem(error) };
  }
}

/** smol-toml's message ends in a picture of the line, which would break "one line per problem". */
function syntaxProblem({ message, line, column }: TomlError): Problem {
  const [first = ""] = message.split("\n", 1);
  const reason = first.replace(/^Invalid TOML document: /, "");
  return { line, column, key: "", message: `not valid TOML: ${reason}` };
}
