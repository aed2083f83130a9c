import { constants } from "node:fs";
import { access, copyFile, link, lstat, mkdir, open, readFile, realpath, rename, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { randomBytes } from "node:crypto";
import type { StatusCode } from "@inkan/device-proto";
import { isInkanError } from "@inkan/sdk";
import type { Language } from "./language.js";
import { say, type PlainKey } from "../texts.js";
import { stop } from "./failure.js";

/** What the operating system said, in words. Codes that are not listed stand for themselves. */
export function reason(error: unknown, language: Language): string {
  const code = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
  return code in reasons ? say(language, reasons[code]!) : code;
}
const reasons: Readonly<Record<string, PlainKey>> = {
  EACCES: "file.no-permission",
  EPERM: "file.no-permission",
  EROFS: "file.read-only-disk",
  ENOENT: "file.none",
  ENOTDIR: "file.not-a-folder",
  EISDIR: "file.is-a-folder",
  ENOSPC: "file.disk-full",
  EDQUOT: "file.disk-full",
  ENAMETOOLONG: "file.long-name",
  ERR_FS_FILE_TOO_LARGE: "file.too-large",
};

/** Reads a whole small file (a signature, certificates). @throws InkanError file-unreadable */
export async function readInput(path: string, language: Language): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw stop("file-unreadable", { path, reason: reason(error, language) }, error);
  }
}

