import {
  createRegistry,
  type DescFile,
  type DescService,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { Handlers } from "./service.ts";
import { reflection, reflectionAlpha } from "../admin/gen/mod.ts";

type Request = MessageShape<typeof reflection.ServerReflectionRequestSchema>;
type Response = MessageInitShape<typeof reflection.ServerReflectionResponseSchema>;
type Result = NonNullable<Response["messageResponse"]>;

/** NOT_FOUND and INVALID_ARGUMENT of gRPC, inside an answer and not as the status of the call. */
const NOT_FOUND = 5;
const INVALID_ARGUMENT = 3;

/**
 * Server reflection, so that `grpcurl` needs no files. Both versions of the service are the same
 * but for their name; older tools know only `v1alpha`.
 */
export function reflectionHandlers(services: readonly DescService[]): {
  v1: Handlers<typeof reflection.ServerReflection>;
  v1alpha: Handlers<typeof reflectionAlpha.ServerReflection>;
} {
  const catalogue = new Catalogue(services);
  async function* serverReflectionInfo(requests: AsyncIterable<Request>) {
    for await (const request of requests) {
      const { $typeName: _, ...originalRequest } = request;
      yield {
        validHost: request.host,
        originalRequest,
        messageResponse: catalogue.answer(request),
      };
    }
  }
  return {
    v1: { serverReflectionInfo },
    v1alpha: {
      // The messages are the same, field by field.
      serverReflectionInfo: (requests) =>
        serverReflectionInfo(requests as AsyncIterable<unknown> as AsyncIterable<Request>) as never,
    },
  };
}

/** Finds definitions by file and by name. */
class Catalogue {
  readonly #services: readonly string[];
  readonly #files: ReadonlyMap<string, DescFile>;
  readonly #registry: ReturnType<typeof createRegistry>;

  constructor(services: readonly DescService[]) {
    this.#services = services.map(({ typeName }) => typeName).sort();
    const files = new Map<string, DescFile>();
    const visit = (file: DescFile) => {
      files.set(file.proto.name, file);
      for (const dependency of file.dependencies) visit(dependency);
    };
    for (const service of services) visit(service.file);
    this.#files = files;
    this.#registry = createRegistry(...files.values());
  }

  answer({ messageRequest: { case: kind, value } }: Request): Result {
    switch (kind) {
      case "listServices":
        return {
          case: "listServicesResponse",
          value: { service: this.#services.map((name) => ({ name })) },
        };
      case "fileByFilename":
        return fileResult(this.#files.get(value));
      case "fileContainingSymbol":
        return fileResult(this.#fileOf(value));
      case "fileContainingExtension":
      case "allExtensionNumbersOfType":
        return failure(NOT_FOUND, "there are no extensions");
      default:
        return failure(INVALID_ARGUMENT, "the request asks for nothing");
    }
  }

  /** The symbol may be a method, which belongs to the service before its last dot. */
  #fileOf(symbol: string): DescFile | undefined {
    const parent = symbol.slice(0, Math.max(0, symbol.lastIndexOf(".")));
    return (this.#registry.get(symbol) ?? this.#registry.getService(parent))?.file;
  }
}

/** A file and everything that it imports, so that one answer is enough. */
function fileResult(file: DescFile | undefined): Result {
  if (file === undefined) return failure(NOT_FOUND, "there is no such definition");
  const files = new Set<DescFile>();
  const visit = (next: DescFile) => {
    if (files.has(next)) return;
    files.add(next);
    next.dependencies.forEach(visit);
  };
  visit(file);
  const fileDescriptorProto = [...files].map(({ proto }) =>
    toBinary(FileDescriptorProtoSchema, proto)
  );
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function failure(errorCode: number, errorMessage: string): Result {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
