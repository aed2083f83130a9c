import { PioError } from "./error.js";

/** `.side_set`: how many of the five delay/side-set bits belong to the side-set. */
export type SideSet = { readonly count: number; readonly optional: boolean; readonly pindirs: boolean };

/** What an instruction may refer to: labels and `.define`s (both are numbers), the side-set in force, and its own line for messages. */
export type Scope = {
  readonly symbols: ReadonlyMap<string, number>;
  readonly labels: ReadonlyMap<string, number>;
  readonly sideSet: SideSet;
  readonly line: number;
};

const jumpConditions = ["", "!x", "x--", "!y", "y--", "x!=y", "pin", "!osre"];
const inSources = ["pins", "x", "y", "null", "", "", "isr", "osr"];
const outTargets = ["pins", "x", "y", "null", "pindirs", "pc", "isr", "exec"];
const movTargets = ["pins", "x", "y", "", "exec", "pc", "isr", "osr"];
const movSources = ["pins", "x", "y", "null", "", "status", "isr", "osr"];
const setTargets = ["pins", "x", "y", "", "pindirs"];

const fail = (scope: Scope, message: string): never => {
  throw new PioError(scope.line, message);
};

/** A number or a symbol, within `min`…`max`; out of range is an error, never a silent mask. */
function value(scope: Scope, text: string | undefined, min: number, max: number, what: string): number {
  if (text === undefined) return fail(scope, `${what} is missing`);
  const literal = /^(0x[0-9a-f]+|0b[01]+|[0-9]+)$/.test(text) ? Number(text) : scope.symbols.get(text);
  if (literal === undefined) return fail(scope, `${what}: unknown symbol "${text}"`);
  if (literal < min || literal > max) return fail(scope, `${what} ${literal} is outside ${min}…${max}`);
  return literal;
}

function oneOf(scope: Scope, names: readonly string[], text: string | undefined, what: string): number {
  const index = text ? names.indexOf(text) : -1;
  return index < 0 ? fail(scope, `${what} "${text ?? ""}" is not one of ${names.filter(Boolean).join(" ")}`) : index;
}

/** IRQ number with the `rel` bit (adds the state machine's number). */
function irqIndex(scope: Scope, words: readonly string[]): number {
  if (words.length > 2 || (words.length === 2 && words[1] !== "rel")) fail(scope, `after the IRQ number only "rel" may stand`);
  return value(scope, words[0], 0, 7, "IRQ number") | (words[1] === "rel" ? 0x10 : 0);
}

/** The low 8 bits with the opcode (bits 15–13); delay and side-set are added by the caller. RP2040 datasheet §3.4. */
function operation(scope: Scope, text: string): number {
  const space = text.search(/\s/);
  const name = space < 0 ? text : text.slice(0, space);
  const rest = space < 0 ? "" : text.slice(space).trim();
  const parts = rest === "" ? [] : rest.split(",").map((part) => part.trim());
  const words = rest === "" ? [] : rest.split(/\s+/);
  const operands = (count: number): void => {
    if (parts.length !== count || parts.includes("")) fail(scope, `${name} takes ${count} operand${count === 1 ? "" : "s"}`);
  };
  const flags = (conditional: string): number => {
    if (words.length > 2 || words.some((word) => ![conditional, "block", "noblock"].includes(word)))
      fail(scope, `${name}: only ${conditional}, block or noblock`);
    if (words.includes("block") && words.includes("noblock")) fail(scope, `${name}: block or noblock, not both`);
    return (words.includes(conditional) ? 0x40 : 0) | (words.includes("noblock") ? 0 : 0x20);
  };
  switch (name) {
    case "jmp": {
      const jump = rest === "" ? [] : rest.replace(/\s*!=\s*/, "!=").split(/\s*,\s*|\s+/);
      if (jump.length < 1 || jump.length > 2) fail(scope, "jmp takes a condition and a target, or a target");
      const condition = jump.length === 2 ? oneOf(scope, jumpConditions, jump[0], "condition") : 0;
      const target = jump.at(-1)!;
      const address = scope.labels.get(target) ?? value(scope, target, 0, 31, "jump target");
      return (condition << 5) | address;
    }
    case "wait": {
      const polarity = value(scope, words[0], 0, 1, "polarity");
      const source = oneOf(scope, ["gpio", "pin", "irq"], words[1], "source");
      if (source === 2) return 0x2000 | (polarity << 7) | (2 << 5) | irqIndex(scope, words.slice(2));
      if (words.length !== 3) fail(scope, "wait takes polarity, source and number");
      return 0x2000 | (polarity << 7) | (source << 5) | value(scope, words[2], 0, 31, "pin");
    }
    case "in":
      operands(2);
      return 0x4000 | (oneOf(scope, inSources, parts[0], "source") << 5) | (value(scope, parts[1], 1, 32, "bit count") & 31);
    case "out":
      operands(2);
      return 0x6000 | (oneOf(scope, outTargets, parts[0], "destination") << 5) | (value(scope, parts[1], 1, 32, "bit count") & 31);
    case "push":
      return 0x8000 | flags("iffull");
    case "pull":
      return 0x8080 | flags("ifempty");
    case "nop":
      operands(0);
      return 0xa042;
    case "mov": {
      operands(2);
      const [, mark, source] = /^(!|~|::)?\s*(\S+)$/.exec(parts[1]!) ?? fail(scope, `source "${parts[1]}"`);
      const operationCode = mark === "::" ? 2 : mark ? 1 : 0;
      return (
        0xa000 |
        (oneOf(scope, movTargets, parts[0], "destination") << 5) |
        (operationCode << 3) |
        oneOf(scope, movSources, source, "source")
      );
    }
    case "irq": {
      const mode = ["set", "nowait", "wait", "clear"].includes(words[0] ?? "") ? words[0]! : "";
      const index = irqIndex(scope, mode ? words.slice(1) : words);
      return 0xc000 | (mode === "clear" ? 0x40 : mode === "wait" ? 0x20 : 0) | index;
    }
    case "set":
      operands(2);
      return 0xe000 | (oneOf(scope, setTargets, parts[0], "destination") << 5) | value(scope, parts[1], 0, 31, "value");
    default:
      return fail(scope, `unknown instruction "${name}"`);
  }
}

/**
 * One instruction text to its 16-bit word.
 * @throws PioError naming `scope.line` for anything outside the instruction's range, including a delay that the side-set leaves no room for.
 */
export function encodeInstruction(text: string, scope: Scope): number {
  let body = text.trim().toLowerCase();
  const delayMatch = /\[\s*([^\]]*?)\s*\]$/.exec(body);
  if (delayMatch) body = body.slice(0, delayMatch.index).trim();
  const sideMatch = /\s+side\s+(\S+)$/.exec(body);
  if (sideMatch) body = body.slice(0, sideMatch.index).trim();
  const { count, optional } = scope.sideSet;
  const delayBits = 5 - count - (optional ? 1 : 0);
  const delay = delayMatch ? value(scope, delayMatch[1], 0, (1 << delayBits) - 1, "delay") : 0;
  if (sideMatch && count === 0) fail(scope, "side without .side_set");
  if (!sideMatch && count > 0 && !optional) fail(scope, "side is missing and .side_set is not opt");
  let side = 0;
  if (sideMatch) side = (value(scope, sideMatch[1], 0, (1 << count) - 1, "side-set value") | (optional ? 1 << count : 0)) << delayBits;
  return operation(scope, body) | ((side | delay) << 8);
}
