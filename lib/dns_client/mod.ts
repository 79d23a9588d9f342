/**
 * Asking one name server one question, over UDP from a port of its own and over TCP where that is
 * needed; and messages over a TCP connection.
 *
 * @module
 */
export { type Exchange, exchange } from "./exchange.ts";
export { type Answer, type Asked, askServer, askTcp, ExchangeError, type Server } from "./ask.ts";
export { closingWith, openDatagrams } from "./closing.ts";
export { readFramed, writeFramed } from "./framed.ts";
export { mixCase } from "./mixed_case.ts";
