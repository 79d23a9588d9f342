-- The tables that the connector reads. Other programs may own and fill them; where they exist
-- already, this file changes nothing. Run it as the owner of the database:
--
--     psql --dbname tinyscale-ssh --file deploy/postgres/schema.sql
--
-- The connector compares identifiers octet by octet and asks for hosts in lower case, because it
-- knows them from the TLS server name: a connect_id with upper-case letters cannot be reached.

CREATE TABLE IF NOT EXISTS backend_hosts (
  connect_id TEXT PRIMARY KEY,               -- one DNS label below the connector's domain
  internal_ip_addr TEXT NOT NULL,            -- "10.0.0.5", "10.0.0.5:22", "fd00::5", "[fd00::5]:22",
                                             -- or "route": where the route's backends are
  org_id TEXT NOT NULL,
  user_ids TEXT[] NOT NULL DEFAULT '{}',     -- users who may connect
  team_ids TEXT[] NOT NULL DEFAULT '{}',     -- teams whose users may connect
  host_user TEXT
);

CREATE TABLE IF NOT EXISTS teams (
  team_id TEXT PRIMARY KEY,
  org_id TEXT NOT NULL,
  user_ids TEXT[] NOT NULL DEFAULT '{}'
);

CREATE TABLE IF NOT EXISTS users (
  user_id TEXT PRIMARY KEY,
  org_id TEXT NOT NULL,
  public_keys BYTEA[] NOT NULL DEFAULT '{}'
);

-- The connector needs a role that can read these tables and nothing else, for example:
--
--     CREATE ROLE tinyscale LOGIN PASSWORD '…';
--     GRANT SELECT ON backend_hosts, teams, users TO tinyscale;
