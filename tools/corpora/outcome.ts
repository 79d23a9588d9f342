/** What came of one thing that was tried. */
export interface Outcome {
  /** The file, and the question if it is one. */
  readonly id: string;
  readonly kind: string;
  /** Of `differs`: what does. */
  readonly detail: string;
}

/** Something that is as it should be. */
export function agrees(id: string, kind: string): Outcome {
  return { id, kind, detail: "" };
}

/** Something that is not. */
export function differs(id: string, detail: string): Outcome {
  return { id, kind: "differs", detail };
}

/** What two lists have that the other one has not; empty: they are the same. */
export function difference(ours: readonly string[], theirs: readonly string[]): string {
  const [own, other] = [new Set(ours), new Set(theirs)];
  const only = [
    ...[...own].filter((one) => !other.has(one)).map((one) => `ours: ${one}`),
    ...[...other].filter((one) => !own.has(one)).map((one) => `theirs: ${one}`),
  ];
  return only.slice(0, 6).join(" | ");
}
