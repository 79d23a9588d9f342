/** A time for names of files, such as `20261120T020000Z`: it sorts, and needs no quoting. */
export function fileTime(time: Date): string {
  return time.toISOString().replace(/[-:]/g, "").replace(/\.\d+/, "");
}
