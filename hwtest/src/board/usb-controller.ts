import type { Model, ModelHost, RegisterBlock } from "./model.js";
import { bufferAddress, MAX_PACKET, name, UsbDpram, type DpramOwner } from "./usb-dpram.js";
import { buf, dpram, epCtrl, irq, main, muxing, pwr, reg, RESET_USBCTRL, sieCtrl, sieStatus, USBCTRL_IRQ } from "./usb-registers.js";

/** Base address of the controller's registers. */
const BASE = 0x50110000;

/** The cable's other end, as the controller sees it. */
export interface UsbBus {
  /** D+ was pulled up, or let go. */
  onPullUp(up: boolean): void;
  /** Something changed that can turn a NAK of this endpoint (counted as in BUFF_STATUS), or of any, into an answer. */
  onRearm(endpoint?: number): void;
  /** Firmware waits for a SOF interrupt. */
  onSofWanted(): void;
  /** Firmware drives a resume (SIE_CTRL.RESUME). */
  onRemoteWakeup(): void;
  /** SOF packets sent since power-on; the frame number is its lower 11 bits. */
  readonly sofCount: number;
  /** True while no token can arrive: nothing plugged in, bus reset, recovery, suspend. */
  readonly quiet: boolean;
  /** 0 = SE0, 1 = J, 2 = K. */
  readonly lineState: number;
}

/** What a token got. `none` = nobody answered. */
export type Handshake = "ack" | "nak" | "stall" | "none";
/** Answer to an IN token. */
export type InAnswer =
  | { readonly handshake: "nak" | "stall" | "none" }
  | { readonly handshake: "ack"; readonly data: Uint8Array; readonly pid: number };

const noBus: UsbBus = { onPullUp() {}, onRearm() {}, onSofWanted() {}, onRemoteWakeup() {}, sofCount: 0, quiet: true, lineState: 0 };

/** Registers and flip-flops; all plain numbers. Masks are kept unsigned. */
function initialState() {
  return {
    addrEndp: 0,
    mainCtrl: 0,
    sieCtrl: 0,
    /** Latched bits of SIE_STATUS. */
    latched: 0,
    suspended: 0,
    suspendEdge: 0,
    connected: 0,
    connectEdge: 0,
    buffStatus: 0,
    shouldHandle: 0,
    /** A second completion that waits for its BUFF_STATUS bit: 0 none, 1 + half otherwise. */
    queued: new Array<number>(32).fill(0),
    /** Buffer select per endpoint. */
    select: new Array<number>(32).fill(0),
    abort: 0,
    abortDone: 0,
    stallArm: 0,
    stallNak: 0,
    muxing: 0,
    pwr: 0,
    inte: 0,
    intf: 0,
    pullUp: false,
    sofSeen: 0,
    /** The transaction on the wire: endpoint, half, and for OUT the data to store (null = acknowledged but dropped). */
    wire: null as { endpoint: number; half: number; data: number[] | null; keep: boolean } | null,
  };
}

/**
 * The RP2040's USB controller in device mode (datasheet §4.1), as strict as silicon is where rp2040js is kind: it reads the
 * dual-port RAM when a token arrives, answers NAK, STALL or nothing at all, keeps toggles and buffer select, and raises an
 * interrupt only for what was enabled.
 */
export class UsbController implements Model, RegisterBlock, DpramOwner {
  readonly name = "usb";
  readonly resetBit = RESET_USBCTRL;
  readonly #host: ModelHost;
  readonly ram: UsbDpram;
  #s = initialState();
  /** Set once by `createUsb`. */
  bus: UsbBus = noBus;

  constructor(host: ModelHost) {
    this.#host = host;
    this.ram = new UsbDpram(host, this);
    const chip = host.chip as unknown as { usbDPRAMView: unknown; usbCtrl: unknown };
    chip.usbDPRAMView = this.ram;
    chip.usbCtrl = { DPRAMUpdated() {} };
    host.register(this);
    host.map(BASE, this, this);
    this.ram.scramble();
  }

