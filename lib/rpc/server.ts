import type { EventEmitter } from "node:events";
import { Metadata, type MethodDefinition, type Server, status } from "@grpc/grpc-js";
import type {
  ServerDuplexStream,
  ServerErrorResponse,
  ServerUnaryCall,
  ServerWritableStream,
} from "@grpc/grpc-js";
import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { type Parsed, parser, pathOf, serializer } from "./_codec.ts";
import { RpcError } from "./error.ts";

/** What a handler knows of its call beside the request. */
export interface CallContext {
  /** Aborted when nobody waits for the answer any more: cancelled, gone, or too late. */
  readonly signal: AbortSignal;
  /** A value of the call's metadata. */
  metadata(key: string): string | undefined;
}

/** One function for each method of a service. */
export type Handlers<S extends DescService> = {
  readonly [K in keyof S["method"]]: Handler<S["method"][K]>;
};

type Handler<M> = M extends DescMethodUnary<infer I, infer O>
  ? (request: MessageShape<I>, context: CallContext) => Answer<O> | Promise<Answer<O>>
  : M extends DescMethodServerStreaming<infer I, infer O>
    ? (request: MessageShape<I>, context: CallContext) => AsyncIterable<Answer<O>>
  : M extends DescMethodBiDiStreaming<infer I, infer O>
    ? (requests: AsyncIterable<MessageShape<I>>, context: CallContext) => AsyncIterable<Answer<O>>
  : never;

type Answer<O extends DescMessage> = MessageInitShape<O>;

/** Bounds on what callers can make a server hold, and where its errors go. */
export interface ServeOptions {
  /** Calls with one answer that run at one time; more are refused with `resource_exhausted`. */
  readonly maxCalls: number;
  /** Calls with a stream of answers that are open at one time. */
  readonly maxStreams: number;
  /** The longest that a call with one answer may take, whatever deadline it has. */
  readonly maxCallMs: number;
  /** Turns errors of the service into `RpcError`s; what it does not know it returns as it is. */
  readonly translate: (error: unknown) => unknown;
  /** An error that is still no `RpcError`: the caller is told `internal` and nothing else. */
  readonly onError: (method: string, error: unknown) => void;
}

/**
 * Adds a service to a server.
 *
 * Handlers throw {@link RpcError} for what the caller should read. Every other error becomes
 * `internal` without its message, which may name files or rows of others.
 */
export function implement<S extends DescService>(
  server: Server,
  service: S,
  handlers: Handlers<S>,
  options: ServeOptions,
): void {
  const definitions: Record<string, MethodDefinition<unknown, unknown>> = {};
  const implementations: Record<string, (...args: never[]) => void> = {};
  const load = { calls: 0, streams: 0 };
  for (const method of service.methods) {
    const handler = handlers[method.localName as keyof Handlers<S>];
    definitions[method.name] = definitionOf(method);
    implementations[method.name] = implementationOf(method, handler as AnyHandler, options, load);
  }
  // The one place where the types of two worlds meet: both sides were made from `method` above.
  server.addService(definitions, implementations as Parameters<Server["addService"]>[1]);
}

/** A handler of any kind. */
type AnyHandler = (request: unknown, context: CallContext) => unknown;

/** What is running now. */
interface Load {
  calls: number;
  streams: number;
}

type Request = Parsed<DescMessage>;
type Reply = MessageInitShape<DescMessage>;

function definitionOf(method: DescMethod): MethodDefinition<unknown, unknown> {
  const { input, output, methodKind } = method;
  return {
    path: pathOf(method),
    requestStream: methodKind === "client_streaming" || methodKind === "bidi_streaming",
    responseStream: methodKind === "server_streaming" || methodKind === "bidi_streaming",
    requestDeserialize: parser(input),
    responseSerialize: (reply) => serializer(output)(reply as Reply),
    // A server uses neither.
    requestSerialize: (request) => serializer(input)(request as Reply),
    responseDeserialize: parser(output),
  };
}

