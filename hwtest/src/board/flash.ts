import type { Model, ModelHost } from "./model.js";

/** W25Q16JV: 2 MiB. */
export const FLASH_SIZE = 0x200000;
const PAGE = 256;
const JEDEC = [0xef, 0x40, 0x15] as const;
/** Typical times of the data sheet (§9.6), in ns. */
const PROGRAM_NS = 400_000;
const ERASE_NS: Readonly<Record<number, readonly [size: number, ns: number]>> = {
  0x20: [0x1000, 45e6],
  0x52: [0x8000, 120e6],
  0xd8: [0x10000, 150e6],
};
const STATUS_WRITE_NS = 10e6;
/** Volatile status writes take effect at once (50h). */
const VOLATILE_STATUS_NS = 50;
const BUSY = 1;
const WEL = 2;

/** A program or erase under way; it takes effect at `endAt`. */
interface Operation {
  readonly kind: "program" | "erase" | "status";
  readonly address: number;
  readonly size: number;
  /** Bytes to AND in (program), or the two status bytes. */
  readonly data: number[];
  readonly startAt: number;
  readonly endAt: number;
}

interface FlashState {
  selected: boolean;
  command: number;
  /** Bytes received since select, without the command. */
  input: number[];
  count: number;
  /** Non-volatile and current status registers 1 and 2. */
  status: [number, number];
  kept: [number, number];
  writeEnabled: boolean;
  volatileEnabled: boolean;
  operation: Operation | null;
}

/** The serial flash W25Q16JV: what a program or erase does to which bits, when, and what the status register forbids. */
export class Flash implements Model {
  readonly name = "flash";
  readonly hurry = true;
  /** The array itself; the bus reads it through the XIP window. */
  readonly bytes = new Uint8Array(FLASH_SIZE).fill(0xff);
  /** Called when bytes changed, for the cache. */
  onChange: (address: number, size: number) => void = () => undefined;
  readonly #host: ModelHost;
  readonly #id: Uint8Array;
  #state: FlashState = fresh([0, 0]);

