/**
 * Which fields of a stranger's request may reach a backend, by name.
 *
 * @module
 */
import { blockOf, type Cidr, cidrContains, type IpAddress } from "../addr/mod.ts";
import type { Fields } from "../h2/mod.ts";
import { isTrailerField } from "./fields.ts";

/** What the operator says about fields. */
export interface FieldSettings {
  /** Requests with `_` in the name of a field are refused. */
  readonly refuseUnderscores: boolean;
  /** Addresses and CIDR blocks whose forwarding fields are believed. */
  readonly trustedForwarding: readonly string[];
  /** Trailers of requests that pass, besides those of {@link isRequestTrailer}. */
  readonly requestTrailers: readonly string[];
}

/** What holds unless the operator says otherwise. */
export const DEFAULT_FIELD_SETTINGS: FieldSettings = Object.freeze({
  refuseUnderscores: true,
  trustedForwarding: [],
  requestTrailers: [],
});

/**
 * What proxies and backends take for the word of a proxy: who the client is, what it asked for, and
 * over what. A stranger's are replaced or dropped; `proxy` is HTTP_PROXY to a CGI program
 * (CVE-2016-5385), and `x-original-url` and `x-rewrite-url` are the path to some frameworks
 * (CVE-2018-14773).
 */
const FORWARDING: ReadonlySet<string> = new Set([
  "cf-connecting-ip",
  "cf-connecting-ipv6",
  "client-ip",
  "fastly-client-ip",
  "forwarded",
  "forwarded-for",
  "front-end-https",
  "proxy",
  "true-client-ip",
  "x-arr-ssl",
  "x-azure-clientip",
  "x-client-cert",
  "x-client-dn",
  "x-client-ip",
  "x-client-verify",
  "x-cluster-client-ip",
  "x-envoy-external-address",
  "x-envoy-internal",
  "x-forwarded",
  "x-host",
  "x-http-host-override",
  "x-proxyuser-ip",
  "x-real-ip",
  "x-real-port",
  "x-remote-addr",
  "x-remote-ip",
  "x-rewrite-url",
  "x-scheme",
  "x-ssl",
  "x-url-scheme",
]);
/** `x-forwarded-for` … `-ssl`, `x-original-url`, `-uri`, `-host`, `-for`, and what comes next. */
const FORWARDING_PREFIX = /^x-(?:forwarded|original|ssl-client)-/;

/** Fields about this hop: of the client's own side, or of a connection (RFC 9110 §7.6.1, §11.7). */
const THIS_HOP: ReadonlySet<string> = new Set([
  "http2-settings",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
]);

/** What few names have but letters, digits and hyphens. */
const ODD_SIGN = /[^0-9a-z-]/;

/** Names with a meaning of their own here or in every backend. */
const MEANING: ReadonlySet<string> = new Set([
  "authorization",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "cookie",
  "expect",
  "host",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "user-agent",
  "via",
  "x-request-id",
]);

/**
 * Trailers that a request may have: what can only be known after its content. By name, because a
 * backend that merges trailers into the head would take any other for a field of the head, past
 * everything that was checked there (CVE-2026-88004).
 */
const REQUEST_TRAILERS: ReadonlySet<string> = new Set([
  "content-digest",
  "digest",
  "etag",
  "repr-digest",
  "server-timing",
  "signature",
  "signature-input",
  "x-amz-trailer-signature",
]);
const REQUEST_TRAILER_PREFIX = /^(?:grpc-|x-amz-checksum-|x-checksum)/;

/** Whether a field claims what only a proxy in front of this one could know. */
export function isForwardingField(name: string): boolean {
  return FORWARDING.has(name) || (name.charCodeAt(0) === 0x78 && FORWARDING_PREFIX.test(name));
}

/** Whether a field ends at this hop, whoever sends it. */
export function endsHere(name: string): boolean {
  return THIS_HOP.has(name);
}

/** The rules of one set of settings, compiled. */
export class FieldRules {
  readonly #refuseUnderscores: boolean;
  readonly #trusted: readonly Cidr[];
  readonly #trailers: ReadonlySet<string>;

  /** @throws {TypeError} if an address is none; the configuration was checked before. */
  constructor(settings: FieldSettings = DEFAULT_FIELD_SETTINGS) {
    this.#refuseUnderscores = settings.refuseUnderscores;
    this.#trusted = settings.trustedForwarding.map((text) => blockOf(text, "trusted_forwarding"));
    this.#trailers = new Set(settings.requestTrailers);
  }

  /** Whether what a peer's requests say about earlier hops is believed. */
  believes(peer: IpAddress): boolean {
    return this.#trusted.some((block) => cidrContains(block, peer));
  }

  /**
   * The first name that may stand for another one. To CGI, WSGI, PHP and Rack `x_forwarded_for` and
   * `x-forwarded-for` are one variable, and the last wins: what was checked is not what is read.
   * Some take every other sign for `_` too. Where `_` is allowed, only names that have no meaning
   * without it may have it.
   */
  ambiguousName(fields: Fields): string | undefined {
    for (let i = 0; i < fields.length; i += 2) {
      const name = fields[i] as string;
      if (!ODD_SIGN.test(name)) continue;
      if ((this.#refuseUnderscores && name.includes("_")) || hasMeaning(name)) return name;
    }
    return undefined;
  }

  /** Whether a trailer of a request may pass. */
  isRequestTrailer(name: string): boolean {
    return isTrailerField(name) &&
      (REQUEST_TRAILERS.has(name) || REQUEST_TRAILER_PREFIX.test(name) || this.#trailers.has(name));
  }
}

function hasMeaning(name: string): boolean {
  const plain = name.replace(/[^0-9a-z]/g, "-");
  return MEANING.has(plain) || THIS_HOP.has(plain) || isForwardingField(plain);
}
