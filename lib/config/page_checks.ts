import { type KeyPath, quote } from "../schema/mod.ts";
import { type ErrorPage, judgePage } from "../state/mod.ts";
import type { CheckContext } from "./check_context.ts";

/** Reads the files of error pages. */
export function checkErrorPages(
  pages: readonly ErrorPage[] | undefined,
  path: KeyPath,
  { files, report }: Pick<CheckContext, "files" | "report">,
): void {
  for (const [i, { file }] of (pages ?? []).entries()) {
    const at = [...path, "error_pages", i, "file"];
    if (file === undefined || report.hasProblem(at)) continue;
    const octets = files.read(file, at, report);
    const judged = octets && judgePage(octets);
    if (typeof judged === "string") report.problem(at, `${quote(file)} ${judged}`);
  }
}
