import { spawn } from "node:child_process";
import { closeSync, constants, existsSync, lstatSync, openSync, readlinkSync, renameSync, rmSync, symlinkSync } from "node:fs";
import type { Language } from "./language.js";
import { stop } from "./failure.js";
import { reason } from "./files.js";

/** The reader's end of a pseudo terminal; the other end is a serial port to every other program. */
export interface Pty {
  /** The port's own name, e.g. `/dev/pts/5`. */
  readonly port: string;
  write(bytes: Uint8Array): void;
  onData: ((bytes: Uint8Array) => void) | undefined;
  /** Resolves when the pseudo terminal is gone. */
  readonly closed: Promise<void>;
  close(): Promise<void>;
}

/**
 * Node has no call that makes a pseudo terminal; socat (a package of every distribution) makes it and carries the bytes. We keep the port
 * open ourselves, so that a program that closes it does not hang it up for the next one.
 * @throws InkanError program-missing
 */
export async function openPty(): Promise<Pty> {
  const child = spawn("socat", ["-d", "-d", "PTY,rawer,mode=600", "STDIO"], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], LC_ALL: "C" },
  });
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const port = await new Promise<string>((resolve, reject) => {
    let said = "";
    child.once("error", (error) => reject(stop("program-missing", { program: "socat", command: "apt-get install socat" }, error)));
    child.once("close", () => reject(stop("unexpected", { detail: `socat: ${said.trim().split("\n").at(-1) ?? ""}` })));
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      const named = /PTY is (\S+)/.exec(said)?.[1];
      if (named !== undefined) resolve(named);
    });
  });
  // A write after the end is nothing to complain about: `closed` tells.
  child.stdin.on("error", () => undefined);
  const held = openSync(port, constants.O_RDWR | constants.O_NOCTTY);
  const pty: Pty = {
    port,
    onData: undefined,
    closed,
    write: (bytes) => void child.stdin.write(bytes),
    async close() {
      child.kill("SIGTERM");
      await closed;
    },
  };
  void closed.then(() => closeSync(held));
  child.stdout.on("data", (bytes: Buffer) => pty.onData?.(new Uint8Array(bytes)));
  return pty;
}

/**
 * Makes `path` a symbolic link to the port, in one step. What is there already stays, but for a link that leads nowhere (an earlier run that
 * was killed) or with `force`. Answers with what takes the link away again.
 * @throws InkanError output-exists, file-unwritable
 */
export function linkTo(port: string, path: string, options: { readonly force: boolean; readonly language: Language }): () => void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (there !== undefined && !options.force && !(there.isSymbolicLink() && !existsSync(path))) throw stop("output-exists", { path });
    symlinkSync(port, temporary);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    if ((error as NodeJS.ErrnoException).errno === undefined) throw error;
    throw stop("file-unwritable", { path, reason: reason(error, options.language) }, error);
  }
  return () => {
    // Only our own link: another run may have put its there meanwhile.
    try {
      if (readlinkSync(path) === port) rmSync(path, { force: true });
    } catch {
      // gone already
    }
  };
}
