import type { Model, ModelHost } from "./model.js";
import type { InAnswer, UsbBus, UsbController } from "./usb-controller.js";
import type { ConfigurationInfo, DeviceInfo } from "./usb-descriptors.js";
import { Enumeration, type EnumerationState } from "./usb-enumeration.js";
import {
  makePipe,
  wireNs,
  type Pipe,
  type Transfer,
  type TransferRequest,
  type TransferResult,
  type TransferStatus,
  type UsbFaults,
} from "./usb-transfer.js";

/** How long a host takes between the steps, in ms of board time. USB 2.0 asks for the values of `patient` at least. */
export interface HostTiming {
  /** From the pull-up to the first reset (§7.1.7.3: 100). */
  readonly debounceMs: number;
  /** SE0 (§7.1.7.5: 10). */
  readonly resetMs: number;
  /** From the end of reset to the first token (10). */
  readonly recoveryMs: number;
  /** From SET_ADDRESS to the next token (§9.2.6.3: 2). */
  readonly addressMs: number;
  /** Reads 8 bytes of the device descriptor's head in a 64-byte request, then resets again, as Linux does. */
  readonly resetTwice: boolean;
}
/** A host that keeps every minimum. */
export const patient: HostTiming = { debounceMs: 100, resetMs: 50, recoveryMs: 10, addressMs: 10, resetTwice: true };
/** A host that waits only for the reset itself: for boot-time figures. */
export const prompt: HostTiming = { debounceMs: 0, resetMs: 10, recoveryMs: 0, addressMs: 2, resetTwice: false };

/** The device as enumerated. */
export interface EnumeratedDevice {
  readonly info: DeviceInfo;
  readonly configuration: ConfigurationInfo;
  /** Text by string index. */
  readonly strings: ReadonlyMap<number, string>;
}

/** Tells of the device's coming and going. */
export interface HostListener {
  configured?(device: EnumeratedDevice): void;
  /** The device left, was reset, or could not be enumerated (`reason` says why). */
  disconnected?(reason: string): void;
}

type Phase = "off" | "debounce" | "reset" | "recovery" | "run" | "suspend" | "resume";
/** Event kinds. */
const BUS = 0;
const LINE = 1;
const IDLE = 2;
const SOF = 3;
const DEADLINE = 4;
const ENUMERATE = 5;

const MS = 1_000_000;
const CONTROL_TIMEOUT_MS = 5000;
const SUSPEND_MS = 3;
const RESUME_MS = 20;
/** Unanswered tokens after which a transfer is given up (§8.6.2: three strikes). */
const STRIKES = 3;

interface Wire {
  readonly endpoint: number;
  readonly id: number;
  readonly kind: "setup" | "in" | "out";
  readonly answer: InAnswer | { readonly handshake: "ack" | "nak" | "stall" | "none" };
  readonly bytes: number;
  /** Firmware armed something while this transaction was on the wire: its NAK is already out of date. */
  rearmed?: boolean;
}

function initialState() {
  return {
    plugged: false,
    up: false,
    phase: "off" as Phase,
    /** Start of frame 0 of this run of frames; SOFs sent before it. */
    epochNs: 0,
    sofBase: 0,
    frames: false,
    address: 0,
    pipes: [] as Pipe[],
    wire: null as Wire | null,
    turn: 0,
    nextId: 1,
    dataPackets: { in: 0, out: 0 },
    suspendWanted: false,
    faults: { loseHostAckEvery: 0, loseDeviceAckEvery: 0, control: false } as UsbFaults,
    enumeration: null as EnumerationState | null,
    configured: false,
  };
}

/**
 * A USB host at the level of transactions: frames of 1 ms, tokens with their bus time, retries, toggles, control transfers in
 * stages. It is driven by the board's event queue; while nothing is to be sent it has no event at all (SOFs are counted, not
 * simulated, unless firmware waits for one), and an endpoint that said NAK is asked again only on the first point of its retry
 * grid after firmware changed something: the same bus traffic as polling, without its cost.
 */
export class UsbHost implements Model, UsbBus {
  readonly name = "usb-host";
  readonly host: ModelHost;
  readonly controller: UsbController;
  timing: HostTiming = prompt;
  #s = initialState();
  #enumeration: Enumeration;
  readonly #done = new Map<number, (result: TransferResult) => void>();
  readonly #listeners = new Set<HostListener>();
  readonly #claims = new Map<number, object>();

