/**
 * Every parser of octets that strangers, servers or files bring.
 *
 * @module
 */
import type { FuzzTarget } from "../../support/fuzz_target.ts";
import { ACME_TLS_FLIGHT, ACME_TLS_HELLO, ACME_TLS_RECORDS } from "./acme_tls.ts";
import { DNS_MESSAGE, RESOLVER_FILES } from "./dns.ts";
import { DNS_SESSION } from "./dns_session.ts";
import { FLEET_BULLETIN, FLEET_LOG } from "./fleet.ts";
import { GEOIP } from "./geoip.ts";
import { H1_ANSWERS, H1_CHUNKS, H1_REQUESTS } from "./h1.ts";
import { H2_ANSWERS, H2_REQUESTS } from "./h2.ts";
import { HPACK } from "./hpack.ts";
import { PROXYPROTO } from "./proxyproto.ts";
import { GRPC_FRAMES } from "./rpc.ts";
import { SNI } from "./sni.ts";
import { ADDRESSES, CONFIGURATION, DIRECTORY, STATE_FILE } from "./texts.ts";
import { DNS_WORKER_MESSAGES, WORKER_MESSAGES } from "./worker_messages.ts";
import { CERTIFICATE, DER, REVOCATION_LIST } from "./x509.ts";
import { EDNS, ZONE, ZONE_ANSWERS, ZONE_FILE } from "./zones.ts";

/** All of them; what is in none of `tests/fuzz` is forgotten by `deno task fuzz` only. */
export const TARGETS: readonly FuzzTarget[] = [
  SNI,
  PROXYPROTO,
  HPACK,
  H2_REQUESTS,
  H2_ANSWERS,
  H1_REQUESTS,
  H1_ANSWERS,
  H1_CHUNKS,
  DER,
  CERTIFICATE,
  REVOCATION_LIST,
  DNS_MESSAGE,
  RESOLVER_FILES,
  ZONE_FILE,
  EDNS,
  ZONE,
  ZONE_ANSWERS,
  ADDRESSES,
  STATE_FILE,
  CONFIGURATION,
  DIRECTORY,
  GEOIP,
  GRPC_FRAMES,
  ACME_TLS_HELLO,
  ACME_TLS_RECORDS,
  ACME_TLS_FLIGHT,
  WORKER_MESSAGES,
  DNS_SESSION,
  DNS_WORKER_MESSAGES,
  FLEET_LOG,
  FLEET_BULLETIN,
];
