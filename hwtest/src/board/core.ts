import type { RP2040 } from "rp2040js";

/** The CPU as rp2040js has it. */
export type Core = RP2040["core"];

/** Exception entry and return on the M0+ cost these cycles with RAM stacks (Cortex-M0+ TRM §3.3). */
const ENTRY_CYCLES = 15;
const LOWEST_PRIORITY = 4;
/** First external interrupt among the exceptions. */
const FIRST_IRQ = 16;

/** What the corrected core needs from the engine. */
export interface CoreHost {
  /** Adds cycles to the running instruction. */
  charge(cycles: number): void;
  violation(rule: string, detail: string): void;
}

/** The interrupt lines as they stand now, one bit each; what the NVIC latched is `core.pendingInterrupts`. */
export interface InterruptLines {
  level: number;
}

/**
 * Corrects what rp2040js' core does differently from an M0+: interrupts are latched in the NVIC (a line that falls again
 * leaves the interrupt pending; a line still high at return makes it pending again), PRIMASK masks taking but not waking,
 * and nothing is taken from inside `setInterrupt`. The engine's loop does the waking (`wakes`).
 */
export function correctCore(core: Core, lines: InterruptLines, host: CoreHost): void {
  const stockEntry = core.exceptionEntry.bind(core);
  const stockReturn = core.exceptionReturn.bind(core);

  core.setInterrupt = (irq, raised) => {
    const bit = 1 << irq;
    if (!raised) lines.level &= ~bit;
    else if (!(lines.level & bit)) {
      lines.level |= bit;
      core.pendingInterrupts |= bit;
      core.interruptsUpdated = true;
    }
  };

  core.exceptionEntry = (exception) => {
    if (exception >= FIRST_IRQ) core.pendingInterrupts &= ~(1 << (exception - FIRST_IRQ));
    host.charge(ENTRY_CYCLES);
    stockEntry(exception);
    if (!(core.PC & 1)) host.violation("cpu/bad-vector", `exception ${exception} has vector 0x${core.PC.toString(16)}`);
    core.PC &= ~1;
  };

  core.exceptionReturn = (code) => {
    const exception = core.IPSR;
    stockReturn(code);
    if (exception >= FIRST_IRQ) core.pendingInterrupts |= lines.level & (1 << (exception - FIRST_IRQ));
    host.charge(ENTRY_CYCLES);
  };

  core.checkForInterrupts = () => {
    const exception = nextException(core, Math.min(core.exceptionPriority(core.IPSR), core.PM ? 0 : LOWEST_PRIORITY));
    if (exception === 0) {
      core.interruptsUpdated = false;
      return false;
    }
    if (exception === 2) core.pendingNMI = false;
    else if (exception === 11) core.pendingSVCall = false;
    else if (exception === 14) core.pendingPendSV = false;
    else if (exception === 15) core.pendingSystick = false;
    core.exceptionEntry(exception);
    return true;
  };
}

/** Highest exception waiting with a priority number below `limit`; 0 = none. */
function nextException(core: Core, limit: number): number {
  if (core.pendingNMI) return 2;
  const irqs = core.pendingInterrupts & core.enabledInterrupts;
  if (!irqs && !core.pendingSVCall && !core.pendingPendSV && !core.pendingSystick) return 0;
  for (let priority = 0; priority < limit; priority++) {
    if (core.pendingSVCall && core.svCallPriority === priority) return 11;
    if (core.pendingPendSV && core.pendSVPriority === priority) return 14;
    if (core.pendingSystick && core.systickPriority === priority) return 15;
    const level = irqs & core.interruptPriorities[priority]!;
    if (level) return FIRST_IRQ + (31 - Math.clz32(level & -level));
  }
  return 0;
}

/** WFI ends: an enabled exception that would preempt if PRIMASK were 0 is pending (ARMv6-M ARM §B1.5.18). */
export function wakes(core: Core): boolean {
  return nextException(core, Math.min(core.exceptionPriority(core.IPSR), LOWEST_PRIORITY)) !== 0;
}

/** The core's own state as plain data. */
export function saveCore(core: Core): Record<string, unknown> {
  const state: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(core)) {
    if (typeof value === "number" || typeof value === "boolean") state[key] = value;
    else if (value instanceof Uint32Array) state[key] = value.slice();
    else if (Array.isArray(value)) state[key] = [...(value as number[])];
  }
  return state;
}

/** Puts back what `saveCore` gave. */
export function loadCore(core: Core, state: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(state)) {
    if (value instanceof Uint32Array) core.registers.set(value);
    else (core as unknown as Record<string, unknown>)[key] = Array.isArray(value) ? [...(value as number[])] : value;
  }
}
