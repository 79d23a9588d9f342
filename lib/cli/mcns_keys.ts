import { rename } from "node:fs/promises";
import { nameFromText, octetsOf, octetString, rdataToText, TYPE } from "../dns/mod.ts";
import {
  createZoneKey,
  delegationSigners,
  exportZoneKey,
  formatZoneKeys,
  importZoneKey,
  isKeyRole,
  KEY_ROLES,
  parseZoneKeys,
  type StoredZoneKey,
  type ZoneKey,
} from "../dnssec/mod.ts";
import { CommandError } from "./command_error.ts";

/** A key with what it is called. */
interface NamedKey {
  readonly stored: StoredZoneKey;
  readonly key: ZoneKey;
}

/**
 * `mcns keys new`: makes a key. The first of a file is active; one more is published beside it, until
 * everybody has seen it.
 *
 * @throws {CommandError}
 */
export async function addZoneKey(file: string): Promise<string> {
  const keys = await readKeys(file, { mayBeMissing: true });
  const role = keys.length === 0 ? "active" : "published";
  const stored = await createZoneKey(role);
  const [made] = await named([stored]);
  await writeKeys(file, [...keys.map((own) => own.stored), stored]);
  return `made the key ${made?.key.tag}, ${role}`;
}

/**
 * `mcns keys role`: gives a key another role.
 *
 * @throws {CommandError}
 */
export async function setZoneKeyRole(file: string, tag: string, role: string): Promise<string> {
  if (!isKeyRole(role)) throw new CommandError(`${role} is none of ${KEY_ROLES.join(", ")}`);
  const keys = await readKeys(file);
  const own = find(keys, { file, tag });
  await writeKeys(
    file,
    keys.map((key) => key === own ? exportZoneKey(own.stored, role) : key.stored),
  );
  return `the key ${tag} is ${role}`;
}

/**
 * `mcns keys remove`: forgets a key for ever.
 *
 * @throws {CommandError}
 */
export async function removeZoneKey(file: string, tag: string): Promise<string> {
  const keys = await readKeys(file);
  const own = find(keys, { file, tag });
  if (own.key.role !== "retired") {
    throw new CommandError(`the key ${tag} is ${own.key.role}: retire it first, and wait`);
  }
  await writeKeys(file, keys.filter((key) => key !== own).map(({ stored }) => stored));
  return `removed the key ${tag}`;
}

/**
 * `mcns keys show`: the keys, and the DS records that the parent of the zone is to have.
 *
 * @throws {CommandError}
 */
export async function showZoneKeys(file: string, zone: string): Promise<string> {
  const origin = nameFromText(zone);
  if (!origin.ok) throw new CommandError(`${zone} is no name: ${origin.reason}`);
  const keys = (await readKeys(file)).map(({ key }) => key);
  const signers = await delegationSigners(octetString(origin.value), keys);
  const owner = zone.endsWith(".") ? zone : `${zone}.`;
  return [
    ...keys.map(({ tag, role, data }) =>
      `; ${tag} ${role}\n${owner} DNSKEY ${rdataToText(TYPE.DNSKEY, octetsOf(data))}`
    ),
    "; for the parent",
    ...signers.map((data) => `${owner} DS ${rdataToText(TYPE.DS, octetsOf(data))}`),
  ].join("\n");
}

function find(
  keys: readonly NamedKey[],
  { file, tag }: { readonly file: string; readonly tag: string },
): NamedKey {
  const own = keys.find(({ key }) => String(key.tag) === tag);
  if (own === undefined) throw new CommandError(`${file} has no key ${tag}`);
  return own;
}

async function readKeys(
  file: string,
  { mayBeMissing = false }: { readonly mayBeMissing?: boolean } = {},
): Promise<NamedKey[]> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    if (mayBeMissing && error instanceof Deno.errors.NotFound) return [];
    throw new CommandError(`cannot read ${file}`, { cause: error });
  }
  const keys = parseZoneKeys(text);
  if (!keys.ok) throw new CommandError(`${file}: ${keys.reason}`);
  return await named(keys.value);
}

async function named(all: readonly StoredZoneKey[]): Promise<NamedKey[]> {
  return await Promise.all(all.map(async (stored) => {
    const key = await importZoneKey(stored);
    if (!key.ok) throw new CommandError(key.reason);
    return { stored, key: key.value };
  }));
}

/** Whole or not at all, and for its owner alone. */
async function writeKeys(file: string, keys: readonly StoredZoneKey[]): Promise<void> {
  const text = formatZoneKeys(keys);
  const checked = parseZoneKeys(text);
  if (!checked.ok) throw new CommandError(`${file} would not do: ${checked.reason}`);
  const next = `${file}.new`;
  try {
    await Deno.writeTextFile(next, text, { mode: 0o600 });
    await rename(next, file);
  } catch (error) {
    throw new CommandError(`cannot write ${file}`, { cause: error });
  }
}
