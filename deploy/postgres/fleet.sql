-- What a fleet of proxies has in PostgreSQL (15 or later): the truth about each group of proxies, the
-- one log of its revisions, and who of it has which in effect. Apply it as the role that is to own it:
--
--     psql --dbname mc-proxy --single-transaction --file deploy/postgres/fleet.sql
--
-- or let the first proxy do so, whose role may create a schema there. Running it again is harmless, and
-- brings tables of an older version up to date: do so before the first proxy is upgraded. Proxies of
-- older versions work with newer tables as before. Then make a group, and let a role of its own in for each proxy:
--
--     SELECT mc_proxy_fleet.create_group('edge');
--     CREATE ROLE edge_p1 LOGIN PASSWORD '…';
--     SELECT mc_proxy_fleet.admit('edge', 'edge_p1');
--
-- Such a role can read its own groups, append to their logs and report for itself; nothing else.

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
  IF found > 6 THEN
    RAISE 'the tables are at version %, and this makes version 6: take a newer one', found;
  END IF;
  IF found IS NOT NULL THEN
    -- In the order in which proxies lock them. Of "roles" there is none: some read it first and some
    -- last, so nothing below may lock it.
    LOCK TABLE mc_proxy_fleet.members, mc_proxy_fleet.groups, mc_proxy_fleet.objects,
      mc_proxy_fleet.log IN ACCESS EXCLUSIVE MODE;
  END IF;
END
$$;

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

