import { expect, test } from "vitest";
import { ccidMatrix, type Condition, conditions, unknownMessages, withoutCase } from "./matrix.js";
import { type CommandName, PC_to_RDR } from "./messages.js";

const messages = Object.keys(PC_to_RDR) as CommandName[];
const columns = Object.keys(conditions) as Condition[];
const key = (message: string, condition: string): string => `${message} × ${condition}`;

test("the matrix has every message under every condition: a case, or a reason why there is none", () => {
  const cells = messages.flatMap((message) => columns.map((condition) => key(message, condition)));
  const cases = new Set(ccidMatrix.map((one) => key(one.message, one.condition)));
  const reasons = new Set(withoutCase.map((one) => key(one.message, one.condition)));
  expect(cells.filter((cell) => !cases.has(cell) && !reasons.has(cell))).toEqual([]);
  expect(cells.filter((cell) => cases.has(cell) && reasons.has(cell))).toEqual([]);
  expect(withoutCase.every(({ why }) => why.length > 10)).toBe(true);
  expect(cells).toHaveLength(14 * 14);
});

test("no two cases of a cell have one name", () => {
  const names = ccidMatrix.map((one) => `${key(one.message, one.condition)}: ${one.what}`);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

test("ids: what is no message and what is one are all 256", () => {
  expect(new Set([...unknownMessages, ...Object.values(PC_to_RDR)]).size).toBe(256);
  expect(unknownMessages).toHaveLength(256 - messages.length);
});

test("bError is a field's offset within the message, or a name of table 6.2-2", () => {
  for (const { answer, send } of ccidMatrix)
    if (answer?.failed && answer.error > 0 && answer.error < 0x80) expect(answer.error).toBeLessThan(10 + send.data.length);
  for (const { answer } of ccidMatrix) if (answer && !answer.failed) expect(answer.error).toBe(0);
});
