/**
 * The REST API of the name server over a database in memory, whose every answer is held to the description
 * that it gives of itself.
 *
 * @module
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { ApiRequest } from "../../lib/api_server/mod.ts";
import { Authenticator, RestApi } from "../../lib/dns_admin/mod.ts";
import { DnsControl, NO_PLANE } from "../../lib/dns_control/mod.ts";
import { openMemoryDnsDatabase } from "../../lib/dns_store/mod.ts";
import { problemsOf, type Schema } from "./json_schema.ts";

export const ADMIN = "an-administrators-token";

export const ZONE = "/v1/zones/example.net";

export const FILE = "$TTL 300\n@ SOA ns host 7 3600 600 604800 60\n@ NS ns\nns A 192.0.2.1\n";

export interface Reply {
  readonly status: number;
  readonly text: string;
  // deno-lint-ignore no-explicit-any
  readonly json: any;
  field(name: string): string | undefined;
}

export interface Options {
  readonly token?: string | null;
  readonly body?: unknown;
  readonly fields?: Readonly<Record<string, string>>;
  readonly address?: string;
}

export type Ask = (method: string, target: string, options?: Options) => Promise<Reply>;

export interface Fixture extends AsyncDisposable {
  readonly ask: Ask;
  readonly control: DnsControl;
  readonly messages: string[];
  readonly description: Description;
}

interface Description {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, Schema> };
}

interface Operation {
  readonly operationId: string;
  readonly responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
}

/** An API, with the zone of a file unless that is empty. */
export async function start(file: string | undefined = FILE): Promise<Fixture> {
  const database = openMemoryDnsDatabase();
  const messages: string[] = [];
  const log = ({ message }: { message: string }) => void messages.push(message);
  const control = await DnsControl.open({ database, plane: NO_PLANE, log, now: () => 1000 });
  const hash = createHash("sha256").update(ADMIN).digest("hex");
  const tokenHashes = [`sha256:${"0".repeat(64)}`, `sha256:${hash}`];
  const authenticator = new Authenticator({ tokenHashes, tokens: control.tokens });
  const api = new RestApi({
    ...{ control, authenticator, log, version: "1.2.3" },
    recursion: (address) => `${address} would be answered`,
  });
  const raw: Ask = async (method, target, options = {}) => {
    const { token = ADMIN, body, fields = {}, address = "192.0.2.99" } = options;
    const content = typeof body === "string" || body === undefined ? body : JSON.stringify(body);
    const all: Record<string, string> = {
      ...fields,
      ...token !== null && { authorization: `Bearer ${token}` },
    };
    const request: ApiRequest = {
      ...{ method, target, address, signal: new AbortController().signal },
      field: (name) => all[name],
      body: () => Promise.resolve(new TextEncoder().encode(content ?? "")),
    };
    const answer = await api.handle(request);
    let text = "";
    if (answer.body instanceof Uint8Array) text = new TextDecoder().decode(answer.body);
    else for await (const part of answer.body ?? []) text += new TextDecoder().decode(part);
    const sent = answer.fields ?? [];
    const field = (name: string) => {
      const at = sent.findIndex((own, i) => i % 2 === 0 && own === name);
      return at < 0 ? undefined : sent[at + 1];
    };
    const isJson = field("content-type")?.includes("json");
    return { status: answer.status, text, json: isJson ? JSON.parse(text) : undefined, field };
  };
  const description = (await raw("GET", "/v1/openapi.json", { token: null })).json as Description;
  // Every answer of every test is compared with what the description says of it.
  const ask: Ask = async (method, target, options) => {
    const reply = await raw(method, target, options);
    compare(description, method, target, reply);
    return reply;
  };
  if (file !== "") {
    assert.equal((await ask("PUT", `${ZONE}/file`, { body: file })).status, 201);
  }
  return {
    ...{ ask, control, messages, description },
    async [Symbol.asyncDispose]() {
      await control.close();
      database[Symbol.dispose]();
    },
  };
}

/** Answers that tests have seen, as `GetZone 200`. */
export const SEEN = new Set<string>();

function compare(
  description: Description,
  method: string,
  target: string,
  reply: Reply,
): void {
  const path = target.replace(/\?.*$/, "");
  const found = Object.entries(description.paths).find(([pattern]) =>
    new RegExp(`^${pattern.replace(/\{[a-z]+\}/g, "[^/]+")}$`).test(path)
  )?.[1]?.[method.toLowerCase()];
  if (found === undefined) return;
  const { responses } = found;
  const said = responses[String(reply.status)] ?? responses.default;
  assert(said, `${found.operationId} ${reply.status}`);
  SEEN.add(`${found.operationId} ${responses[String(reply.status)] ? reply.status : "default"}`);
  const type = reply.field("content-type");
  if (reply.status === 304) return;
  if (said.content === undefined) return assert.equal(reply.text, "");
  assert(type !== undefined && Object.hasOwn(said.content, type), `${found.operationId} ${type}`);
  const { schema } = said.content[type] as { schema: Schema };
  if (!type.includes("json")) return;
  const resolved = "$ref" in schema ? description.components.schemas.Problem as Schema : schema;
  assert.deepEqual(problemsOf(reply.json, resolved), [], found.operationId);
}
