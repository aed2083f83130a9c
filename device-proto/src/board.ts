/**
 * The board definition: which GPIO does what, and where things lie in flash and RAM. One table for the firmware
 * (printed as `firmware/gen/board_gen.h`) and for the virtual board, so the two cannot disagree.
 */

/** GPIO numbers of the RP2040. Active levels are part of the name's comment. */
export const pins = {
  /** UART0, the link on a plain serial line. */
  uart0Tx: 0,
  uart0Rx: 1,
  /** Card I/O: one open-drain line, driven by PIO0 SM0; external 10 k pull-up to card VCC. */
  cardIo: 2,
  /** Card RST, active low at the card: 0 = reset. */
  cardRst: 3,
  /** I2C0 to the SSD1306 (address 0x3C). */
  displaySda: 4,
  displayScl: 5,
  /** 1 = a card is in the slot (switch closed). External pull-down. */
  cardPresent: 8,
  /** 0 = the front end reports over-current. External pull-up. */
  cardOverCurrentN: 9,
  /** Keypad rows, driven low one at a time (open drain), and columns, read with pull-up. */
  keypadRow0: 10,
  keypadRow1: 11,
  keypadRow2: 12,
  keypadRow3: 13,
  keypadCol0: 14,
  keypadCol1: 15,
  keypadCol2: 16,
  keypadCol3: 17,
  /** "Enter your secret now" lamp, 1 = lit. Only firmware/pinpad drives it. */
  lamp: 19,
  /** Piezo buzzer, square wave by PWM slice 2 channel A, 50 % duty. */
  buzzer: 20,
  /** Card CLK = CLK_GPOUT0 = clk_sys / 35. */
  cardClk: 21,
  /** 1 = front end supplies VCC to the card. */
  cardVcc: 22,
  /** Voltage class for the front end: 26 = bit 0, 27 = bit 1; 1 = class A (5 V), 2 = class B (3 V), 3 = class C (1.8 V). */
  cardVsel0: 26,
  cardVsel1: 27,
} as const;

/** What stands on the 4×4 pad, row by row: [row][column]. */
export const keypadLayout = [
  ["1", "2", "3", "correct"],
  ["4", "5", "6", "clear"],
  ["7", "8", "9", "cancel"],
  ["mode", "0", "next", "ok"],
] as const;
/** A key's name: a digit, or `mode` (digit/letter switch, printed *), `next` (commit a letter, printed #), `correct`, `clear`, `cancel`, `ok`. */
export type KeyName = (typeof keypadLayout)[number][number];
/** Every key once, in the order of {@link keypadLayout}. */
export const KEYS: readonly KeyName[] = keypadLayout.flat();

/** Offsets in flash (bytes from the start of the W25Q16, 2 MiB) and sizes in bytes. */
export const flashMap = {
  size: 0x200000,
  boot2: { at: 0x000000, size: 0x100 },
  loader: { at: 0x000100, size: 32512 },
  bootState: { at: 0x008000, size: 0x2000 },
  slotA: { at: 0x010000, size: 0x80000 },
  slotB: { at: 0x090000, size: 0x80000 },
  blackBox: { at: 0x110000, size: 0x40000 },
  settings: { at: 0x150000, size: 0x2000 },
} as const;

/** RAM addresses. The image is linked for `imageLoad`; its vector table stands at `imageLoad + imageHeader` (M0+ VTOR wants 256-byte alignment). */
export const ramMap = {
  imageLoad: 0x20000000,
  imageHeader: 0x100,
  /** Image with header and TLVs, at most. */
  imageMax: 112 * 1024,
  /** Survives resets: boot count, crash record, black box. The loader's wipe leaves it out. */
  noInit: 0x2003f000,
  noInitSize: 0x1000,
  end: 0x20042000,
  /** Main stack: the two 4 KiB banks SCRATCH_X and SCRATCH_Y. */
  stackTop: 0x20042000,
  stackSize: 0x2000,
} as const;

/** Clocks in Hz. The card clock is clk_sys / 35. */
export const clocks = { xosc: 12_000_000, sys: 125_000_000, usb: 48_000_000, cardDivider: 35 } as const;
