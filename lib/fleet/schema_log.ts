/** Groups, their state and log, who belongs to them, and what proxies call. */
export const LOG_SCHEMA = String.raw`
CREATE TABLE IF NOT EXISTS mc_proxy_fleet.groups (
  group_name text PRIMARY KEY CHECK (group_name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
  -- Tells this group from one of the same name in another database.
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  -- Grows with accept_restored(): only then do proxies follow a history that is not theirs.
  epoch bigint NOT NULL DEFAULT 1,
  revision bigint NOT NULL DEFAULT 0,
  -- A name that only members can read: anybody may LISTEN.
  channel text NOT NULL DEFAULT 'mc_proxy_fleet_' || replace(gen_random_uuid()::text, '-', '')
);

-- Which roles belong to which group.
CREATE TABLE IF NOT EXISTS mc_proxy_fleet.roles (
  group_name text NOT NULL REFERENCES mc_proxy_fleet.groups ON DELETE CASCADE,
  role name NOT NULL,
  PRIMARY KEY (group_name, role)
);

-- The state of a group as it is now: what a proxy takes that joins, or was away for too long.
CREATE TABLE IF NOT EXISTS mc_proxy_fleet.objects (
  group_name text NOT NULL REFERENCES mc_proxy_fleet.groups ON DELETE CASCADE,
  key text[] COLLATE "C" NOT NULL,
  value jsonb NOT NULL,
  -- The order in which they were added.
  place bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  PRIMARY KEY (group_name, key)
);
-- Rules that end on their own do so at each proxy, without a revision.
CREATE INDEX IF NOT EXISTS objects_by_expiry ON mc_proxy_fleet.objects
  (group_name, ((value ->> 'expires_at')::text COLLATE "C")) WHERE value ? 'expires_at';

-- One row a revision, without gaps. "edits" lists what it puts and cuts; "audit" what it means.
CREATE TABLE IF NOT EXISTS mc_proxy_fleet.log (
  group_name text NOT NULL REFERENCES mc_proxy_fleet.groups ON DELETE CASCADE,
  revision bigint NOT NULL,
  id uuid NOT NULL,
  epoch bigint NOT NULL,
  -- Milliseconds since 1970, by the proxy's clock.
  time bigint NOT NULL,
  -- As it calls itself, and who it is to PostgreSQL.
  proxy text NOT NULL,
  role name NOT NULL,
  actor text NOT NULL,
  action text NOT NULL,
  edits jsonb NOT NULL,
  audit jsonb NOT NULL,
  PRIMARY KEY (group_name, revision),
  UNIQUE (group_name, id)
);

-- What each proxy has said of itself last.
CREATE TABLE IF NOT EXISTS mc_proxy_fleet.members (
  group_name text NOT NULL REFERENCES mc_proxy_fleet.groups ON DELETE CASCADE,
  proxy text NOT NULL,
  role name NOT NULL,
  version text NOT NULL,
  epoch bigint NOT NULL,
  -- What it has in effect.
  revision bigint NOT NULL,
  health text NOT NULL,
  started_at timestamptz NOT NULL,
  seen_at timestamptz NOT NULL,
  PRIMARY KEY (group_name, proxy)
);

-- What state it understands: one that has never said so is of the time before.
ALTER TABLE mc_proxy_fleet.members ADD COLUMN IF NOT EXISTS format integer NOT NULL DEFAULT 1;

-- The audit log of all proxies, an entry a row.
CREATE OR REPLACE VIEW mc_proxy_fleet.audit WITH (security_invoker = true) AS
  SELECT l.group_name, l.revision, to_timestamp(l.time / 1000.0) AS time, l.proxy, l.role, l.actor,
    l.action, a.entry ->> 0 AS subject, a.entry ->> 1 AS before, a.entry ->> 2 AS after
  FROM mc_proxy_fleet.log l, jsonb_array_elements(l.audit) AS a (entry);

-- The groups of whoever has logged in. SET ROLE changes nothing about it.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.own_groups() RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT group_name FROM mc_proxy_fleet.roles WHERE role = session_user
$$;

CREATE OR REPLACE FUNCTION mc_proxy_fleet.require_member(in_group text) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM mc_proxy_fleet.roles r
      WHERE r.group_name = in_group AND r.role = session_user) THEN
    RAISE insufficient_privilege USING MESSAGE =
      format('the role %I does not belong to the group %s', session_user, quote_literal(in_group));
  END IF;
END
$$;

-- Waits until nobody else appends, and keeps it so until the transaction ends; where the group is then.
-- Advisory locks are given in the order in which they were asked for; a row goes to whoever is there
-- when it is let go, which keeps others waiting forever. Anybody may take such a lock, so that it is
-- waited for, but not needed: what is appended is right without.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.take_turn(in_group text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM mc_proxy_fleet.require_member(in_group);
  -- In ms. Who falls silent with the turn keeps the others waiting for no longer.
  PERFORM set_config('idle_in_transaction_session_timeout', '1000', true);
  PERFORM set_config('lock_timeout', '1400', true);
  BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(g.id::text, 0))
      FROM mc_proxy_fleet.groups g WHERE g.group_name = in_group;
  EXCEPTION WHEN lock_not_available THEN NULL;
  END;
  RETURN (SELECT g.revision FROM mc_proxy_fleet.groups g WHERE g.group_name = in_group);
END
$$;

-- Appends one revision behind the expected one: 'done' with its number, or 'stale' with the number
-- that the group is at, or 'unfit' with those proxies whose program does not know the format that it
-- needs. Saying the same again, by its id, changes nothing and answers the same.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.append(
  in_group text, in_epoch bigint, in_expected bigint, in_id uuid, in_time bigint,
  in_proxy text, in_actor text, in_action text, in_edits jsonb, in_audit jsonb, in_format integer
) RETURNS TABLE (status text, revision bigint, unfit text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  here mc_proxy_fleet.groups;
  edit jsonb;
  path text[];
  said bigint;
  behind text[];
BEGIN
  PERFORM mc_proxy_fleet.take_turn(in_group);
  IF in_format > 1 THEN
    SELECT array_agg(format('%s (%s)', m.proxy, m.version) ORDER BY m.proxy) INTO behind
      FROM mc_proxy_fleet.members m
      WHERE m.group_name = in_group AND m.proxy <> in_proxy AND m.format < in_format;
  END IF;
  -- The number is given under the lock, so none is ever missing.
  SELECT * INTO STRICT here FROM mc_proxy_fleet.groups g WHERE g.group_name = in_group
    FOR NO KEY UPDATE;
  SELECT l.revision INTO said FROM mc_proxy_fleet.log l
    WHERE l.group_name = in_group AND l.id = in_id;
  IF FOUND THEN
    RETURN QUERY SELECT 'done'::text, said, NULL::text[];
    RETURN;
  END IF;
  IF here.epoch <> in_epoch OR here.revision <> in_expected THEN
    RETURN QUERY SELECT 'stale'::text, here.revision, NULL::text[];
    RETURN;
  END IF;
  IF behind IS NOT NULL THEN
    RETURN QUERY SELECT 'unfit'::text, here.revision, behind;
    RETURN;
  END IF;
  FOR edit IN SELECT * FROM jsonb_array_elements(in_edits) LOOP
    path := ARRAY(SELECT jsonb_array_elements_text(edit -> 1));
    IF cardinality(path) = 0 THEN RAISE 'an edit without a key'; END IF;
    CASE edit ->> 0
      WHEN 'put' THEN
        INSERT INTO mc_proxy_fleet.objects AS o (group_name, key, value)
          VALUES (in_group, path, edit -> 2)
          ON CONFLICT (group_name, key) DO UPDATE SET value = excluded.value;
      WHEN 'cut' THEN
        DELETE FROM mc_proxy_fleet.objects o WHERE o.group_name = in_group AND o.key = path;
        IF path[1] = 'listener' THEN
          PERFORM mc_proxy_fleet.strip(in_group, path);
        END IF;
      WHEN 'strip' THEN PERFORM mc_proxy_fleet.strip(in_group, path);
      ELSE RAISE 'an edit of an unknown kind';
    END CASE;
  END LOOP;
  INSERT INTO mc_proxy_fleet.log
    VALUES (in_group, in_expected + 1, in_id, in_epoch, in_time, in_proxy, session_user, in_actor,
      in_action, in_edits, in_audit);
  UPDATE mc_proxy_fleet.groups g SET revision = in_expected + 1 WHERE g.group_name = in_group;
  -- A proxy that is further behind takes the objects instead.
  DELETE FROM mc_proxy_fleet.log l
    WHERE l.group_name = in_group AND l.revision <= in_expected + 1 - 100000;
  -- Times are in ISO 8601 and UTC, so that text compares like time.
  DELETE FROM mc_proxy_fleet.objects o WHERE o.group_name = in_group AND o.value ? 'expires_at'
    AND (o.value ->> 'expires_at')::text COLLATE "C" <
      to_char(now() AT TIME ZONE 'UTC' - interval '1 minute', 'YYYY-MM-DD"T"HH24:MI:SS');
  PERFORM pg_notify(here.channel, (in_expected + 1)::text);
  RETURN QUERY SELECT 'done'::text, in_expected + 1, NULL::text[];
END
$$;

-- As proxies call it that know the first format alone.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.append(
  in_group text, in_epoch bigint, in_expected bigint, in_id uuid, in_time bigint,
  in_proxy text, in_actor text, in_action text, in_edits jsonb, in_audit jsonb
) RETURNS TABLE (status text, revision bigint)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT a.status, a.revision FROM mc_proxy_fleet.append(in_group, in_epoch, in_expected, in_id,
    in_time, in_proxy, in_actor, in_action, in_edits, in_audit, 1) a
$$;

-- Deletes what is below a key.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.strip(in_group text, in_path text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM mc_proxy_fleet.objects o WHERE o.group_name = in_group
    AND o.key > in_path COLLATE "C" AND o.key[1:cardinality(in_path)] = in_path
$$;

-- What a proxy says of itself.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.report(
  in_group text, in_proxy text, in_version text, in_epoch bigint, in_revision bigint,
  in_health text, in_uptime_ms bigint, in_format integer
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM mc_proxy_fleet.require_member(in_group);
  INSERT INTO mc_proxy_fleet.members AS m (group_name, proxy, role, version, epoch, revision, health,
      started_at, seen_at, format)
    VALUES (in_group, in_proxy, session_user, in_version, in_epoch, in_revision, in_health,
      clock_timestamp() - in_uptime_ms * interval '1 ms', clock_timestamp(), in_format)
    ON CONFLICT (group_name, proxy) DO UPDATE SET role = excluded.role,
      version = excluded.version, epoch = excluded.epoch, revision = excluded.revision,
      health = excluded.health, started_at = excluded.started_at, seen_at = excluded.seen_at,
      format = excluded.format;
END
$$;

-- As proxies call it that know the first format alone.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.report(
  in_group text, in_proxy text, in_version text, in_epoch bigint, in_revision bigint,
  in_health text, in_uptime_ms bigint
) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT mc_proxy_fleet.report(in_group, in_proxy, in_version, in_epoch, in_revision, in_health,
    in_uptime_ms, 1)
$$;

-- Removes a proxy that is gone for good from what is reported; one that is there reports again.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.forget(in_group text, in_proxy text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM mc_proxy_fleet.require_member(in_group);
  DELETE FROM mc_proxy_fleet.bulletins b WHERE b.group_name = in_group AND b.proxy = in_proxy;
  DELETE FROM mc_proxy_fleet.drains d WHERE d.group_name = in_group AND d.proxy = in_proxy;
  DELETE FROM mc_proxy_fleet.members m WHERE m.group_name = in_group AND m.proxy = in_proxy;
  RETURN FOUND;
END
$$;
`;
