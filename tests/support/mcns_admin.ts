/**
 * A name server's management on ports of its own, with a database in a folder of its own.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { DnsAdmin, type DnsAdminOptions } from "../../lib/dns_admin/mod.ts";
import { DnsControl, NO_PLANE } from "../../lib/dns_control/mod.ts";
import { type DnsDatabase, openDnsDatabase } from "../../lib/dns_store/mod.ts";
import { createSockets } from "../../lib/tcp/mod.ts";
import { createServerIdentity } from "./certificates.ts";

/** The token that may do everything. */
export const ADMIN_TOKEN = "an-administrators-token";

/** What {@link startMcnsAdmin} gives. */
export interface McnsAdmin extends AsyncDisposable {
  readonly folder: string;
  readonly control: DnsControl;
  readonly database: DnsDatabase;
  readonly socketPath: string;
  readonly ports: { readonly rest: number; readonly grpc: number };
  /** PEM of the authority, and its file. */
  readonly ca: string;
  readonly caPath: string;
  readonly messages: string[];
}

let identity: ReturnType<typeof createServerIdentity> | undefined;

/** Starts it; the certificate is for `localhost`. */
export async function startMcnsAdmin(
  options: Partial<Pick<DnsAdminOptions, "introspector" | "problem" | "recursion" | "addresses">> =
    {},
): Promise<McnsAdmin> {
  const folder = await Deno.makeTempDir();
  identity ??= createServerIdentity("localhost");
  const credentials = await identity;
  const caPath = `${folder}/ca.pem`;
  await Deno.writeTextFile(caPath, credentials.ca);
  const messages: string[] = [];
  const log = ({ message }: { readonly message: string }) => void messages.push(message);
  const database = openDnsDatabase(`${folder}/mcns.db`);
  const control = await DnsControl.open({ database, plane: NO_PLANE, log, now: Date.now });
  const hash = createHash("sha256").update(ADMIN_TOKEN).digest("hex");
  const socketPath = `${folder}/mcns.sock`;
  const admin = await DnsAdmin.start({
    ...{ control, credentials, log, version: "1.2.3", socketPath, now: Date.now },
    sockets: createSockets("handles"),
    restAddr: "127.0.0.1:0",
    grpcAddr: "127.0.0.1:0",
    tokenHashes: [`sha256:${hash}`],
    ...options,
  });
  return {
    ...{ folder, control, database, socketPath, messages, caPath, ca: credentials.ca },
    ports: admin.ports,
    async [Symbol.asyncDispose]() {
      await admin.close();
      await control.close();
      database[Symbol.dispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}
