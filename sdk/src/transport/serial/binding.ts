import { InkanError } from "../../errors.js";

/** An open serial port as `@serialport/bindings-interface` has it; the part that is used. */
export interface SerialPortLike {
  readonly isOpen: boolean;
  /** Resolves with at least one byte; rejects with `canceled: true` when the port was closed. */
  read(buffer: Buffer, offset: number, length: number): Promise<{ bytesRead: number }>;
  /** One at a time. */
  write(buffer: Buffer): Promise<void>;
  set(options: { dtr?: boolean; rts?: boolean }): Promise<void>;
  /** Everything written has left. */
  drain?(): Promise<void>;
  update?(options: { baudRate: number }): Promise<void>;
  close(): Promise<void>;
}

/** Gives an open port another rate. Rejects where its binding, or the line, cannot. */
export async function changeRate(port: SerialPortLike, baudRate: number): Promise<void> {
  if (!port.update) throw new Error("the binding cannot change the rate of an open port");
  await port.drain?.();
  await port.update({ baudRate });
}

/** A serial port as listed. */
export interface SerialPortInfo {
  readonly path: string;
  readonly serialNumber: string | undefined;
  /** Four hexadecimal digits. */
  readonly vendorId: string | undefined;
  readonly productId: string | undefined;
}

/** Opens and lists serial ports: `@serialport/bindings-cpp`'s, a mock, or the virtual board's. */
export interface SerialBindingLike {
  list(): Promise<SerialPortInfo[]>;
  open(options: { path: string; baudRate: number }): Promise<SerialPortLike>;
}

/** The platform's serial ports. Rejects with `package-missing` when the optional package is not installed or not made for this platform. */
export async function platformBinding(): Promise<SerialBindingLike> {
  try {
    const { autoDetect } = await import("@serialport/bindings-cpp");
    return autoDetect() as SerialBindingLike;
  } catch (error) {
    throw new InkanError(
      "package-missing",
      { package: "@serialport/bindings-cpp", command: "npm install @serialport/bindings-cpp" },
      { cause: error as Error },
    );
  }
}

/** What it means that a port could not be opened. bindings-cpp says it in words only, after the system's own text. */
export function openFailure(error: unknown, path: string): InkanError {
  const cause = error instanceof Error ? error : undefined;
  const text = `${(cause as NodeJS.ErrnoException | undefined)?.code ?? ""} ${cause?.message ?? String(error)}`;
  const is = (pattern: RegExp): boolean => pattern.test(text);
  if (is(/cannot lock port|temporarily unavailable|busy|EBUSY|EAGAIN|access denied.*in use/i))
    return new InkanError("port-in-use", { path }, { cause });
  if (is(/permission denied|access is denied|access denied|EACCES|EPERM|operation not permitted/i))
    return new InkanError("permission-denied", { path }, { cause });
  if (is(/no such (file|device)|file not found|ENOENT|ENODEV|ENXIO|is a directory|inappropriate ioctl|ENOTTY|not a (tty|typewriter)/i))
    return new InkanError("port-missing", { path }, { cause });
  return new InkanError("unexpected", { detail: `${path}: ${cause?.message ?? String(error)}` }, { cause });
}
