import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { InkanError } from "@inkan/sdk";
import type { CdcAcm } from "./cdc.js";

/**
 * Node cannot open a pseudo-terminal. This is the whole of what is asked of Python: make one (raw, kept open on our side so that
 * programs may come and go), say its name, carry bytes between it and the standard streams, leave no link behind.
 */
const HELPER = `
import os, select, sys, tty
master, slave = os.openpty()
tty.setraw(slave)
name = os.ttyname(slave)
link = sys.argv[1] if len(sys.argv) > 1 else None
if link:
    os.symlink(name, link)
sys.stderr.write(name + "\\n")
sys.stderr.flush()
os.set_blocking(master, False)
pending = b""
try:
    while True:
        readable, writable, _ = select.select([master] + ([] if pending else [0]), [master] if pending else [], [])
        if master in readable:
            data = os.read(master, 65536)
            while data:
                data = data[os.write(1, data):]
        if 0 in readable:
            pending = os.read(0, 65536)
            if not pending:
                break
        if master in writable:
            pending = pending[os.write(master, pending):]
except (KeyboardInterrupt, BrokenPipeError):
    pass
finally:
    if link:
        os.unlink(link)
`;

/** A bridge between a pseudo-terminal and the board. */
export interface PtyBridge {
  /** The terminal's own name, e.g. /dev/pts/3. */
  readonly path: string;
  /** Takes the terminal away and closes the board's port. */
  close(): Promise<void>;
  /** Resolves when the bridge has ended for whatever reason; never rejects. */
  readonly closed: Promise<void>;
}

/** Options of the bridge. */
export interface PtyOptions {
  /** A symbolic link to make; it must not exist. */
  readonly link?: string;
  /** The Python to run; default `python3`. */
  readonly python?: string;
}

/**
 * Opens the board's CDC port and a real pseudo-terminal, and carries bytes between them. DTR is on while the bridge runs: a
 * pseudo-terminal has no modem lines. Rejects with `program-missing` (exit 8) without Python 3, `file-unwritable` when the link
 * cannot be made. The board must run in pace `real` or `line`: a program at the other end waits in wall time.
 */
export async function openPty(cdc: CdcAcm, options: PtyOptions = {}): Promise<PtyBridge> {
  const child = spawn(options.python ?? "python3", ["-c", HELPER, ...(options.link ? [options.link] : [])], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
  const lines = createInterface({ input: child.stderr });
  const said: string[] = [];
  const path = await new Promise<string>((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "ENOENT"
          ? new InkanError("program-missing", { program: "python3", command: "sudo apt install python3" }, { cause: error })
          : new InkanError("unexpected", { detail: error.message }, { cause: error }),
      ),
    );
    lines.on("line", (line) => {
      said.push(line);
      if (line.startsWith("/dev/")) resolve(line);
    });
    void ended.then(() =>
      reject(
        options.link &&
          said.some((line) => line.includes("FileExistsError") || line.includes("PermissionError") || line.includes("FileNotFoundError"))
          ? new InkanError("file-unwritable", { path: options.link, reason: said.at(-1) ?? "" })
          : new InkanError("unexpected", { detail: said.at(-1) ?? "the terminal could not be made" }),
      ),
    );
  });
  child.stdin.on("error", () => undefined);
  child.stdout.on("data", (bytes: Buffer) => {
    // Back-pressure reaches the program at the other end: nothing more is taken while the board has not taken this.
    child.stdout.pause();
    cdc.write(bytes).then(
      () => child.stdout.resume(),
      () => child.stdin.end(),
    );
  });
  cdc.onData = (bytes) => child.stdin.write(bytes);
  cdc.onClosed = () => child.stdin.end();
  try {
    await cdc.open();
  } catch (error) {
    child.stdin.end();
    await ended;
    throw error;
  }
  const closed = ended.then(() => cdc.close());
  return {
    path,
    closed,
    async close() {
      child.stdin.end();
      await closed;
    },
  };
}
