-- Optional: tells the connector at once when a row that decides about access has changed, so that
-- it re-authorises its live sessions without waiting for the next `revalidate`. Run it as the owner
-- of the tables; running it again is harmless. Any role may LISTEN, so the payload names the
-- table and nothing in it.

CREATE OR REPLACE FUNCTION mc_proxy_connector_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  -- Equal notifications of one transaction are delivered once, when it commits.
  PERFORM pg_notify('mc_proxy_connector', TG_TABLE_NAME);
  RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS mc_proxy_connector_changed ON backend_hosts;
CREATE TRIGGER mc_proxy_connector_changed
  AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON backend_hosts
  FOR EACH STATEMENT EXECUTE FUNCTION mc_proxy_connector_changed();

DROP TRIGGER IF EXISTS mc_proxy_connector_changed ON teams;
CREATE TRIGGER mc_proxy_connector_changed
  AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON teams
  FOR EACH STATEMENT EXECUTE FUNCTION mc_proxy_connector_changed();

DROP TRIGGER IF EXISTS mc_proxy_connector_changed ON users;
CREATE TRIGGER mc_proxy_connector_changed
  AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON users
  FOR EACH STATEMENT EXECUTE FUNCTION mc_proxy_connector_changed();
