/**
 * How large a state may become. Far above what was asked for, and named so that a mistake (a script that
 * never stops adding) ends in a refusal and not in a machine without memory.
 *
 * @module
 */

/** Each is a port, and a descriptor in every worker. */
export const MAX_LISTENERS = 256;

/**
 * The highest `max_connections` of a listener, a route or a backend: more than one host can hold open,
 * so that a slip of the keyboard is noticed.
 */
export const MAX_CONNECTIONS = 10_000_000;

/** Of one listener. */
export const MAX_ROUTES = 200_000;

/** Of one listener's route. */
export const MAX_POLICIES = 1_024;

/** Of one route. */
export const MAX_BACKENDS = 64;

/** Of one kind that may use one route: more belong to a rule or to another network. */
export const MAX_ROUTE_SOURCES = 1_024;

/** As many as there are errors. */
export const MAX_ERROR_PAGES = 32;

/** Of one route. */
export const MAX_PATHS = 256;

/** Addresses, blocks and countries together. */
export const MAX_RULES = 1_000_000;
