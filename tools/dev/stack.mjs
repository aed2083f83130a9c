// How deep the stack can get, from what was linked: the call graph out of the disassembly, frames out of -fstack-usage and the disassembly
// (whichever says more), calls through pointers out of the table below, interrupts on top of each other by priority. Recursion has no bound
// and is refused; so are a call through a pointer that no row explains, and a row that explains nothing.

/** Bytes an exception pushes, with the word that keeps SP on 8 bytes (ARMv6-M B1.5.6). */
const EXCEPTION = 36;

/**
 * Calls through pointers: in which function of the image, and what they can call: the functions named in a C table (`rows: file, array`), or a list.
 * `in` is where the compiler left the call, after inlining; a row may name several. `within`: reached through that function, only these are called.
 */
export const indirectCalls = [
  { in: ["ccid_run", "dispatch"], rows: { file: "ccid/ccid.c", array: "k_rows" } },
  // While a command runs (app_wait), pcscd_step answers what asks nothing of the card; level.c's dispatch() refuses the rest: ccid_running().
  {
    in: ["level_run", "dispatch"],
    rows: { file: "pcscd/level.c", array: "k_rows" },
    within: { through: "pcscd_step", calls: ["on_get_slot_status", "on_driver_escape"] },
  },
  { in: ["guarded", "on_xfr_block", "transmit"], calls: ["tpdu_t0", "card_exchange"] },
];

/** A problem of the call graph, in a sentence. */
export class StackProblem extends Error {}

/** .su files: frame by function name; the largest of a name. */
export function parseUsage(text, into = new Map()) {
  for (const line of text.split("\n")) {
    const found = /^.*?:\d+:\d+:(\S+)\t(\d+)\t(\S+)/.exec(line);
    if (!found) continue;
    const [, name, bytes, kind] = found;
    if (kind.includes("dynamic") && !kind.includes("bounded")) throw new StackProblem(`${name} has a frame of no fixed size (${kind})`);
    into.set(name, Math.max(into.get(name) ?? 0, Number(bytes)));
  }
  return into;
}

const plainName = (name) => name.replace(/\.(isra|part|constprop|cold)\.?\d*/g, "");

/** objdump -d: each function by its address, with its frame as pushed, whom it calls, and whether it calls through a pointer. */
export function parseDisassembly(text) {
  const functions = new Map();
  let current;
  for (const line of text.split("\n")) {
    const head = /^([0-9a-f]+) <(.+)>:$/.exec(line);
    if (head) {
      current = { at: head[1], name: head[2], frame: 0, calls: new Set(), indirect: false };
      functions.set(current.at, current);
      continue;
    }
    const code = /^\s*([0-9a-f]+):\t[0-9a-f ]+\t(\S+)\s*(.*)$/.exec(line);
    if (!code || !current) continue;
    const [, , operation, operands] = code;
    if (operation === "push") current.frame += 4 * registers(operands);
    const sub = /^sp, (?:sp, )?#(\d+)/.exec(operands);
    if (operation === "sub" && sub) current.frame += Number(sub[1]);
    const target = /^([0-9a-f]+) <(.+?)(\+0x[0-9a-f]+)?>/.exec(operands);
    if (/^(bl|b[a-z]{0,2}(\.n|\.w)?)$/.test(operation) && target) {
      // A branch to another function's start is a tail call; one to its own middle is a jump.
      if (target[3] === undefined) {
        if (!(target[1] === current.at && operation !== "bl")) current.calls.add(target[1]);
      }
    } else if (operation === "blx" || (operation === "bx" && operands.trim() !== "lr")) current.indirect = true;
  }
  return functions;
}

function registers(list) {
  return list
    .replace(/[{}]/g, "")
    .split(",")
    .reduce((sum, part) => {
      const [from, to] = part
        .trim()
        .split("-")
        .map((name) => Number(name.replace("r", "")));
      return sum + (to === undefined || Number.isNaN(to) ? 1 : to - from + 1);
    }, 0);
}

/** What stands in a C table's initialiser: every name in it. */
export function namesInArray(source, array) {
  const found = new RegExp(`\\b${array}\\[[^\\]]*\\]\\s*=\\s*\\{`).exec(source);
  if (!found) throw new StackProblem(`there is no table ${array}`);
  let depth = 1;
  let at = found.index + found[0].length;
  const from = at;
  for (; depth > 0 && at < source.length; at++) depth += source[at] === "{" ? 1 : source[at] === "}" ? -1 : 0;
  return new Set(source.slice(from, at).match(/\b[a-z_]\w*\b/g) ?? []);
}

