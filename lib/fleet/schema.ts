import { BULLETIN_SCHEMA } from "./schema_bulletin.ts";
import { LOG_SCHEMA } from "./schema_log.ts";
import { ORDERS_SCHEMA } from "./schema_orders.ts";
import { SECRETS_SCHEMA } from "./schema_secrets.ts";

/**
 * Of the tables and functions below. Whoever changes them adds one: a proxy brings an older version up to
 * date where its role may, and says so where it may not.
 */
export const FLEET_VERSION = 6;

/** First of all, and nobody meets what is half done: who appends waits. */
const BEGINNING = String.raw`
CREATE SCHEMA IF NOT EXISTS mc_proxy_fleet;

CREATE TABLE IF NOT EXISTS mc_proxy_fleet.migrations (
  version integer PRIMARY KEY,
  applied_at timestamptz NOT NULL DEFAULT now()
);

DO $$
DECLARE
  found integer;
BEGIN
  SELECT max(version) INTO found FROM mc_proxy_fleet.migrations;
  IF found > ${FLEET_VERSION} THEN
    RAISE 'the tables are at version %, and this makes version ${FLEET_VERSION}: take a newer one', found;
  END IF;
  IF found IS NOT NULL THEN
    -- In the order in which proxies lock them. Of "roles" there is none: some read it first and some
    -- last, so nothing below may lock it.
    LOCK TABLE mc_proxy_fleet.members, mc_proxy_fleet.groups, mc_proxy_fleet.objects,
      mc_proxy_fleet.log IN ACCESS EXCLUSIVE MODE;
  END IF;
END
$$;
`;

/** For the owner of everything. */
const ADMINISTRATION = String.raw`
-- For the owner: makes a group.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.create_group(in_group text) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO mc_proxy_fleet.groups (group_name) VALUES (in_group) ON CONFLICT DO NOTHING
$$;

-- What a role of a proxy may do, of its own groups: what is not listed is the owner's.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.grant_to(in_role name) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  one text;
  tables text[] := ARRAY[
    'migrations', 'groups', 'objects', 'log', 'members', 'audit', 'bulletins', 'drains',
    'orders', 'challenges', 'secrets', 'secret_places'
  ];
  functions text[] := ARRAY[
    'own_groups', 'take_turn', 'append', 'report', 'forget',
    'exchange', 'call_attention', 'set_drain',
    'take_order', 'keep_order', 'note_order', 'end_order', 'show_proof', 'hide_proof', 'say_shown',
    'put_secret'
  ];
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA mc_proxy_fleet TO %I', in_role);
  FOREACH one IN ARRAY tables LOOP
    EXECUTE format('GRANT SELECT ON mc_proxy_fleet.%I TO %I', one, in_role);
  END LOOP;
  FOR one IN SELECT p.oid::regprocedure::text FROM pg_proc p
      WHERE p.pronamespace = 'mc_proxy_fleet'::regnamespace AND p.proname = ANY (functions) LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', one, in_role);
  END LOOP;
END
$$;

-- For the owner: lets a role into a group.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.admit(in_group text, in_role name) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO mc_proxy_fleet.roles VALUES (in_group, in_role) ON CONFLICT DO NOTHING;
  PERFORM mc_proxy_fleet.grant_to(in_role);
END
$$;

-- For the owner: takes a role out of a group; its next statement is refused.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.expel(in_group text, in_role name) RETURNS void
LANGUAGE sql AS $$
  DELETE FROM mc_proxy_fleet.roles WHERE group_name = in_group AND role = in_role
$$;

-- For the owner, after a restore to an older point: what is here is the truth, and every proxy takes
-- it, whatever it had. Export the state of a proxy before (mcproxyctl export), if that was the better.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.accept_restored(in_group text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  now_at mc_proxy_fleet.groups;
BEGIN
  -- Two restores to the same point must not end in the same epoch: it leads on from the clock.
  UPDATE mc_proxy_fleet.groups g
    SET epoch = greatest(g.epoch + 1, extract(epoch FROM clock_timestamp())::bigint)
    WHERE g.group_name = in_group RETURNING * INTO STRICT now_at;
  PERFORM pg_notify(now_at.channel, now_at.revision::text);
  RETURN now_at.revision;
END
$$;
`;

/** Whose everything is: behind all that makes something. */
const RIGHTS = String.raw`
-- New objects are nobody's until they are granted.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA mc_proxy_fleet FROM PUBLIC;

DO $$
DECLARE
  one text;
BEGIN
  -- Whatever is of a group is of its members alone. Who they are nobody is granted to read. What is so
  -- already is left alone: proxies use it.
  FOR one IN SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
      WHERE c.relnamespace = 'mc_proxy_fleet'::regnamespace AND c.relkind = 'r'
        AND a.attname = 'group_name' AND c.relname <> 'roles' AND NOT EXISTS (
          SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'own') LOOP
    EXECUTE format('ALTER TABLE mc_proxy_fleet.%I ENABLE ROW LEVEL SECURITY', one);
    EXECUTE format('CREATE POLICY own ON mc_proxy_fleet.%I FOR SELECT
      USING (group_name IN (SELECT mc_proxy_fleet.own_groups()))', one);
  END LOOP;
  -- What is new is for those who were let in before, too.
  FOR one IN SELECT DISTINCT r.role FROM mc_proxy_fleet.roles r JOIN pg_roles p
      ON p.rolname = r.role LOOP
    PERFORM mc_proxy_fleet.grant_to(one);
  END LOOP;
END
$$;

INSERT INTO mc_proxy_fleet.migrations (version) SELECT generate_series(1, ${FLEET_VERSION})
  ON CONFLICT DO NOTHING;
`;

/**
 * What `deploy/postgres/fleet.sql` makes, for a proxy whose role may: the same statements, which a test
 * compares. It makes everything where nothing is, and of any older version this one.
 */
export const FLEET_SCHEMA = [
  BEGINNING,
  LOG_SCHEMA,
  BULLETIN_SCHEMA,
  ORDERS_SCHEMA,
  SECRETS_SCHEMA,
  ADMINISTRATION,
  RIGHTS,
].join("");
