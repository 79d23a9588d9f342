/** What proxies of a group share, and PostgreSQL keeps without knowing it. */
export const SECRETS_SCHEMA = String.raw`
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
`;
