import { type Command, decodeCommand, encodeAnswer, notices, pinVerifyBlock, slotError } from "@inkan/device-proto";
import type { ClosedReason, ReaderAddress, Transport } from "@inkan/sdk";
import type { JpkiTestCard } from "@inkan/sdk/testing";

/** What the person at the pad does when asked. `keys` are what is typed; a test that wants to watch uses a function. */
export type AtPad = { readonly keys: string } | "cancel" | "timeout";

/** A reader with good manners, in real CCID bytes, and reflexes a test can replace. */
export class FakeReader implements Transport {
  readonly address: ReaderAddress;
  readonly maxMessageLength = 65_556;
  onMessage: ((message: Uint8Array) => void) | undefined = undefined;
  onNotice: ((notice: Uint8Array) => void) | undefined = undefined;
  onEvent: Transport["onEvent"] = undefined;
  closed!: Promise<ClosedReason>;
  /** The card in the slot. */
  card: JpkiTestCard | undefined;
  /** A card that is in and says nothing. */
  mute = false;
  /** What the person does at the pad. */
  pad: AtPad = "cancel";
  /** Called with every command before it is carried out; may pull the card, unplug the reader, or answer false to stay silent. */
  reflex: (command: Command, apdu: Uint8Array | undefined) => boolean | undefined = () => undefined;
  /** Commands so far, by name. */
  readonly seen: string[] = [];
  #active = false;
  #gone!: (reason: ClosedReason) => void;

  constructor(card: JpkiTestCard | undefined, address: Partial<ReaderAddress> = {}) {
    this.card = card;
    this.address = { uri: "usb:FAKE0001", name: "Fake reader", serial: "FAKE0001", virtual: true, ...address };
    this.#renew();
  }

  /** The reader can be opened again after it was closed. */
  #renew(): void {
    this.closed = new Promise((resolve) => (this.#gone = resolve));
  }

  /** Pulls the card out, as the slot's switch sees it. */
  pull(): void {
    this.card = undefined;
    this.mute = false;
    this.#active = false;
    this.onNotice?.(Uint8Array.of(notices.NotifySlotChange, 0b10));
  }

  unplug(): void {
    this.#gone("unplugged");
  }

  async send(message: Uint8Array): Promise<void> {
    const command = decodeCommand(message.slice());
    if (command === undefined) throw new Error("not a CCID command");
    this.seen.push(command.name);
    const apdu = command.name === "XfrBlock" ? command.data : undefined;
    if (this.reflex(command, apdu) === false) return;
    const answer = this.#carryOut(command);
    queueMicrotask(() => this.onMessage?.(answer));
  }

  async abort(): Promise<void> {}

  async close(): Promise<void> {
    this.#gone("closed");
    this.#renew();
  }

  #carryOut(command: Command): Uint8Array {
    const { slot, sequence } = command;
    const present = this.card !== undefined || this.mute;
    const icc = !present ? "absent" : this.#active ? "active" : "inactive";
    const base = { slot, sequence, icc, specific: 0, data: new Uint8Array(0) } as const;
    const failed = (name: "DataBlock" | "SlotStatus", error: number) => encodeAnswer({ ...base, name, status: "failed", error });
    const data = (bytes: Uint8Array) => encodeAnswer({ ...base, name: "DataBlock", icc: "active", status: "ok", error: 0, data: bytes });
    switch (command.name) {
      case "GetSlotStatus":
      case "Abort":
        return encodeAnswer({ ...base, name: "SlotStatus", status: "ok", error: 0 });
      case "IccPowerOn":
        if (this.card === undefined) return failed("DataBlock", slotError.ICC_MUTE);
        this.#active = true;
        return data(this.card.powerOn());
      case "IccPowerOff":
        this.#active = false;
        return encodeAnswer({ ...base, name: "SlotStatus", icc: present ? "inactive" : "absent", status: "ok", error: 0 });
      case "XfrBlock":
        if (this.card === undefined) return failed("DataBlock", slotError.ICC_MUTE);
        return data(this.card.transmit(command.data).response);
      case "Secure":
        if (this.card === undefined) return failed("DataBlock", slotError.ICC_MUTE);
        if (this.pad === "cancel") return failed("DataBlock", slotError.PIN_CANCELLED);
        if (this.pad === "timeout") return failed("DataBlock", slotError.PIN_TIMEOUT);
        return data(this.#typed(this.card, command.data, this.pad.keys));
      default:
        return failed("SlotStatus", slotError.CMD_NOT_SUPPORTED);
    }
  }

  /** What the pad does with the keys: CLA INS P1 P2 of the block, then the secret. */
  #typed(card: JpkiTestCard, block: Uint8Array, keys: string): Uint8Array {
    const { abPINApdu } = pinVerifyBlock.decode(block);
    const secret = new TextEncoder().encode(keys);
    return card.transmit(Uint8Array.of(...abPINApdu.subarray(0, 4), secret.length, ...secret)).response;
  }
}
