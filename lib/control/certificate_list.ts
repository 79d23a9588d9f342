import { X509Certificate } from "node:crypto";
import type { ListenerSnapshot } from "../plane/mod.ts";
import { ACME } from "../state/mod.ts";
import type { Issuance } from "./issuance.ts";
import type { RouteMaterials } from "./route_materials.ts";

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

/** The certificates of all routes that name one, in the order of the routes. */
export function listCertificates(
  listeners: readonly ListenerSnapshot[],
  { materials, issuance }: {
    readonly materials: RouteMaterials;
    readonly issuance: Issuance | undefined;
  },
): CertificateStatus[] {
  const issued = new Map(issuance?.status().map((status) => [status.name, status]));
  return listeners.flatMap(({ addr: listenerAddr, routes }) =>
    routes.flatMap((route) => {
      const { hostname, mode, tlsCert: source } = route;
      if (source === "" || mode === "l4" && source !== ACME) return [];
      const held = materials.pairOf(route);
      const order = source === ACME ? issued.get(hostname) : undefined;
      const pem = order?.certificate?.certPem;
      const leaf = held?.value?.leaf ?? (pem === undefined ? undefined : new X509Certificate(pem));
      return [{
        ...{ listenerAddr, hostname, source },
        ...describeLeaf(leaf),
        nextAtMs: order?.nextAt,
        problem: order?.lastError || (held?.problem ?? ""),
      }];
    })
  );
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
