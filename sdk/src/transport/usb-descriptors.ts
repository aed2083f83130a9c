import { ccidClassDescriptor, type Infer } from "@inkan/device-proto";
import { InkanError } from "../errors.js";

/** What the CCID interface of a configuration descriptor says. Endpoint numbers without the direction bit; packet sizes in bytes. */
export interface CcidInterface {
  readonly interfaceNumber: number;
  readonly claims: Infer<typeof ccidClassDescriptor>;
  readonly out: { readonly number: number; readonly packetSize: number };
  readonly in: { readonly number: number; readonly packetSize: number };
  /** Absent on readers without an interrupt pipe. */
  readonly interrupt?: { readonly number: number; readonly packetSize: number };
}

const INTERFACE = 4;
const ENDPOINT = 5;
/** CCID 1.1 §5.1; some readers use the generic FF. */
const CCID_FUNCTIONAL = 0x21;
const SMART_CARD = 0x0b;

/**
 * Finds the first CCID interface (class 0B) in a configuration descriptor as it came over the wire. Every length is taken as hostile.
 * Throws `protocol` when the descriptor is cut off or lies, `unsupported` when there is no such interface.
 */
export function findCcidInterface(bytes: Uint8Array): CcidInterface {
  let current:
    | { number: number; claims?: Infer<typeof ccidClassDescriptor>; endpoints: { address: number; type: number; packetSize: number }[] }
    | undefined;
  const finished = (): CcidInterface | undefined => {
    if (!current?.claims) return undefined;
    const pick = (direction: number, type: number): { number: number; packetSize: number } | undefined => {
      const found = current!.endpoints.find(
        (endpoint) => (endpoint.address & 0x80) === direction && endpoint.type === type && endpoint.packetSize > 0,
      );
      return found && { number: found.address & 15, packetSize: found.packetSize };
    };
    const out = pick(0, 2);
    const input = pick(0x80, 2);
    const interrupt = pick(0x80, 3);
    return out && input && { interfaceNumber: current.number, claims: current.claims, out, in: input, ...(interrupt && { interrupt }) };
  };
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at]!;
    if (length < 2 || at + length > bytes.length)
      throw new InkanError("protocol", { detail: `configuration descriptor: byte ${at} says ${length} bytes` });
    const one = bytes.subarray(at, at + length);
    at += length;
    if (one[1] === INTERFACE && length >= 9) {
      const done = finished();
      if (done) return done;
      // alternate settings are not selected: only the first one counts
      current = one[5] === SMART_CARD && one[3] === 0 ? { number: one[2]!, endpoints: [] } : undefined;
    } else if (current && one[1] === CCID_FUNCTIONAL && length >= ccidClassDescriptor.size) {
      current.claims = ccidClassDescriptor.decode(one.subarray(0, ccidClassDescriptor.size));
    } else if (current && one[1] === ENDPOINT && length >= 7) {
      current.endpoints.push({ address: one[2]!, type: one[3]! & 3, packetSize: (one[4]! | (one[5]! << 8)) & 0x7ff });
    }
  }
  const done = finished();
  if (!done) throw new InkanError("unsupported", { detail: "the USB device has no CCID interface" });
  return done;
}
