/** Whose turn it is to order a certificate, and what proves a name meanwhile. */
export const ORDERS_SCHEMA = String.raw`
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
`;
