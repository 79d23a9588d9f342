/** What proxies of a group tell each other every second, and which of them are to be drained. */
export const BULLETIN_SCHEMA = String.raw`
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
`;
