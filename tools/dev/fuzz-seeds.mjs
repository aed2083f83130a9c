// What a fuzz door begins with: bytes out of the real vectors and the firmware's tests, in the door's own notation (see the top of each door).
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const hex = (text) => [...Buffer.from(text.replaceAll(" ", ""), "hex")];
/** ATRs of the cards in the tests, and of the standard's examples. */
const atrs = [
  "3bda13ff8131fb46801239 2f31c173c601c03b",
  "3be000ff8131fe4514",
  "3bf59100ff918171fe4000420001 00d1d6",
  "3b1011",
  "3b80811f021c",
  "3f2f008069af0202010000 0a0e8316 9f16",
].map(hex);
const jpki = hex("d392f000260100000001");
/** abPINDataStructure, verify and modify: fixed and variable, ASCII, BCD and binary, left and right, with a length inserted. */
const pinBlocks = [
  "00 1e 82 00 00 04 04 02 01 0904 00 000000 00200080",
  "00 1e 82 00 00 10 06 02 01 0904 00 000000 00200080",
  "00 00 82 08 00 08 04 02 01 0904 00 000000 0020008008 ffffffffffffffff",
  "00 0f 81 04 00 08 04 03 01 0904 00 000000 0020008004 ffffffff",
  "00 0f 89 47 04 0c 04 02 01 0904 00 000000 0020000108 20ffffffffffffff",
  "00 0f 86 08 00 08 04 07 01 0904 00 000000 0020008008 0000000000000000",
  "01 1e 82 00 00 00 00 10 06 01 02 02 0904 00 01 000000 00240180",
  "01 1e 82 00 00 00 08 08 04 03 02 03 0904 00 01 02 000000 0024008010 ffffffffffffffffffffffffffffffff",
  "01 00 82 08 00 00 00 08 04 00 02 00 0904 00 000000 0024018008 ffffffffffffffff",
  // chaining, secure messaging, another instruction: what must never carry a secret
  "00 1e 82 00 00 04 04 02 01 0904 00 000000 10200080",
  "00 1e 82 00 00 04 04 02 01 0904 00 000000 0c200080",
  "00 1e 82 00 00 04 04 02 01 0904 00 002000 00200080",
  "00 1e 82 00 00 04 04 02 01 0904 00 000000 002a0080",
].map(hex);
/** Key matrix bits: 1 2 3 correct / 4 5 6 clear / 7 8 9 cancel / mode 0 next OK. */
const keySequences = [
  [0, 1, 2, 4, 15],
  [0, 1, 2, 4, 15, 0, 1, 2, 4, 15],
  [12, 1, 1, 14, 2, 2, 2, 14, 8, 8, 13, 14, 9, 5, 6, 15],
  [0, 3, 1, 7, 11],
];

