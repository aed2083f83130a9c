import { type Product, referenceProduct, type StatusCode } from "@inkan/device-proto";
import { InkanError } from "../errors.js";
import { platformBinding, type SerialBindingLike } from "../transport/serial/binding.js";
import type { ReaderAddress } from "../transport/transport.js";
import { findUsbReaders, type FoundUsbReader } from "./usb.js";

/** What stood in the way of a part of the search, as a row of the status table and the one word its sentence needs. */
export interface ListFact {
  readonly code: StatusCode;
  readonly detail: string;
}

/** What is attached, and what could not be looked at. */
export interface ReaderList {
  readonly readers: readonly ReaderAddress[];
  readonly facts: readonly ListFact[];
}

/** Where {@link listReaders} looks; a test brings its own. */
export interface ListSources {
  readonly usb?: () => Promise<readonly FoundUsbReader[]>;
  readonly serial?: () => Promise<SerialBindingLike>;
  /** The products whose serial ports are looked for, with their names; default the reference product. USB readers are known by their class. */
  readonly products?: readonly Product[];
}

/**
 * Lists the readers on USB, and those on serial ports that are not the same device again. Never throws: what is missing (no bus, no udev,
 * no package) becomes a fact.
 */
export async function listReaders(sources: ListSources = {}): Promise<ReaderList> {
  const { usb = findUsbReaders, serial = platformBinding, products = [referenceProduct] } = sources;
  const facts: ListFact[] = [];
  const look = async <T>(find: () => Promise<readonly T[]>, otherwise: (error: Error) => ListFact): Promise<readonly T[]> => {
    try {
      return await find();
    } catch (error) {
      facts.push(factOf(error, otherwise));
      return [];
    }
  };
  const onUsb = (await look(usb, (error) => ({ code: "usb-missing", detail: error.message }))).map((found) => found.address);
  const ports = await look(
    async () => (await serial()).list(),
    (error) => ({ code: "udev-missing", detail: error.message }),
  );
  const serials = new Set(onUsb.map((address) => address.serial).filter((text) => text !== undefined));
  const productOf = (vendor: string | undefined, product: string | undefined): Product | undefined =>
    products.find(
      ({ usb: { vendorId, productId } }) =>
        Number.parseInt(vendor ?? "", 16) === vendorId && Number.parseInt(product ?? "", 16) === productId,
    );
  const onPorts = ports.flatMap(({ path, serialNumber, vendorId, productId }): ReaderAddress[] => {
    const product = productOf(vendorId, productId);
    if (product === undefined || (serialNumber !== undefined && serials.has(serialNumber))) return [];
    return [{ uri: `serial:${path}`, name: product.productName, path, ...(serialNumber && { serial: serialNumber }), virtual: false }];
  });
  return { readers: [...onUsb, ...onPorts], facts };
}

function factOf(error: unknown, otherwise: (error: Error) => ListFact): ListFact {
  if (!(error instanceof InkanError)) return otherwise(error instanceof Error ? error : new Error(String(error)));
  const { detail, package: name, path } = error.details;
  return { code: error.code, detail: String(detail ?? name ?? path ?? error.message) };
}