function implementationOf(
  method: DescMethod,
  handler: AnyHandler,
  options: ServeOptions,
  load: Load,
): (...args: never[]) => void {
  const fail = (error: unknown) => toStatus(error, pathOf(method), options);
  switch (method.methodKind) {
    case "unary":
      return (call: ServerUnaryCall<Request, Reply>, callback) => {
        answerOnce(call, handler, options, load).then(
          (reply) => (callback as Callback)(null, reply),
          (error) => (callback as Callback)(fail(error)),
        );
      };
    case "server_streaming":
      return (call: ServerWritableStream<Request, Reply>) => {
        answerMany(call, (context) => handler(messageOf(call.request), context), options, load)
          .then(() => call.end(), (error) => call.emit("error", fail(error)));
      };
    case "bidi_streaming":
      return (call: ServerDuplexStream<Request, Reply>) => {
        answerMany(call, (context) => handler(messagesOf(call), context), options, load)
          .then(() => call.end(), (error) => call.emit("error", fail(error)));
      };
    case "client_streaming":
      throw new TypeError(`${method}: client streaming is not supported`);
  }
}

type Callback = (error: ServerErrorResponse | null, reply?: Reply) => void;

async function answerOnce(
  call: ServerUnaryCall<Request, Reply>,
  handler: AnyHandler,
  { maxCalls, maxCallMs }: ServeOptions,
  load: Load,
): Promise<Reply> {
  if (load.calls >= maxCalls) throw busy(maxCalls, "calls");
  load.calls++;
  const late = new RpcError("deadline_exceeded", `the call took longer than ${maxCallMs / 1000} s`);
  const expired = Promise.withResolvers<never>();
  const aborter = abortWith(call);
  const timer = setTimeout(() => {
    aborter.abort();
    expired.reject(late);
  }, maxCallMs);
  try {
    const context = contextOf(call.metadata, aborter.signal);
    const reply = handler(messageOf(call.request), context) as Reply | Promise<Reply>;
    return await Promise.race([reply, expired.promise]);
  } finally {
    clearTimeout(timer);
    load.calls--;
  }
}

async function answerMany(
  call: ServerWritableStream<Request, Reply> | ServerDuplexStream<Request, Reply>,
  handle: (context: CallContext) => unknown,
  { maxStreams }: ServeOptions,
  load: Load,
): Promise<void> {
  call.on("error", () => {}); // A caller that went away while we wrote; "cancelled" tells us.
  if (load.streams >= maxStreams) throw busy(maxStreams, "streams");
  load.streams++;
  const { signal } = abortWith(call);
  try {
    const replies = handle(contextOf(call.metadata, signal)) as AsyncIterable<Reply>;
    for await (const reply of replies) {
      if (signal.aborted) return;
      if (!call.write(reply)) await writable(call, signal);
    }
  } finally {
    load.streams--;
  }
}

/** Waits until the caller has taken what was written; a slow one holds one message, no more. */
function writable(call: Pick<EventEmitter, "once">, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    call.once("drain", resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function abortWith(call: { once(event: "cancelled", listener: () => void): unknown }) {
  const aborter = new AbortController();
  call.once("cancelled", () => aborter.abort());
  return aborter;
}

function contextOf(metadata: Metadata, signal: AbortSignal): CallContext {
  return {
    signal,
    metadata: (key) => metadata.get(key).find((value) => typeof value === "string"),
  };
}

function messageOf(request: Request): unknown {
  if (request.ok) return request.message;
  throw new RpcError("invalid_argument", "the request is not a message of its type");
}

async function* messagesOf(call: ServerDuplexStream<Request, Reply>): AsyncIterable<unknown> {
  for await (const request of call) yield messageOf(request);
}

function busy(limit: number, what: string): RpcError {
  return new RpcError("resource_exhausted", `the server answers ${limit} ${what} already`);
}

function toStatus(
  thrown: unknown,
  method: string,
  { translate, onError }: ServeOptions,
): ServerErrorResponse {
  const error = translate(thrown);
  if (error instanceof RpcError) {
    return Object.assign(new Error(error.message), {
      code: error.status,
      details: error.message,
      metadata: new Metadata(),
    });
  }
  onError(method, error);
  const details = "internal error; the proxy's log says more";
  return Object.assign(new Error(details), { code: status.INTERNAL, details });
}
