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
import { pathOf } from "../rpc/mod.ts";

/** What a handler knows of its call beside the request. */
export interface CallContext {
  /** Aborted when nobody waits for the answer any more: cancelled, gone, or too late. */
  readonly signal: AbortSignal;
  /** A value of the call's metadata. */
  metadata(key: string): string | undefined;
  /** The caller's address; absent: it came over a Unix socket. */
  readonly address?: string;
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

/** A method with its handler, whose types were checked where the two were put together. */
export interface Method {
  readonly desc: DescMethod;
  readonly handle: (request: unknown, context: CallContext) => unknown;
}

/** The methods of a service by their path. */
export function methodsOf<S extends DescService>(
  service: S,
  handlers: Handlers<S>,
): Map<string, Method> {
  return new Map(service.methods.map((desc) => {
    const handle = handlers[desc.localName as keyof Handlers<S>] as Method["handle"];
    return [pathOf(desc), { desc, handle }];
  }));
}
