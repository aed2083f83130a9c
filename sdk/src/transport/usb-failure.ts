import { InkanError } from "../errors.js";

/** What a USB driver's error means. Drivers differ in names and agree in words: node-usb (nusb), a browser's WebUSB, the kernel's errno. */
export function usbFailure(error: unknown, path: string): InkanError {
  const cause = error instanceof Error ? error : undefined;
  const text = `${cause?.name ?? ""} ${cause?.message ?? String(error)}`;
  const is = (pattern: RegExp): boolean => pattern.test(text);
  if (is(/disconnect|unplugged|no ?device|ENODEV|NotFoundError|errno 19\b|has been lost/i))
    return new InkanError("reader-unplugged", {}, { cause });
  if (is(/busy|EBUSY|errno 16\b|already in use|claimed|NetworkError.*claim/i)) return new InkanError("port-in-use", { path }, { cause });
  if (is(/access|permission|denied|EACCES|EPERM|SecurityError|errno 13\b|errno 1\b/i))
    return new InkanError("permission-denied", { path }, { cause });
  return new InkanError("protocol", { detail: cause?.message ?? String(error) }, { cause });
}
