import { createHash } from "node:crypto";
import { Reader, isInkanError } from "@inkan/sdk";
import { openJpki } from "@inkan/sdk/jpki";
import { JpkiTestCard } from "@inkan/sdk/testing";
import { TraceRecorder } from "@inkan/sdk/trace";
import { standardMaterial } from "../authority/index.js";
import { keysFor } from "../board/fingers.js";
import { openVirtualReader, type VirtualReader } from "../board/open-virtual-reader.js";
import { T1Card } from "../cards/index.js";

/** How a session with a secret can end. */
export const fates = ["accepted", "wrong", "cancelled", "timed-out", "card-pulled", "unplugged", "aborted"] as const;
/** One of {@link fates}. */
export type Fate = (typeof fates)[number];

/** One session to watch. */
export interface SecretSession {
  readonly fate: Fate;
  /** What the person types. */
  readonly secret: string;
  readonly seed: number;
  readonly face?: "usb" | "link";
  /** Another image in place of the released one: the negative controls. */
  readonly image?: Uint8Array;
  readonly boot?: Uint8Array;
}

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
  /** RAM at the moment the host has the answer: by then everything is wiped. Empty where the host knows before the reader does. */
  readonly ramAtAnswer: Uint8Array;
  readonly flash: string;
  readonly ram: Uint8Array;
  readonly dpram: Uint8Array;
  /** State of every chip and board model but the card, leaf by leaf: path → value. */
  readonly models: Readonly<Record<string, string>>;
}

const LOOK_MS = 250;

/** Runs one session from power-on to a second after its end, and returns all that can be seen of it. */
export async function observeSecret(session: SecretSession): Promise<Observation> {
  const material = standardMaterial();
  const card = new T1Card(
    JpkiTestCard.standard({ ...material, signPassword: session.fate === "wrong" ? differing(session.secret) : session.secret }),
  );
  const bench = await openVirtualReader({
    pace: "free",
    card,
    fingers: false,
    seed: session.seed,
    face: session.face ?? "usb",
    ...(session.image ? { image: session.image } : {}),
    ...(session.boot ? { boot: session.boot } : {}),
  });
  try {
    const wire = tap(bench);
    const trace = new TraceRecorder();
    const abort = new AbortController();
    const typing = person(bench, session, abort);
    const screens = watch(bench);
    const { outcome, ramAtAnswer } = await converse(bench, trace, abort.signal, session.fate !== "unplugged");
    await typing();
    // Long enough for every screen to fall back and every buffer to be used again as it would be.
    await bench.board.run(1000);
    const { engine } = bench.board;
    const state = engine.save();
    const models: Record<string, string> = {};
    for (const [name, model] of Object.entries(state.models)) if (name !== card.name) leaves(model, name, models);
    return {
      wire,
      trace: trace.toJsonLines(),
      outcome,
      endNs: bench.board.nowNs,
      screens,
      ramAtAnswer,
      flash: createHash("sha256").update(bench.board.flashImage).digest("hex"),
      ram: state.ram,
      dpram: state.dpram,
      models,
    };
  } finally {
    await bench.close();
  }
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
  for (const [name, x, y] of [
    ["RAM", a.ram, b.ram],
    ["RAM when the host had the answer,", a.ramAtAnswer, b.ramAtAnswer],
    ["DPRAM", a.dpram, b.dpram],
  ] as const) {
    const at = x.findIndex((byte, index) => byte !== y[index]);
    if (at >= 0) found.push(`${name} at 0x${((name === "DPRAM" ? 0x50100000 : 0x20000000) + at).toString(16)}`);
  }
  for (const path of new Set([...Object.keys(a.models), ...Object.keys(b.models)]))
    if (a.models[path] !== b.models[path]) found.push(`${path}: ${short(a.models[path])} / ${short(b.models[path])}`);
  return found;
}

/** Where a secret stands in what was observed, in any encoding a careless program would leave: empty = nowhere. */
export function findSecret(secret: string, observation: Observation): string[] {
  const text = Buffer.from(secret, "ascii");
  const places: Record<string, Buffer> = {
    RAM: Buffer.from(observation.ram),
    "RAM when the host had the answer": Buffer.from(observation.ramAtAnswer),
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

/** The host's side: what any program would do. Returns how it ended, in one word. */
async function converse(
  bench: VirtualReader,
  trace: TraceRecorder,
  signal: AbortSignal,
  look: boolean,
): Promise<{ outcome: string; ramAtAnswer: Uint8Array }> {
  const reader = await Reader.open(await bench.transport(), { clock: bench.clock, trace });
  try {
    const connected = await reader.connect({});
    const jpki = await openJpki(connected);
    const outcome = await jpki.verify("sign", { on: "pad" }, { signal }).then(
      () => "verified",
      (error: unknown) => (isInkanError(error) ? `${error.code} ${error.secretTriesLeft ?? ""}` : String(error)),
    );
    return { outcome, ramAtAnswer: look ? bench.board.engine.save().ram : new Uint8Array() };
  } finally {
    await reader.close();
  }
}

/** The person: types when the lamp goes on, then lets the session end as its fate says. Returns a wait for the last key to be up. */
function person(bench: VirtualReader, { fate, secret }: SecretSession, abort: AbortController): () => Promise<void> {
  const { board } = bench;
  let act: Promise<void> = Promise.resolve();
  let begun = false;
  const release = board.on((event) => {
    if (event.type !== "lamp" || !event.lit || begun) return;
    begun = true;
    act = (async () => {
      await board.engine.pump.sleep(LOOK_MS);
      const keys = keysFor(secret);
      const typed = fate === "accepted" || fate === "wrong" ? keys : keys.slice(0, -1);
      await board.type(typed);
      if (fate === "cancelled") await board.type(["cancel"]);
      else if (fate === "card-pulled") board.slot.remove();
      else if (fate === "unplugged") board.usb.detach();
      else if (fate === "aborted") abort.abort();
    })();
    // Awaited after the conversation; until then its failure is nobody's surprise.
    act.catch(() => undefined);
  });
  return async () => {
    release();
    await act;
  };
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
function tap(bench: VirtualReader): string[] {
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
function leaves(value: unknown, path: string, into: Record<string, string>): void {
  if (path === "slot.card" || path === "display.revision" || /^pio\d\.changedNs$/.test(path)) return;
  if (ArrayBuffer.isView(value)) into[path] = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex");
  else if (value !== null && typeof value === "object")
    for (const [key, part] of Object.entries(value)) leaves(part, `${path}.${key}`, into);
  else into[path] = String(value);
}
