import FILE from "../../deploy/postgres/fleet.sql" with { type: "text" };

/**
 * Of the tables and functions of {@link FLEET_SCHEMA}. Whoever changes them adds one, here and at both
 * ends of the file: a proxy brings an older version up to date where its role may, and says so where it
 * may not.
 */
export const FLEET_VERSION = 6;

/**
 * What psql applies, for a proxy whose role may: everything where nothing is, and of any older version
 * this one.
 */
export const FLEET_SCHEMA: string = FILE;
