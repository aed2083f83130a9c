import type { Model, ModelHost } from "./model.js";
import type { InAnswer, UsbController } from "./usb-controller.js";
import type { ConfigurationInfo } from "./usb-descriptors.js";
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

/** Event kinds of the host that belong to transactions. */
export const BUS = 0;
export const DEADLINE = 1;

const MS = 1_000_000;
const CONTROL_TIMEOUT_MS = 5000;
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

/** What the transactions need of the port they run on. */
export interface Port extends Model {
  readonly host: ModelHost;
  readonly controller: UsbController;
  /** Tokens may be sent. */
  readonly running: boolean;
  /** Start of frame 0, or undefined while there are no frames. */
  readonly epochNs: number | undefined;
  /** Endpoints of the configuration that is about to be active. */
  readonly configuration: ConfigurationInfo | undefined;
  /** The bus is idle between two transactions: true = the port has other plans (suspend), start nothing. */
  pause(): boolean;
  /** A transfer ended. */
  ended(transfer: Transfer, result: TransferResult): void;
}

function initialState() {
  return {
    address: 0,
    pipes: [] as Pipe[],
    wire: null as Wire | null,
    turn: 0,
    nextId: 1,
    faults: { loseHostAckEvery: 0, loseDeviceAckEvery: 0, control: false } as UsbFaults,
  };
}
/** Everything the transactions remember, as plain data. */
export type TransactionState = ReturnType<typeof initialState>;

/** Pipes, transfers and the tokens they are made of: what a host controller does between two SOFs. */
export class Transactions {
  readonly #port: Port;
  #s = initialState();

  constructor(port: Port) {
    this.#port = port;
  }

  get state(): TransactionState {
    return this.#s;
  }

  /** Takes a snapshot back; transfers from outside are ended, the one on the wire after its transaction. */
  load(state: TransactionState): void {
    this.#s = structuredClone(state);
    const inFlight = this.#s.wire?.id;
    for (const pipe of this.#s.pipes) {
      pipe.queue = pipe.queue.filter((transfer) => transfer.internal || transfer.id === inFlight);
      for (const transfer of pipe.queue) if (!transfer.internal) transfer.cancelled = true;
    }
  }

  get busy(): boolean {
    return this.#s.wire !== null;
  }

  set faults(faults: UsbFaults) {
    this.#s.faults = faults;
  }

  /** A number for a new transfer. */
  newId(): number {
    return this.#s.nextId++;
  }

  /** Endpoint 0 only, at address 0 or where it is: the state after a reset, and when its packet size becomes known. */
  onlyControl(maxPacket: number): void {
    this.#s.pipes = [makePipe(0, "control", maxPacket)];
  }

  /** The bus is reset: nothing is on the wire, the device is at address 0. */
  busReset(): void {
    this.#s.wire = null;
    this.#s.address = 0;
  }

  /** The device left: all transfers end. */
  dropAll(): Transfer[] {
    const { pipes } = this.#s;
    this.busReset();
    this.#s.pipes = [];
    return pipes.flatMap((pipe) => pipe.queue);
  }

  /** Frames begin (again). */
  framesStarted(): void {
    for (const pipe of this.#s.pipes) {
      pipe.nakNs = this.#port.host.nowNs;
      pipe.nextFrame = 0;
      this.#wake(pipe);
    }
  }

