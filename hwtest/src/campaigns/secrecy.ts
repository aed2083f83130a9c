import { createHash } from "node:crypto";
import { JpkiTestCard } from "@inkan/sdk/testing";
import { TraceRecorder } from "@inkan/sdk/trace";
import { standardMaterial } from "../authority/index.js";
import { openVirtualReader, type VirtualReader } from "../board/open-virtual-reader.js";
import { T1Card } from "../cards/index.js";
import { randomSecret, sameShape } from "./secret-pair.js";
import { converse, deadly, type Fate, OLD_PASSWORD, person, type SecretSession } from "./secret-session.js";

/** By then an abort is answered on both pipes, ms. */
const ABORT_MS = 50;
/** Pairs of host-typed secrets that must all differ before it is no chance: one frame in 60 has a zero in its CRC. */
const HOST_PAIRS = 4;

/** Everything that left the reader, or stayed in it. Two sessions with different secrets must give the same. */
export interface Observation {
  /** Each IN packet and NAK the host saw, with its time in ns. */
  readonly wire: readonly string[];
  readonly trace: string;
  /** How the session ended for the caller. */
  readonly outcome: string;
  readonly endNs: number;
  /** What a bystander sees: each picture of the display with the chooser's cell masked, with its time. */
  readonly screens: readonly string[];
  /**
   * RAM at named moments: when the host has the answer (by then everything is wiped), when a HardFault's handler has let the chip reset, when
   * the loader has wiped and before it does anything else, at the end.
   */
  readonly ram: Readonly<Record<string, Uint8Array>>;
  readonly flash: string;
  readonly dpram: Uint8Array;
  /** State of every chip and board model but the card, leaf by leaf: path → value. */
  readonly models: Readonly<Record<string, string>>;
}

/** Runs one session from power-on to a second after its end, and returns all that can be seen of it. */
export async function observeSecret(session: SecretSession): Promise<Observation> {
  const material = standardMaterial();
  const { fate, kind = "verify", secret } = session;
  const held = kind === "modify" ? OLD_PASSWORD : fate === "wrong" ? differing(secret) : secret;
  const card = new T1Card(JpkiTestCard.standard({ ...material, signPassword: held }));
  const bench = await openVirtualReader({
    pace: "free",
    card,
    fingers: false,
    seed: session.seed,
    face: session.face ?? "usb",
    watchdog: fate === "watchdog" ? "reset" : "violation",
    ...(session.image ? { image: session.image } : {}),
    ...(session.boot ? { boot: session.boot } : {}),
  });
  try {
    const wire = tap(bench);
    const trace = new TraceRecorder();
    const abort = new AbortController();
    const ram = moments(bench, fate);
    const acting = person(bench, session, abort);
    const screens = watch(bench);
    // Where the host hears of the end before the reader does, the reader has not wiped yet: its end is looked at instead.
    const known = !["unplugged", "link-broken", "suspended", "usb-reset", ...deadly].includes(fate);
    const outcome = await converse(bench, session, trace, abort.signal, {
      sending: acting.sending,
      answered: async () => {
        // An abort is told to the program at once; the reader answers it a little later, and by then has wiped.
        if (fate === "aborted") await bench.board.run(ABORT_MS);
        if (known) ram["the host has the answer"] = bench.board.engine.save().ram;
      },
    });
    await acting.done();
    // Long enough for every screen to fall back and every buffer to be used again as it would be.
    await bench.board.run(1000);
    const { engine } = bench.board;
    const state = engine.save();
    ram["the end"] = state.ram;
    const models: Record<string, string> = {};
    for (const [name, model] of Object.entries(state.models)) if (name !== card.name) leaves(model, name, models);
    return {
      wire,
      trace: trace.toJsonLines(),
      outcome,
      endNs: bench.board.nowNs,
      screens,
      ram,
      flash: createHash("sha256").update(bench.board.flashImage).digest("hex"),
      dpram: state.dpram,
      models,
    };
  } finally {
    await bench.close();
  }
}

