import {
  configure,
  dispose,
  getJsonLinesFormatter,
  getLogfmtFormatter,
  getLogger,
  type LogLevel as TapeLevel,
  type LogRecord as TapeRecord,
} from "@logtape/logtape";
import type { LogConfig } from "../config/mod.ts";
import type { ConnectionEvent, LogLevel, LogSink, RequestEvent } from "../observe/mod.ts";
import { createEventLines, nameOf } from "./event_lines.ts";
import { type ByteWriter, LineWriter } from "./line_writer.ts";

const TAPE_LEVEL: Readonly<Record<LogLevel, TapeLevel>> = {
  debug: "debug",
  info: "info",
  warn: "warning",
  error: "error",
};

/** A configured log. */
export interface Logging extends AsyncDisposable {
  readonly log: LogSink;
  /** Lines that nobody will read, since the start. */
  readonly lostLines: () => number;
  /** Logs the end of a connection: one event each. */
  readonly logConnection: (event: ConnectionEvent) => void;
  /** Logs a request of an l7 connection: one event each. */
  readonly logRequest: (event: RequestEvent) => void;
}

/**
 * Sets the log up: logfmt (`format = "text"`) or JSON lines, in UTC, to `target`. Both formatters
 * escape control characters, so that a name sent by a stranger cannot forge a line.
 */
export async function setUpLogging(
  config: LogConfig,
  target: ByteWriter,
  { program = "mc-proxy" }: { readonly program?: string } = {},
): Promise<Logging> {
  const format = config.format === "json"
    ? getJsonLinesFormatter({ properties: "flatten" })
    : getLogfmtFormatter();
  const writer = new LineWriter(target, {
    describeDropped: (count) =>
      format(lossRecord("log lines dropped, the reader of the log is too slow", count)),
    describeFailed: (count) =>
      format(lossRecord("log lines lost, they could not be written", count)),
  });
  await configure({
    reset: true,
    sinks: { lines: (record) => writer.write(format(record)) },
    loggers: [
      { category: [program], lowestLevel: TAPE_LEVEL[config.level], sinks: ["lines"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["lines"] },
    ],
  });
  const logger = getLogger([program]);
  const log: LogSink = ({ level, message, fields }) => {
    // Braces would be a template: a path in a warning may have them.
    const text = /[{}]/.test(message) ? message.replaceAll(/[{}]/g, "$&$&") : message;
    logger[level](text, fields === undefined ? undefined : inSnakeCase(fields));
  };
  const eventLine = createEventLines(config.format);
  const isQuiet = config.level === "warn" || config.level === "error";
  const logEvent = (message: string, ended: ConnectionEvent | RequestEvent) => {
    if (isQuiet) return;
    // By itself: who counts or blocks clients does not want their ports.
    const event = { ...ended, clientIp: addressOf(ended.client) };
    const line = eventLine(message, event, Date.now());
    if (line !== undefined) writer.write(line);
    else log({ level: "info", message, fields: { ...event } });
  };
  return {
    log,
    lostLines: () => writer.lost,
    logConnection: (event) => logEvent("connection", event),
    logRequest: (event) => logEvent("request", event),
    async [Symbol.asyncDispose]() {
      await dispose();
      await writer[Symbol.asyncDispose]();
    },
  };
}

/** Without port and brackets. */
function addressOf(endpoint: string): string {
  const host = endpoint.slice(0, endpoint.lastIndexOf(":"));
  return host.startsWith("[") ? host.slice(1, -1) : host;
}

/** Made by hand: it must not queue up behind the lines whose loss it tells of. */
function lossRecord(message: string, count: number): TapeRecord {
  return {
    category: ["mc-proxy"],
    level: "warning",
    message: [message],
    rawMessage: message,
    timestamp: Date.now(),
    properties: { count },
  };
}

function inSnakeCase(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const renamed: Record<string, unknown> = {};
  for (const key of Object.keys(fields)) renamed[nameOf(key)] = fields[key];
  return renamed;
}
