import type { Command } from "commander";
import { HOSTNAME } from "./arguments.ts";
import type { ProgramHost } from "./host.ts";

/** `certificates`: those of routes, and the account at the authority. */
export function addCertificates(program: Command, { run }: ProgramHost): void {
  const load = () => import("../certificates.ts");
  const certificates = program.command("certificates").description("certificates of routes");
  certificates.command("list", { isDefault: true })
    .description("list certificates, who issued them and until when they are good")
    .action(() => run(async (session) => (await load()).listCertificates(session)));
  certificates.command("renew")
    .description("order a certificate from the authority now")
    .argument("<hostname>", HOSTNAME)
    .action((hostname: string) =>
      run(async (session) => (await load()).renewCertificate(session, hostname))
    );
  certificates.command("revoke")
    .description("revoke a certificate at its authority, and order another one")
    .argument("<hostname>", HOSTNAME)
    .action((hostname: string) =>
      run(async (session) => (await load()).revokeCertificate(session, hostname))
    );
  certificates.command("rollover-key")
    .description("give the account at the authority another key")
    .action(() => run(async (session) => (await load()).rolloverKey(session)));
}
