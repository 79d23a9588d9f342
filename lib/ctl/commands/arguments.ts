/**
 * What several commands take, as their help names it.
 *
 * @module
 */
export const ADDR = "address of a listener, such as :443";
export const HOSTNAME = "hostname of a route, such as www.example.net or *.example.net";
export const CLOSE = "close the connections that took it; without this they go on";

/** Lists that would be long end here, unless `--limit` says otherwise. */
export const DEFAULT_LIMIT = 100;
