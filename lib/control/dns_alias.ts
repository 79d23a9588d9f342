import { AcmeError } from "../acme/mod.ts";
import { parseBackendEndpoint, parseHostname, parseIp } from "../addr/mod.ts";

/** CNAMEs in a row that are followed; delegations are one or two long. */
const MAX_ALIASES = 8;
/** For one question. */
const TIMEOUT_MS = 5000;

/** Looks up where a name leads, one CNAME at a time; nothing: it is no alias. */
export type AliasOf = (name: string, signal: AbortSignal) => Promise<string | undefined>;

/** Where a proof is written. */
export interface ProofPlace {
  readonly zone: string;
  readonly name: string;
}

/**
 * Follows the CNAMEs of a name to the one that a text is to stand at, in one of the zones that are ours
 * to change: authorities follow them too, so a zone that takes no changes can lead to one that does.
 *
 * @throws {AcmeError} if it leads out of the zones, or nowhere.
 */
export async function findProofPlace(
  name: string,
  { zones, aliasOf, signal }: {
    readonly zones: readonly string[];
    readonly aliasOf: AliasOf;
    readonly signal: AbortSignal;
  },
): Promise<ProofPlace> {
  let at = name;
  for (let aliases = 0;; aliases++) {
    const target = await aliasOf(at, signal);
    if (target === undefined) break;
    // A text of its own takes a name out of a wildcard, where it may be written.
    if (zoneOf(at, zones) !== undefined && await isWildcard(at, target, { aliasOf, signal })) break;
    if (aliases === MAX_ALIASES) {
      throw new AcmeError("failed", `${name} leads through more than ${MAX_ALIASES} CNAMEs`);
    }
    at = target;
  }
  const zone = zoneOf(at, zones);
  if (zone !== undefined) return { zone, name: at };
  const where = at === name ? "it is no CNAME, and is" : `it leads to ${at}, which is`;
  throw new AcmeError(
    "failed",
    `${name} cannot be written: ${where} in none of the zones that are ours`,
  );
}

/** Whether a name leads where any other name beside it would: `*.example.net CNAME …`. */
async function isWildcard(
  name: string,
  target: string,
  { aliasOf, signal }: { readonly aliasOf: AliasOf; readonly signal: AbortSignal },
): Promise<boolean> {
  const beside = `${crypto.randomUUID()}${name.slice(name.indexOf("."))}`;
  return await aliasOf(beside, signal) === target;
}

/** The longest of the zones that a name is in. */
export function zoneOf(name: string, zones: readonly string[]): string | undefined {
  return zones.filter((zone) => name === zone || name.endsWith(`.${zone}`))
    .toSorted((a, b) => b.length - a.length)[0];
}

/**
 * Asks the server of our zones about names in them, which it knows at first hand, and everybody else's
 * resolver, or one of `resolvers`, about others.
 */
export function askAliases(
  { server, zones, resolvers }: {
    /** `host:port`, as are the resolvers. */
    readonly server: string;
    readonly zones: readonly string[];
    readonly resolvers: readonly string[];
  },
): AliasOf {
  return async (name, signal) => {
    const isOurs = zoneOf(name, zones) !== undefined;
    const nameServer = nameServerOf(isOurs ? server : resolvers[0]);
    try {
      const [target] = await Deno.resolveDns(name, "CNAME", {
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
        ...nameServer && { nameServer },
      });
      return target === undefined ? undefined : hostOf(target);
    } catch (error) {
      if (error instanceof AcmeError) throw error;
      // Where our own server tells changes and nothing else, names of its zones are what they are.
      if (error instanceof Deno.errors.NotFound || isOurs && !signal.aborted) return undefined;
      throw new AcmeError("network", `where ${name} leads cannot be found out`, { cause: error });
    }
  };
}

function hostOf(target: string): string {
  const host = parseHostname(target);
  if (host.ok) return host.value;
  throw new AcmeError("failed", `a CNAME leads to ${JSON.stringify(target.slice(0, 80))}`);
}

/** A server by its address; by a name it is not asked. */
function nameServerOf(text: string | undefined): { ipAddr: string; port: number } | undefined {
  const endpoint = text === undefined ? undefined : parseBackendEndpoint(text);
  if (endpoint?.ok !== true) return undefined;
  const { host, port } = endpoint.value;
  return parseIp(host).ok ? { ipAddr: host, port } : undefined;
}
