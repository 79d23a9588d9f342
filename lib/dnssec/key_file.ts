import { failure, type Result, success } from "../addr/mod.ts";
import { isKeyRole, type StoredZoneKey } from "./key.ts";

/** More keys than a zone has in any rollover: answers for them would not fit. */
const MAX_KEYS = 4;

/** The keys that the text of a file holds. */
export function parseZoneKeys(text: string): Result<StoredZoneKey[]> {
  const parsed = parseJson(text);
  const keys = isObject(parsed) ? parsed.keys : undefined;
  if (!Array.isArray(keys)) return failure("it has no keys");
  if (keys.length > MAX_KEYS) return failure(`it has ${keys.length} keys, over ${MAX_KEYS}`);
  const found: StoredZoneKey[] = [];
  for (const key of keys) {
    const { role, privateKey, publicKey } = isObject(key) ? key : {};
    const isKey = typeof privateKey === "string" && typeof publicKey === "string" &&
      typeof role === "string" && isKeyRole(role);
    if (!isKey) return failure("a key is not valid");
    found.push({ role, privateKey, publicKey });
  }
  if (!found.some(({ role }) => role === "active")) return failure("none of its keys is active");
  return success(found);
}

/** The text of a file of keys. */
export function formatZoneKeys(keys: readonly StoredZoneKey[]): string {
  return `${JSON.stringify({ keys }, null, 2)}\n`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
