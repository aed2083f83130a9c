import { readFileSync } from "node:fs";
import { flashMap, pins } from "@inkan/device-proto";
import { releasedFirmware } from "@inkan/device-proto/firmware";
import { createCardLine } from "../board/card-line.js";
import type { CardSlot } from "../board/card-slot.js";
import { Display } from "../board/display.js";
import { Engine } from "../board/engine.js";
import { I2c } from "../board/i2c.js";
import { Keypad } from "../board/keypad.js";
import { Pwm } from "../board/pwm.js";
import { Uart } from "../board/uart.js";
import { createUsb } from "../board/usb.js";
import type { TransferRequest, TransferResult } from "../board/usb-transfer.js";
import type { ApduCard } from "../cards/index.js";

/** What the reader said: CCID bStatus, bError and the data. */
export type Said = { status: number; error: number; data: Uint8Array; ms: number };

const hexBytes = (text: string): Uint8Array => Uint8Array.from(text.replace(/\s/g, "").match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** An ATR from its parts; TCK is added when a protocol other than T=0 is offered (ISO 7816-3 §8.2.5). */
export function makeAtr(parts: {
  ts?: 0x3b | 0x3f;
  /** Interface bytes with their TDs, from TA1 on, T0's high nibble first: e.g. `{ y: 0x9, bytes: "13 81 31 FB 46" }`. */
  y: number;
  bytes: string;
  historical?: string;
}): Uint8Array {
  const historical = hexBytes(parts.historical ?? "");
  const body = [(parts.y << 4) | historical.length, ...hexBytes(parts.bytes), ...historical];
  return Uint8Array.of(
    parts.ts ?? 0x3b,
    ...body,
    body.reduce((sum, byte) => sum ^ byte, 0),
  );
}

/** A card that answers every command with itself and 9000. */
export function echoCard(atr: Uint8Array, thinkMs = 1): ApduCard & { readonly seen: Uint8Array[] } {
  const seen: Uint8Array[] = [];
  return {
    atr,
    seen,
    powerOn: () => atr,
    transmit: (command) => {
      seen.push(command);
      return { response: Uint8Array.of(...command, 0x90, 0), thinkMs };
    },
  };
}

/** The real image with its card slot, spoken to over USB, without any host software. */
export class CardRig {
  readonly engine: Engine;
  readonly slot: CardSlot;
  readonly #usb: ReturnType<typeof createUsb>["host"];
  #sequence = 0;

  private constructor(boot: Uint8Array, image: Uint8Array) {
    const engine = new Engine({ pace: "free", seed: 7, uniqueId: hexBytes("0102030405060708"), strict: true, watchdog: "violation" });
    this.engine = engine;
    new I2c(engine, engine.nets, [pins.displaySda, pins.displayScl], new Display(engine));
    new Pwm(engine, engine.nets);
    new Uart(engine, engine.nets, [pins.uart0Tx, pins.uart0Rx], () => engine.clocks.periHz);
    new Keypad(engine, engine.nets);
    this.slot = createCardLine(engine).slot;
    this.#usb = createUsb(engine).host;
    engine.flash.bytes.set(boot, 0);
    engine.flash.bytes.set(image, flashMap.slotA.at);
    engine.powerOn();
    this.#usb.plug();
    this.until(() => this.#usb.device !== undefined, 1000);
  }

  /** Boots these. */
  static with(boot: Uint8Array, image: Uint8Array): CardRig {
    return new CardRig(boot, image);
  }
  /** Boots the released image, or the one in `folder` (boot.bin, reader.img). */
  static async boot(folder?: string): Promise<CardRig> {
    if (folder !== undefined) return new CardRig(readFileSync(`${folder}/boot.bin`), readFileSync(`${folder}/reader.img`));
    const { boot, image } = await releasedFirmware();
    return new CardRig(boot, image);
  }

  /** Keeps the whole board as it is now, between two commands and with no card in: what it returns brings that back, as often as wanted. */
  save(): () => void {
    const saved = this.engine.save();
    const sequence = this.#sequence;
    return () => {
      this.slot.remove();
      this.engine.load(saved);
      this.#sequence = sequence;
    };
  }

  until(predicate: () => boolean, ms: number): void {
    const end = this.engine.nowNs + ms * 1e6;
    while (!predicate()) {
      if (this.engine.nowNs >= end) throw new Error(`not within ${ms} ms of board time`);
      this.engine.run(Math.min(end, this.engine.nowNs + 1e5), 1e6);
    }
  }
  pass(ms: number): void {
    const end = this.engine.nowNs + ms * 1e6;
    while (this.engine.nowNs < end) this.engine.run(end, 1e6);
  }
  #transfer(request: TransferRequest, ms: number): TransferResult {
    let result: TransferResult | undefined;
    this.#usb.submit(request, (given) => (result = given));
    this.until(() => result !== undefined, ms);
    return result!;
  }
  /** One CCID command on the bulk pair; time extensions are counted over. `during` runs once the command is out. */
  command(
    type: number,
    data: Uint8Array = new Uint8Array(0),
    options: { parameter?: number; ms?: number; during?: () => void } = {},
  ): Said {
    const from = this.engine.nowNs;
    const message = new Uint8Array(10 + data.length);
    new DataView(message.buffer).setUint32(1, data.length, true);
    message[0] = type;
    message[6] = this.#sequence++ & 0xff;
    message[7] = options.parameter ?? 0;
    message.set(data, 10);
    this.#transfer({ kind: "out", endpoint: 0x01, data: message }, 1000);
    if (message.length % 64 === 0) this.#transfer({ kind: "out", endpoint: 0x01, data: new Uint8Array(0) }, 1000);
    options.during?.();
    for (;;) {
      const { data: answer } = this.#transfer({ kind: "in", endpoint: 0x81, length: 65600 }, options.ms ?? 60_000);
      if (answer[0] === 0x80 && (answer[7]! & 0xc0) === 0x80) continue;
      return { status: answer[7]!, error: answer[8]!, data: answer.slice(10), ms: (this.engine.nowNs - from) / 1e6 };
    }
  }
  powerOn(voltage = 0): Said {
    return this.command(0x62, undefined, { parameter: voltage });
  }
  powerOff(): Said {
    return this.command(0x63);
  }
  apdu(command: Uint8Array, options: { during?: () => void } = {}): Said {
    return this.command(0x6f, command, options);
  }
}
