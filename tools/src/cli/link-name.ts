import { existsSync, lstatSync, readlinkSync, renameSync, rmSync, symlinkSync } from "node:fs";
import type { Language } from "./language.js";
import { stop } from "./failure.js";
import { reason } from "./files.js";

/**
 * Makes `path` a symbolic link to a port, in one step. What is there already stays, but for a link that leads nowhere (left by a run
 * that was killed) or with `force`. Answers with what takes the link away again.
 * @throws InkanError output-exists, file-unwritable
 */
export function linkTo(port: string, path: string, options: { readonly force: boolean; readonly language: Language }): () => void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    refuseTaken(path, options.force);
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

/** Refuses a path that is taken. @throws InkanError output-exists */
export function refuseTaken(path: string, force: boolean): void {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined || (there.isSymbolicLink() && (force || !existsSync(path)))) return;
  // --force replaces a link; never a file or a folder, which nobody means to lose to a port's name.
  throw stop("output-exists", { path });
}
