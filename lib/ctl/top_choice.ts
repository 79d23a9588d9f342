import type { RouteOrder } from "./top_rates.ts";

/** What the keys have chosen. */
export interface TopChoice {
  /** What clients are ordered by. */
  readonly clientsBy: "connections" | "refused" | "bytes";
  readonly routesBy: RouteOrder;
  /** Only rows whose name contains it. */
  readonly filter: string;
  /** Whether the filter is being typed. */
  readonly isTyping: boolean;
}

/** What `top` shows at first. */
export const FIRST_CHOICE: TopChoice = {
  clientsBy: "connections",
  routesBy: "traffic",
  filter: "",
  isTyping: false,
};
