import { encodeCommand } from "@inkan/device-proto";
import { isInkanError, Reader } from "@inkan/sdk";
import { openJpki } from "@inkan/sdk/jpki";
import { BoardViolation } from "../board/violation.js";
import { T1Card } from "../cards/index.js";
import { openVirtualReader, type VirtualReader } from "../board/open-virtual-reader.js";
import { firstLineFault } from "./line-faults.js";
import { playPcscd } from "./pcscd-scene.js";
import { differences, observeSecret } from "./secrecy.js";
import type { SecretSession } from "./secret-session.js";

/** What is done with an image so that its fault shows. */
export type Scene = "line-faults" | "boot" | "idle" | "replug" | "clock-stop" | "card" | "pull" | "two-keys" | "secret" | "pcscd";

/** A deliberately wrong image and what must stop it: a rule's name, a state, or `secrecy` for non-interference. */
export interface NegativeCase {
  /** The switch in firmware/negative.h, without `NEGATIVE_`. */
  readonly name: string;
  readonly scene: Scene;
  /** Exactly what catches it. */
  readonly caughtBy: string;
}

const boot = (name: string, caughtBy: string): NegativeCase => ({ name, scene: "boot", caughtBy });

/** Every switch of firmware/negative.h: one that is missing here, or here and not there, fails `npm run test:negative`. */
export const negativeCases: readonly NegativeCase[] = [
  boot("NO_FULL_BIT", "usb/no-full-bit"),
  boot("AVAILABLE_AT_ONCE", "usb/available-with-length"),
  boot("EP0_NOT_CLAMPED", "usb/control-overrun"),
  boot("NO_STALL", "usb/no-answer"),
  boot("USED_IN_RESET", "reset/not-done"),
  boot("PIN_NOT_MUXED", "pins/not-muxed"),
  boot("PAD_NO_INPUT", "pins/input-disabled"),
  boot("XIP_READ_OUT_OF_XIP", "flash/xip-off"),
  boot("XIP_FETCH_OUT_OF_XIP", "flash/xip-off"),
  boot("MEMSET_FROM_XIP", "flash/xip-off"),
  boot("XIP_STORE", "flash/store-to-xip"),
  boot("WFI_RACE", "cpu/wfi-race"),
  boot("VCC_WITHOUT_CARD", "slot/vcc-without-card"),
  boot("UNALIGNED", "bus/unaligned"),
  boot("STACK_OVERFLOW", "cpu/stack"),
  boot("UART_DIVIDER", "uart/divider"),
  boot("BOOT2_CRC", "bootsel"),
  boot("XIP_NOT_RESTORED", "flash/xip-off"),
  { name: "WATCHDOG_NOT_FED", scene: "idle", caughtBy: "watchdog/expired" },
  { name: "WFI_FOREVER", scene: "idle", caughtBy: "watchdog/expired" },
  { name: "WRONG_TOGGLE", scene: "card", caughtBy: "usb/wrong-toggle" },
  { name: "ARMED_BEFORE_COPY", scene: "card", caughtBy: "usb/buffer-touched-while-armed" },
  { name: "BUFFER_SELECT_KEPT", scene: "replug", caughtBy: "usb/wrong-toggle" },
  { name: "NO_SCHMITT", scene: "card", caughtBy: "slot/io-pad" },
  { name: "CARD_IO_PULLED_DOWN", scene: "card", caughtBy: "slot/io-pad" },
  { name: "RST_EARLY", scene: "card", caughtBy: "slot/rst-early" },
  { name: "GUARD_TIME", scene: "card", caughtBy: "card-line/guard-time" },
  { name: "TURN_ROUND", scene: "card", caughtBy: "card-line/turnaround" },
  { name: "TCK_NOT_AWAITED", scene: "card", caughtBy: "card-line/while-sending" },
  { name: "PPS_RATE_AT_ONCE", scene: "card", caughtBy: "card-line/pps-turnaround" },
  { name: "NS_NOT_CHECKED", scene: "line-faults", caughtBy: "line-faults" },
  { name: "EDC_NOT_CHECKED", scene: "line-faults", caughtBy: "line-faults" },
  { name: "VCC_OFF_FIRST", scene: "card", caughtBy: "slot/deactivation-order" },
  { name: "CLOCK_STOPS_AT_ONCE", scene: "clock-stop", caughtBy: "slot/clock-stop" },
  { name: "CLOCK_NOT_AWAITED", scene: "clock-stop", caughtBy: "slot/clock-restart" },
  { name: "WRONG_OFF_ORDER", scene: "pull", caughtBy: "slot/deactivation-order" },
  { name: "NO_EMERGENCY_OFF", scene: "pull", caughtBy: "slot/vcc-without-card" },
  { name: "ROW_DRIVEN_HIGH", scene: "two-keys", caughtBy: "pins/contention" },
  { name: "PCSCD_LATE_ANSWER", scene: "pcscd", caughtBy: "pcscd-framing" },
  { name: "PCSCD_STRAY_BYTE", scene: "pcscd", caughtBy: "pcscd-framing" },
  { name: "TPDU_PROLOGUE", scene: "pcscd", caughtBy: "pcscd-prologue" },
  { name: "NO_WIPE", scene: "secret", caughtBy: "secrecy" },
  { name: "KEY_STAYS", scene: "secret", caughtBy: "secrecy" },
  { name: "LINE_NOT_WIPED", scene: "secret", caughtBy: "secrecy" },
  { name: "OUT_BUFFER_STAYS", scene: "secret", caughtBy: "secrecy" },
  { name: "NO_FAULT_WIPE", scene: "secret", caughtBy: "secrecy" },
  { name: "NO_LOADER_WIPE", scene: "secret", caughtBy: "secrecy" },
  { name: "DIGITS_DRAWN", scene: "secret", caughtBy: "secrecy" },
];

