import { callDnsRest, type DnsRestOptions } from "./client.ts";
import { DnsRestError } from "./error.ts";

/** A TXT record of one text. */
export interface TextRecord {
  readonly zone: string;
  /** In full. */
  readonly name: string;
  /** Letters, digits, `-` and `_`, as base64url has them: nothing that a zone file quotes. */
  readonly text: string;
  /** Seconds. */
  readonly ttl: number;
}

/**
 * Adds a text to those of a name; one that is there stays.
 *
 * @throws {DnsRestError}
 */
export async function addText(
  options: DnsRestOptions,
  { zone, name, text, ttl }: TextRecord,
  signal: AbortSignal,
): Promise<void> {
  const path = recordsOf(zone);
  const add = (record: Record<string, unknown>) =>
    callDnsRest(options, { method: "POST", path, body: record, signal });
  const record = { name: `${name}.`, type: "TXT", value: text };
  try {
    await add({ ...record, ttl });
  } catch (error) {
    if (!(error instanceof DnsRestError)) throw error;
    if (error.status === 409) return;
    if (error.status !== 400) throw error;
    // The records of a set have one TTL: where there are others, theirs.
    await add(record).catch((second) => {
      if (!(second instanceof DnsRestError) || second.status !== 409) throw second;
    });
  }
}

/**
 * Removes a text of a name; the others stay.
 *
 * @throws {DnsRestError}
 */
export async function removeText(
  options: DnsRestOptions,
  { zone, name, text }: Omit<TextRecord, "ttl">,
  signal: AbortSignal,
): Promise<void> {
  const query = new URLSearchParams({ name: `${name}.`, type: "TXT" });
  const path = recordsOf(zone);
  const { json } = await callDnsRest(options, {
    ...{ method: "GET", path: `${path}?${query}`, signal },
  });
  for (const { id, value } of Array.isArray(json.records) ? json.records : []) {
    if (value !== `"${text}"`) continue;
    await callDnsRest(options, { method: "DELETE", path: `${path}/${Number(id)}`, signal })
      .catch((error) => {
        if (!(error instanceof DnsRestError) || error.status !== 404) throw error;
      });
  }
}

function recordsOf(zone: string): string {
  return `/v1/zones/${encodeURIComponent(zone)}/records`;
}
