/**
 * What a proxy asks PostgreSQL, with the name of its group as the first parameter. Large integers come
 * as `float8`, which JSON and JavaScript have as well, and lists as one JSON text each.
 */
import { FLEET_SCHEMA } from "./schema.ts";

/** Entries that are read at once. */
const PAGE = 500;

/** Whether there is a fleet at all. */
export const HAS_FLEET = "SELECT to_regclass('mc_proxy_fleet.groups') IS NOT NULL AS ok";

/** Of the tables that are there. */
export const VERSION = "SELECT coalesce(max(version), 0) AS version FROM mc_proxy_fleet.migrations";

/** The tables, made or brought up to date; of two proxies that do so at once one waits. */
export const APPLY = `SELECT pg_advisory_xact_lock(6010223);
  ${FLEET_SCHEMA}`;

/** How far a group ($1) is, and the entry that it has at a revision ($2). */
export const HEAD =
  `SELECT g.id::text AS "group", g.epoch::float8 AS epoch, g.revision::float8 AS revision,
  g.channel, pg_is_in_recovery() AS standby,
  (SELECT l.id::text FROM mc_proxy_fleet.log l
    WHERE l.group_name = g.group_name AND l.revision = $2::bigint) AS at,
  coalesce((SELECT min(l.revision) FROM mc_proxy_fleet.log l
    WHERE l.group_name = g.group_name), 0)::float8 AS oldest
  FROM mc_proxy_fleet.groups g WHERE g.group_name = $1::text`;

/** {@link HEAD} and what comes after the revision, in one statement: both are of the same moment. */
export const FOLLOW = `SELECT h.*, (
    SELECT coalesce(json_agg(json_build_array(e.revision, e.id, e.time, e.proxy, e.actor, e.action,
      e.edits, e.audit) ORDER BY e.revision), '[]')::text FROM (
      SELECT * FROM mc_proxy_fleet.log l
      WHERE l.group_name = $1::text AND l.revision > $2::bigint
      ORDER BY l.revision LIMIT ${PAGE}
    ) e
  ) AS entries FROM (${HEAD}) h`;

/** {@link HEAD} and everything that the group consists of then. */
export const SNAPSHOT = `SELECT h.*, (
    SELECT l.id::text FROM mc_proxy_fleet.log l
    WHERE l.group_name = $1::text AND l.revision = h.revision
  ) AS entry, (
    SELECT coalesce(json_agg(json_build_array(o.key, o.value) ORDER BY o.place), '[]')::text
    FROM mc_proxy_fleet.objects o WHERE o.group_name = $1::text
  ) AS objects FROM (${HEAD}) h`;

/** Begins a transaction in which nobody else appends; where the group is then. */
export function turnOf(group: string): string {
  return `BEGIN; SELECT mc_proxy_fleet.take_turn(${literal(group)})::float8 AS revision`;
}

/** A new entry, if the group is still at its epoch and the revision before it. */
export const APPEND = `SELECT status, revision::float8 AS revision, to_json(unfit)::text AS unfit
  FROM mc_proxy_fleet.append($1::text, $2::bigint, $3::bigint, $4::uuid, $5::bigint, $6::text,
  $7::text, $8::text, $9::text::jsonb, $10::text::jsonb, $11::integer)`;

/** {@link APPEND} with tables that know nothing of formats. */
export const APPEND_2 = `SELECT status, revision::float8 AS revision, NULL AS unfit
  FROM mc_proxy_fleet.append($1::text, $2::bigint, $3::bigint, $4::uuid, $5::bigint, $6::text,
  $7::text, $8::text, $9::text::jsonb, $10::text::jsonb)`;

/** What a proxy says of itself. */
export const REPORT =
  `SELECT mc_proxy_fleet.report($1::text, $2::text, $3::text, $4::bigint, $5::bigint,
  $6::text, $7::bigint, $8::integer)`;

/** {@link REPORT} with tables that know nothing of formats. */
export const REPORT_2 =
  `SELECT mc_proxy_fleet.report($1::text, $2::text, $3::text, $4::bigint, $5::bigint,
  $6::text, $7::bigint)`;

/** Tables from this version on know of what proxies tell each other. */
export const BULLETINS_SINCE = 4;

/** {@link REPORT}, and what a proxy tells the others; in return what they do. */
export const EXCHANGE =
  `SELECT mc_proxy_fleet.exchange($1::text, $2::text, $3::text, $4::bigint, $5::bigint,
  $6::text, $7::bigint, $8::integer, $9::text, $10::text, $11::text::jsonb) AS answer`;

/** Has all proxies of a group exchange what they have to tell. */
export const CALL_ATTENTION = "SELECT mc_proxy_fleet.call_attention($1::text)";

/** Wants a proxy drained, or not any more; the revision that says so. */
export const SET_DRAIN =
  `SELECT mc_proxy_fleet.set_drain($1::text, $2::text, $3::text::boolean, $4::uuid,
  $5::bigint, $6::text, $7::text)::float8 AS revision`;

/** What all proxies of a group have said, as tables of before bulletins have it. */
export const OLD_MEMBERS =
  `SELECT m.proxy, m.version, m.epoch::float8 AS epoch, m.revision::float8 AS revision, m.health,
  extract(epoch FROM m.started_at)::float8 * 1000 AS "startedAt",
  extract(epoch FROM clock_timestamp() - m.seen_at)::float8 * 1000 AS "silentMs"
  FROM mc_proxy_fleet.members m WHERE m.group_name = $1::text ORDER BY m.proxy COLLATE "C"`;

/** What all proxies of a group have said, and which are to be drained. */
export const MEMBERS = OLD_MEMBERS
  .replace(
    "FROM mc_proxy_fleet.members m",
    `, b.status,
  extract(epoch FROM d.since)::float8 * 1000 AS "drainSince", d.by_actor AS "drainActor",
  d.by_proxy AS "drainProxy"
  FROM mc_proxy_fleet.members m
  LEFT JOIN mc_proxy_fleet.bulletins b ON b.group_name = m.group_name AND b.proxy = m.proxy
  LEFT JOIN mc_proxy_fleet.drains d ON d.group_name = m.group_name AND d.proxy = m.proxy`,
  );

/** Takes a proxy off the list; whether there was one. */
export const FORGET = "SELECT mc_proxy_fleet.forget($1::text, $2::text) AS found";

/** One transaction, as statements that are sent together are: the tables, and a group with one role. */
export function creationOf({ group, user }: { group: string; user: string }): string {
  return `${APPLY}
    SELECT mc_proxy_fleet.create_group(${literal(group)});
    SELECT mc_proxy_fleet.admit(${literal(group)}, ${literal(user)});`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
