import { oneOf, table } from "../schema/mod.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFormat = "text" | "json";

/** What is written to standard error, and how. */
export interface LogConfig {
  readonly level: LogLevel;
  readonly format: LogFormat;
}

/** `[log]`. */
export const log = table<LogConfig>({
  level: {
    key: "level",
    kind: oneOf("debug", "info", "warn", "error"),
    default: "info",
    doc: "The least severe events that are written.",
  },
  format: {
    key: "format",
    kind: oneOf("text", "json"),
    default: "text",
    doc: "One line of text, or one JSON object, for each event.",
  },
});