  /** `id` = the 64-bit unique number. */
  constructor(host: ModelHost, id: Uint8Array) {
    this.#host = host;
    this.#id = id.slice(0, 8);
    host.register(this);
  }
  save(): unknown {
    return { bytes: this.bytes.slice(), state: structuredClone(this.#state) };
  }
  load(saved: unknown): void {
    const { bytes, state } = saved as { bytes: Uint8Array; state: FlashState };
    this.bytes.set(bytes);
    this.#state = structuredClone(state);
  }
  /** The flash has no reset pin: only losing power resets its volatile half, and what was under way is torn. */
  reset(power: boolean): void {
    if (!power) return;
    this.#tear();
    this.#host.cancel(this, 0);
    this.#state = fresh(this.#state.kept);
  }
  /** True while a program or erase is under way: no read is possible. */
  get busy(): boolean {
    return this.#state.operation !== null;
  }
  onEvent(): void {
    this.#finish();
  }

  /** Chip select falls. */
  select(): void {
    Object.assign(this.#state, { selected: true, command: -1, input: [], count: 0 });
  }
  /** Chip select rises: writes begin now. */
  deselect(): void {
    const state = this.#state;
    if (!state.selected) return;
    state.selected = false;
    const { command, input } = state;
    const now = this.#host.nowNs;
    if (command === 0x06) state.writeEnabled = true;
    else if (command === 0x04) state.writeEnabled = false;
    else if (command === 0x50) state.volatileEnabled = true;
    else if (command === 0x01) this.#writeStatus(input, now);
    else if (command === 0x02) this.#program(input, now);
    else if (ERASE_NS[command]) this.#erase(command, input, now);
  }
  /** One byte each way. */
  exchange(byte: number): number {
    const state = this.#state;
    if (!state.selected) return 0xff;
    if (state.command < 0) {
      state.command = byte;
      this.#check(byte);
      return 0xff;
    }
    const index = state.count++;
    // Reads run on for ever: only what a command needs is kept.
    if (index < 4 + PAGE || state.command === 0x02) state.input.push(byte);
    switch (state.command) {
      case 0x05:
        return state.status[0] | (state.operation ? BUSY : 0) | (state.writeEnabled ? WEL : 0);
      case 0x35:
        return state.status[1];
      case 0x9f:
        return JEDEC[index % 3]!;
      case 0x4b:
        return index < 4 ? 0xff : this.#id[(index - 4) % 8]!;
      case 0x03:
        return index < 3 ? 0xff : this.bytes[(address(state.input) + index - 3) % FLASH_SIZE]!;
      case 0x0b:
        return index < 4 ? 0xff : this.bytes[(address(state.input) + index - 4) % FLASH_SIZE]!;
    }
    return 0xff;
  }

  #check(command: number): void {
    if (![0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0b, 0x20, 0x35, 0x4b, 0x50, 0x52, 0x9f, 0xd8].includes(command))
      this.#host.violation("flash/unknown-command", `command 0x${command.toString(16)}`);
    if (this.busy && command !== 0x05 && command !== 0x35)
      this.#host.violation("flash/busy", `command 0x${command.toString(16)} while busy`);
  }
  #program(input: readonly number[], now: number): void {
    const at = address(input);
    const data = input.slice(3);
    if (!this.#mayWrite(at, 1)) return;
    // More than a page wraps and overwrites: the last 256 bytes count.
    const page = new Array<number>(PAGE).fill(0xff);
    data.forEach((byte, index) => (page[(at + index) % PAGE] = byte));
    this.#begin({ kind: "program", address: at & ~(PAGE - 1), size: PAGE, data: page, startAt: now, endAt: now + PROGRAM_NS });
  }
  #erase(command: number, input: readonly number[], now: number): void {
    const [size, ns] = ERASE_NS[command]!;
    const at = address(input) & ~(size - 1);
    if (this.#mayWrite(at, size)) this.#begin({ kind: "erase", address: at, size, data: [], startAt: now, endAt: now + ns });
  }
  #writeStatus(input: readonly number[], now: number): void {
    const state = this.#state;
    if (!state.writeEnabled && !state.volatileEnabled)
      return this.#host.violation("flash/no-write-enable", "status write without 06h or 50h");
    // SRP1 = 1, SRP0 = 0: locked until the next power-up.
    if (state.status[1] & 1) return this.#host.violation("flash/protected", "the status register is locked until power-up");
    const data = [(input[0] ?? 0) & 0xfc, input.length > 1 ? input[1]! & 0x7b : state.status[1]];
    const lasting = state.writeEnabled;
    this.#begin({
      kind: "status",
      address: lasting ? 1 : 0,
      size: 0,
      data,
      startAt: now,
      endAt: now + (lasting ? STATUS_WRITE_NS : VOLATILE_STATUS_NS),
    });
  }
  #mayWrite(at: number, size: number): boolean {
    const [from, to] = protectedRange(this.#state.status);
    const refused = !this.#state.writeEnabled ? "flash/no-write-enable" : at < to && at + size > from ? "flash/protected" : undefined;
    if (refused) this.#host.violation(refused, `write at 0x${at.toString(16)}`);
    if (refused) this.#state.writeEnabled = false;
    return !refused;
  }
  #begin(operation: Operation): void {
    this.#state.operation = operation;
    this.#host.schedule(this, 0, operation.endAt);
  }
  #finish(): void {
    const state = this.#state;
    const operation = state.operation!;
    state.operation = null;
    state.writeEnabled = state.volatileEnabled = false;
    if (operation.kind === "status") {
      state.status = [operation.data[0]!, operation.data[1]!];
      if (operation.address === 1) state.kept = [...state.status];
      return;
    }
    if (operation.kind === "erase") this.bytes.fill(0xff, operation.address, operation.address + operation.size);
    else for (let index = 0; index < PAGE; index++) this.bytes[operation.address + index]! &= operation.data[index]!;
    this.onChange(operation.address, operation.size);
  }
  /** Power fails in the middle: each bit that was to change has changed with the probability of the time elapsed. */
  #tear(): void {
    const { operation } = this.#state;
    if (!operation || operation.kind === "status") return;
    const done = (this.#host.nowNs - operation.startAt) / (operation.endAt - operation.startAt);
    for (let index = 0; index < operation.size; index++) {
      let happens = 0;
      for (let bit = 0; bit < 8; bit++) if (this.#host.random() < done * 2 ** 32) happens |= 1 << bit;
      const old = this.bytes[operation.address + index]!;
      const target = operation.kind === "erase" ? 0xff : old & operation.data[index]!;
      this.bytes[operation.address + index] = (old & ~happens) | (target & happens);
    }
    this.onChange(operation.address, operation.size);
  }
}

function address(input: readonly number[]): number {
  return (((input[0] ?? 0) << 16) | ((input[1] ?? 0) << 8) | (input[2] ?? 0)) % FLASH_SIZE;
}

/** Which bytes BP2..0, TB, SEC and CMP protect (data sheet §7.1.12, W25Q16JV). */
function protectedRange([one, two]: readonly [number, number]): [from: number, to: number] {
  const level = (one >>> 2) & 7;
  const lower = (one & 0x20) !== 0;
  const sectors = (one & 0x40) !== 0;
  let size: number;
  if (level === 0) size = 0;
  else if (level >= 6) size = FLASH_SIZE;
  else if (sectors) size = Math.min(0x8000, 0x1000 << (level - 1));
  else size = 0x10000 << (level - 1);
  if ((two & 0x40) === 0) return lower ? [0, size] : [FLASH_SIZE - size, FLASH_SIZE];
  return lower ? [size, FLASH_SIZE] : [0, FLASH_SIZE - size];
}

function fresh(kept: [number, number]): FlashState {
  return {
    selected: false,
    command: -1,
    input: [],
    count: 0,
    status: [...kept],
    kept: [...kept],
    writeEnabled: false,
    volatileEnabled: false,
    operation: null,
  };
}
