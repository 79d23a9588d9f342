/**
 * How many of those who wait for a connection got one, and how many none.
 *
 * @module
 */
import { FakeWaiter } from "./fake_links.ts";

export const served = (waiters: readonly FakeWaiter[]) =>
  waiters.filter(({ lease }) => lease).length;

export const failed = (waiters: readonly FakeWaiter[]) =>
  waiters.filter(({ failure }) => failure).length;
