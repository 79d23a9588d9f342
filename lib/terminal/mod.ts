/**
 * What a command for operators is made of: tables, units, exit codes, flags and columns of records,
 * completions.
 *
 * @module
 */
export {
  addCompletions,
  type LiveValues,
  renderCompletions,
  type Shell,
  SHELLS,
} from "./completions.ts";
export { Answers, type Output } from "./answers.ts";
export { renderCommands } from "./command_reference.ts";
export { EXIT, UsageError } from "./exit.ts";
export { addFieldFlags, columnsOf, fieldsOf, type FlagOptions, type FlagValues } from "./fields.ts";
export { bigint, duration, parseInteger } from "./arguments.ts";
export { runProgram } from "./run_program.ts";
export { type Failure, runTasks, type TaskIn, type TaskProgram } from "./run_tasks.ts";
export { outputTo, type Streams } from "./streams.ts";
export { addRequiredOption, nearCommand } from "./slips.ts";
export { type Column, cut, pad, plain, renderTable } from "./table.ts";
export {
  formatBytes,
  formatCount,
  formatDuration,
  formatExactDuration,
  formatTime,
  parseDuration,
  yesNo,
} from "./units.ts";
export { Screen, type Size, withScreen } from "./screen.ts";
export { type Writer, writeText } from "./write.ts";
