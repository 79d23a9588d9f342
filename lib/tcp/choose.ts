import { describeError } from "../observe/mod.ts";
import { loadBinding, type TcpBinding } from "./_binding.ts";
import { checkContract } from "./check.ts";
import { HandleSockets } from "./handle_sockets.ts";
import { NodeSockets } from "./node_sockets.ts";
import type { Sockets, SocketsKind } from "./sockets.ts";

/** What a setting may ask for; `auto` is the handles where they do what they should. */
export type SocketsChoice = "auto" | SocketsKind;

/** Which sockets to use. */
export interface ChosenSockets {
  readonly kind: SocketsKind;
  /** Why it is not the handles, although they were not ruled out. */
  readonly problem?: string;
}

/**
 * Finds out which sockets this runtime can be served with: the handles when a few connections over
 * the loopback interface show that they work as they are known to.
 */
export async function chooseSockets(
  choice: SocketsChoice,
  { binding = loadBinding, timeoutMs }: {
    readonly binding?: () => TcpBinding;
    readonly timeoutMs?: number;
  } = {},
): Promise<ChosenSockets> {
  if (choice !== "auto") return { kind: choice };
  try {
    await checkContract(new HandleSockets(binding()), timeoutMs);
    return { kind: "handles" };
  } catch (error) {
    return { kind: "node", problem: describeError(error) };
  }
}

/**
 * The sockets of a thread.
 *
 * @throws {TypeError} if the runtime has no such handles.
 */
export function createSockets(kind: SocketsKind): Sockets {
  return kind === "node" ? new NodeSockets() : new HandleSockets(loadBinding());
}
