import {
  AcmeError,
  type DnsUpdateServer,
  pause,
  type TextChange,
  updateText,
} from "../acme/mod.ts";
import { parseBackendEndpoint } from "../addr/mod.ts";
import type { ReadFile } from "../certificates/mod.ts";
import type { AcmeDnsConfig, McnsConfig } from "../config/mod.ts";
import { CLASS_IN, nameFromText, TYPE } from "../dns/mod.ts";
import { exchange, ExchangeError } from "../dns_client/mod.ts";
import { addText, callDnsRest, DnsRestError, removeText } from "../dns_rest/mod.ts";

/** Of a proof, in seconds. */
const TTL = 60;
/** Workers of a name server make a change within seconds, whatever they are at. */
const SEEN_TIMEOUT_MS = 30_000;
const QUESTION_TIMEOUT_MS = 2000;
/** Between two questions whether a text is to be seen. */
const POLL_MS = 100;

/** Adds and removes single TXT records at a name server. */
export interface TextWriter {
  /** `host:port` of who answers for the zones. */
  readonly server: string;
  readonly zones: readonly string[];
  /**
   * Makes a change; one that adds resolves when everybody can see it.
   *
   * @throws {AcmeError} `refused` if nothing has changed; whatever else, it may have.
   */
  write(change: TextChange, signal: AbortSignal): Promise<void>;
}

/** By dynamic updates (RFC 2136). */
export function dnsUpdateWriter(
  { server, zones, keyName, keyFile, propagationMs }: AcmeDnsConfig,
  { readFile, now }: { readonly readFile: ReadFile; readonly now: () => number },
): TextWriter {
  const place = async (): Promise<DnsUpdateServer> => {
    const endpoint = parseBackendEndpoint(server);
    if (!endpoint.ok) throw new AcmeError("failed", `acme.dns.server: ${endpoint.reason}`);
    const { host: hostname, port } = endpoint.value;
    const key = new TextDecoder().decode(await readFile(keyFile)).trim();
    return { hostname, port, keyName, key };
  };
  return {
    server,
    zones,
    async write(change, signal) {
      await updateText(change, { server: await place(), nowMs: now(), signal });
      if (change.present) await pause(propagationMs, signal);
    },
  };
}

/** Over the REST API of the name server beside the proxy. */
export function mcnsWriter(config: McnsConfig, readFile: ReadFile): TextWriter {
  const { dns: server, zones, propagationMs } = config;
  return {
    server,
    zones,
    async write({ zone, name, text, present }, signal) {
      const options = await mcnsOptions(config, readFile);
      try {
        if (!present) return await removeText(options, { zone, name, text }, signal);
        await addText(options, { zone, name, text, ttl: TTL }, signal);
      } catch (error) {
        throw toAcmeError(error);
      }
      await untilSeen({ name, text }, { server, signal });
      await pause(propagationMs, signal);
    },
  };
}

/** How the name server is spoken to, by the files as they are now. */
export async function mcnsOptions(
  { server, caCert, tokenFile }: McnsConfig,
  readFile: ReadFile,
): Promise<Parameters<typeof callDnsRest>[0]> {
  const read = async (path: string) => new TextDecoder().decode(await readFile(path));
  const caPem = caCert === undefined ? undefined : await read(caCert);
  return { server, caPem, token: (await read(tokenFile)).trim() };
}

/** A change is made when its call returns, but in workers that are late: an answer shows it. */
async function untilSeen(
  { name, text }: { readonly name: string; readonly text: string },
  { server, signal }: { readonly server: string; readonly signal: AbortSignal },
): Promise<void> {
  const until = performance.now() + SEEN_TIMEOUT_MS;
  for (let last = "it answers without the text";;) {
    try {
      if (await isSeen({ name, text }, { server, signal })) return;
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error;
      last = error.message;
    }
    if (signal.aborted || performance.now() > until) {
      const message = `the name server ${server} has the proof and does not show it: ${last}`;
      throw new AcmeError(signal.aborted ? "cancelled" : "failed", message);
    }
    await pause(POLL_MS, signal);
  }
}

async function isSeen(
  { name, text }: { readonly name: string; readonly text: string },
  { server, signal }: { readonly server: string; readonly signal: AbortSignal },
): Promise<boolean> {
  const endpoint = parseBackendEndpoint(server);
  const asked = nameFromText(name);
  if (!endpoint.ok || !asked.ok) return false;
  const { host: hostname, port } = endpoint.value;
  const question = { name: asked.value, type: TYPE.TXT, class: CLASS_IN };
  const options = { timeoutMs: QUESTION_TIMEOUT_MS, signal, edns: true };
  const { message, bytes } = await exchange({ hostname, port }, question, options);
  const expected = new TextEncoder().encode(text);
  return message.answers.some(({ type, data }) =>
    type === TYPE.TXT && bytes[data.start] === expected.length &&
    data.end - data.start === expected.length + 1 &&
    expected.every((octet, i) => bytes[data.start + 1 + i] === octet)
  );
}

/** What could not be reached goes on where it stood; see `noteFailure()`. */
function toAcmeError(error: unknown): unknown {
  if (!(error instanceof DnsRestError)) return error;
  const { code, message, cause } = error;
  return new AcmeError(code, message, { cause });
}
