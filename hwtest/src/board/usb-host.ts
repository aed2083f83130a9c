import type { Model, ModelHost } from "./model.js";
import type { UsbBus, UsbController } from "./usb-controller.js";
import type { ConfigurationInfo, DeviceInfo } from "./usb-descriptors.js";
import { Enumeration, type EnumerationState } from "./usb-enumeration.js";
import { BUS, DEADLINE, Transactions, type Port, type TransactionState } from "./usb-transactions.js";
import { wireNs, type Transfer, type TransferRequest, type TransferResult, type UsbFaults } from "./usb-transfer.js";

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
/** Event kinds; 0 and 1 belong to the transactions. */
const LINE = 2;
const IDLE = 3;
const SOF = 4;
const ENUMERATE = 5;

const MS = 1_000_000;
const SUSPEND_MS = 3;
const RESUME_MS = 20;

function initialState() {
  return {
    plugged: false,
    up: false,
    phase: "off" as Phase,
    /** Start of frame 0 of this run of frames; SOFs sent before it. */
    epochNs: 0,
    sofBase: 0,
    frames: false,
    suspendWanted: false,
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
export class UsbHost implements Model, UsbBus, Port {
  readonly name = "usb-host";
  readonly host: ModelHost;
  readonly controller: UsbController;
  timing: HostTiming = prompt;
  #s = initialState();
  readonly #transactions: Transactions;
  #enumeration: Enumeration;
  readonly #done = new Map<number, (result: TransferResult) => void>();
  readonly #listeners = new Set<HostListener>();
  readonly #claims = new Map<number, object>();

  constructor(host: ModelHost, controller: UsbController) {
    this.host = host;
    this.controller = controller;
    this.#transactions = new Transactions(this);
    this.#enumeration = new Enumeration(this);
    host.register(this);
  }

  // ---- Model ----

  /** Transfers asked from outside are not part of a snapshot: whoever waits for them lives outside the board. */
  save(): unknown {
    this.#s.enumeration = this.#enumeration.state;
    return structuredClone({ port: this.#s, transactions: this.#transactions.state });
  }

  load(state: unknown): void {
    const waiting = [...this.#done.values()];
    this.#done.clear();
    const saved = state as { port: ReturnType<typeof initialState>; transactions: TransactionState };
    this.#s = structuredClone(saved.port);
    this.#enumeration = new Enumeration(this, this.#s.enumeration ?? undefined);
    this.#transactions.load(saved.transactions);
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
    if (kind === BUS) this.#transactions.onBus();
    else if (kind === LINE) this.#line();
    else if (kind === IDLE) this.controller.setSuspended(true);
    else if (kind === SOF) this.controller.refresh();
    else if (kind === DEADLINE) this.#transactions.expire();
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
    if (this.running) this.#transactions.rearmed(endpoint);
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

  /** Transfers asked for from outside that have not ended, and interfaces that have a driver: both are 0 when every program has left. */
  get inUse(): { readonly transfers: number; readonly interfaces: number } {
    return { transfers: this.#done.size, interfaces: this.#claims.size };
  }

  get plugged(): boolean {
    return this.#s.plugged;
  }

  get suspended(): boolean {
    return this.#s.phase === "suspend";
  }

  set faults(faults: Partial<UsbFaults>) {
    this.#transactions.faults = { loseHostAckEvery: 0, loseDeviceAckEvery: 0, control: false, ...faults };
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
    if (this.#transactions.busy) {
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
    const id = this.#transactions.newId();
    this.#done.set(id, done);
    this.#transactions.enqueue(id, request, false);
    return id;
  }

  /** A transfer of the enumeration; its end is told to `Enumeration.ended`. */
  submitInternal(request: TransferRequest): void {
    this.#transactions.enqueue(this.#transactions.newId(), request, true);
  }

  /** Takes a transfer back: it ends as "cancelled" with what was moved; a transaction on the wire is finished first. */
  cancel(id: number): void {
    this.#transactions.cancel(id);
  }

  // ---- Port: what the transactions ask ----

  get running(): boolean {
    return this.#s.phase === "run";
  }

  get epochNs(): number | undefined {
    return this.#s.frames ? this.#s.epochNs : undefined;
  }

  get configuration(): ConfigurationInfo | undefined {
    return this.#enumeration.configuration;
  }

  pause(): boolean {
    if (this.#s.suspendWanted) this.suspend();
    return !this.running;
  }

  ended(transfer: Transfer, result: TransferResult): void {
    if (transfer.internal) {
      if (result.status !== "disconnected") this.#enumeration.ended(result);
      return;
    }
    const done = this.#done.get(transfer.id);
    this.#done.delete(transfer.id);
    done?.(result);
  }

  // ---- for the enumeration ----

  /** Bus reset, then on with the enumeration. */
  resetAgain(): void {
    this.#startReset();
  }

  enumerateLater(ms: number): void {
    this.host.schedule(this, ENUMERATE, this.host.nowNs + ms * MS);
  }

  /** The enumeration knows endpoint 0's packet size. */
  setMaxPacket0(size: number): void {
    this.#transactions.onlyControl(size);
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
    this.host.cancel(this, IDLE);
    this.host.cancel(this, BUS);
    this.#stopFrames();
    this.#transactions.busReset();
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
      this.#transactions.next(false);
    }
  }

  #startFrames(): void {
    this.#s.frames = true;
    // A whole number: frames are counted by division, and a fraction here would lose one now and then.
    this.#s.epochNs = Math.ceil(this.host.nowNs);
    this.#transactions.framesStarted();
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
    s.configured = false;
    s.suspendWanted = false;
    const transfers = this.#transactions.dropAll();
    this.#phase("off");
    if (reason !== "reset") this.controller.setConnected(false);
    this.#enumeration = new Enumeration(this);
    for (const transfer of transfers) this.#transactions.report(transfer, "disconnected");
    if (was !== "off") for (const listener of [...this.#listeners]) listener.disconnected?.(reason);
  }
}
