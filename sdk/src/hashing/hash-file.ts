import { createHash, hash as digestOf } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { InkanError, abortError } from "../errors.js";
import type { HashName } from "../signing/signer.js";

/** How far a `hashFile` is. */
export interface HashProgress {
  /** Bytes hashed so far. */
  readonly done: number;
  /** Size of the file when it was opened. */
  readonly total: number;
}

/** Options of {@link hashFile}. */
export interface HashFileOptions {
  readonly signal?: AbortSignal;
  /** Called between pieces, at most some hundred times a second. */
  readonly onProgress?: (progress: HashProgress) => void;
}

/** What {@link hashFile} found. */
export interface FileDigests {
  readonly size: number;
  readonly digests: Readonly<Record<HashName, Uint8Array>>;
}

/** One read: large enough that the system call is nothing, small enough to stay in the cache between read and hash. */
const readLength = 1 << 20;
/** The event loop gets its turn after this many milliseconds of hashing. */
const sliceMs = 8;

/**
 * Hashes a file of any size with several algorithms in one pass. Reads synchronously into one reused buffer and yields to the event
 * loop between slices: a stream pipeline of the same hashes reaches only 60 to 90 % of this (it is within 5 % of `openssl dgst`).
 * Memory stays at one buffer. A file that changes while it is read is refused, because no digest would be of a document anyone saw; so is
 * what is no regular file: a pipe or a terminal cannot be read a second time, and reading it would hold up the whole program.
 *
 * Throws `InkanError` `file-unreadable`, or the signal's meaning when aborted. Algorithms not asked for are absent in the result.
 */
export async function hashFile(path: string, algorithms: readonly HashName[], options: HashFileOptions = {}): Promise<FileDigests> {
  const { signal, onProgress } = options;
  stopIfAborted(signal);
  // non-blocking, since opening a pipe would wait for its writer, and nothing else would run meanwhile; regular files do not care
  const fd = attempt(path, () => openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)));
  try {
    const before = attempt(path, () => fstatSync(fd, { bigint: true }));
    if (before.isDirectory()) throw new InkanError("file-unreadable", { path, reason: "EISDIR" });
    if (!before.isFile()) throw new InkanError("file-unreadable", { path, reason: "not a regular file" });
    const total = Number(before.size);
    const hashes = [...new Set(algorithms)].map((name) => ({ name, hash: createHash(name) }));
    const buffer = Buffer.allocUnsafeSlow(readLength);
    let size = 0;
    for (let yielded = performance.now(); ; ) {
      const count = attempt(path, () => readSync(fd, buffer, 0, readLength, null));
      if (count === 0) break;
      size += count;
      const piece = count === readLength ? buffer : buffer.subarray(0, count);
      for (const { hash } of hashes) hash.update(piece);
      if (performance.now() - yielded < sliceMs) continue;
      onProgress?.({ done: size, total });
      await new Promise<void>((resolve) => setImmediate(resolve));
      stopIfAborted(signal);
      yielded = performance.now();
    }
    const after = attempt(path, () => fstatSync(fd, { bigint: true }));
    const changed = after.size !== before.size || after.mtimeNs !== before.mtimeNs || BigInt(size) !== before.size;
    if (changed) throw new InkanError("file-unreadable", { path, reason: "changed while it was read" });
    onProgress?.({ done: size, total });
    const digests = Object.fromEntries(hashes.map(({ name, hash }) => [name, new Uint8Array(hash.digest())])) as Record<
      HashName,
      Uint8Array
    >;
    return { size, digests };
  } finally {
    closeSync(fd);
  }
}

function stopIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortError(signal);
}

function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? (error instanceof Error ? error.message : String(error));
    throw new InkanError("file-unreadable", { path, reason }, { cause: error instanceof Error ? error : undefined });
  }
}

/** Digest of bytes in memory. In one call, and out of OpenSSL as a string: a Buffer costs more there than the digest of a short message. */
export function hashBytes(algorithm: HashName, bytes: Uint8Array): Uint8Array {
  const digest = digestOf(algorithm, bytes, "binary");
  const octets = new Uint8Array(digest.length);
  for (let i = 0; i < octets.length; i++) octets[i] = digest.charCodeAt(i);
  return octets;
}