/** Takes pictures of RAM where a reader that dies must have wiped it. */
function moments(bench: VirtualReader, fate: Fate): Record<string, Uint8Array> {
  const { engine } = bench.board;
  const ram: Record<string, Uint8Array> = {};
  if (!deadly.includes(fate)) return ram;
  let dead = false;
  let loading = false;
  bench.board.on((event) => {
    if (event.type !== "state") return;
    // Its handler has wiped before it lets go; who only loses power or its CPU cannot.
    if (event.state === "rom" && fate === "hard-fault") ram["the chip resets"] = engine.chip.sram.slice();
    if (event.state === "rom") dead = true;
    else loading = dead && event.state === "running";
  });
  // The clocks are the first thing the loader touches after its wipe.
  engine.listenClocks(() => {
    if (loading) ram["the loader goes on"] = engine.chip.sram.slice();
    loading = false;
  });
  return ram;
}

/** What differs between two observations, in words: empty = nothing. */
export function differences(a: Observation, b: Observation): string[] {
  const found: string[] = [];
  const lines = firstDifference(a.wire, b.wire);
  if (lines) found.push(`host-bound bytes or their times: ${lines}`);
  if (a.trace !== b.trace) found.push("the trace");
  if (a.outcome !== b.outcome) found.push(`the outcome: ${a.outcome} / ${b.outcome}`);
  if (a.endNs !== b.endNs) found.push(`the end: ${a.endNs} / ${b.endNs} ns`);
  const pictures = firstDifference(a.screens, b.screens);
  if (pictures) found.push(`the display: ${pictures}`);
  if (a.flash !== b.flash) found.push("flash");
  const places: [string, number, Uint8Array, Uint8Array | undefined][] = [["DPRAM", 0x50100000, a.dpram, b.dpram]];
  for (const moment of new Set([...Object.keys(a.ram), ...Object.keys(b.ram)]))
    places.push([`RAM when ${moment},`, 0x20000000, a.ram[moment] ?? new Uint8Array(0), b.ram[moment]]);
  for (const [name, base, x, y] of places) {
    const at = x.length === y?.length ? x.findIndex((byte, index) => byte !== y[index]) : 0;
    if (at >= 0) found.push(`${name} at 0x${(base + at).toString(16)}`);
  }
  for (const path of new Set([...Object.keys(a.models), ...Object.keys(b.models)]))
    if (a.models[path] !== b.models[path]) found.push(`${path}: ${short(a.models[path])} / ${short(b.models[path])}`);
  return found;
}

/**
 * Runs a session with two random secrets of one shape; what tells them apart, empty = nothing. What a host typed it sends itself, and a frame
 * takes a little longer when its CRC has a zero byte (COBS): a difference of such a pair is chance when another pair shows none.
 */
export async function compareSecrets(
  session: Omit<SecretSession, "secret">,
  random: (below: number) => number,
  length: number,
): Promise<{ readonly secret: string; readonly first: Observation; readonly found: readonly string[] }> {
  for (let pair = 1; ; pair++) {
    const secret = randomSecret(random, length);
    const other = sameShape(random, secret);
    const first = await observeSecret({ ...session, secret });
    const found = differences(first, await observeSecret({ ...session, secret: other }));
    if (found.length === 0 || session.kind !== "host" || pair === HOST_PAIRS) return { secret, first, found };
  }
}

