/** What a proxy says to its group of itself is a line, of so many sentences and characters. */
const MAX_SENTENCES = 3;
const MAX_LENGTH = 500;

/** What a proxy reports of itself: why it is not well, and which files it is without. */
export function memberHealth(problem: string, refusals: readonly string[]): string {
  const said = [problem, ...refusals].filter((it) => it !== "");
  const shown = said.slice(0, MAX_SENTENCES).join("; ").slice(0, MAX_LENGTH);
  const more = said.length - MAX_SENTENCES;
  return more <= 0 ? shown : `${shown}; and ${more} more`;
}