/**
 * Switches whose fault does not show on the board: on the ARM image nothing of a secret happens to be spilled to the stack, so that
 * the scrub is a second lock. The C program named here shows on a PC that the lock holds.
 */
export const shownByHostTests: Readonly<Record<string, string>> = { NO_SCRUB: "test_negative_scrub.c" };

/** Switches that only a real host's drivers can name; `npm run test:usb` boots each and looks for the check that must fail. */
export const shownByGuest: readonly string[] = ["DESCRIPTOR_LIES", "INTERRUPT_SILENT", "STATUS_STALLED"];

/** Two secrets of one shape: see `sameShape`. Written out, so that a failure is the same everywhere. */
const PAIR = ["AD10GJ", "TW01MP"] as const;

/** Plays the scene with an image. Returns what stopped it, or "nothing". */
export async function playNegative(scene: Scene, image: Uint8Array, bootCode: Uint8Array): Promise<string> {
  if (scene === "line-faults") return (await firstLineFault(image, bootCode)) === undefined ? "nothing" : "line-faults";
  if (scene === "secret") return playSecret(image, bootCode);
  const bench = await openVirtualReader({
    pace: "free",
    card: scene === "boot" || scene === "idle" ? "none" : scene === "clock-stop" ? restingCard() : "standard",
    fingers: false,
    image,
    boot: bootCode,
  });
  try {
    if (scene === "pcscd") return await openPort(bench);
    await play(scene, bench);
    return bench.board.state === "running" ? "nothing" : bench.board.state;
  } catch (error) {
    // A board that stopped for good says why, whatever the host made of it.
    const cause = bench.board.failure ?? error;
    if (cause instanceof BoardViolation) return cause.rule;
    if (bench.board.state === "bootsel") return "bootsel";
    throw error;
  } finally {
    await bench.close();
  }
}

async function openPort(bench: VirtualReader): Promise<string> {
  await bench.board.usb.attach();
  await bench.board.run(300);
  await bench.board.cdc.open();
  return playPcscd(bench);
}