/** Where a secret stands in what was observed, in any encoding a careless program would leave: empty = nowhere. */
export function findSecret(secret: string, observation: Observation): string[] {
  const text = Buffer.from(secret, "ascii");
  const places: Record<string, Buffer> = {
    ...Object.fromEntries(Object.entries(observation.ram).map(([moment, ram]) => [`RAM when ${moment}`, Buffer.from(ram)])),
    DPRAM: Buffer.from(observation.dpram),
    wire: Buffer.from(observation.wire.map((line) => line.split(" ").at(-1)!).join(""), "hex"),
  };
  const texts: Record<string, string> = {
    trace: observation.trace,
    outcome: observation.outcome,
    models: Object.values(observation.models).join("\n"),
    wire: observation.wire.join(""),
  };
  const found: string[] = [];
  const encodings: Record<string, Buffer> = {
    plain: text,
    reversed: Buffer.from(text).reverse(),
    inverted: Buffer.from(text.map((byte) => byte ^ 0xff)),
    "bit-reversed": Buffer.from(text.map((byte) => Number.parseInt(byte.toString(2).padStart(8, "0").split("").reverse().join(""), 2))),
    "lower case": Buffer.from(secret.toLowerCase(), "ascii"),
    utf16: Buffer.from(secret, "utf16le"),
    words: Buffer.from(Uint32Array.from(text).buffer),
    halfwords: Buffer.from(Uint16Array.from(text).buffer),
  };
  for (const [encoding, bytes] of Object.entries(encodings)) {
    for (const [place, content] of Object.entries(places)) if (content.includes(bytes)) found.push(`${encoding} in ${place}`);
    const forms = { hex: bytes.toString("hex"), base64: bytes.toString("base64").replace(/=+$/, ""), decimal: [...bytes].join(",") };
    for (const [form, needle] of Object.entries(forms))
      for (const [place, content] of Object.entries(texts))
        if (content.toLowerCase().includes(needle.toLowerCase())) found.push(`${encoding} as ${form} in ${place}`);
  }
  return found;
}

/** Looks at the display: each different picture, masked, with the time it appeared. */
function watch(bench: VirtualReader): string[] {
  const pictures: string[] = [];
  let last = "";
  bench.board.on((event) => {
    if (event.type !== "display") return;
    const picture = createHash("sha256").update(bench.board.display.pixels).digest("hex").slice(0, 16);
    if (picture !== last) pictures.push(`${bench.board.nowNs} ${picture}`);
    last = picture;
  });
  return pictures;
}

/** Listens on the bus: every answer of the device to an IN token, ACKed or not, with its time. */
export function tap(bench: VirtualReader): string[] {
  const lines: string[] = [];
  const { controller } = bench.board.usb.host;
  const original = controller.beginIn.bind(controller);
  controller.beginIn = (address, number) => {
    const answer = original(address, number);
    const data = answer.handshake === "ack" ? Buffer.from(answer.data).toString("hex") : "";
    // A NAK says nothing but "not yet", and is part of what a host sees.
    lines.push(`${bench.board.nowNs} ${number} ${answer.handshake} ${data}`);
    return answer;
  };
  return lines;
}

function differing(secret: string): string {
  return secret.startsWith("A") ? `B${secret.slice(1)}` : `A${secret.slice(1)}`;
}

function short(value: string | undefined): string {
  return value === undefined ? "nothing" : value.length > 60 ? `${value.slice(0, 60)}… (${value.length})` : value;
}

function firstDifference(a: readonly string[], b: readonly string[]): string | undefined {
  const at = a.findIndex((line, index) => line !== b[index]);
  if (at >= 0) return `line ${at}: "${a[at]}" / "${b[at] ?? "nothing"}"`;
  return a.length === b.length ? undefined : `${a.length} / ${b.length} lines`;
}

/**
 * Every leaf of a model's state by its path; arrays of bytes are one leaf. Left out: the slot's record of the card, which knows its own
 * secret, the moments at which wires changed last (the keys the person pressed, as the world saw them; no register shows them), and how
 * many pages the person saw change (the letter in the chooser's cell; what the panel holds at the end is compared).
 */
export function leaves(value: unknown, path: string, into: Record<string, string>): void {
  if (path === "slot.card" || path === "display.revision" || /^pio\d\.changedNs$/.test(path)) return;
  if (ArrayBuffer.isView(value)) into[path] = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex");
  else if (value !== null && typeof value === "object")
    for (const [key, part] of Object.entries(value)) leaves(part, `${path}.${key}`, into);
  else into[path] = String(value);
}