/**
 * The deepest the stack can get.
 * `roots`: where execution begins (they never nest); `interrupts`: handler → priority; `indirect`: rows with `in` and `calls`; `ends`: functions that never
 * return and take the stack afresh.
 */
export function stackBound({ functions, usage, roots, interrupts, indirect, ends = [] }) {
  const byName = new Map();
  for (const each of functions.values()) byName.set(plainName(each.name), [...(byName.get(plainName(each.name)) ?? []), each]);
  const named = (name) => {
    const found = byName.get(name);
    if (!found) throw new StackProblem(`${name} is not in the image`);
    return found;
  };
  const used = new Set();
  const callees = (node, way) => {
    const found = [...node.calls].map((at) => functions.get(at)).filter((each) => each !== undefined);
    if (!node.indirect || ends.includes(node.name)) return found;
    const rows = indirect.filter((row) => row.in.includes(plainName(node.name)));
    if (rows.length === 0) throw new StackProblem(`${node.name} calls through a pointer, and no row of indirectCalls says whom`);
    for (const row of rows) used.add(row);
    const calls = (row) => (row.within && way.has(row.within.through) ? row.within.calls : row.calls);
    return [...found, ...rows.flatMap((row) => calls(row).flatMap(named))];
  };
  const frame = (node) => Math.max(node.frame, usage.get(plainName(node.name)) ?? 0);
  // What a function calls may depend on the way that led to it: the functions of `within` that lie on it are part of its identity.
  const gates = new Set(indirect.flatMap(({ within }) => (within ? [within.through] : [])));
  const known = new Map();
  const open = [];
  const depth = (node, from = new Set()) => {
    const way = gates.has(plainName(node.name)) ? new Set([...from, plainName(node.name)]) : from;
    const key = `${node.at} ${[...way].sort().join(" ")}`;
    if (known.has(key)) return known.get(key);
    if (open.includes(key))
      throw new StackProblem(
        `recursion: ${[...open.slice(open.indexOf(key)), key].map((each) => functions.get(each.split(" ")[0]).name).join(" → ")}`,
      );
    open.push(key);
    let best = { bytes: 0, path: [] };
    for (const callee of callees(node, way)) {
      const below = depth(callee, way);
      if (below.bytes > best.bytes) best = below;
    }
    open.pop();
    const result = { bytes: frame(node) + best.bytes, path: [`${node.name} ${frame(node)}`, ...best.path] };
    known.set(key, result);
    return result;
  };
  const deepest = (names) =>
    names
      .flatMap(named)
      .map((node) => depth(node))
      .sort((a, b) => b.bytes - a.bytes)[0];
  const main = deepest(roots);
  const levels = new Map();
  for (const [handler, priority] of Object.entries(interrupts)) {
    const bytes = EXCEPTION + deepest([handler]).bytes;
    if (bytes > (levels.get(priority)?.bytes ?? 0)) levels.set(priority, { handler, bytes });
  }
  // A call through a pointer in a function that nothing reaches is no call, but every row must be of use.
  for (const row of indirect) if (!used.has(row)) throw new StackProblem(`the row of ${row.in.join(", ")} explains no call: take it away`);
  const nested = [...levels.values()];
  return { bytes: main.bytes + nested.reduce((sum, { bytes }) => sum + bytes, 0), main, interrupts: nested };
}

/** Which handler was given which priority, as the sources say: `irq_enable(IRQ_X, PRIORITY_Y)` and chip.h's numbers. */
export function priorities(sources) {
  const numbers = Object.fromEntries(
    [...sources.matchAll(/#define (PRIORITY_\w+) (\d+)u/g)].map(([, name, value]) => [name, Number(value)]),
  );
  const found = {};
  for (const [, irq, priority] of sources.matchAll(/irq_enable\(IRQ_(\w+), (PRIORITY_\w+)\)/g)) {
    if (numbers[priority] === undefined) throw new StackProblem(`${priority} has no number`);
    found[`irq_${irq.toLowerCase()}`] = numbers[priority];
  }
  return found;
}
