import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { createHash } from "node:crypto";
import process from "node:process";
import { DatabaseError } from "./errors.ts";
import { FILE_MODE } from "./file_mode.ts";
import type { Identity } from "./identity.ts";

/**
 * In octets. The marker is written in place, so that a full disk does not keep it from being written;
 * a power cut in the middle of it leaves the other slot.
 */
const SLOT_BYTES = 512;
const SLOTS = 2;

/** What was acknowledged, as the marker holds it. */
type Acknowledged = Identity;

/**
 * Remembers, outside of the database, what was acknowledged last. A start compares: a database that
 * has less has lost something, whatever the reason, and does not say so itself.
 *
 * It is written after the commit and before the acknowledgement, so a process that is killed at any
 * moment leaves a database that has as much as its marker, or more.
 */
export class Marker {
  readonly path: string;
  /** Where the last one was written. */
  #slot = 0;
  #count = 0;
  #last: Acknowledged | undefined;

  private constructor(path: string) {
    this.path = path;
  }

  /** Beside the database, under a name that `rm mc-proxy.db*` leaves alone. */
  static pathOf(database: string): string {
    return join(dirname(database), `marker.${basename(database)}`);
  }

  /**
   * Reads the marker of a database; empty if there is none.
   *
   * @throws {DatabaseError} `damaged` if nothing in it can be read.
   */
  static open(database: string): Marker {
    const marker = new Marker(Marker.pathOf(database));
    marker.#read();
    return marker;
  }

  /** What was acknowledged last. */
  get last(): Acknowledged | undefined {
    return this.#last;
  }

  /** Remembers `acknowledged`; on disk when it returns. */
  write(acknowledged: Acknowledged): void {
    const placed = this.#place(acknowledged);
    if (placed === undefined) return;
    if (existsSync(this.path)) writeInPlace(this.path, placed);
    else this.#create(placed);
    this.#last = acknowledged;
  }

  /** {@link write} that leaves the thread to others while the disk works; one at a time. */
  async writeMeanwhile(acknowledged: Acknowledged): Promise<void> {
    const placed = this.#place(acknowledged);
    if (placed === undefined) return;
    if (existsSync(this.path)) await writeInPlaceMeanwhile(this.path, placed);
    else this.#create(placed);
    this.#last = acknowledged;
  }

  /** What to write, and where; nothing if it is there. */
  #place({ id, generation, revision, digest }: Acknowledged): Placed | undefined {
    const acknowledged = { id, generation, revision, digest };
    if (isSame(this.#last, acknowledged) && existsSync(this.path)) return undefined;
    // Another process may have written it, which took over and failed.
    this.#read();
    this.#count++;
    this.#slot = (this.#slot + 1) % SLOTS;
    const slot = formatSlot({ count: this.#count, ...acknowledged });
    return { slot, position: this.#slot * SLOT_BYTES };
  }

  #create({ slot }: Placed): void {
    this.#slot = 0;
    create(this.path, slot);
  }

  #read(): void {
    if (!existsSync(this.path)) return;
    const bytes = readFileSync(this.path);
    for (let i = 0; i < SLOTS; i++) {
      const slot = parseSlot(bytes.subarray(i * SLOT_BYTES, (i + 1) * SLOT_BYTES));
      if (slot === undefined || slot.count <= this.#count) continue;
      this.#slot = i;
      this.#count = slot.count;
      this.#last = slot.acknowledged;
    }
    if (this.#last !== undefined) return;
    const message =
      `the marker ${this.path} is damaged; remove it if the database is known to be right`;
    throw new DatabaseError("damaged", message);
  }
}

function isSame(a: Acknowledged | undefined, b: Acknowledged): boolean {
  return a?.id === b.id && a.generation === b.generation && a.digest === b.digest &&
    a.revision === b.revision;
}

type Slot = Acknowledged & { readonly count: number };

function formatSlot(slot: Slot): Uint8Array {
  const body = JSON.stringify(slot);
  const line = `${body.slice(0, -1)},"check":"${checkOf(body)}"}`;
  return new TextEncoder().encode(`${line.padEnd(SLOT_BYTES - 1)}\n`);
}

function parseSlot(bytes: Uint8Array): { count: number; acknowledged: Acknowledged } | undefined {
  const found = /^(\{.*),"check":"([0-9a-f]{16})"\} *\n$/.exec(new TextDecoder().decode(bytes));
  if (found === null) return undefined;
  const body = `${found[1]}}`;
  if (checkOf(body) !== found[2]) return undefined;
  const { count, id, generation, revision, digest } = JSON.parse(body) as Slot;
  return { count, acknowledged: { id, generation, revision, digest } };
}

function checkOf(body: string): string {
  return createHash("sha256").update(body).digest("hex").slice(0, 16);
}

/** Octets of the file. */
interface Placed {
  readonly slot: Uint8Array;
  readonly position: number;
}

function writeInPlace(path: string, { slot, position }: Placed) {
  const descriptor = openSync(path, "r+");
  try {
    writeSync(descriptor, slot, 0, slot.length, position);
    fdatasyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

async function writeInPlaceMeanwhile(path: string, { slot, position }: Placed): Promise<void> {
  using file = await Deno.open(path, { write: true });
  await file.seek(position, Deno.SeekMode.Start);
  for (let left = slot; left.length > 0;) left = left.subarray(await file.write(left));
  await file.syncData();
}

/** Both slots at once, whole or not at all. */
function create(path: string, slot: Uint8Array): void {
  // Two processes may create it at one time: each has a file of its own until the name is given.
  const temporary = `${path}.${process.pid}.new`;
  const descriptor = openSync(temporary, "w", FILE_MODE);
  try {
    writeSync(descriptor, slot);
    writeSync(descriptor, slot);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, path);
  const directory = openSync(dirname(path), "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
