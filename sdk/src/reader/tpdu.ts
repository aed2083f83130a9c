import type { Answer, CommandName } from "@inkan/device-proto";
import { InkanError, isInkanError } from "../errors.js";
import type { ResponseApdu } from "../iso7816/apdu.js";
import { type Atr, parseAtr } from "../iso7816/atr.js";
import { Iso7816Error } from "../iso7816/error.js";
import { T1, T1Error, type T1Received, type T1Sending } from "../iso7816/t1.js";
import { parseResponse } from "./level.js";
import { carryT0 } from "./t0.js";

/** dwFeatures bits that decide what the host has to do itself (CCID 1.1 table 5.1-1). */
const AUTO_PARAMETERS = 0x02;
const AUTO_NEGOTIATION = 0x40;
const AUTO_PPS = 0x80;
const AUTO_IFSD = 0x400;

/** Runs one CCID command for the card; rejects with what a failed answer means. */
export type RunCommand = (name: CommandName, specific: readonly [number, number, number], data: Uint8Array) => Promise<Answer>;

/**
 * The host's side of a card behind a reader that exchanges TPDUs: parameters, then T=0 or T=1 as the card's ATR says. One exchange at a
 * time: the caller sees to that.
 */
export class TpduCard {
  readonly #atr: Atr;
  readonly #features: number;
  readonly #maxData: number;
  #t1: T1 | undefined;
  #prepared = false;

  /** `features` is dwFeatures, `maxData` the longest abData of a message. Throws `unsupported` for an ATR that names neither T=0 nor T=1 first. */
  constructor(atr: Uint8Array, features: number, maxData: number) {
    try {
      this.#atr = parseAtr(atr);
    } catch (error) {
      if (!(error instanceof Iso7816Error)) throw error;
      throw new InkanError("protocol", { detail: error.message }, { cause: error });
    }
    this.#features = features;
    this.#maxData = maxData;
  }

  /** The protocol the card speaks: the one of specific mode, else the first it offers. */
  get #t(): number {
    return this.#atr.specificMode?.t ?? this.#atr.protocols[0]!.t;
  }

  /** One APDU. Rejects with card-mute, protocol, unsupported, and with whatever `run` rejects with. */
  async transmit(apdu: Uint8Array, run: RunCommand): Promise<ResponseApdu> {
    if (this.#t > 1) throw new InkanError("unsupported", { detail: `a card that speaks T=${this.#t}` });
    if (!this.#prepared) await this.#prepare(run);
    if (this.#t === 0) return carryT0(apdu, (tpdu) => run("XfrBlock", [0, 0, 0], tpdu));
    return parseResponse(await this.#play(this.#t1!.exchange(apdu), run));
  }

  /** Tells the reader what the ATR says where it does not find out by itself, and the card how much we take. */
  async #prepare(run: RunCommand): Promise<void> {
    const protocol = this.#atr.protocols.find(({ t }) => t === this.#t) ?? this.#atr.protocols[0]!;
    if (!(this.#features & (AUTO_PARAMETERS | AUTO_NEGOTIATION | AUTO_PPS)))
      try {
        await run("SetParameters", [this.#t, 0, 0], this.#parameters());
      } catch (error) {
        // a reader that knows no parameters has found them out
        if (!isInkanError(error, "unsupported")) throw error;
      }
    if ("ifsc" in protocol) {
      // four or five bytes of a message are prologue and epilogue
      const ifsd = Math.min(254, this.#maxData - 5);
      const t1 = new T1({ ifsc: protocol.ifsc, bwi: protocol.bwi, edc: protocol.edc, ifsd });
      if (!(this.#features & AUTO_IFSD)) await this.#play(t1.start(), run);
      this.#t1 = t1;
    }
    this.#prepared = true;
  }

  /**
   * abProtocolDataStructure (CCID 1.1 §6.1.7). Without a PPS the card stays at 372/1; only in specific mode does TA1 hold at once
   * (ISO/IEC 7816-3 §8.3).
   */
  #parameters(): Uint8Array {
    const { specificMode, groups, extraGuard, convention } = this.#atr;
    const findex = specificMode && !specificMode.implicit ? (groups[0]?.ta ?? 0x11) : 0x11;
    const stop = ["no", "low", "high", "either"].indexOf(this.#atr.clockStop ?? "no");
    const protocol = this.#atr.protocols.find(({ t }) => t === this.#t)!;
    if ("ifsc" in protocol)
      return Uint8Array.of(
        findex,
        0x10 | (convention === "inverse" ? 2 : 0) | (protocol.edc === "crc" ? 1 : 0),
        extraGuard,
        (protocol.bwi << 4) | protocol.cwi,
        stop,
        protocol.ifsc,
        0,
      );
    return Uint8Array.of(findex, convention === "inverse" ? 2 : 0, extraGuard, "wi" in protocol ? protocol.wi : 10, stop);
  }

  /** Plays the block protocol over XfrBlock; bBWI carries what the card asked for. */
  async #play<T>(exchange: Generator<T1Sending, T, T1Received>, run: RunCommand): Promise<T> {
    try {
      let step = exchange.next();
      while (!step.done) step = exchange.next(await this.#block(step.value, run));
      return step.value;
    } catch (error) {
      if (!(error instanceof T1Error)) throw error;
      throw new InkanError(error.kind === "mute" ? "card-mute" : "protocol", { detail: error.message }, { cause: error });
    } finally {
      exchange.return(undefined as T);
    }
  }

  async #block({ block, bwt }: T1Sending, run: RunCommand): Promise<T1Received> {
    try {
      return (await run("XfrBlock", [bwt === 1 ? 0 : bwt, 0, 0], block)).data;
    } catch (error) {
      if (isInkanError(error, "card-mute")) return "silence";
      if (isInkanError(error, "card-parity")) return "garbled";
      throw error;
    } finally {
      block.fill(0); // it may have carried a secret
    }
  }
}
