import { DatabaseError } from "./errors.ts";
import type { Identity } from "./identity.ts";
import type { Marker } from "./marker.ts";
import type { ProgramSchema } from "./program_schema.ts";
import { findSnapshot } from "./snapshots_found.ts";

/**
 * Compares what a database says of itself with what its marker remembers. A database that is ahead is
 * a good one: its process was killed between the commit and the acknowledgement.
 *
 * @throws {DatabaseError} `lost` if it has less than was acknowledged, or something else.
 */
export function compareWithMarker(found: Identity | undefined, { last }: Marker): void {
  // Nothing was acknowledged yet: there is nothing to lose.
  if (last === undefined || last.generation === 0) return;
  if (found === undefined) throw lost("it is older than what was acknowledged");
  if (found.id !== last.id) {
    throw lost("it is another database than the one in which changes were acknowledged");
  }
  if (found.generation < last.generation) {
    const [has, had] = [found.revision, last.revision];
    throw lost(
      has === had
        ? "it has less than was acknowledged"
        : `it has less than was acknowledged: revision ${has} instead of ${had}`,
    );
  }
  if (found.generation > last.generation) return;
  if (found.digest === last.digest && found.revision >= last.revision) return;
  throw lost("its content is not what was acknowledged");
}

/**
 * @throws {DatabaseError} `lost` if there was a database.
 */
export function refuseMissing({ last, path }: Marker): void {
  if (last === undefined || last.generation === 0) return;
  throw lost(`the file is gone, and ${path} says that revision ${last.revision} was acknowledged`);
}

/** What to do about a database that has lost something, to end a message. */
export function remedy(
  database: string,
  id: string | undefined,
  { commands: { restore: command } }: ProgramSchema,
): string {
  const snapshot = findSnapshot(database, id);
  const restore = snapshot === undefined
    ? `no snapshot was found beside it or in backups/: ${command} --from a copy of it`
    : `${command} --from ${snapshot.path}` +
      (snapshot.revision < 0 ? "" : ` (revision ${snapshot.revision})`);
  return `${restore}, or take it as it is with ${command} --as-it-is`;
}

function lost(message: string): DatabaseError {
  return new DatabaseError("lost", message);
}
