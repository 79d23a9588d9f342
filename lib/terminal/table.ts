/** One column of a table. */
export interface Column<T> {
  readonly title: string;
  readonly value: (row: T) => string;
  /** Numbers stand at the right. */
  readonly right?: boolean;
}

/** Two spaces between columns. */
const GAP = "  ";

/** Rows below a line of titles, aligned; without rows the titles alone. */
export function renderTable<T>(rows: readonly T[], columns: readonly Column<T>[]): string[] {
  const titles = columns.map(({ title }) => title);
  const cells = rows.map((row) => columns.map(({ value }) => plain(value(row))));
  const lines = [titles, ...cells];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => widthOf(line[i] ?? ""))));
  return lines.map((line) =>
    line.map((cell, i) => pad(cell, widths[i] ?? 0, columns[i]?.right ?? false))
      .join(GAP)
      .trimEnd()
  );
}

/** Text of others must not move the cursor: control characters become spaces. */
export function plain(text: string): string {
  // deno-lint-ignore no-control-regex -- they are what is replaced
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, " ");
}

/** Cuts a text to a width, with `…` where something is missing. */
export function cut(text: string, width: number): string {
  const points = [...text];
  if (points.length <= width) return text;
  return width <= 0 ? "" : `${points.slice(0, width - 1).join("")}…`;
}

/** Fills a text up with spaces. */
export function pad(text: string, width: number, right = false): string {
  const fill = " ".repeat(Math.max(0, width - widthOf(text)));
  return right ? fill + text : text + fill;
}

function widthOf(text: string): number {
  return [...text].length;
}
