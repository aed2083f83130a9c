// Many APDUs through USB transport, exchange, reader and card, over a device that answers at once and keeps nothing: what is left on the
// heap after a full collection was kept by the SDK.
import { configurationDescriptor, decodeCommand, deviceDescriptor, encodeAnswer, referenceProduct } from "@inkan/device-proto";
import { Reader, UsbTransport } from "@inkan/sdk";

const atr = Uint8Array.from(Buffer.from("3BDA13FF8131FB468012392F31C173C601C03B", "hex"));
const response = Uint8Array.from({ length: 64 }, (_, i) => (i === 62 ? 0x90 : i === 63 ? 0 : i));
const never = new Promise(() => undefined);

/** Our descriptors, one answer per message. A transfer longer than the packet it gets ends there, as a short packet ends it. */
class InstantDevice {
  vendorId = referenceProduct.usb.vendorId;
  productId = referenceProduct.usb.productId;
  configuration = { configurationValue: 1, interfaces: [] };
  configurations = [this.configuration];
  #answer = new Uint8Array(0);
  #reader;
  async open() {}
  async selectConfiguration() {}
  async claimInterface() {}
  async releaseInterface() {}
  async close() {
    this.#reader?.reject(new Error("closed"));
  }
  async controlTransferIn({ value }, length) {
    const bytes = value === 0x0100 ? deviceDescriptor(referenceProduct) : configurationDescriptor();
    return { status: "ok", data: new DataView(bytes.slice(0, length).buffer) };
  }
  async transferOut(_, data) {
    const { name, slot, sequence } = decodeCommand(data);
    const answer = { slot, sequence, icc: "active", status: "ok", error: 0, specific: 0 };
    if (name === "XfrBlock") this.#answer = encodeAnswer({ ...answer, name: "DataBlock", data: response });
    else if (name === "IccPowerOn") this.#answer = encodeAnswer({ ...answer, name: "DataBlock", data: atr });
    else this.#answer = encodeAnswer({ ...answer, name: "SlotStatus", data: new Uint8Array(0) });
    this.#serve();
    return { status: "ok", bytesWritten: data.length };
  }
  transferIn(endpoint, length) {
    if (endpoint !== 1) return never;
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject, length };
      this.#serve();
    });
  }
  #serve() {
    if (this.#answer.length === 0 || this.#reader === undefined) return;
    const { resolve, length } = this.#reader;
    const part = this.#answer.slice(0, length);
    this.#answer = this.#answer.slice(length);
    this.#reader = undefined;
    resolve({ status: "ok", data: new DataView(part.buffer) });
  }
}

const address = { uri: "usb:", name: "instant", virtual: true };
const reader = await Reader.open(await UsbTransport.open(new InstantDevice(), { address }));
const card = await reader.connect();
const read = Uint8Array.of(0x00, 0xb0, 0x00, 0x00, 62);
const many = async (count) => {
  for (let i = 0; i < count; i++) {
    const { sw, data } = await card.transmit(read);
    if (sw !== 0x9000 || data.length !== 62) throw new Error(`SW ${sw.toString(16)}, ${data.length} bytes`);
  }
};
/** Timers and promises of the last APDU are gone a turn later; two collections, for what finalizers let go. */
const heap = async () => {
  await new Promise(setImmediate);
  globalThis.gc();
  await new Promise(setImmediate);
  globalThis.gc();
  // longer byte arrays live beside the heap: they count, too
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

// a million APDUs in all, warming up included
const count = 125_000;
await many(count);
const bytesPerApdu = [];
for (let i = 0; i < 7; i++) {
  const before = await heap();
  await many(count);
  bytesPerApdu.push(((await heap()) - before) / count);
}
await reader.close();
process.stdout.write(JSON.stringify({ bytesPerApdu }));
process.exit(0);