  /** The bus event: a transaction ends, or may begin. */
  onBus(): void {
    if (this.#s.wire) this.#finish();
    this.next(true);
  }

  /** Firmware changed something at this endpoint (counted as in BUFF_STATUS), or anywhere. */
  rearmed(endpoint: number | undefined): void {
    const address = endpoint === undefined ? undefined : endpoint < 2 ? 0 : (endpoint >> 1) | (endpoint & 1 ? 0 : 0x80);
    let woken = false;
    if (this.#s.wire && (address === undefined || this.#s.wire.endpoint === address)) this.#s.wire.rearmed = true;
    for (const pipe of this.#s.pipes) {
      if (!pipe.waiting || (address !== undefined && pipe.endpoint !== address)) continue;
      this.#wake(pipe);
      woken = true;
    }
    if (woken && !this.#s.wire) this.next(false);
  }

  /** Takes a transfer back; a transaction on the wire is finished first. */
  cancel(id: number): void {
    for (const pipe of this.#s.pipes) {
      const transfer = pipe.queue.find((one) => one.id === id);
      if (!transfer) continue;
      if (this.#s.wire?.id === id) transfer.cancelled = true;
      else {
        this.#end(pipe, transfer, "cancelled");
        if (!this.#s.wire) this.next(false);
      }
      return;
    }
  }

  /** Puts a transfer into its endpoint's queue. */
  enqueue(id: number, request: TransferRequest, internal: boolean): void {
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
      deadlineNs: this.#port.host.nowNs + (request.kind === "control" ? (request.timeoutMs ?? CONTROL_TIMEOUT_MS) : 0) * MS,
      mustAnswer: request.kind === "control" && request.timeoutMs === undefined,
      cancelled: false,
    };
    if (!pipe || (endpoint !== 0 && into !== (endpoint & 0x80) > 0)) {
      this.report(transfer, this.#s.pipes.length ? "error" : "disconnected");
      return;
    }
    pipe.queue.push(transfer);
    if (pipe.queue.length > 1) return;
    this.#begin(pipe);
    if (!this.#s.wire) this.next(false);
  }

  /** A transfer came to the head of its queue. */
  #begin(pipe: Pipe): void {
    const transfer = pipe.queue[0]!;
    if (pipe.endpoint === 0) this.#port.host.schedule(this.#port, DEADLINE, Math.max(transfer.deadlineNs, this.#port.host.nowNs));
    pipe.waiting = false;
    if (pipe.type === "interrupt" && this.#port.epochNs !== undefined) pipe.nextFrame = Math.max(pipe.nextFrame, this.#pollFrame(pipe));
  }

  get #epochNs(): number {
    return this.#port.epochNs ?? this.#port.host.nowNs;
  }

  /** The next frame of an interrupt pipe's schedule that has not begun. */
  #pollFrame(pipe: Pipe): number {
    const next = Math.floor((this.#port.host.nowNs - this.#epochNs) / wireNs.frame) + 1;
    return Math.ceil(next / pipe.interval) * pipe.interval;
  }

  #wake(pipe: Pipe): void {
    pipe.waiting = false;
    if (pipe.type === "interrupt") pipe.nextFrame = this.#pollFrame(pipe);
    else pipe.notBeforeNs = pipe.nakNs + Math.max(1, Math.ceil((this.#port.host.nowNs - pipe.nakNs) / wireNs.retryGrid)) * wireNs.retryGrid;
  }

  /** Tells the port how a transfer ended. */
  report(transfer: Transfer, status: TransferStatus): void {
    const result: TransferResult = {
      status,
      data: transfer.into ? Uint8Array.from(transfer.data.subarray(0, transfer.done)) : new Uint8Array(0),
      actual: transfer.done,
    };
    this.#port.ended(transfer, result);
  }

  #end(pipe: Pipe, transfer: Transfer, status: TransferStatus): void {
    pipe.queue = pipe.queue.filter((one) => one !== transfer);
    if (pipe.endpoint === 0) this.#port.host.cancel(this.#port, DEADLINE);
    if (pipe.queue.length) this.#begin(pipe);
    if (status === "ok" && transfer.setup.length) this.#standard(transfer);
    this.report(transfer, status);
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
      const chosen = this.#port.configuration?.interfaces.find((one) => one.number === index && one.alternate === low);
      for (const pipe of s.pipes) if (chosen?.endpoints.some((one) => one.address === pipe.endpoint)) restart(pipe);
    }
  }

  #applyConfiguration(): void {
    const s = this.#s;
    const control = s.pipes[0]!;
    for (const pipe of s.pipes.slice(1)) for (const transfer of pipe.queue) this.report(transfer, "cancelled");
    s.pipes = [control];
    for (const one of this.#port.configuration?.interfaces ?? []) {
      if (one.alternate !== 0) continue;
      for (const endpoint of one.endpoints)
        if (endpoint.type === "bulk" || endpoint.type === "interrupt")
          s.pipes.push(makePipe(endpoint.address, endpoint.type, endpoint.maxPacket, Math.max(1, endpoint.interval)));
    }
  }

  /** The deadline event: the control transfer at the head has taken too long. */
  expire(): void {
    const pipe = this.#s.pipes.find((one) => one.endpoint === 0);
    const transfer = pipe?.queue[0];
    if (!pipe || !transfer) return;
    if (transfer.mustAnswer && this.#port.running) {
      const stage = ["SETUP", "data", "status"][transfer.stage];
      const request = transfer.setup.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
      this.#port.host.violation("usb/no-answer", `control transfer ${request} hangs in its ${stage} stage`);
    }
    if (this.#s.wire?.endpoint === 0) this.#s.wire = null;
    this.#end(pipe, transfer, "timeout");
    if (!this.#s.wire) this.next(false);
  }

  // ---- transactions ----

  /** Starts the next transaction, or (outside the bus event, or when it is not time) asks to be called when it may start. */
  next(mayStart: boolean): void {
    const s = this.#s;
    if (s.wire || !this.#port.running || this.#port.pause()) return;
    const now = this.#port.host.nowNs;
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
    if (bestAt > now || !mayStart) this.#port.host.schedule(this.#port, BUS, bestAt);
    else {
      s.turn = (best + 1) % s.pipes.length;
      this.#start(s.pipes[best]!);
    }
  }

  /** The earliest time ≥ now at which the pipe's next packet fits into a frame. */
  #slot(pipe: Pipe, now: number): number {
    const epochNs = this.#epochNs;
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
    const { controller } = this.#port;
    const now = this.#port.host.nowNs;
    if (transfer.stage === 0) {
      const handshake = controller.hears(s.address) ? "ack" : "none";
      s.wire = { endpoint: pipe.endpoint, id: transfer.id, kind: "setup", answer: { handshake }, bytes: 8 };
      this.#port.host.schedule(this.#port, BUS, now + wireNs.transaction(8));
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
      this.#port.host.schedule(this.#port, BUS, now + wire);
    } else {
      const data = transfer.stage === 2 ? new Uint8Array(0) : transfer.data.subarray(transfer.done, transfer.done + pipe.maxPacket);
      const handshake = controller.beginOut(s.address, number, pipe.toggle, data, pipe.repeated);
      s.wire = { endpoint: pipe.endpoint, id: transfer.id, kind: "out", answer: { handshake }, bytes: data.length };
      this.#port.host.schedule(this.#port, BUS, now + wireNs.transaction(data.length));
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
      this.#port.controller.endSetup(Uint8Array.from(transfer.setup));
      this.#stage(pipe, transfer, transfer.setup[6] || transfer.setup[7] ? 1 : 2);
      pipe.notBeforeNs = this.#port.host.nowNs + wireNs.afterSetup;
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
    pipe.nakNs = this.#port.host.nowNs;
    pipe.notBeforeNs = pipe.nakNs + wireNs.retryGrid;
    if (pipe.type === "interrupt") pipe.nextFrame = this.#pollFrame(pipe);
    // Endpoints whose NAKs firmware can see are really polled; for the others nothing can change before a re-arm.
    const endpoint = (pipe.endpoint & 15) * 2;
    pipe.waiting = !rearmed && !this.#port.controller.reportsNak(endpoint) && !this.#port.controller.reportsNak(endpoint + 1);
  }

  #silence(pipe: Pipe, transfer: Transfer): void {
    if (++transfer.silent < STRIKES) return;
    const where = `endpoint 0x${pipe.endpoint.toString(16)} at address ${this.#s.address}`;
    this.#port.host.violation("usb/no-handshake", `${where} does not answer`);
    this.#end(pipe, transfer, "error");
  }

  #lose(direction: "in" | "out", every: number, pipe: Pipe): boolean {
    if (!every || (pipe.endpoint === 0 && (direction === "out" || !this.#s.faults.control))) return false;
    return ++pipe.packets % every === 0;
  }

  #received(pipe: Pipe, transfer: Transfer, answer: { readonly data: Uint8Array; readonly pid: number }): void {
    const { host } = this.#port;
    const { data } = answer;
    transfer.silent = 0;
    const lost = this.#lose("in", this.#s.faults.loseHostAckEvery, pipe);
    if (pipe.type === "interrupt") pipe.nextFrame = this.#pollFrame(pipe);
    const fresh = answer.pid === pipe.toggle;
    const expectedRepeat = pipe.repeated;
    pipe.repeated = lost;
    this.#port.controller.endIn(!lost);
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
    this.#port.controller.endOut();
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
