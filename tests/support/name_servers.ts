/**
 * Name servers of others that take dynamic updates.
 *
 * @module
 */
import { join } from "node:path";
import { type DnsPeerOptions, knotConfig, namedConfig, startDnsPeer } from "./dns_peers.ts";

/** A name server that runs. */
export interface NameServer extends AsyncDisposable {
  readonly port: number;
  /** The texts of a name, in the words of dig. */
  texts(name: string): Promise<string[]>;
  readonly output: () => string;
}

/** The key that both take changes with. */
export const UPDATE_KEY = {
  name: "acme-key",
  secret: "c2VjcmV0LWZvci10ZXN0cy1vbmx5LTAxMjM0NTY3ODk=",
};

const ZONE = `$ORIGIN a.example.
$TTL 60
@ SOA ns.a.example. hostmaster.a.example. 1 3600 600 86400 60
@ NS ns.a.example.
ns A 127.0.0.1
_acme-challenge.alias CNAME one.proofs
one.proofs CNAME two.proofs
_acme-challenge.loop CNAME x.loop
x.loop CNAME _acme-challenge.loop
_acme-challenge.out CNAME elsewhere.c.example.
*.wild CNAME ns
`;

/** One that takes no changes, and leads to the other. */
const OTHER_ZONE = `$ORIGIN b.example.
$TTL 60
@ SOA ns.a.example. hostmaster.a.example. 1 3600 600 86400 60
@ NS ns.a.example.
_acme-challenge CNAME b.proofs.a.example.
`;

/** Knot DNS with the zone a.example. */
export function startKnot(): Promise<NameServer> {
  return start({
    command: "knotd",
    args: ({ folder }) => ["-c", join(folder, "knot.conf")],
    files: (place) => ({
      "knot.conf": knotConfig(
        place,
        `key:
  - id: ${UPDATE_KEY.name}
    algorithm: hmac-sha256
    secret: ${UPDATE_KEY.secret}
acl:
  - id: acme
    key: ${UPDATE_KEY.name}
    action: update
zone:
  - domain: a.example
    storage: ${place.folder}
    file: zone
    acl: acme
  - domain: b.example
    storage: ${place.folder}
    file: other
`,
      ),
      zone: ZONE,
      other: OTHER_ZONE,
    }),
  });
}

/** BIND with the zone a.example. */
export function startBind(): Promise<NameServer> {
  return start({
    command: "named",
    args: ({ folder, port }) => ["-g", "-c", join(folder, "named.conf"), "-p", String(port)],
    files: (place) => ({
      "named.conf": namedConfig(
        place,
        `key "${UPDATE_KEY.name}" { algorithm hmac-sha256; secret "${UPDATE_KEY.secret}"; };
zone "a.example" { type primary; file "zone"; allow-update { key "${UPDATE_KEY.name}"; }; };
`,
      ),
      zone: ZONE,
    }),
  });
}

async function start(options: Omit<DnsPeerOptions, "question">): Promise<NameServer> {
  const peer = await startDnsPeer({ ...options, question: ["ns.a.example", "A"] });
  return {
    port: peer.port,
    output: peer.output,
    async texts(name) {
      const printed = await peer.dig("+short", "+time=1", "+tries=1", name, "TXT");
      return printed.split("\n").filter((line) => line !== "" && !line.startsWith(";"));
    },
    [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
  };
}
