/**
 * Names of the RP2040 USB controller's registers and bits as far as device mode uses them (datasheet §4.1.4, and §4.1.2.5 for
 * the dual-port RAM). The only place of the virtual board where these numbers are written.
 */

/** Base of the dual-port RAM and its size in bytes. */
export const DPRAM_SIZE = 0x1000;
/** Interrupt number in the NVIC and bit number in RESETS. */
export const USBCTRL_IRQ = 5;
export const RESET_USBCTRL = 24;
/** Key of the controller in rp2040js' table of peripherals (0x50110000 >> 14 << 2). */
export const PERIPHERAL_KEY = 0x50110;

/** Register offsets. */
export const reg = {
  addrEndp: 0x00,
  mainCtrl: 0x40,
  sofWr: 0x44,
  sofRd: 0x48,
  sieCtrl: 0x4c,
  sieStatus: 0x50,
  intEpCtrl: 0x54,
  buffStatus: 0x58,
  buffCpuShouldHandle: 0x5c,
  epAbort: 0x60,
  epAbortDone: 0x64,
  epStallArm: 0x68,
  nakPoll: 0x6c,
  epStatusStallNak: 0x70,
  usbMuxing: 0x74,
  usbPwr: 0x78,
  phyDirect: 0x7c,
  phyDirectOverride: 0x80,
  phyTrim: 0x84,
  intr: 0x8c,
  inte: 0x90,
  intf: 0x94,
  ints: 0x98,
} as const;

/** MAIN_CTRL. */
export const main = { controllerEn: 1 << 0, hostNdevice: 1 << 1, mask: 0x80000003 } as const;

/** SIE_CTRL, device mode. `writable` leaves the self-clearing bits out. */
export const sieCtrl = {
  ep0IntStall: 0x80000000,
  ep0DoubleBuf: 1 << 30,
  ep0Int1Buf: 1 << 29,
  ep0Int2Buf: 1 << 28,
  ep0IntNak: 1 << 27,
  transceiverPd: 1 << 18,
  pullupEn: 1 << 16,
  resume: 1 << 12,
  writable: 0xff07_8f4e,
} as const;

/** SIE_STATUS. `writeClear` are the latched bits; the others show a state. */
export const sieStatus = {
  dataSeqError: 0x80000000,
  ackRec: 1 << 30,
  rxTimeout: 1 << 27,
  busReset: 1 << 19,
  transComplete: 1 << 18,
  setupRec: 1 << 17,
  connected: 1 << 16,
  resume: 1 << 11,
  suspended: 1 << 4,
  lineStateLsb: 2,
  vbusDetected: 1 << 0,
  writeClear: 0xff0e_0800,
} as const;

/** INTR/INTE/INTF/INTS, device mode. */
export const irq = {
  epStallNak: 1 << 19,
  abortDone: 1 << 18,
  devSof: 1 << 17,
  setupReq: 1 << 16,
  devResume: 1 << 15,
  devSuspend: 1 << 14,
  devConnDis: 1 << 13,
  busReset: 1 << 12,
  vbusDetect: 1 << 11,
  errorRxTimeout: 1 << 6,
  errorDataSeq: 1 << 5,
  buffStatus: 1 << 4,
  transComplete: 1 << 3,
  mask: 0xfffff,
} as const;

/** USB_MUXING and USB_PWR. */
export const muxing = { toPhy: 1 << 0, softcon: 1 << 3, mask: 0xf } as const;
export const pwr = { vbusDetect: 1 << 2, vbusDetectOverrideEn: 1 << 3, mask: 0x3f } as const;

/** Endpoint control word in the dual-port RAM (0x08 + 8·(ep−1), IN first, then OUT). */
export const epCtrl = {
  enable: 0x80000000,
  doubleBuffered: 1 << 30,
  intPerBuffer: 1 << 29,
  intPerTwo: 1 << 28,
  typeLsb: 26,
  typeIsochronous: 1,
  intOnStall: 1 << 17,
  intOnNak: 1 << 16,
  addressMask: 0xffc0,
} as const;

/** One half (16 bits) of a buffer control word (0x80 + 8·ep, IN first, then OUT). */
export const buf = {
  lengthMask: 0x3ff,
  available: 1 << 10,
  /** Only in the lower half. */
  stall: 1 << 11,
  /** Only in the lower half: reset buffer select. */
  resetSelect: 1 << 12,
  data1: 1 << 13,
  last: 1 << 14,
  full: 1 << 15,
} as const;

/** Where the dual-port RAM's parts begin. */
export const dpram = { setup: 0x00, epCtrl: 0x08, bufCtrl: 0x80, ep0Buffer: 0x100, buffers: 0x180 } as const;
