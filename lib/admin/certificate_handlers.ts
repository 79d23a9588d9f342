import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { CertificateStatus, Issuance } from "../control/mod.ts";
import { certifiedRoutes, RefusedError } from "../control/mod.ts";
import type { Handlers } from "../rpc_server/mod.ts";
import { type AdminContext, operation } from "./context.ts";
import type { ProxyAdminService } from "./gen/mod.ts";
import { pageByKey } from "./pages.ts";

type CertificateMethods =
  | "listCertificates"
  | "renewCertificate"
  | "revokeCertificate"
  | "rolloverAccountKey";

/** Certificates of routes, and those from an authority. */
export function certificateHandlers(
  context: AdminContext,
): Pick<Handlers<typeof ProxyAdminService>, CertificateMethods> {
  const { control } = context;
  return {
    listCertificates(request) {
      const routes = certifiedRoutes(control.listeners);
      const { page, nextPageToken } = pageByKey(routes, ({ key }) => key, request);
      return { certificates: control.certificates(page).map(fromCertificate), nextPageToken };
    },
    async renewCertificate({ hostname }) {
      await issuanceOf(context).renew(hostname.toLowerCase());
      return {};
    },
    async revokeCertificate({ hostname }, call) {
      const { actor } = operation("RevokeCertificate", context, call);
      await issuanceOf(context).revoke(hostname.toLowerCase(), actor);
      return {};
    },
    async rolloverAccountKey(_, call) {
      const { actor } = operation("RolloverAccountKey", context, call);
      return { account: await issuanceOf(context).rollKey(actor) };
    },
  };
}

function issuanceOf({ control: { issuance } }: AdminContext): Issuance {
  if (issuance !== undefined) return issuance;
  throw new RefusedError("failed_precondition", "there is no section [acme]");
}

function fromCertificate({ expiresAtMs, nextAtMs, names, ...rest }: CertificateStatus) {
  return {
    ...rest,
    names: [...names],
    ...expiresAtMs !== undefined && { expireTime: timestampFromMs(expiresAtMs) },
    ...nextAtMs !== undefined && { nextOrderTime: timestampFromMs(nextAtMs) },
  };
}
