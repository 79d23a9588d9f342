import { DnsRestError } from "./error.ts";

/** One call, connecting and reading included. */
const TIMEOUT_MS = 10_000;
/** A page of records; a set has 4,096 of up to 255 octets and more in text. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
/** Of what a server says about a refusal. */
const MAX_SAID = 300;

/** The name server's API, and how it is spoken to. */
export interface DnsRestOptions {
  /** An https URL, such as `https://localhost:8444/`. */
  readonly server: string;
  /** Authorities of the server's certificate, PEM; absent: those of the runtime. */
  readonly caPem?: string | undefined;
  /** A bearer token; secret. */
  readonly token: string;
  readonly timeoutMs?: number;
}

/** A call. */
export interface DnsRestCall {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Such as `/v1/zones`. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** What a server answered well. */
export interface DnsRestAnswer {
  readonly status: number;
  /** An object; empty where there is no content. */
  readonly json: Readonly<Record<string, unknown>>;
}

/**
 * Makes one call of a name server's API (docs/mcns.md), over a connection of its own: calls are rare,
 * and files that were renewed count at once.
 *
 * @throws {DnsRestError}
 */
export async function callDnsRest(
  { server, caPem, token, timeoutMs = TIMEOUT_MS }: DnsRestOptions,
  { method, path, body, signal }: DnsRestCall,
): Promise<DnsRestAnswer> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const { host } = new URL(server);
  using client = Deno.createHttpClient({
    ...caPem !== undefined && { caCerts: [caPem] },
    poolMaxIdlePerHost: 0,
  });
  try {
    const response = await fetch(new URL(path, server), {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...body !== undefined && { "content-type": "application/json" },
      },
      ...body !== undefined && { body: JSON.stringify(body) },
      // Whoever leads elsewhere would be given the token there.
      redirect: "error",
      client,
      signal: AbortSignal.any(signal === undefined ? [timeout] : [timeout, signal]),
    });
    return readAnswer(response.status, await readText(response), host);
  } catch (error) {
    if (error instanceof DnsRestError) throw error;
    throw notAnswered(error, { host, timeout, signal });
  }
}

function readAnswer(status: number, text: string, host: string): DnsRestAnswer {
  const json = text === "" ? {} : objectOf(text);
  if (status >= 200 && status < 300 && json !== undefined) return { status, json };
  if (status < 400 || json === undefined) {
    const message = `${host} is no name server of this kind: it answers with ${status}`;
    throw new DnsRestError("malformed", message, { status });
  }
  throw new DnsRestError("refused", `the name server ${host} refuses: ${said(status, json)}`, {
    status,
    fields: fieldsOf(json),
  });
}

function fieldsOf({ fields }: Readonly<Record<string, unknown>>): DnsRestError["fields"] {
  if (!Array.isArray(fields)) return [];
  return fields.map(({ field, message }) => ({
    field: String(field),
    message: String(message).slice(0, MAX_SAID),
  }));
}

/** What a server says of a refusal, and what to look at. */
function said(status: number, { title }: Readonly<Record<string, unknown>>): string {
  const words = (typeof title === "string" ? title : `code ${status}`).slice(0, MAX_SAID);
  if (status === 401) return `${words}: look at token_file`;
  return status === 403 ? `${words}: the token needs write:ZONE` : words;
}

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
    return json as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) {
      const message = `the name server's answer is over ${MAX_ANSWER_BYTES} octets`;
      throw new DnsRestError("malformed", message, { status: response.status });
    }
    chunks.push(chunk);
  }
  return await new Blob(chunks as BlobPart[]).text();
}

function notAnswered(
  cause: unknown,
  { host, timeout, signal }: {
    readonly host: string;
    readonly timeout: AbortSignal;
    readonly signal: AbortSignal | undefined;
  },
): DnsRestError {
  if (signal?.aborted) return new DnsRestError("cancelled", "the call was given up", { cause });
  if (timeout.aborted) {
    return new DnsRestError("timeout", `the name server ${host} does not answer in time`, {
      cause,
    });
  }
  return new DnsRestError("network", `the name server ${host} cannot be reached`, { cause });
}
