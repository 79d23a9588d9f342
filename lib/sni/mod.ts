/**
 * What a TLS client says before anything is encrypted: the server name and the application
 * protocols of its ClientHello (RFC 8446 §4.1.2). Pure; nothing is consumed or changed.
 *
 * Decisions where implementations differ:
 *
 * - **A name must be a hostname** by the rules of `parseHostname`: what no route could be called,
 *   no client may ask for. IP addresses (RFC 6066 §3 forbids them), names whose last label is all
 *   digits, and characters outside letters, digits, hyphen and underscore are `invalid`, although
 *   other proxies pass them on: under a wildcard route they would reach a backend and a log.
 * - One trailing dot is removed although RFC 6066 §3 forbids it: `a.example.` and `a.example` must
 *   never be two names to a rule.
 * - Entries of `server_name` with an unknown type are skipped (RFC 6066 §3 gives them a length);
 *   two host names, an empty list and an empty name are `invalid`.
 * - An extension that is read here (server_name, ALPN) must be well-formed and
 *   occur once (RFC 8446 §4.2). All others are stepped over by their length.
 * - The ClientHello must end where a record ends (RFC 8446 §5.1): octets after it in the same record
 *   cannot come from an honest client, which waits for the server first.
 * - Records of length zero, over 2^14 octets or of another type before the end are `invalid`
 *   (RFC 8446 §5.1). The record version's low octet is ignored, as §5.1 asks.
 * - With Encrypted Client Hello the name is the outer one.
 * - An SSLv2 hello is `invalid` at its first octet, like anything else that is not TLS.
 *
 * @module
 */
export {
  type ClientHello,
  ClientHelloReader,
  MAX_CLIENT_HELLO,
  parseClientHello,
} from "./client_hello.ts";
export { RecordWalk } from "./_records.ts";