const doors = {
  atr: () => atrs.flatMap((atr) => [0, 1].map((mode) => [mode, ...atr])),
  pps: () => [
    ...atrs.flatMap((atr) => [1, 2, 5].map((how) => [how, atr.length, ...atr, 1, 7, 0, 1, 1])),
    [0, 1, 7, 1, 7, 0],
    [0, 0, 12, 1, 2, 0xff],
    [0, 1, 7, 0x12, 0xff, 1, 0],
  ],
  t0: () => [
    [10, 0, 0, 0, 0xa4, 4, 0x0c, 0, 7],
    [0, 5, 200, 0, 0xa4, 4, 0x0c, 10, 1, 7],
    [0, 5, 200, 0, 0xa4, 4, 0x0c, 3, 2, 2, 2, 5, 16, 4],
    [10, 1, 200, 0, 0xb0, 0, 0, 0, 6, 16, 4],
    [10, 1, 200, 0, 0xb0, 0, 0, 16, 0x13, 0x13, 11],
  ],
  t1: () => [
    [0, 251, 0, 0, 10, 100, 5],
    [2, 32, 0, 1, 200, 200, 100],
    [0, 32, 0, 1, 100, 255, 80, 0, 2, 0, 3, 5, 1, 4],
    [1, 251, 0, 0, 40, 100, 5, 6, 11, 1, 3, 6, 9, 1, 64, 6, 0, 2, 0x90, 0],
    [3, 32, 0, 1, 40, 200, 50, 0x0e, 0xc2, 0, 7, 30, 1, 2, 3],
  ],
  pin: () =>
    pinBlocks.flatMap((block, i) =>
      keySequences.map((keys, k) => [
        0xc3,
        0,
        0,
        [1, 3, 5, 7][(i + k) % 4],
        i % 3,
        0,
        i % 5,
        0,
        0,
        0,
        0,
        0,
        keys.length,
        ...keys,
        ...block,
      ]),
    ),
  guard: () => [
    [0, 0, 0, 0, 0x02, 0, 0, 0x04, 0, 0, 0x04, 0, 0],
    [0, 0, 0, 0, 0x12, 0, 0, 0x04, 7, 1, 0, 0x24, 8, 0, 0],
    [0, 9, 0, 0x60, 10, 4, 0x10, 0, 0, 0x60, 10, 5, 0, 0, 0x02, 0, 0, 0x04, 0, 1, 0],
    [0, 8, 0, 0, 0, 0x02, 0, 0, 0x04, 9, 1, 0],
    [2, 0, 0, 0, 0x22, 0, 0, 0x07, 0x80, 0, 0, 9, 0x07, 0x80, 1, 0, 0],
    [0, 15, ...jpki, 0, 0],
  ],
  link: () => {
    const { frames, garbage } = JSON.parse(
      readFileSync(fileURLToPath(new URL("../../device-proto/vectors/link.json", import.meta.url)), "utf8"),
    );
    const wires = [...frames, ...garbage].map(({ wire }) => hex(wire)).filter((wire) => wire.length <= 1500);
    const raw = wires.map((wire) =>
      Array.from({ length: Math.ceil(wire.length / 16) }, (_, i) => wire.slice(16 * i, 16 * i + 16)).flatMap((part) => [
        (part.length - 1) << 4,
        ...part,
      ]),
    );
    const status = [0x65, 0, 0, 0, 0, 0, 5, 0, 0, 0];
    return [
      ...raw,
      [1, 5, ...status, 10, 8, 4, 3, 14],
      [1, 6, 3, ...status, 10, 0xff, 4, 12, 1, 12, 2, 13, 9],
      [1, 0xf7, 20, ...Array.from({ length: 115 }, (_, i) => i), 10, 0xfd, 0x91, 4, 0x91, 0x91, 4, 1],
      [1, 0x18, 0x40, 0, 10, 0x72, 0, 0, 0, 0, 0, 9, 0, 0, 0],
    ];
  },
  ccid: () => {
    const luck = [0, 0, 8, 0, 2, 0, 0x30, 0, 0x4f, 0, 0x3e, 0, 0x3f, 0, 0, 0];
    const types = Array.from({ length: 16 }, (_, type) => [2, ...luck, 7, type, 20, ...hex("00a4040c0a"), ...jpki, 0x47, type, 1, 2, 3]);
    return [
      ...types,
      [2, ...luck, 7, 5, 0x40, 0x60, 0x41, 0x60, 0x42, 0x60, 0x44, 0x60, 0x4f, 0x60],
      [2, ...luck, 0x27, 2, 40, 1, ...Array(24).fill(7), 0x27, 2, 40, 3, ...Array(24).fill(8), 0x27, 2, 40, 2, ...Array(24).fill(9)],
      [2, ...luck, 7, 2, 20, 0, 0x84, 0, 0, 8, 1, 7, 15],
      [0, ...luck, 0x13, 3, 7, 1, 0x13, 7, 0],
    ];
  },
  pcscd: () => {
    const block = (how, ...rest) => [0x0d, how, ...rest];
    return [
      // a command in one block, in a chain, in a chain that is aborted, left open, given up for another face
      [0x0d, ...block(0x06, 7, 0, 0xa4, 4, 0, 2), 4],
      [0x3d, ...block(0x16, 7, 0, 0xa4, 4, 0, 2), 0, ...block(0x06, 9, 1, 2, 3, 4, 5), 4],
      [0x0d, ...block(0x16, 39, 1, 2, 3, 4, 5), 0, ...block(0x01, 2), 0, ...block(0x06, 2, 1, 2), 0],
      [0x0d, ...block(0x16, 39, 1, 2, 3, 4, 5), 0, 0x5a, 0xf5, ...block(0x06, 9, 1, 2, 3, 4, 5), 0, 0x29, 0],
      [0x0d, ...block(0x06, 9, 0, 0xb0, 0, 0, 0), 0x84, ...block(0x05), 0, ...block(0x05), 0, ...block(0x00, 0x10), 0],
      ...[0, 1, 2, 3].map((why) => [0x0d, ...block(0x06, 7, 0, 0xa4, 4, 0, 2), 0x40 | (why << 4)]),
      ...[7, 14, 21, 28, 35].map((luck) => [0x0d, 0x09, luck]),
      // a longer command that another one overtakes; what is too short for a command; a host that goes while its command runs
      [0x03, 0x7c, 0xf7],
      [0x5d, 0x2f, 0x8f, 0x26, 3, 0x60],
      [0x8d, 0x8d, 0x0b, 0xda, 0x0b, 9, 9, 0x85, 0x29, 9, 0xda, 0x29, 0x85, 9, 0x82],
      [0x0d, ...block(0x06, 7, 0, 0xa4, 4, 0, 2), 3, 0xe1, 0xe0, 0],
      ...Array.from({ length: 16 }, (_, i) => [0x05, (i << 4) | 7, 4]),
      ...[0x08, 0x18, 0x28, 0x48, 0x88, 0xc8].map((how) => [0x05, how, 0, 0xb0, 0, 0, 5, 0]),
      ...Array.from({ length: 19 }, (_, type) => [0x0d, 0x46, 0, 1, 2, 3, 4, 5, 6, 7, 8, type, 0]),
    ];
  },
  ppdu: () => [
    ...["ffc2010000", "ffc2010a00", "ffc2011200", "ffc2010100", "ffc20106", "ffca000000", "ffc2010603000000"].map((apdu) => [
      0,
      ...hex(apdu),
    ]),
    ...[1, 3, 5, 7, 0x41, 0x43].map((how) => [how, ...hex("1e0f82000004040201090400000000"), 5, 0, 0, 0, ...hex("0020008000000000")]),
    ...[0, 1, 2, 3, 255].map((messages) => [
      0x93,
      ...hex("1e0f820000000004040302"),
      messages,
      ...hex("090400010200000009000000002401800000000000"),
    ]),
  ],
  tpdu: () => [
    [0, 2, 3, 0x10, 0, 0xb0, 0, 0, 0, 4, 3, 0x52, 0, 0xd6, 0, 0, 1, 6],
    [2, 0x21, 0, 2, 3, 0x70, 9, 0, 0xd6, 0, 0, 9, 2, 2, 1, 6],
    [0x24, 0x12, 5, 6, 2],
    ...Array.from({ length: 8 }, (_, atr) => [atr | 0x20, 0x31, 0x96, 0, 0x12, 1, 2, 1]),
  ],
  service: () => [
    ...Array.from({ length: 16 }, (_, i) => [(i << 4) | 1, 7, 0, 0, 0, 0, 0, 0, 0, 0]),
    [0xfc, ...Array(32).fill(6), 5, 5, 3, 0x13],
    [0x0c, 9, 3, 6, 0, 9, 1, 3, 0x13],
  ],
  blackbox: () => [
    [0, 0x84, 6, 0xf5, 0xf3, 0x56, 0x80],
    [1, 0xff, 0xf0, 200, ...Array.from({ length: 200 }, (_, i) => (i % 37 === 0 ? 0xf1 : i)), 0xf3],
    [2, 12, ...Array.from({ length: 120 }, (_, i) => i * 7)],
    [0, 0x18, 9, 0xf5, 0x18, 40, 0xff, 0xf5],
    [0, ...Array(50).fill([0x04, 7, 0xf5]).flat(), 0x86],
    [16, 0x1a, 4, 6, 0x0a, 0x1b, 0xfc, 1, 0xfe, 9, 0xf5, 0xff],
  ],
  draw: () => [
    [0, 0, 0, 16, 4, 1, 2, 3],
    [5, 1, 2, 3, 4],
  ],
};

/** Writes the seeds of a door as files into `folder`. */
export function writeSeeds(door, folder) {
  for (const [index, bytes] of (doors[door]?.() ?? []).entries()) writeFileSync(join(folder, `seed-${index}`), Uint8Array.from(bytes));
}
