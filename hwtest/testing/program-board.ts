import { releasedFirmware } from "@inkan/device-proto/firmware";
import { BoardViolation } from "../src/board/violation.js";
import { VirtualBoard, type BoardOptions } from "../src/board/board.js";
import { Program } from "./thumb.js";

/** Boots a test program through the released loader. */
export async function bootProgram(make: (program: Program) => Program, options: Partial<BoardOptions> = {}): Promise<VirtualBoard> {
  const { boot } = await releasedFirmware();
  return VirtualBoard.boot({ boot, image: make(new Program()).image(), pace: "free", ...options });
}

/** Runs a board for `ms`; the violation that stopped it, or undefined when all was well. */
export function violationOf(board: VirtualBoard, ms = 60): BoardViolation | undefined {
  try {
    board.runFor(ms);
    return undefined;
  } catch (error) {
    if (error instanceof BoardViolation) return error;
    throw error;
  }
}

/** The name of the rule that a program breaks; undefined = none. */
export async function ruleBrokenBy(
  make: (program: Program) => Program,
  prepare: (board: VirtualBoard) => void = () => undefined,
): Promise<string | undefined> {
  const board = await bootProgram(make);
  prepare(board);
  return violationOf(board)?.rule;
}
