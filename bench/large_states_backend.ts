/**
 * The thread of `large_states.ts` with the backend: its main thread is busy encoding the wish.
 *
 * @module
 */
import { parentPort } from "node:worker_threads";
import { startEchoBackend } from "../tests/support/backends.ts";

const backend = await startEchoBackend();
parentPort?.postMessage(backend.address);
