import { existsSync } from "node:fs";
import { systemClock } from "@inkan/sdk";
import type { BoardEvent } from "@inkan/hwtest/board";
import type { Context } from "../cli/context.js";
import { stop } from "../cli/failure.js";
import { readInput, writeOutput } from "../cli/files.js";
import { readFingers } from "../cli/fingers.js";
import { eachLine } from "../cli/input.js";
import { refuseTaken } from "../cli/link-name.js";
import type { Options, Result } from "../cli/verb.js";
import { loadBench, loadUsbredir } from "../cli/virtual.js";
import { benchLine, type Bench } from "../flows/bench-lines.js";
import { PcscdPort, readerConf } from "../flows/pcscd-port.js";
import { SerialPort } from "../flows/serial-port.js";
import { TcpDoor, tcpPlace } from "../flows/tcp-door.js";
import { UsbredirDoor } from "../flows/usbredir-door.js";
import type { VirtualDoor } from "../flows/virtual-door.js";
import { say } from "../texts.js";

/** How often a run looks whether its parent still lives, in ms. */
const PARENT_MS = 500;
/** The doors, one at a time: the board has one cable, and one serial port on it. */
const doorFlags = { pty: "--pty", pcscdSerial: "--pcscd-serial", tcp: "--tcp", usbredir: "--usbredir" } as const;
/** Whose child this process is: asked before anybody is told that it is ready, for the parent may end at once. */
const parent = process.ppid;

/**
 * `inkan virtual run`: the virtual reader for other programs, through the doors that are asked for, until `quit`, a signal, or the end of the
 * parent. All of these are its proper end: exit 0.
 */
export async function run(context: Context, _args: readonly string[], options: Options): Promise<Result> {
  const { language, output, force } = context;
  const [pty, pcscd, tcp, usbredir] = [text(options["pty"]), text(options["pcscdSerial"]), text(options["tcp"]), text(options["usbredir"])];
  const given = Object.entries(doorFlags).flatMap(([name, flag]) => (text(options[name]) === undefined ? [] : [flag]));
  if (given.length === 0) throw stop("usage", { detail: say(language, "usage.virtual-door") });
  if (given.length > 1) {
    const others = given.filter((flag) => flag !== doorFlags.usbredir);
    const detail =
      usbredir === undefined
        ? say(language, "usage.one-port", { names: new Intl.ListFormat(language).format(others) })
        : say(language, "usage.one-cable", { other: others[0]! });
    throw stop("usage", { detail });
  }
  const place = tcp === undefined ? undefined : tcpPlace(tcp, options["expose"] === true, language);
  const card = options["card"] ?? "standard";
  if (card !== "standard" && card !== "none") throw stop("usage", { detail: say(language, "usage.card-name", { name: String(card) }) });
  const flashFile = text(options["flash"]);
  const fingers = readFingers(context) ?? false;
  const path = pty ?? pcscd;
  if (path !== undefined) refuseTaken(path, force);
  const conf = pcscd === undefined ? undefined : readerConf(pcscd, language);
  const flash = flashFile !== undefined && existsSync(flashFile) ? await readInput(flashFile, language) : undefined;
  const { openVirtualReader, openPty } = await loadBench(context.world);
  const machine = usbredir === undefined ? undefined : await loadUsbredir(context.world);
  const reader = await openVirtualReader({ pace: "line", card, face: "link", fingers, ...(flash === undefined ? {} : { flash }) });
  const doors: VirtualDoor[] = [];
  if (path !== undefined) {
    const port = new SerialPort(reader, openPty, path, { force, language });
    doors.push(conf === undefined ? port : new PcscdPort(port, path, conf));
  }
  if (place) doors.push(new TcpDoor(reader, place, (state) => output.document({ event: "client", state })));
  if (usbredir !== undefined && machine) {
    doors.push(new UsbredirDoor(reader, machine.serveUsbredir, usbredir, (event, error) => guest(event, error, context)));
  }
  try {
    const made: Record<string, string> = {};
    for (const door of doors) Object.assign(made, await door.up());
    reader.board.on((event) => tell(event, reader.clock.now(), context));
    const uri = path !== undefined ? { uri: `serial:${path}` } : made["tcp"] !== undefined ? { uri: `tcp://${made["tcp"]}` } : {};
    output.document({ event: "ready", ...made, reader: { ...uri, virtual: true } });
    output.line(say(language, "virtual.ready", { path: path ?? made["tcp"] ?? usbredir ?? "" }));
    if (conf !== undefined) output.line(`${say(language, "virtual.reader-conf")}\n\n${conf}`);
    await untilEnd(context, { reader, doors }, options["detach"] === true);
    if (flashFile !== undefined) await writeOutput(flashFile, reader.board.flashImage, { force: true, language });
  } finally {
    for (const door of doors) await door.close();
    await reader.close();
  }
  return { document: { ok: true, event: "end" } };
}

/** What happens on the board, one JSON line each; a broken rule of the strict models is said to people, too. */
function tell(event: BoardEvent, at: number, context: Context): void {
  const { type, ...detail } =
    event.type === "violation" ? { type: event.type, rule: event.violation.rule, message: event.violation.message } : event;
  context.output.document({ event: type, ...detail, at: Math.round(at) });
  if (event.type === "violation") context.output.note(event.violation.message, { always: true });
}

/** A virtual machine came or left; one that broke the protocol is told to people, too. */
function guest(event: "hello" | "left", error: unknown, context: Context): void {
  const message = error instanceof Error ? { message: error.message } : {};
  context.output.document({ event: "guest", state: event === "hello" ? "here" : "gone", ...message });
  if (error instanceof Error) context.output.note(error.message, { always: true });
}

function text(value: string | boolean | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** Works the bench by the lines of standard input until something ends the run. */
async function untilEnd(context: Context, bench: Bench, detached: boolean): Promise<void> {
  const ended = new AbortController();
  const either = AbortSignal.any([context.signal, ended.signal]);
  const aborted = new Promise<void>((resolve) => either.addEventListener("abort", () => resolve(), { once: true }));
  const orphaned = async (): Promise<void> => {
    while (!either.aborted && process.ppid === parent) await systemClock.sleep(PARENT_MS, either).catch(() => undefined);
  };
  let quit!: () => void;
  const asked = new Promise<void>((resolve) => (quit = resolve));
  let turn = Promise.resolve();
  // One line after the other; the end of the input is no order.
  const stopListening = eachLine(context.world.stdin, (line) => {
    turn = turn.then(async () => {
      if ((await benchLine(line, bench, context)) === "quit") quit();
    });
  });
  try {
    await Promise.race([aborted, asked, ...(detached ? [] : [orphaned()])]);
  } finally {
    ended.abort();
    stopListening();
  }
  // A signal is the proper end here; a deadline is not.
  if (context.signal.aborted && (context.signal.reason as { code?: string }).code !== "interrupted") throw context.signal.reason;
}
