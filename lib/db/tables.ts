/**
 * What is the state: every row counts, and none may go unnoticed. Triggers of the digest and of the
 * undo log stand on these tables; a test fails on a table that is in neither list.
 */
export const STATE_TABLES = [
  "listeners",
  "routes",
  "firewall_rules",
  "l7_policies",
  "settings",
  "seeded",
  "dns_changes",
  "dns_published",
] as const;

/** Columns of state tables that count and do not say: they change without anybody's wish. */
export const STATISTICS: ReadonlySet<string> = new Set(["firewall_rules.hits"]);