  save(): unknown {
    return { state: structuredClone(this.#s), ram: this.ram.save() };
  }

  load(saved: unknown): void {
    const { state, ram } = saved as { state: ReturnType<typeof initialState>; ram: unknown };
    this.#s = structuredClone(state);
    this.ram.load(ram);
  }

  reset(power: boolean): void {
    const wasUp = this.#s.pullUp;
    this.#s = initialState();
    this.#s.sofSeen = this.bus.sofCount;
    if (power) this.ram.scramble();
    this.ram.touch();
    this.#host.setIrq(USBCTRL_IRQ, false);
    if (wasUp) this.bus.onPullUp(false);
  }

  // ---- the wire's side: called by the host at the token and at the end of a transaction ----

  get quiet(): boolean {
    return this.bus.quiet || !this.#s.pullUp;
  }

  /** True while firmware has the SOF interrupt on. */
  get wantsSof(): boolean {
    return (this.#s.inte & irq.devSof) !== 0;
  }

  /** The endpoint reports NAKs to firmware, so that the host's polling is visible. */
  reportsNak(endpoint: number): boolean {
    return (this.control(endpoint) & epCtrl.intOnNak) !== 0;
  }

  /** A SETUP token: is anybody there? */
  hears(address: number): boolean {
    return this.#s.pullUp && (this.#s.addrEndp & 0x7f) === address;
  }

  /** A SETUP packet is always taken (§4.1.2.6.1). Armed buffers of endpoint 0 stay armed: that is firmware's to clear. */
  endSetup(packet: Uint8Array): void {
    this.ram.bytes.set(packet, dpram.setup);
    this.ram.touch();
    this.#s.stallArm = 0;
    this.#s.latched |= sieStatus.setupRec;
    this.refresh();
  }

  /** An IN token. On "ack" the data is on the wire and `endIn` must follow. */
  beginIn(address: number, number: number): InAnswer {
    const endpoint = number * 2;
    const ready = this.#token(address, endpoint);
    if (ready.handshake !== "ack") return { handshake: ready.handshake };
    const { half, value } = ready;
    if (!(value & buf.full)) return { handshake: this.#nak(endpoint) };
    const length = value & buf.lengthMask;
    if (length > MAX_PACKET) this.#host.violation("usb/babble", `${name(endpoint)} sends ${length} bytes`);
    const at = bufferAddress(this.control(endpoint), half);
    this.#s.wire = { endpoint, half, data: null, keep: true };
    return { handshake: "ack", data: this.ram.bytes.slice(at, at + length), pid: value & buf.data1 ? 1 : 0 };
  }

  /** The host's ACK came, or was lost: then the buffer stays armed and goes out again (§4.1.2.6.2). */
  endIn(acked: boolean): void {
    const wire = this.#s.wire;
    if (!wire) return;
    this.#s.wire = null;
    if (acked) {
      this.#s.latched |= sieStatus.ackRec;
      this.#complete(wire.endpoint, wire.half, 0, undefined);
    } else this.#s.latched |= sieStatus.rxTimeout;
    this.#settleAbort(wire.endpoint);
    this.refresh();
  }

  /** An OUT token and its data. On "ack" `endOut` must follow. `repeated`: the host sends this packet again because it saw no handshake. */
  beginOut(address: number, number: number, pid: number, data: Uint8Array, repeated: boolean): Handshake {
    const endpoint = number * 2 + 1;
    const ready = this.#token(address, endpoint);
    if (ready.handshake !== "ack") return ready.handshake;
    const { half, value } = ready;
    if (value & buf.full) return this.#nak(endpoint);
    const expected = value & buf.data1 ? 1 : 0;
    const keep = expected === pid;
    if (!keep && !repeated) this.#host.violation("usb/wrong-toggle", `${name(endpoint)} awaits DATA${expected}, the host sends DATA${pid}`);
    if (keep && data.length > (value & buf.lengthMask))
      this.#host.violation("usb/babble", `${name(endpoint)} is armed for ${value & buf.lengthMask} bytes and gets ${data.length}`);
    this.#s.wire = { endpoint, half, data: [...data], keep };
    return "ack";
  }

  /** The OUT packet is in; the ACK leaves (whether the host sees it is the host's matter). */
  endOut(): void {
    const wire = this.#s.wire;
    if (!wire) return;
    this.#s.wire = null;
    if (wire.keep) {
      const data = wire.data ?? [];
      this.ram.bytes.set(data, bufferAddress(this.control(wire.endpoint), wire.half));
      this.#complete(wire.endpoint, wire.half, buf.full, data.length);
    } else this.#s.latched |= sieStatus.dataSeqError;
    this.#settleAbort(wire.endpoint);
    this.refresh();
  }

  /** SE0 for longer than 2.5 µs. */
  busReset(): void {
    this.#s.wire = null;
    this.#s.latched |= sieStatus.busReset;
    this.setSuspended(false);
    this.ram.touch();
    this.refresh();
  }

  /** 3 ms without a SOF, or the end of that. */
  setSuspended(suspended: boolean): void {
    if ((this.#s.suspended === 1) === suspended) return;
    this.#s.suspended = suspended ? 1 : 0;
    this.#s.suspendEdge = 1;
    this.ram.touch();
    this.refresh();
  }

  /** The host drives K. */
  hostResume(): void {
    this.#s.latched |= sieStatus.resume;
    this.setSuspended(false);
    this.refresh();
  }

  /** Something is at the other end of the cable, or no longer. */
  setConnected(connected: boolean): void {
    if ((this.#s.connected === 1) === connected) return;
    this.#s.connected = connected ? 1 : 0;
    this.#s.connectEdge = 1;
    if (!connected) this.#s.wire = null;
    this.ram.touch();
    this.refresh();
  }

  /** The rules of ownership depend on the bus. */
  busChanged(): void {
    this.ram.touch();
  }

  // ---- endpoints ----

  aborted(endpoint: number): boolean {
    return (((this.#s.abort & this.#s.abortDone) >>> endpoint) & 1) === 1;
  }

  control(endpoint: number): number {
    if (endpoint >= 2) return this.ram.word(dpram.epCtrl - 8 + endpoint * 4);
    const from = this.#s.sieCtrl;
    return (
      epCtrl.enable |
      dpram.ep0Buffer |
      (from & sieCtrl.ep0DoubleBuf ? epCtrl.doubleBuffered : 0) |
      (from & sieCtrl.ep0Int1Buf ? epCtrl.intPerBuffer : 0) |
      (from & sieCtrl.ep0Int2Buf ? epCtrl.intPerTwo : 0) |
      (from & sieCtrl.ep0IntStall ? epCtrl.intOnStall : 0) |
      (from & sieCtrl.ep0IntNak ? epCtrl.intOnNak : 0)
    );
  }

  onArmed(endpoint: number): void {
    this.bus.onRearm(endpoint);
  }

  #token(address: number, endpoint: number): { handshake: "nak" | "stall" | "none" } | { handshake: "ack"; half: number; value: number } {
    if (!this.hears(address)) return { handshake: "none" };
    const control = this.control(endpoint);
    if (!(control & epCtrl.enable)) return { handshake: "none" };
    if ((this.#s.abort >>> endpoint) & 1) return { handshake: this.#nak(endpoint) };
    const word = this.ram.word(dpram.bufCtrl + endpoint * 4);
    // On endpoint 0 STALL counts only together with EP_STALL_ARM, which every SETUP clears (§4.1.2.6.1).
    if (word & buf.stall && (endpoint >= 2 || (this.#s.stallArm >>> endpoint) & 1)) {
      if (control & epCtrl.intOnStall) this.#report(endpoint);
      return { handshake: "stall" };
    }
    const half = control & epCtrl.doubleBuffered && !(word & buf.resetSelect) ? this.#s.select[endpoint]! : 0;
    const value = (word >>> (16 * half)) & 0xffff;
    if (value & buf.available) return { handshake: "ack", half, value };
    if (control & epCtrl.doubleBuffered && (word >>> (16 * (half ^ 1))) & buf.available)
      this.#host.violation("usb/wrong-half", `${name(endpoint)}: it is buffer ${half}'s turn, armed is buffer ${half ^ 1}`);
    return { handshake: this.#nak(endpoint) };
  }

  #nak(endpoint: number): "nak" {
    if (this.reportsNak(endpoint)) this.#report(endpoint);
    return "nak";
  }

  #report(endpoint: number): void {
    this.#s.stallNak = (this.#s.stallNak | (1 << endpoint)) >>> 0;
    this.refresh();
  }

  #complete(endpoint: number, half: number, full: number, length: number | undefined): void {
    const control = this.control(endpoint);
    const word = this.ram.word(dpram.bufCtrl + endpoint * 4);
    let value = (word >>> (16 * half)) & 0xffff;
    const last = value & buf.last;
    value = (value & ~(buf.available | buf.full)) | full;
    if (length !== undefined) value = (value & ~buf.lengthMask) | length;
    const rest = half ? word & 0x0000ffff : word & 0xffff0000;
    // "Reset buffer select" clears itself at the end of a transfer (table 389).
    this.ram.writeBack(endpoint, ((rest | (value << (16 * half))) & ~buf.resetSelect) >>> 0);
    if (last) this.#s.latched |= sieStatus.transComplete;
    const doubled = (control & epCtrl.doubleBuffered) !== 0;
    this.#s.select[endpoint] = doubled ? half ^ 1 : 0;
    if (control & epCtrl.intPerBuffer || (control & epCtrl.intPerTwo && doubled && half === 1)) this.#done(endpoint, half);
  }

  /** "It is possible for 2 buffers to be completed, so clearing the buffer status bit may instantly re set it" (§4.1.4, BUFF_STATUS). */
  #done(endpoint: number, half: number): void {
    const bit = (1 << endpoint) >>> 0;
    if (this.#s.buffStatus & bit) {
      this.#s.queued[endpoint] = 1 + half;
      return;
    }
    this.#s.buffStatus = (this.#s.buffStatus | bit) >>> 0;
    this.#s.shouldHandle = (half ? this.#s.shouldHandle | bit : this.#s.shouldHandle & ~bit) >>> 0;
  }

  #settleAbort(endpoint: number): void {
    this.#s.abortDone = (this.#s.abortDone | (this.#s.abort & (1 << endpoint))) >>> 0;
    this.ram.touch();
  }

  // ---- registers ----

  read(offset: number): number {
    if (offset === reg.sofRd) {
      const frame = this.bus.sofCount;
      this.#s.sofSeen = frame;
      this.refresh();
      if (this.wantsSof) this.bus.onSofWanted();
      return Math.max(0, frame - 1) & 0x7ff;
    }
    return this.peek(offset);
  }

  peek(offset: number): number {
    const s = this.#s;
    switch (offset) {
      case reg.addrEndp:
        return s.addrEndp;
      case reg.mainCtrl:
        return s.mainCtrl;
      case reg.sofRd:
        return Math.max(0, this.bus.sofCount - 1) & 0x7ff;
      case reg.sieCtrl:
        return s.sieCtrl;
      case reg.sieStatus:
        return this.#status();
      case reg.buffStatus:
        return s.buffStatus;
      case reg.buffCpuShouldHandle:
        return s.shouldHandle;
      case reg.epAbort:
        return s.abort;
      case reg.epAbortDone:
        return s.abortDone;
      case reg.epStallArm:
        return s.stallArm;
      case reg.epStatusStallNak:
        return s.stallNak;
      case reg.usbMuxing:
        return s.muxing;
      case reg.usbPwr:
        return s.pwr;
      case reg.intr:
        return this.#raw();
      case reg.inte:
        return s.inte;
      case reg.intf:
        return s.intf;
      case reg.ints:
        return ((this.#raw() & s.inte) | s.intf) >>> 0;
      case reg.sofWr:
      case reg.intEpCtrl:
      case reg.nakPoll:
      case reg.phyDirect:
      case reg.phyDirectOverride:
      case reg.phyTrim:
        return 0;
      default:
        if (offset < reg.mainCtrl) return 0; // ADDR_ENDP1…15: host mode only
        this.#host.violation("bus/unknown-register", `USB controller offset 0x${offset.toString(16)}`);
        return 0;
    }
  }

  write(offset: number, value: number, raw: number): void {
    const s = this.#s;
    const set = value >>> 0;
    switch (offset) {
      case reg.addrEndp:
        s.addrEndp = set & 0xf007f;
        this.bus.onRearm();
        break;
      case reg.mainCtrl:
        this.#writeMain(set);
        break;
      case reg.sieCtrl:
        this.#writeSieCtrl(set);
        break;
      case reg.sieStatus: {
        const clear = this.#writeClear(offset, value, raw);
        s.latched = (s.latched & ~(clear & sieStatus.writeClear)) >>> 0;
        // SUSPENDED and CONNECTED show a state; writing them clears the change interrupt (§4.1.4, INTR).
        if (clear & sieStatus.suspended) s.suspendEdge = 0;
        if (clear & sieStatus.connected) s.connectEdge = 0;
        break;
      }
      case reg.buffStatus:
        this.#clearBuffStatus(this.#writeClear(offset, value, raw));
        break;
      case reg.epAbort:
        this.#writeAbort(set);
        break;
      case reg.epAbortDone:
        s.abortDone = (s.abortDone & ~this.#writeClear(offset, value, raw)) >>> 0;
        this.ram.touch();
        break;
      case reg.epStallArm:
        s.stallArm = set & 3;
        this.bus.onRearm();
        break;
      case reg.epStatusStallNak:
        s.stallNak = (s.stallNak & ~this.#writeClear(offset, value, raw)) >>> 0;
        break;
      case reg.usbMuxing:
        s.muxing = set & muxing.mask;
        this.#attach();
        break;
      case reg.usbPwr:
        s.pwr = set & pwr.mask;
        this.#attach();
        break;
      case reg.inte:
        s.inte = set & irq.mask;
        if (this.wantsSof) this.bus.onSofWanted();
        break;
      case reg.intf:
        s.intf = set & irq.mask;
        break;
      case reg.sofWr:
      case reg.intEpCtrl:
      case reg.nakPoll:
      case reg.phyDirect:
      case reg.phyDirectOverride:
      case reg.phyTrim:
        break; // host mode and PHY trimming: nothing a device on this board sees
      case reg.buffCpuShouldHandle:
      case reg.sofRd:
      case reg.intr:
      case reg.ints:
        break; // read-only: silicon ignores the write (TinyUSB clears the whole block with memset)
      default:
        // Drivers clear the whole block with memset, which also meets the gap at 0x88.
        if (offset >= reg.mainCtrl && set !== 0)
          this.#host.violation("bus/unknown-register", `USB controller offset 0x${offset.toString(16)}`);
    }
    this.refresh();
  }

  /** Recomputes the interrupt line. */
  refresh(): void {
    this.#host.setIrq(USBCTRL_IRQ, ((this.#raw() & this.#s.inte) | this.#s.intf) !== 0);
  }

  #status(): number {
    const s = this.#s;
    return (
      (s.latched |
        (s.connected ? sieStatus.connected : 0) |
        (s.suspended ? sieStatus.suspended : 0) |
        (this.#vbus() ? sieStatus.vbusDetected : 0) |
        ((s.pullUp ? this.bus.lineState : 0) << sieStatus.lineStateLsb)) >>>
      0
    );
  }

  #raw(): number {
    const s = this.#s;
    return (
      (s.stallNak ? irq.epStallNak : 0) |
      (s.abortDone ? irq.abortDone : 0) |
      (this.bus.sofCount > s.sofSeen ? irq.devSof : 0) |
      (s.latched & sieStatus.setupRec ? irq.setupReq : 0) |
      (s.latched & sieStatus.resume ? irq.devResume : 0) |
      (s.suspendEdge ? irq.devSuspend : 0) |
      (s.connectEdge ? irq.devConnDis : 0) |
      (s.latched & sieStatus.busReset ? irq.busReset : 0) |
      (this.#vbus() ? irq.vbusDetect : 0) |
      (s.latched & sieStatus.rxTimeout ? irq.errorRxTimeout : 0) |
      (s.latched & sieStatus.dataSeqError ? irq.errorDataSeq : 0) |
      (s.buffStatus ? irq.buffStatus : 0) |
      (s.latched & sieStatus.transComplete ? irq.transComplete : 0)
    );
  }

  /** No VBUS pin is wired on this board: only the override makes the controller believe it is plugged in. */
  #vbus(): boolean {
    const both = pwr.vbusDetect | pwr.vbusDetectOverrideEn;
    return (this.#s.pwr & both) === both;
  }

  /** The bits a write to a write-clear register clears, through the plain address or the CLR alias. */
  #writeClear(offset: number, value: number, raw: number): number {
    const current = this.peek(offset);
    if (value >>> 0 !== raw >>> 0 && value >>> 0 !== (current & ~raw) >>> 0)
      this.#host.violation("usb/write-clear-alias", `register 0x${offset.toString(16)}`);
    return raw >>> 0;
  }

  #clearBuffStatus(clear: number): void {
    const s = this.#s;
    s.buffStatus = (s.buffStatus & ~clear) >>> 0;
    for (let endpoint = 0; endpoint < 32; endpoint++) {
      const waiting = s.queued[endpoint]!;
      if (!waiting || !((clear >>> endpoint) & 1)) continue;
      s.queued[endpoint] = 0;
      this.#done(endpoint, waiting - 1);
    }
  }

  #writeAbort(value: number): void {
    const s = this.#s;
    const risen = (value & ~s.abort) >>> 0;
    const fallen = s.abort & ~value;
    s.abort = value;
    // An endpoint whose transaction is on the wire is idle only after it (§4.1.4, EP_ABORT_DONE).
    const busy = s.wire ? 1 << s.wire.endpoint : 0;
    s.abortDone = (s.abortDone | (risen & ~busy)) >>> 0;
    this.ram.touch();
    if (fallen) this.bus.onRearm();
  }

  #writeMain(value: number): void {
    const s = this.#s;
    const enabling = value & main.controllerEn && !(s.mainCtrl & main.controllerEn);
    s.mainCtrl = (value & main.mask) >>> 0;
    if (value & main.hostNdevice) this.#host.violation("usb/host-mode", `MAIN_CTRL = 0x${value.toString(16)}`);
    if (enabling) {
      const problem = this.#clockProblem();
      if (problem) this.#host.violation("usb/no-clock", problem);
      const word = this.ram.unwritten;
      if (word !== undefined) this.#host.violation("usb/dpram-garbage", `the word at 0x${word.toString(16)} was never written`);
    }
    this.#attach();
  }

  #clockProblem(): string | undefined {
    const chip = this.#host.chip;
    const control = chip.readUint32(0x40008054); // CLK_USB_CTRL
    if (!(control & (1 << 11))) return "CLK_USB_CTRL.ENABLE is 0";
    if ((control >> 5) & 7) return "clk_usb does not come from PLL_USB";
    if (!(chip.readUint32(0x4002c000) >>> 31)) return "PLL_USB is not locked";
    return undefined;
  }

  #writeSieCtrl(value: number): void {
    const s = this.#s;
    const pulling = value & sieCtrl.pullupEn && !(s.sieCtrl & sieCtrl.pullupEn);
    s.sieCtrl = (value & sieCtrl.writable) >>> 0;
    if (pulling) {
      const problem = this.#unready();
      if (problem) this.#host.violation("usb/used-unmuxed", problem);
    }
    if (value & sieCtrl.resume && s.suspended) this.bus.onRemoteWakeup();
    this.ram.touch();
    this.#attach();
  }

  #unready(): string | undefined {
    const s = this.#s;
    const wanted = muxing.toPhy | muxing.softcon;
    if (!(s.mainCtrl & main.controllerEn)) return "the controller is not enabled";
    if ((s.muxing & wanted) !== wanted) return "USB_MUXING does not connect the controller to the PHY (TO_PHY and SOFTCON)";
    if (!this.#vbus()) return "no VBUS: USB_PWR needs VBUS_DETECT with its override";
    return s.sieCtrl & sieCtrl.transceiverPd ? "the transceiver is powered down" : undefined;
  }

  #attach(): void {
    const up = (this.#s.sieCtrl & sieCtrl.pullupEn) !== 0 && this.#unready() === undefined;
    if (up === this.#s.pullUp) return;
    this.#s.pullUp = up;
    if (!up) this.#s.wire = null;
    this.ram.touch();
    this.bus.onPullUp(up);
  }
}
