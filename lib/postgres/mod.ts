/**
 * Connections to PostgreSQL: TLS with verification or none, no setting from the environment, a pause
 * before each new attempt, and an end that waits for nobody.
 *
 * @module
 */
export { openPostgres, type PostgresClient, type PostgresClientOptions } from "./client.ts";
export { type ChannelListenOptions, listenToChannel } from "./listen.ts";
export { type PostgresServer } from "./socket.ts";