-- What each proxy tells the others every second. Nothing of it is worth a crash or a standby.
CREATE UNLOGGED TABLE IF NOT EXISTS mc_proxy_fleet.bulletins (
  group_name text NOT NULL REFERENCES mc_proxy_fleet.groups ON DELETE CASCADE,
  proxy text NOT NULL,
  role name NOT NULL,
  -- Another one for another "shared": who has it already need not read it again.
  stamp bigint NOT NULL,
  -- For the other proxies, and for whoever asks about all of them; both JSON, to them alone.
  shared text NOT NULL,
  status text NOT NULL,
  seen_at timestamptz NOT NULL,
  PRIMARY KEY (group_name, proxy)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

-- Proxies that take no new connections, as an operator wants it, until he wants them back.
CREATE TABLE IF NOT EXISTS mc_proxy_fleet.drains (
  group_name text NOT NULL REFERENCES mc_proxy_fleet.groups ON DELETE CASCADE,
  proxy text NOT NULL,
  since timestamptz NOT NULL DEFAULT now(),
  -- Who has asked for it, at which proxy.
  by_actor text NOT NULL,
  by_proxy text NOT NULL,
  role name NOT NULL,
  PRIMARY KEY (group_name, proxy)
);

-- What report() says, a bulletin beside it, and in return those of the others that are not known yet:
-- {"drain": [since, actor, proxy] or null, "others": [[proxy, silent for, stamp, shared or null]]}.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.exchange(
  in_group text, in_proxy text, in_version text, in_epoch bigint, in_revision bigint,
  in_health text, in_uptime_ms bigint, in_format integer, in_shared text, in_status text, in_known jsonb
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  now_at timestamptz := clock_timestamp();
BEGIN
  -- What is said again in a second need not wait for the disk.
  PERFORM set_config('synchronous_commit', 'off', true);
  PERFORM mc_proxy_fleet.report(in_group, in_proxy, in_version, in_epoch, in_revision, in_health,
    in_uptime_ms, in_format);
  IF octet_length(in_shared) > 65536 OR octet_length(in_status) > 16384 THEN
    RAISE 'a bulletin of % octets', octet_length(in_shared) + octet_length(in_status);
  END IF;
  INSERT INTO mc_proxy_fleet.bulletins AS b
    VALUES (in_group, in_proxy, session_user, (extract(epoch FROM now_at) * 1000000)::bigint,
      in_shared, in_status, now_at)
    ON CONFLICT (group_name, proxy) DO UPDATE SET role = excluded.role,
      stamp = CASE WHEN b.shared = excluded.shared THEN b.stamp ELSE excluded.stamp END,
      shared = excluded.shared, status = excluded.status, seen_at = excluded.seen_at;
  RETURN json_build_object('drain', (
      SELECT json_build_array(extract(epoch FROM d.since) * 1000, d.by_actor, d.by_proxy)
      FROM mc_proxy_fleet.drains d WHERE d.group_name = in_group AND d.proxy = in_proxy
    ), 'others', (
      SELECT coalesce(json_agg(json_build_array(b.proxy,
        round(extract(epoch FROM now_at - b.seen_at) * 1000), b.stamp,
        CASE WHEN (in_known ->> b.proxy) = b.stamp::text THEN NULL ELSE b.shared END)), '[]')
      FROM mc_proxy_fleet.bulletins b
      WHERE b.group_name = in_group AND b.proxy <> in_proxy
        AND b.seen_at > now_at - interval '1 minute'
    ))::text;
END
$$;

-- Has the others look at the bulletins now, rather than when their second is over.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.call_attention(in_group text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM mc_proxy_fleet.require_member(in_group);
  PERFORM pg_notify(g.channel, 'bulletin') FROM mc_proxy_fleet.groups g
    WHERE g.group_name = in_group;
END
$$;

-- Wants a proxy drained, or not any more: the revision of the group that says so, in its log for the
-- sake of the audit. 0: it is so already; nothing: there is no such proxy. Saying the same again, by
-- its id, changes nothing.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.set_drain(
  in_group text, in_proxy text, in_drain boolean, in_id uuid, in_time bigint,
  in_by_proxy text, in_by_actor text
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  here mc_proxy_fleet.groups;
  said bigint;
  was boolean;
BEGIN
  PERFORM mc_proxy_fleet.take_turn(in_group);
  SELECT * INTO STRICT here FROM mc_proxy_fleet.groups g WHERE g.group_name = in_group
    FOR NO KEY UPDATE;
  SELECT l.revision INTO said FROM mc_proxy_fleet.log l
    WHERE l.group_name = in_group AND l.id = in_id;
  IF FOUND THEN RETURN said; END IF;
  IF NOT EXISTS (SELECT FROM mc_proxy_fleet.members m
      WHERE m.group_name = in_group AND m.proxy = in_proxy) THEN
    RETURN NULL;
  END IF;
  was := EXISTS (SELECT FROM mc_proxy_fleet.drains d
    WHERE d.group_name = in_group AND d.proxy = in_proxy);
  IF was = in_drain THEN RETURN 0; END IF;
  IF in_drain THEN
    INSERT INTO mc_proxy_fleet.drains (group_name, proxy, by_actor, by_proxy, role)
      VALUES (in_group, in_proxy, in_by_actor, in_by_proxy, session_user);
  ELSE
    DELETE FROM mc_proxy_fleet.drains d WHERE d.group_name = in_group AND d.proxy = in_proxy;
  END IF;
  INSERT INTO mc_proxy_fleet.log
    VALUES (in_group, here.revision + 1, in_id, here.epoch, in_time, in_by_proxy, session_user,
      in_by_actor, CASE WHEN in_drain THEN 'DrainFleetMember' ELSE 'UndrainFleetMember' END, '[]',
      jsonb_build_array(jsonb_build_array('proxy ' || in_proxy,
        CASE WHEN was THEN '"drain"' ELSE '"serve"' END,
        CASE WHEN in_drain THEN '"drain"' ELSE '"serve"' END)));
  UPDATE mc_proxy_fleet.groups g SET revision = here.revision + 1 WHERE g.group_name = in_group;
  PERFORM pg_notify(here.channel, (here.revision + 1)::text);
  PERFORM pg_notify(here.channel, 'bulletin');
  RETURN here.revision + 1;
END
$$;

-- Whose turn it is to order the certificate of a name at an authority. A lease and no lock: a standby that
-- is promoted knows of it, nobody outside of the group can take it, and what a holder of before still
-- writes is told by its fence.
CREATE TABLE IF NOT EXISTS mc_proxy_fleet.orders (
  group_name text NOT NULL REFERENCES mc_proxy_fleet.groups ON DELETE CASCADE,
  directory text NOT NULL CHECK (length(directory) <= 2048),
  name text NOT NULL CHECK (length(name) <= 300),
  -- Grows with each turn.
  fence bigint NOT NULL,
  proxy text NOT NULL,
  expires_at timestamptz NOT NULL,
  -- After a failure: nobody's turn before.
  next_at timestamptz NOT NULL DEFAULT '-infinity',
  -- When it was somebody's, of the last hours.
  taken_at timestamptz[] NOT NULL DEFAULT '{}',
  -- How far the order has come, for whoever goes on with it.
  note text NOT NULL DEFAULT '' CHECK (length(note) <= 65536),
  PRIMARY KEY (group_name, directory, name)
);

-- What proves a name, for all to show. It holds as long as the turn in which it was made.
CREATE TABLE IF NOT EXISTS mc_proxy_fleet.challenges (
  group_name text NOT NULL,
  directory text NOT NULL,
  name text NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
  fence bigint NOT NULL,
  proof text NOT NULL CHECK (length(proof) <= 65536),
  -- Which proxies show it.
  shown text[] NOT NULL DEFAULT '{}',
  PRIMARY KEY (group_name, directory, name),
  FOREIGN KEY (group_name, directory, name) REFERENCES mc_proxy_fleet.orders ON DELETE CASCADE
);

-- Tells the group to look at turns and proofs. Called first: whoever brings the tables up to date locks
-- "groups" before those above.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.announce_orders(in_group text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT pg_notify(g.channel, 'orders') FROM mc_proxy_fleet.groups g WHERE g.group_name = in_group
$$;

-- Takes the turn, or says who has it and for how long it is none of this proxy's. A proxy that was
-- started anew need not wait for itself. With in_max_an_hour a name has no more turns than that, and with
-- in_max_three_hours an authority, of all proxies together.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.take_order(
  in_group text, in_directory text, in_name text, in_proxy text, in_lease_ms bigint,
  in_max_an_hour integer, in_max_three_hours integer
) RETURNS TABLE (fence bigint, wait_ms bigint, holder text, note text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  here mc_proxy_fleet.orders;
  now_at timestamptz;
  free_at timestamptz;
  recent timestamptz[];
  taken bigint;
BEGIN
  PERFORM mc_proxy_fleet.require_member(in_group);
  PERFORM FROM mc_proxy_fleet.groups g WHERE g.group_name = in_group;
  INSERT INTO mc_proxy_fleet.orders AS o (group_name, directory, name, fence, proxy, expires_at)
    VALUES (in_group, in_directory, in_name, 0, '', '-infinity') ON CONFLICT DO NOTHING;
  SELECT * INTO STRICT here FROM mc_proxy_fleet.orders o
    WHERE o.group_name = in_group AND o.directory = in_directory AND o.name = in_name FOR UPDATE;
  -- After the lock: whoever had to wait for it takes no time of before.
  now_at := clock_timestamp();
  free_at := here.next_at;
  IF here.proxy <> in_proxy THEN free_at := greatest(free_at, here.expires_at); END IF;
  recent := ARRAY(SELECT t FROM unnest(here.taken_at) t WHERE t > now_at - interval '3 hours'
    ORDER BY t);
  IF in_max_an_hour > 0 AND cardinality(recent) >= in_max_an_hour THEN
    free_at := greatest(free_at,
      recent[cardinality(recent) - in_max_an_hour + 1] + interval '1 hour');
  END IF;
  IF in_max_three_hours > 0 AND free_at <= now_at THEN
    SELECT count(*) INTO taken FROM mc_proxy_fleet.orders o, unnest(o.taken_at) t
      WHERE o.group_name = in_group AND o.directory = in_directory
        AND t > now_at - interval '3 hours';
    IF taken >= in_max_three_hours THEN free_at := now_at + interval '1 minute'; END IF;
  END IF;
  IF free_at > now_at THEN
    RETURN QUERY SELECT NULL::bigint,
      ceil(extract(epoch FROM least(free_at, now_at + interval '1 day') - now_at) * 1000)::bigint,
      CASE WHEN here.expires_at > now_at THEN here.proxy ELSE '' END, ''::text;
    RETURN;
  END IF;
  UPDATE mc_proxy_fleet.orders o SET fence = here.fence + 1, proxy = in_proxy,
      expires_at = now_at + in_lease_ms * interval '1 ms', next_at = '-infinity',
      taken_at = recent || now_at
    WHERE o.group_name = in_group AND o.directory = in_directory AND o.name = in_name;
  RETURN QUERY SELECT here.fence + 1, 0::bigint, in_proxy, here.note;
END
$$;

-- Whether it is still this holder's turn, which then lasts on.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.keep_order(
  in_group text, in_directory text, in_name text, in_fence bigint, in_lease_ms bigint
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM mc_proxy_fleet.require_member(in_group);
  UPDATE mc_proxy_fleet.orders o
    SET expires_at = clock_timestamp() + in_lease_ms * interval '1 ms'
    WHERE o.group_name = in_group AND o.directory = in_directory AND o.name = in_name
      AND o.fence = in_fence AND o.expires_at > clock_timestamp();
  RETURN FOUND;
END
$$;

-- Notes how far the order has come, as long as the turn lasts.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.note_order(
  in_group text, in_directory text, in_name text, in_fence bigint, in_note text
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM mc_proxy_fleet.require_member(in_group);
  UPDATE mc_proxy_fleet.orders o SET note = in_note
    WHERE o.group_name = in_group AND o.directory = in_directory AND o.name = in_name
      AND o.fence = in_fence AND o.expires_at > clock_timestamp();
  RETURN FOUND;
END
$$;

-- Ends a turn; the next one is in_wait_ms from now at the earliest.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.end_order(
  in_group text, in_directory text, in_name text, in_fence bigint, in_wait_ms bigint, in_note text
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM mc_proxy_fleet.require_member(in_group);
  PERFORM mc_proxy_fleet.announce_orders(in_group);
  UPDATE mc_proxy_fleet.orders o SET expires_at = clock_timestamp(), note = in_note,
      next_at = CASE WHEN in_wait_ms > 0
        THEN clock_timestamp() + in_wait_ms * interval '1 ms' ELSE '-infinity' END
    WHERE o.group_name = in_group AND o.directory = in_directory AND o.name = in_name
      AND o.fence = in_fence;
  IF NOT FOUND THEN RETURN false; END IF;
  DELETE FROM mc_proxy_fleet.challenges c WHERE c.group_name = in_group
    AND c.directory = in_directory AND c.name = in_name;
  RETURN true;
END
$$;

-- Has all proxies show a proof, as long as the turn lasts; gives its id, or nothing: it is over.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.show_proof(
  in_group text, in_directory text, in_name text, in_fence bigint, in_proof text
) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  made uuid;
BEGIN
  PERFORM mc_proxy_fleet.require_member(in_group);
  PERFORM mc_proxy_fleet.announce_orders(in_group);
  PERFORM FROM mc_proxy_fleet.orders o
    WHERE o.group_name = in_group AND o.directory = in_directory AND o.name = in_name
      AND o.fence = in_fence AND o.expires_at > clock_timestamp() FOR UPDATE;
  IF NOT FOUND THEN RETURN NULL; END IF;
  DELETE FROM mc_proxy_fleet.challenges c WHERE c.group_name = in_group
    AND c.directory = in_directory AND c.name = in_name;
  INSERT INTO mc_proxy_fleet.challenges AS c (group_name, directory, name, fence, proof)
    VALUES (in_group, in_directory, in_name, in_fence, in_proof) RETURNING c.id INTO made;
  RETURN made;
END
$$;

-- Has nobody show it any more.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.hide_proof(in_group text, in_id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM mc_proxy_fleet.require_member(in_group);
  PERFORM mc_proxy_fleet.announce_orders(in_group);
  DELETE FROM mc_proxy_fleet.challenges c WHERE c.group_name = in_group AND c.id = in_id;
END
$$;

-- A proxy shows these proofs from now on.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.say_shown(in_group text, in_proxy text, in_ids uuid[])
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM mc_proxy_fleet.require_member(in_group);
  UPDATE mc_proxy_fleet.challenges c SET shown = c.shown || in_proxy
    WHERE c.group_name = in_group AND c.id = ANY (in_ids) AND NOT in_proxy = ANY (c.shown);
END
$$;

-- Certificates with their keys, and the account at an authority: sealed by the proxies, with a key that is
-- never here.
CREATE TABLE IF NOT EXISTS mc_proxy_fleet.secrets (
  group_name text NOT NULL REFERENCES mc_proxy_fleet.groups ON DELETE CASCADE,
  name text NOT NULL CHECK (length(name) <= 9000),
  -- Of what it says; the seal says it too.
  version bigint NOT NULL,
  sealed text NOT NULL CHECK (length(sealed) <= 4194304),
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  -- Grows with each that is put, in the order in which they are seen.
  place bigint NOT NULL,
  proxy text NOT NULL,
  role name NOT NULL,
  put_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (group_name, name)
);
CREATE INDEX IF NOT EXISTS secrets_by_place ON mc_proxy_fleet.secrets (group_name, place);

-- How many were put; whoever has this row puts.
CREATE TABLE IF NOT EXISTS mc_proxy_fleet.secret_places (
  group_name text PRIMARY KEY REFERENCES mc_proxy_fleet.groups ON DELETE CASCADE,
  place bigint NOT NULL
);

-- Puts one where there is what the proxy has seen there (nothing: where there is nothing); whether it did.
CREATE OR REPLACE FUNCTION mc_proxy_fleet.put_secret(
  in_group text, in_name text, in_seen uuid, in_version bigint, in_sealed text, in_proxy text
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  at bigint;
  here uuid;
BEGIN
  PERFORM mc_proxy_fleet.require_member(in_group);
  PERFORM mc_proxy_fleet.announce_orders(in_group);
  INSERT INTO mc_proxy_fleet.secret_places VALUES (in_group, 0) ON CONFLICT DO NOTHING;
  -- Under this lock until all can see it: nobody reads past a place that is still to come.
  UPDATE mc_proxy_fleet.secret_places p SET place = p.place + 1 WHERE p.group_name = in_group
    RETURNING p.place INTO STRICT at;
  SELECT s.id INTO here FROM mc_proxy_fleet.secrets s
    WHERE s.group_name = in_group AND s.name = in_name;
  IF here IS DISTINCT FROM in_seen THEN RETURN false; END IF;
  INSERT INTO mc_proxy_fleet.secrets AS s (group_name, name, version, sealed, place, proxy, role)
    VALUES (in_group, in_name, in_version, in_sealed, at, in_proxy, session_user)
    ON CONFLICT (group_name, name) DO UPDATE SET version = excluded.version,
      sealed = excluded.sealed, id = excluded.id, place = excluded.place,
      proxy = excluded.proxy, role = excluded.role, put_at = excluded.put_at;
  RETURN true;
END
$$;

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

INSERT INTO mc_proxy_fleet.migrations (version) SELECT generate_series(1, 6)
  ON CONFLICT DO NOTHING;
