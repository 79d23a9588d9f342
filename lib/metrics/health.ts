import type { Families } from "./families.ts";
import type { MetricsSource } from "./source.ts";

/** How the proxy is, and what will need somebody's attention. */
export function addHealthMetrics(families: Families, { health, drift, now }: MetricsSource): void {
  families.gauge({
    name: "mc_proxy_healthy",
    help: "1 while a worker serves and the database can be written, and not while draining.",
  }, () => [[{}, Number(health().state === "serving")]]);
  families.gauge({
    name: "mc_proxy_database_writable",
    help: "1 while the database can be written.",
  }, () => [[{}, Number(health().databaseWritable)]]);
  families.gauge({
    name: "mc_proxy_reload_refused",
    help: "Files that could not be reloaded, so that something older is in use.",
  }, () => [[{}, health().refusals.length]]);
  families.gauge({
    name: "mc_proxy_warnings",
    help: "What works and is not as it should be: `mcproxyctl status` names each.",
  }, () => [[{}, health().warnings.length]]);
  families.gauge({
    name: "mc_proxy_config_drift",
    help: "Differences between the configuration file and what is in effect.",
  }, () => [[{}, drift()]]);
  families.gauge(
    {
      name: "mc_proxy_certificate_expiry_seconds",
      help: "Until a certificate ends; negative when it has.",
      labels: ["file"],
    },
    () =>
      health().certificates.flatMap(({ file, expiresAtMs }) =>
        expiresAtMs === undefined ? [] : [[{ file }, (expiresAtMs - now()) / 1000] as const]
      ),
  );
  for (const [count, help] of ACME_COUNTS) {
    families.counter({ name: `mc_proxy_acme_${count}_total`, help }, () => {
      const { issuance } = health();
      return issuance === undefined ? [] : [[{}, issuance[count]]];
    });
  }
  families.gauge({
    name: "mc_proxy_geoip_age_seconds",
    help: "Since the GeoIP database in use was built; absent without one.",
  }, () => {
    const { geoipBuiltMs } = health();
    return geoipBuiltMs === undefined ? [] : [[{}, (now() - geoipBuiltMs) / 1000] as const];
  });
}

const ACME_COUNTS = [
  ["attempts", "Orders of certificates that were begun or gone on with; absent without [acme]."],
  ["failures", "Those that gave no certificate."],
] as const;