  constructor(host: ModelHost, controller: UsbController) {
    this.host = host;
    this.controller = controller;
    this.#enumeration = new Enumeration(this);
    host.register(this);
  }

  // ---- Model ----

  /** Transfers asked from outside are not part of a snapshot: whoever waits for them lives outside the board. */
  save(): unknown {
    this.#s.enumeration = this.#enumeration.state;
    return structuredClone(this.#s);
  }

  load(state: unknown): void {
    const waiting = [...this.#done.values()];
    this.#done.clear();
    this.#s = structuredClone(state) as ReturnType<typeof initialState>;
    this.#enumeration = new Enumeration(this, this.#s.enumeration ?? undefined);
    const inFlight = this.#s.wire?.id;
    for (const pipe of this.#s.pipes) {
      pipe.queue = pipe.queue.filter((transfer) => transfer.internal || transfer.id === inFlight);
      for (const transfer of pipe.queue) if (!transfer.internal) transfer.cancelled = true;
    }
    // Whoever waits hears of it when the whole board is loaded.
    queueMicrotask(() => {
      for (const done of waiting) done({ status: "disconnected", data: new Uint8Array(0), actual: 0 });
    });
  }

  /** A chip reset shows itself by the pull-up; a power cut takes the host's view of the device with it. */
  reset(power: boolean): void {
    if (power) this.#drop("power");
  }

  onEvent(kind: number): void {
    if (kind === BUS) {
      if (this.#s.wire) this.#finish();
      this.#next(true);
    } else if (kind === LINE) this.#line();
    else if (kind === IDLE) this.controller.setSuspended(true);
    else if (kind === SOF) this.controller.refresh();
    else if (kind === DEADLINE) this.#expire();
    else if (kind === ENUMERATE) this.#enumeration.resume();
  }

  // ---- UsbBus: what the controller tells and asks ----

  get sofCount(): number {
    const s = this.#s;
    return s.sofBase + (s.frames && this.host.nowNs >= s.epochNs ? Math.floor((this.host.nowNs - s.epochNs) / wireNs.frame) + 1 : 0);
  }

  get quiet(): boolean {
    return this.#s.phase !== "run";
  }

  get lineState(): number {
    const { phase, plugged } = this.#s;
    return !plugged || phase === "reset" ? 0 : phase === "resume" ? 2 : 1;
  }

  onPullUp(up: boolean): void {
    this.#s.up = up;
    if (!up) this.#drop("the device let go of the bus");
    else if (this.#s.plugged) this.#connect();
  }

  onRearm(endpoint?: number): void {
    if (this.#s.phase !== "run") return;
    const address = endpoint === undefined ? undefined : endpoint < 2 ? 0 : (endpoint >> 1) | (endpoint & 1 ? 0 : 0x80);
    let woken = false;
    if (this.#s.wire && (address === undefined || this.#s.wire.endpoint === address)) this.#s.wire.rearmed = true;
    for (const pipe of this.#s.pipes) {
      if (!pipe.waiting || (address !== undefined && pipe.endpoint !== address)) continue;
      this.#wake(pipe);
      woken = true;
    }
    if (woken && !this.#s.wire) this.#next(false);
  }

  onSofWanted(): void {
    const s = this.#s;
    if (!s.frames) return;
    const frame = Math.floor((this.host.nowNs - s.epochNs) / wireNs.frame) + 1;
    this.host.schedule(this, SOF, s.epochNs + frame * wireNs.frame);
  }

  onRemoteWakeup(): void {
    if (this.#s.phase === "suspend") this.resume();
  }

  // ---- the outside ----

  listen(listener: HostListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The device, once configured. */
  get device(): EnumeratedDevice | undefined {
    return this.#s.configured ? this.#enumeration.device : undefined;
  }

  /** Why the last enumeration failed, if it did. */
  get failure(): string | undefined {
    return this.#enumeration.state.failure;
  }

  /** An interface has one driver at a time: false when another owner has it. Claims end with `release` or when the device leaves. */
  claim(number: number, owner: object): boolean {
    const present = this.#claims.get(number);
    if (present && present !== owner) return false;
    this.#claims.set(number, owner);
    return true;
  }

  release(number: number, owner: object): void {
    if (this.#claims.get(number) === owner) this.#claims.delete(number);
  }

  get plugged(): boolean {
    return this.#s.plugged;
  }

  get suspended(): boolean {
    return this.#s.phase === "suspend";
  }

  set faults(faults: Partial<UsbFaults>) {
    this.#s.faults = { loseHostAckEvery: 0, loseDeviceAckEvery: 0, control: false, ...faults };
  }

  /** Plugs the cable in. When the device pulls D+ up it is reset and enumerated. */
  plug(): void {
    if (this.#s.plugged) return;
    this.#s.plugged = true;
    if (this.#s.up) this.#connect();
  }

  /** Pulls the cable out: transfers end as "disconnected", and after 3 ms the device believes the bus is suspended. */
  unplug(): void {
    if (!this.#s.plugged) return;
    this.#s.plugged = false;
    this.#drop("unplugged");
    if (this.#s.up) this.host.schedule(this, IDLE, this.host.nowNs + SUSPEND_MS * MS);
  }

  /** Resets the port and enumerates again; transfers end as "disconnected". */
  resetPort(): void {
    if (!this.#s.plugged || !this.#s.up) return;
    this.#drop("reset");
    this.#startReset();
  }

  /** Stops all traffic; the device sees it after 3 ms. Transfers wait. */
  suspend(): void {
    const s = this.#s;
    if (s.phase !== "run") return;
    if (s.wire) {
      s.suspendWanted = true;
      return;
    }
    s.suspendWanted = false;
    this.#stopFrames();
    this.#phase("suspend");
    this.host.cancel(this, BUS);
    this.host.schedule(this, IDLE, this.host.nowNs + SUSPEND_MS * MS);
  }

  /** Drives K for 20 ms, then frames go on. */
  resume(): void {
    this.#s.suspendWanted = false;
    if (this.#s.phase !== "suspend") return;
    this.host.cancel(this, IDLE);
    this.#phase("resume");
    this.controller.hostResume();
    this.host.schedule(this, LINE, this.host.nowNs + RESUME_MS * MS);
  }

  /**
   * Queues a transfer; transfers of one endpoint run in order. `done` is called once, at the board time at which it ends; at
   * once when there is no such endpoint. Returns a number for `cancel`.
   */
  submit(request: TransferRequest, done: (result: TransferResult) => void): number {
    const id = this.#s.nextId++;
    this.#done.set(id, done);
    this.#enqueue(id, request, false);
    return id;
  }

  /** A transfer of the enumeration; its end is told to `Enumeration.ended`. */
  submitInternal(request: TransferRequest): void {
    this.#enqueue(this.#s.nextId++, request, true);
  }

  /** Takes a transfer back: it ends as "cancelled" with what was moved; a transaction on the wire is finished first. */
  cancel(id: number): void {
    for (const pipe of this.#s.pipes) {
      const transfer = pipe.queue.find((one) => one.id === id);
      if (!transfer) continue;
      if (this.#s.wire?.id === id) transfer.cancelled = true;
      else {
        this.#end(pipe, transfer, "cancelled");
        if (!this.#s.wire) this.#next(false);
      }
      return;
    }
  }

  // ---- for the enumeration ----

  get address(): number {
    return this.#s.address;
  }

  /** Bus reset, then on with the enumeration. */
  resetAgain(): void {
    this.#startReset();
  }

  enumerateLater(ms: number): void {
    this.host.schedule(this, ENUMERATE, this.host.nowNs + ms * MS);
  }

  /** The enumeration knows endpoint 0's packet size. */
  setMaxPacket0(size: number): void {
    this.#s.pipes = [makePipe(0, "control", size)];
  }

  configured(): void {
    this.#s.configured = true;
    const { device } = this.#enumeration;
    if (device) for (const listener of [...this.#listeners]) listener.configured?.(device);
  }

  enumerationFailed(reason: string): void {
    for (const listener of [...this.#listeners]) listener.disconnected?.(reason);
  }

  // ---- coming and going ----

  #phase(phase: Phase): void {
    this.#s.phase = phase;
    this.controller.busChanged();
  }

  #connect(): void {
    this.controller.setConnected(true);
    const wait = this.timing.debounceMs;
    if (wait > SUSPEND_MS) this.host.schedule(this, IDLE, this.host.nowNs + SUSPEND_MS * MS);
    this.#phase("debounce");
    this.host.schedule(this, LINE, this.host.nowNs + wait * MS);
  }

  #startReset(): void {
    const s = this.#s;
    this.host.cancel(this, IDLE);
    this.host.cancel(this, BUS);
    this.#stopFrames();
    s.address = 0;
    s.wire = null;
    this.#phase("reset");
    this.controller.busReset();
    this.host.schedule(this, LINE, this.host.nowNs + this.timing.resetMs * MS);
  }

  #line(): void {
    const s = this.#s;
    if (s.phase === "debounce") {
      this.#enumeration = new Enumeration(this);
      this.#startReset();
    } else if (s.phase === "reset") {
      this.#startFrames();
      this.#phase("recovery");
      this.host.schedule(this, LINE, this.host.nowNs + this.timing.recoveryMs * MS);
    } else if (s.phase === "recovery") {
      this.#phase("run");
      this.#enumeration.resume();
    } else if (s.phase === "resume") {
      this.#startFrames();
      this.#phase("run");
      for (const pipe of s.pipes) this.#wake(pipe);
      this.#next(false);
    }
  }

  #startFrames(): void {
    this.#s.frames = true;
    this.#s.epochNs = this.host.nowNs;
    for (const pipe of this.#s.pipes) {
      pipe.nakNs = this.host.nowNs;
      pipe.nextFrame = 0;
    }
    if (this.controller.wantsSof) this.controller.refresh();
  }

  #stopFrames(): void {
    this.#s.sofBase = this.sofCount;
    this.#s.frames = false;
    this.host.cancel(this, SOF);
  }

  #drop(reason: string): void {
    const s = this.#s;
    const was = s.phase;
    this.#stopFrames();
    for (const kind of [BUS, LINE, IDLE, DEADLINE, ENUMERATE]) this.host.cancel(this, kind);
    s.wire = null;
    s.configured = false;
    s.suspendWanted = false;
    s.address = 0;
    const pipes = s.pipes;
    s.pipes = [];
    this.#phase("off");
    if (reason !== "reset") this.controller.setConnected(false);
    this.#enumeration = new Enumeration(this);
    for (const pipe of pipes) for (const transfer of pipe.queue) this.#report(transfer, "disconnected");
    if (was !== "off") for (const listener of [...this.#listeners]) listener.disconnected?.(reason);
  }

  // ---- transfers ----

  #enqueue(id: number, request: TransferRequest, internal: boolean): void {
    const endpoint = request.kind === "control" ? 0 : request.endpoint;
    const pipe = this.#s.pipes.find((one) => one.endpoint === endpoint);
    const setup = request.kind === "control" ? [...request.setup] : [];
    const length = setup.length ? setup[6]! | (setup[7]! << 8) : request.kind === "in" ? request.length : 0;
    const into = request.kind === "control" ? (setup[0]! & 0x80) !== 0 : request.kind === "in";
    const transfer: Transfer = {
      id,
      internal,
      endpoint,
      setup,
      into,
      data: into ? new Uint8Array(length) : Uint8Array.from(request.kind === "in" ? [] : (request.data ?? [])),
      done: 0,
      stage: request.kind === "control" ? 0 : 1,
      silent: 0,
      deadlineNs: this.host.nowNs + (request.kind === "control" ? (request.timeoutMs ?? CONTROL_TIMEOUT_MS) : 0) * MS,
      cancelled: false,
    };
    if (!pipe || (endpoint !== 0 && into !== (endpoint & 0x80) > 0)) {
      this.#report(transfer, this.#s.phase === "off" ? "disconnected" : "error");
      return;
    }
    pipe.queue.push(transfer);
    if (pipe.queue.length > 1) return;
    this.#begin(pipe);
    if (!this.#s.wire) this.#next(false);
  }

  /** A transfer came to the head of its queue. */
  #begin(pipe: Pipe): void {
    const transfer = pipe.queue[0]!;
    if (pipe.endpoint === 0) this.host.schedule(this, DEADLINE, Math.max(transfer.deadlineNs, this.host.nowNs));
    pipe.waiting = false;
    if (pipe.type === "interrupt" && this.#s.frames) pipe.nextFrame = Math.max(pipe.nextFrame, this.#pollFrame(pipe));
  }

  /** The next frame of an interrupt pipe's schedule that has not begun. */
  #pollFrame(pipe: Pipe): number {
    const next = Math.floor((this.host.nowNs - this.#s.epochNs) / wireNs.frame) + 1;
    return Math.ceil(next / pipe.interval) * pipe.interval;
  }

  #wake(pipe: Pipe): void {
    pipe.waiting = false;
    if (pipe.type === "interrupt") pipe.nextFrame = this.#pollFrame(pipe);
    else pipe.notBeforeNs = pipe.nakNs + Math.max(1, Math.ceil((this.host.nowNs - pipe.nakNs) / wireNs.retryGrid)) * wireNs.retryGrid;
  }

  #report(transfer: Transfer, status: TransferStatus): void {
    const result: TransferResult = {
      status,
      data: transfer.into ? Uint8Array.from(transfer.data.subarray(0, transfer.done)) : new Uint8Array(0),
      actual: transfer.done,
    };
    if (transfer.internal) {
      if (status !== "disconnected") this.#enumeration.ended(result);
      return;
    }
    const done = this.#done.get(transfer.id);
    this.#done.delete(transfer.id);
    done?.(result);
  }

  #end(pipe: Pipe, transfer: Transfer, status: TransferStatus): void {
    pipe.queue = pipe.queue.filter((one) => one !== transfer);
    if (pipe.endpoint === 0) this.host.cancel(this, DEADLINE);
    if (pipe.queue.length) this.#begin(pipe);
    if (status === "ok" && transfer.setup.length) this.#standard(transfer);
    this.#report(transfer, status);
  }

  /** What a successful standard request changes in the host itself. */
  #standard(transfer: Transfer): void {
    const [type, request, low, , index] = transfer.setup as [number, number, number, number, number];
    const s = this.#s;
    if (type === 0x00 && request === 5) s.address = low;
    else if (type === 0x00 && request === 9) this.#applyConfiguration();
    else if (type === 0x02 && request === 1 && low === 0) {
      for (const pipe of s.pipes) if (pipe.endpoint === index && index !== 0) restart(pipe);
    } else if (type === 0x01 && request === 11) {
      const chosen = this.#enumeration.configuration?.interfaces.find((one) => one.number === index && one.alternate === low);
      for (const pipe of s.pipes) if (chosen?.endpoints.some((one) => one.address === pipe.endpoint)) restart(pipe);
    }
  }

  #applyConfiguration(): void {
    const s = this.#s;
    const control = s.pipes[0]!;
    for (const pipe of s.pipes.slice(1)) for (const transfer of pipe.queue) this.#report(transfer, "cancelled");
    s.pipes = [control];
    for (const one of this.#enumeration.configuration?.interfaces ?? []) {
      if (one.alternate !== 0) continue;
      for (const endpoint of one.endpoints)
        if (endpoint.type === "bulk" || endpoint.type === "interrupt")
          s.pipes.push(makePipe(endpoint.address, endpoint.type, endpoint.maxPacket, Math.max(1, endpoint.interval)));
    }
  }

  #expire(): void {
    const pipe = this.#s.pipes.find((one) => one.endpoint === 0);
    const transfer = pipe?.queue[0];
    if (!pipe || !transfer) return;
    if (this.host.nowNs - transfer.deadlineNs >= 0 && !transfer.cancelled) {
      const stage = ["SETUP", "data", "status"][transfer.stage];
      const request = transfer.setup.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
      this.host.violation("usb/no-answer", `control transfer ${request} hangs in its ${stage} stage`);
    }
    if (this.#s.wire?.endpoint === 0) this.#s.wire = null;
    this.#end(pipe, transfer, "timeout");
    if (!this.#s.wire) this.#next(false);
  }

  // ---- transactions ----

  /** Starts the next transaction, or (outside the bus event, or when it is not time) asks to be called when it may start. */
  #next(mayStart: boolean): void {
    const s = this.#s;
    if (s.wire || s.phase !== "run") return;
    if (s.suspendWanted) return this.suspend();
    const now = this.host.nowNs;
    let bestAt = Infinity;
    let bestRank = 4;
    let best = -1;
    for (let step = 0; step < s.pipes.length; step++) {
      const index = (s.turn + step) % s.pipes.length;
      const pipe = s.pipes[index]!;
      if (!pipe.queue.length || pipe.waiting) continue;
      const at = this.#slot(pipe, now);
      const rank = pipe.type === "interrupt" ? 0 : pipe.type === "control" ? 1 : 2;
      if (at < bestAt || (at === bestAt && rank < bestRank)) {
        bestAt = at;
        bestRank = rank;
        best = index;
      }
    }
    if (best < 0) return;
    if (bestAt > now || !mayStart) this.host.schedule(this, BUS, bestAt);
    else {
      s.turn = (best + 1) % s.pipes.length;
      this.#start(s.pipes[best]!);
    }
  }

  /** The earliest time ≥ now at which the pipe's next packet fits into a frame. */
  #slot(pipe: Pipe, now: number): number {
    const { epochNs } = this.#s;
    let at = pipe.type === "interrupt" ? Math.max(now, epochNs + pipe.nextFrame * wireNs.frame) : Math.max(now, pipe.notBeforeNs);
    const start = epochNs + Math.floor((at - epochNs) / wireNs.frame) * wireNs.frame;
    at = Math.max(at, start + wireNs.sof);
    const transfer = pipe.queue[0]!;
    const length =
      transfer.stage === 0
        ? 8
        : transfer.stage === 2
          ? 0
          : transfer.into
            ? pipe.maxPacket
            : Math.min(pipe.maxPacket, transfer.data.length - transfer.done);
    return at + wireNs.transaction(length) > start + wireNs.frame - wireNs.guard ? start + wireNs.frame + wireNs.sof : at;
  }

  #start(pipe: Pipe): void {
    const s = this.#s;
    const transfer = pipe.queue[0]!;
    const { controller } = this;
    const now = this.host.nowNs;
    if (transfer.stage === 0) {
      const handshake = controller.hears(s.address) ? "ack" : "none";
      s.wire = { endpoint: pipe.endpoint, id: transfer.id, kind: "setup", answer: { handshake }, bytes: 8 };
      this.host.schedule(this, BUS, now + wireNs.transaction(8));
      return;
    }
    const number = pipe.endpoint & 15;
    const into = transfer.stage === 1 ? transfer.into : !transfer.into || transfer.data.length === 0;
    if (into) {
      const answer = controller.beginIn(s.address, number);
      const bytes = answer.handshake === "ack" ? answer.data.length : 0;
      s.wire = { endpoint: pipe.endpoint, id: transfer.id, kind: "in", answer, bytes };
      const wire =
        answer.handshake === "ack" ? wireNs.transaction(bytes) : answer.handshake === "none" ? wireNs.silentIn : wireNs.refusedIn;
      this.host.schedule(this, BUS, now + wire);
    } else {
      const data = transfer.stage === 2 ? new Uint8Array(0) : transfer.data.subarray(transfer.done, transfer.done + pipe.maxPacket);
      const handshake = controller.beginOut(s.address, number, pipe.toggle, data, pipe.repeated);
      s.wire = { endpoint: pipe.endpoint, id: transfer.id, kind: "out", answer: { handshake }, bytes: data.length };
      this.host.schedule(this, BUS, now + wireNs.transaction(data.length));
    }
  }

  #finish(): void {
    const s = this.#s;
    const wire = s.wire!;
    s.wire = null;
    const pipe = s.pipes.find((one) => one.endpoint === wire.endpoint);
    const transfer = pipe?.queue[0];
    if (!pipe || !transfer || transfer.id !== wire.id) return;
    const { handshake } = wire.answer;
    if (handshake === "nak") this.#nak(pipe, transfer, wire.rearmed ?? false);
    else if (handshake === "stall") this.#end(pipe, transfer, "stall");
    else if (handshake === "none") this.#silence(pipe, transfer);
    else if (wire.kind === "setup") {
      transfer.silent = 0;
      this.controller.endSetup(Uint8Array.from(transfer.setup));
      this.#stage(pipe, transfer, transfer.setup[6] || transfer.setup[7] ? 1 : 2);
      pipe.notBeforeNs = this.host.nowNs + wireNs.afterSetup;
    } else if (wire.kind === "in") this.#received(pipe, transfer, wire.answer as Extract<InAnswer, { handshake: "ack" }>);
    else this.#sent(pipe, transfer, wire.bytes);
    if (transfer.cancelled && pipe.queue[0] === transfer) this.#end(pipe, transfer, "cancelled");
  }

  #stage(pipe: Pipe, transfer: Transfer, stage: 1 | 2): void {
    transfer.stage = stage;
    pipe.toggle = 1;
    pipe.repeated = false;
  }

  #nak(pipe: Pipe, transfer: Transfer, rearmed: boolean): void {
    transfer.silent = 0;
    pipe.nakNs = this.host.nowNs;
    pipe.notBeforeNs = pipe.nakNs + wireNs.retryGrid;
    if (pipe.type === "interrupt") pipe.nextFrame = this.#pollFrame(pipe);
    // Endpoints whose NAKs firmware can see are really polled; for the others nothing can change before a re-arm.
    const endpoint = (pipe.endpoint & 15) * 2;
    pipe.waiting = !rearmed && !this.controller.reportsNak(endpoint) && !this.controller.reportsNak(endpoint + 1);
  }

  #silence(pipe: Pipe, transfer: Transfer): void {
    if (++transfer.silent < STRIKES) return;
    const where = `endpoint 0x${pipe.endpoint.toString(16)} at address ${this.#s.address}`;
    this.host.violation("usb/no-handshake", `${where} does not answer`);
    this.#end(pipe, transfer, "error");
  }

  #lose(direction: "in" | "out", every: number, pipe: Pipe): boolean {
    if (!every || (pipe.endpoint === 0 && (direction === "out" || !this.#s.faults.control))) return false;
    return ++this.#s.dataPackets[direction] % every === 0;
  }

  #received(pipe: Pipe, transfer: Transfer, answer: { readonly data: Uint8Array; readonly pid: number }): void {
    const { host } = this;
    const { data } = answer;
    transfer.silent = 0;
    const lost = this.#lose("in", this.#s.faults.loseHostAckEvery, pipe);
    if (pipe.type === "interrupt") pipe.nextFrame = this.#pollFrame(pipe);
    const fresh = answer.pid === pipe.toggle;
    const expectedRepeat = pipe.repeated;
    pipe.repeated = lost;
    this.controller.endIn(!lost);
    const where = `endpoint 0x${pipe.endpoint.toString(16)}`;
    if (!fresh) {
      // A repeat of what was received before our ACK got lost is acknowledged and dropped (§8.6.4).
      if (!expectedRepeat)
        host.violation("usb/wrong-toggle", `${where} sends DATA${answer.pid}, DATA${pipe.toggle} is due: ${data.length} bytes are lost`);
      return;
    }
    pipe.toggle ^= 1;
    if (transfer.stage === 2) {
      if (data.length) host.violation("usb/status-stage", `${data.length} bytes in a status stage`);
      return this.#end(pipe, transfer, "ok");
    }
    const room = transfer.data.length - transfer.done;
    if (data.length > pipe.maxPacket) {
      host.violation("usb/babble", `${where} sends ${data.length} bytes, its maximum is ${pipe.maxPacket}`);
      return this.#end(pipe, transfer, "babble");
    }
    if (data.length > room) {
      if (transfer.setup.length)
        host.violation("usb/control-overrun", `${transfer.done + data.length} bytes for a wLength of ${transfer.data.length}`);
      return this.#end(pipe, transfer, "babble");
    }
    transfer.data.set(data, transfer.done);
    transfer.done += data.length;
    if (data.length === pipe.maxPacket && data.length < room) return;
    if (transfer.setup.length) this.#stage(pipe, transfer, 2);
    else this.#end(pipe, transfer, "ok");
  }

  #sent(pipe: Pipe, transfer: Transfer, bytes: number): void {
    this.controller.endOut();
    if (this.#lose("out", this.#s.faults.loseDeviceAckEvery, pipe)) {
      // We saw no handshake: the same packet goes out again, and the device must know it by its toggle.
      pipe.repeated = true;
      if (++transfer.silent >= STRIKES) this.#end(pipe, transfer, "error");
      return;
    }
    transfer.silent = 0;
    pipe.repeated = false;
    pipe.toggle ^= 1;
    if (transfer.stage === 2) return this.#end(pipe, transfer, "ok");
    transfer.done += bytes;
    if (transfer.done < transfer.data.length) return;
    if (transfer.setup.length) this.#stage(pipe, transfer, 2);
    else this.#end(pipe, transfer, "ok");
  }
}

function restart(pipe: Pipe): void {
  pipe.toggle = 0;
  pipe.repeated = false;
}
