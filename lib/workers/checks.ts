/** Takes a value of unknown origin as a `T`; throws {@link MessageError} if it is none. */
export type Check<T> = (value: unknown) => T;

/** A message that no worker of ours sends. */
export class MessageError extends TypeError {
  override readonly name = "MessageError";
  readonly code = "INVALID_MESSAGE";
}

/** A string; what is longer than `max` is cut off, because strangers' names are in it. */
export function text(max: number): Check<string> {
  return (value) => {
    if (typeof value !== "string") throw new MessageError("not a string");
    return value.length > max ? value.slice(0, max) : value;
  };
}

/** A string that may not be longer than `max`: cut off it would mean something else. */
export function exactText(max: number): Check<string> {
  return (value) => {
    if (typeof value !== "string" || value.length > max) {
      throw new MessageError(`not a string of at most ${max}`);
    }
    return value;
  };
}

/** A finite number from 0 on; a count, octets, or a time. */
export const amount: Check<number> = (value) => {
  if (typeof value !== "number" || !(value >= 0) || value === Infinity) {
    throw new MessageError("not an amount");
  }
  return value;
};

/** Any finite number. */
export const finite: Check<number> = (value) => {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new MessageError("not finite");
  return value;
};

export const flag: Check<boolean> = (value) => {
  if (typeof value !== "boolean") throw new MessageError("not a boolean");
  return value;
};

/** One of a set of strings. */
export function oneOf<T extends string>(values: readonly T[]): Check<T> {
  const known = new Set<unknown>(values);
  return (value) => {
    if (!known.has(value)) throw new MessageError("not one of the known values");
    return value as T;
  };
}

/** An array of at most `max`, copied. */
export function list<T>(item: Check<T>, max: number): Check<T[]> {
  return (value) => {
    if (!Array.isArray(value) || value.length > max) {
      throw new MessageError(`not an array of at most ${max}`);
    }
    return Array.from(value, item);
  };
}

/** Shared memory of exactly so many octets. */
export function sharedMemory(bytes: number): Check<SharedArrayBuffer> {
  return (value) => {
    if (!(value instanceof SharedArrayBuffer) || value.byteLength !== bytes || value.growable) {
      throw new MessageError("not a block of shared memory");
    }
    return value;
  };
}

type OptionalKeys<T> = { [K in keyof T]-?: Record<never, never> extends Pick<T, K> ? K : never }[
  keyof T
];

/** A check for each field of `T` that it always has: one that is forgotten does not compile. */
export type RequiredChecks<T> = { readonly [K in Exclude<keyof T, OptionalKeys<T>>]: Check<T[K]> };

/** A check for each field of `T` that it may lack. */
export type OptionalChecks<T> = {
  readonly [K in OptionalKeys<T>]: Check<Exclude<T[K], undefined>>;
};

/** An object with the fields of `T`, copied; others are left behind. */
export function record<T extends object>(
  required: RequiredChecks<T>,
  optional: OptionalChecks<T>,
): Check<T> {
  const needed = Object.entries<Check<unknown>>(required);
  const possible = Object.entries<Check<unknown>>(optional);
  return (value) => {
    if (typeof value !== "object" || value === null) throw new MessageError("not an object");
    const given = value as Record<string, unknown>;
    const result: Record<string, unknown> = {};
    for (const [key, check] of needed) result[key] = at(key, check, given[key]);
    for (const [key, check] of possible) {
      if (given[key] !== undefined) result[key] = at(key, check, given[key]);
    }
    return result as T;
  };
}

function at(key: string, check: Check<unknown>, value: unknown): unknown {
  try {
    return check(value);
  } catch (error) {
    if (!(error instanceof MessageError)) throw error;
    throw new MessageError(`${key}: ${error.message}`);
  }
}
