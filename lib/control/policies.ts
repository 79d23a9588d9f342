import type { NewPolicy } from "../db/mod.ts";
import { parseL7Policy } from "../routes/mod.ts";
import { isPrintable } from "./inputs.ts";
import { invalid } from "./refused.ts";

const MAX_VALUE_CHARACTERS = 256;

/**
 * Checks a policy.
 *
 * @throws {RefusedError}
 */
export function checkPolicy({ type, value }: { type: string; value: string }, at = ""): NewPolicy {
  if (type !== "block_user_agent" && type !== "require_header") {
    throw invalid(`${at}type`, "not one of block_user_agent, require_header");
  }
  if (value.trim() === "") throw invalid(`${at}value`, "is missing");
  if (value.length > MAX_VALUE_CHARACTERS) {
    throw invalid(`${at}value`, `over ${MAX_VALUE_CHARACTERS} characters`);
  }
  if (!isPrintable(value)) throw invalid(`${at}value`, "holds a control character");
  const checked = parseL7Policy(type, value);
  if (!checked.ok) throw invalid(`${at}value`, checked.reason);
  return { type, value: checked.value };
}