async function play(scene: Scene, bench: VirtualReader): Promise<void> {
  const { board } = bench;
  await board.run(20);
  if (board.state === "bootsel") return;
  if (scene === "clock-stop") return restClock(bench);
  const reader = await Reader.open(await bench.transport(), { clock: bench.clock });
  if (scene === "idle") await board.run(6000);
  if (scene === "replug") {
    // Three packets went out and three came: the buffers' turn stands at the second half when the next host begins.
    board.usb.detach();
    await board.run(50);
    await Reader.open(await bench.transport(), { clock: bench.clock });
  }
  if (scene === "two-keys") await pressTwo(bench, reader);
  if (scene === "card" || scene === "pull") {
    const card = await reader.connect({});
    if (scene === "pull") {
      board.slot.remove();
      await board.run(50);
    } else await card.disconnect();
  }
  await board.run(50);
  await reader.close();
}

/** A card whose clock may rest low (TA for T=15), which answers everything with 9000. */
function restingCard(): T1Card {
  const atr = Uint8Array.of(0x3b, 0xd0, 0x97, 0xff, 0x81, 0xb1, 0xfe, 0x46, 0x1f, 0x47, 0x68);
  return new T1Card({ atr, powerOn: () => atr, transmit: () => ({ response: Uint8Array.of(0x90, 0x00), thinkMs: 0 }) });
}

/** An exchange, the clock stopped, an exchange: the reader has to let it run again. */
async function restClock(bench: VirtualReader): Promise<void> {
  const transport = await bench.transport();
  const apdu = Uint8Array.of(0x00, 0xb0, 0x00, 0x00);
  const messages = [
    ["IccPowerOn", 0],
    ["XfrBlock", 0, apdu],
    ["IccClock", 1],
    ["XfrBlock", 0, apdu],
    ["IccPowerOff", 0],
  ] as const;
  for (const [sequence, [name, first, data]] of messages.entries()) {
    const answered = new Promise<Uint8Array>((resolve) => (transport.onMessage = resolve));
    await transport.send(encodeCommand({ name, slot: 0, sequence, specific: [first, 0, 0], data: data ?? new Uint8Array(0) }));
    const answer = await bench.board.engine.pump.hold(answered);
    if (answer[7]! >> 6 !== 0) throw new Error(`${name} failed`);
  }
}

/** The pad is scanned while it asks: one hand lies on two keys of one column. */
async function pressTwo(bench: VirtualReader, reader: Reader): Promise<void> {
  const { board } = bench;
  const abort = new AbortController();
  let hand: Promise<void> = Promise.resolve();
  board.on((event) => {
    if (event.type !== "lamp" || !event.lit) return;
    hand = (async () => {
      await board.run(100);
      for (const key of ["1", "4"] as const) board.keypad.set(key, true);
      await board.run(100);
      for (const key of ["1", "4"] as const) board.keypad.set(key, false);
      await board.run(100);
      abort.abort();
    })();
    // A board that stops under the hand is what this scene is for; `verify` rejects with the same reason.
    hand.catch(() => undefined);
  });
  const jpki = await openJpki(await reader.connect({}));
  await jpki.verify("sign", { on: "pad" }, { signal: abort.signal }).catch((error: unknown) => {
    if (!isInkanError(error, "aborted")) throw error;
  });
  await hand;
}

/** Every end but the slow one, until one tells the two secrets apart. */
async function playSecret(image: Uint8Array, bootCode: Uint8Array): Promise<string> {
  const ends: readonly Pick<SecretSession, "fate" | "kind">[] = [
    { fate: "accepted" },
    { fate: "aborted" },
    { fate: "cancelled" },
    { fate: "card-pulled" },
    { fate: "hard-fault" },
    { fate: "watchdog" },
    { fate: "accepted", kind: "host" },
  ];
  for (const end of ends) {
    const session = { ...end, seed: 3, image, boot: bootCode };
    const [first, second] = [await observeSecret({ ...session, secret: PAIR[0] }), await observeSecret({ ...session, secret: PAIR[1] })];
    if (differences(first, second).length > 0) return "secrecy";
  }
  return "nothing";
}
