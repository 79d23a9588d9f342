import { X509Certificate } from "node:crypto";
import type { ListenerSnapshot } from "../plane/mod.ts";
import type { Route } from "../routes/mod.ts";
import { ACME } from "../state/mod.ts";
import type { Issuance } from "./issuance.ts";
import type { RouteMaterials } from "./route_materials.ts";

/** Of the largest id that SQLite gives. */
const ID_DIGITS = 19;

/** The certificate of a route, for people. */
export interface CertificateStatus {
  readonly listenerAddr: string;
  readonly hostname: string;
  /** `acme`, or the file. */
  readonly source: string;
  /** Of what is in use; empty if nothing is. */
  readonly issuer: string;
  readonly names: readonly string[];
  /** Milliseconds since 1970; absent if nothing is in use. */
  readonly expiresAtMs: number | undefined;
  /** When it is ordered next; absent: nobody renews it but its owner. */
  readonly nextAtMs: number | undefined;
  /** Why what there is now is not in use, or what the authority said last. */
  readonly problem: string;
}

/** A route that names a certificate, or asks an authority for one. */
export interface CertifiedRoute {
  readonly listenerAddr: string;
  readonly route: Route;
  /** By which they are sorted, also after some have come or gone. */
  readonly key: string;
}

/** All of them, by listener and hostname. */
export function certifiedRoutes(listeners: readonly ListenerSnapshot[]): CertifiedRoute[] {
  return listeners.flatMap(({ id, addr: listenerAddr, routes }) =>
    routes.flatMap((route): CertifiedRoute[] => {
      const { hostname, mode, tlsCert: source } = route;
      if (source === "" || mode === "l4" && source !== ACME) return [];
      return [{ listenerAddr, route, key: `${String(id).padStart(ID_DIGITS, "0")} ${hostname}` }];
    })
  ).sort((a, b) => a.key < b.key ? -1 : 1);
}

/** What is known of the certificates of routes. */
export function listCertificates(
  routes: readonly CertifiedRoute[],
  { materials, issuance }: {
    readonly materials: RouteMaterials;
    readonly issuance: Issuance | undefined;
  },
): CertificateStatus[] {
  const issued = new Map(issuance?.status().map((status) => [status.name, status]));
  return routes.map(({ listenerAddr, route }) => {
    const { hostname, tlsCert: source } = route;
    const held = materials.pairOf(route);
    const order = source === ACME ? issued.get(hostname) : undefined;
    const pem = order?.certificate?.certPem;
    const leaf = held?.value?.leaf ?? (pem === undefined ? undefined : new X509Certificate(pem));
    return {
      ...{ listenerAddr, hostname, source },
      ...describeLeaf(leaf),
      nextAtMs: order?.nextAt,
      problem: order?.lastError || (held?.problem ?? ""),
    };
  });
}

function describeLeaf(
  leaf: X509Certificate | undefined,
): Pick<CertificateStatus, "issuer" | "names" | "expiresAtMs"> {
  if (leaf === undefined) return { issuer: "", names: [], expiresAtMs: undefined };
  const { issuer, subjectAltName = "", validToDate } = leaf;
  return {
    issuer: /(?:^|\n)CN=(.*)/.exec(issuer)?.[1] ?? issuer.replaceAll("\n", ", "),
    names: subjectAltName.split(", ").map((name) => name.replace(/^DNS:/, "")),
    expiresAtMs: validToDate.getTime(),
  };
}