/** Checks that an input is a readable file before anybody is asked for a password. @throws InkanError file-unreadable */
export async function checkInput(path: string, language: Language): Promise<void> {
  try {
    const handle = await open(path, "r");
    try {
      if ((await handle.stat()).isDirectory()) throw Object.assign(new Error("EISDIR"), { code: "EISDIR" });
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw stop("file-unreadable", { path, reason: reason(error, language) }, error);
  }
}

type Planned = { readonly path: string; readonly target: string; temporary?: string; readonly device: boolean; created: boolean };

/**
 * Output files of one run: all of them whole, or none. `plan` refuses early (before a reader is opened or a secret asked for), `write`
 * and `copy` fill temporary neighbours, `commit` puts them in place in one go, `discard` (also on the way out of a failure) leaves
 * nothing behind. An existing file is only replaced when `force` is set, and never before everything is ready.
 */
export class OutputFiles {
  readonly #planned = new Map<string, Planned>();
  readonly #folders: string[] = [];
  readonly #force: boolean;
  readonly #language: Language;
  #committed = false;

  constructor(options: { readonly force: boolean; readonly language: Language }) {
    this.#force = options.force;
    this.#language = options.language;
  }

  /** Makes sure of a folder; one that this run made goes away again when the run fails. @throws InkanError folder-unwritable */
  async folder(path: string): Promise<void> {
    try {
      const first = await mkdir(path, { recursive: true });
      if (first !== undefined) for (let at = resolve(path); at.length >= resolve(first).length; at = dirname(at)) this.#folders.push(at);
      await access(path, constants.W_OK | constants.X_OK);
      if (!(await stat(path)).isDirectory()) throw Object.assign(new Error("ENOTDIR"), { code: "ENOTDIR" });
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code === "EEXIST" ? "ENOTDIR" : undefined;
      throw stop("folder-unwritable", { path, reason: reason(code === undefined ? error : { code }, this.#language) }, error);
    }
  }

  /** Announces an output file. @throws InkanError output-exists, file-unwritable */
  async plan(path: string): Promise<void> {
    if (this.#planned.has(path)) return;
    const target = await realpath(path).catch(() => resolve(path));
    const there = await this.#guard("file-unwritable", path, () => lstatOrNothing(target));
    if (there?.isDirectory() === true) throw stop("file-unwritable", { path, reason: say(this.#language, "file.is-a-folder") });
    const device = there !== undefined && !there.isFile();
    if (there !== undefined && !device && !this.#force) throw stop("output-exists", { path });
    if ([...this.#planned.values()].some((other) => other.target === target))
      throw stop("usage", { detail: say(this.#language, "usage.same-output", { path }) });
    await this.#guard("file-unwritable", path, () =>
      access(device ? target : dirname(target), device ? constants.W_OK : constants.W_OK | constants.X_OK),
    );
    this.#planned.set(path, { path, target, device, created: false });
  }

  /** The whole content of a planned file; answers where it stands until `commit`. @throws InkanError file-unwritable */
  async write(path: string, content: Uint8Array | string): Promise<string> {
    return this.#fill(path, async (temporary) => {
      const handle = await open(temporary, "wx");
      try {
        await handle.writeFile(content);
        await handle.sync();
      } finally {
        await handle.close();
      }
    });
  }

  /** A planned file as a copy of another; answers where the copy stands until `commit`. @throws InkanError file-unwritable */
  async copy(path: string, from: string): Promise<string> {
    await checkInput(from, this.#language);
    return this.#fill(path, (temporary) => copyFile(from, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE));
  }

  async #fill(path: string, make: (temporary: string) => Promise<void>): Promise<string> {
    await this.plan(path);
    const file = this.#planned.get(path)!;
    const temporary = join(
      file.device ? await scratch() : dirname(file.target),
      `.${basename(file.target)}.${randomBytes(6).toString("hex")}.tmp`,
    );
    file.temporary = temporary;
    await this.#guard("file-unwritable", path, () => make(temporary));
    return temporary;
  }

  /** Puts every written file in its place. What was planned and never written stays away. @throws InkanError output-exists, file-unwritable */
  async commit(): Promise<void> {
    for (const file of this.#planned.values()) {
      if (file.temporary === undefined) continue;
      const temporary = file.temporary;
      await this.#guard("file-unwritable", file.path, async () => {
        if (file.device) await writeFile(file.target, await readFile(temporary));
        else if (this.#force) await rename(temporary, file.target);
        else file.created = await publish(temporary, file.target, file.path);
      });
      if (this.#force && !file.device) delete file.temporary;
    }
    this.#committed = true;
    await this.discard();
  }

  /** Removes what is not committed. Never throws: it runs on the way out of failures. */
  async discard(): Promise<void> {
    for (const file of this.#planned.values()) {
      if (file.temporary !== undefined) await rm(file.temporary, { force: true }).catch(() => undefined);
      delete file.temporary;
      if (!this.#committed && file.created) await rm(file.target, { force: true }).catch(() => undefined);
    }
    if (!this.#committed) for (const folder of this.#folders) await rmdir(folder).catch(() => undefined);
  }

  async #guard<T>(code: StatusCode, path: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isInkanError(error)) throw error;
      if ((error as NodeJS.ErrnoException).code === "EEXIST") throw stop("output-exists", { path }, error);
      throw stop(code, { path, reason: reason(error, this.#language) }, error);
    }
  }
}

/** Gives a finished file its name without ever replacing another: a hard link fails where the name is taken. */
async function publish(temporary: string, target: string, path: string): Promise<boolean> {
  try {
    await link(temporary, target);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "EEXIST") throw stop("output-exists", { path }, error);
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "EOPNOTSUPP" && code !== "ENOSYS" && code !== "EMLINK") throw error;
    // A file system without hard links (FAT): look, then rename.
    if ((await lstatOrNothing(target)) !== undefined) throw stop("output-exists", { path }, error);
    await rename(temporary, target);
  }
  return true;
}

async function lstatOrNothing(path: string) {
  try {
    return await lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function scratch(): Promise<string> {
  const { tmpdir } = await import("node:os");
  return tmpdir();
}

/** Writes one file whole. @throws InkanError output-exists, file-unwritable */
export async function writeOutput(
  path: string,
  content: Uint8Array | string,
  options: { readonly force: boolean; readonly language: Language },
): Promise<void> {
  const files = new OutputFiles(options);
  try {
    await files.write(path, content);
    await files.commit();
  } finally {
    await files.discard();
  }
}
