import type { Fields, RequestHead, RequestInit } from "../h2/mod.ts";
import { endsHere, isForwardingField } from "./field_rules.ts";

/** How this program calls itself in `Via` (RFC 9110 §7.6.3: a pseudonym will do). */
const PSEUDONYM = "mc-proxy";

/** What is known of the client whose requests come on one connection. */
export interface ClientFacts {
  /** The real client's IP address. */
  readonly ip: string;
  /**
   * The operator believes what its requests say about earlier hops (`trusted_forwarding`): that is
   * kept. Everybody else's claims are replaced or dropped.
   */
  readonly trusted: boolean;
}

/** Names that this hop sets itself or answers itself; what is done with each is below. */
const OWN: ReadonlySet<string> = new Set([
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "x-real-ip",
  "forwarded",
  "via",
  "x-request-id",
  "expect",
]);

/**
 * The head that goes to the backend: the client's fields in order, then what a reverse proxy has to
 * say. `id` is the request's own identifier, used unless the client sent an `X-Request-Id`.
 */
export function backendRequest(
  head: RequestHead,
  client: ClientFacts,
  { id, version }: { readonly id: string; readonly version: "1.0" | "1.1" | "2" },
): RequestInit {
  const { fields } = head;
  const kept: string[] = [];
  const own = new OwnFields();
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1] as string;
    if (OWN.has(name)) own.take(name, value);
    else if (!endsHere(name) && (client.trusted || !isForwardingField(name))) {
      kept.push(name, value);
    }
  }
  own.write(kept, head, client, { id, version });
  return {
    method: head.method,
    scheme: head.scheme,
    authority: head.authority,
    path: head.path,
    protocol: head.protocol,
    fields: kept,
    neverIndexed: head.neverIndexed,
  };
}

/** Whether the client waits for a 100 before it sends its content (RFC 9110 §10.1.1). */
export function expectsContinue(fields: Fields): boolean {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === "expect" && fields[i + 1]?.toLowerCase() === "100-continue") return true;
  }
  return false;
}

/** What the client said in the fields of {@link OWN}. */
class OwnFields {
  #for: string | undefined;
  #proto: string | undefined;
  #host: string | undefined;
  #realIp: string | undefined;
  #forwarded: string[] | undefined;
  #via: string | undefined;
  #id: string | undefined;

  take(name: string, value: string): void {
    switch (name) {
      case "x-forwarded-for":
        this.#for = join(this.#for, value);
        return;
      case "x-forwarded-proto":
        this.#proto ??= value;
        return;
      case "x-forwarded-host":
        this.#host ??= value;
        return;
      case "x-real-ip":
        this.#realIp ??= value;
        return;
      case "forwarded":
        (this.#forwarded ??= []).push(value);
        return;
      case "via":
        this.#via = join(this.#via, value);
        return;
      case "x-request-id":
        this.#id ??= value;
    }
  }

  write(
    fields: string[],
    head: RequestHead,
    client: ClientFacts,
    { id, version }: { readonly id: string; readonly version: string },
  ): void {
    if (client.trusted) {
      fields.push("x-forwarded-for", join(this.#for, client.ip));
      fields.push("x-forwarded-proto", this.#proto ?? head.scheme);
      fields.push("x-forwarded-host", this.#host ?? head.authority);
      fields.push("x-real-ip", this.#realIp ?? client.ip);
      for (const value of this.#forwarded ?? []) fields.push("forwarded", value);
    } else {
      fields.push("x-forwarded-for", client.ip);
      fields.push("x-forwarded-proto", "https");
      fields.push("x-forwarded-host", head.authority);
      fields.push("x-real-ip", client.ip);
    }
    fields.push("via", join(this.#via, `${version} ${PSEUDONYM}`));
    fields.push("x-request-id", isUsableId(this.#id) ? this.#id : id);
  }
}

/** A stranger's identifier goes into logs of ours and of others: short and plain, or replaced. */
function isUsableId(id: string | undefined): id is string {
  return id !== undefined && /^[0-9A-Za-z._~+/=-]{1,128}$/.test(id);
}

function join(list: string | undefined, value: string): string {
  return list === undefined || list === "" ? value : `${list}, ${value}`;
}
