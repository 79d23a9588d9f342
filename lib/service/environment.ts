/** A variable of the environment; undefined when it is unset, empty or not ours to read. */
export function readVariable(name: string): string | undefined {
  try {
    return Deno.env.get(name) || undefined;
  } catch (error) {
    // Started by hand without --allow-env: then nobody has set anything for us either.
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}
