import { Deframer, encodeFrame, type Frame, linkLimits } from "@inkan/device-proto";
import { seeded } from "./secret-pair.js";

type Random = (below: number) => number;

/** What is done to a frame; a test does nothing, to see that it is noticed. */
export type Damage = (good: Uint8Array, random: Random) => Uint8Array;

/** A frame of any kind; most are short, as most are. */
export function randomFrame(random: Random): Frame {
  const length = random(8) === 0 ? random(linkLimits.maxPayload + 1) : random(80);
  const zeros = random(4);
  const payload = new Uint8Array(length);
  for (let i = 0; i < length; i++) payload[i] = zeros !== 0 && random(1 + zeros) === 0 ? 0 : random(256);
  const channel = random(4);
  return {
    channel,
    session: channel === 0 ? 1 + random(10) : 0,
    more: random(2) === 1,
    seq: random(256),
    ack: random(256),
    tag: random(256),
    payload,
  };
}

/** Spoils what stands between the delimiters of a frame, so that it differs in at least one byte. */
export function spoil(good: Uint8Array, random: Random): Uint8Array {
  for (;;) {
    const bytes = [...good];
    const inner = bytes.length - 2;
    const at = 1 + random(inner);
    switch (random(6)) {
      case 0:
        bytes[at]! ^= 1 << random(8);
        break;
      case 1:
        for (let left = 2 + random(7); left > 0; left--) bytes[1 + random(inner)]! ^= 1 << random(8);
        break;
      case 2:
        for (let i = at; i < bytes.length - 1 && i < at + 32; i++) bytes[i] = random(256);
        break;
      case 3:
        bytes.splice(at, 1 + random(Math.min(8, bytes.length - 1 - at)));
        break;
      case 4:
        // A zero before the first would be one more delimiter, and no damage.
        bytes.splice(at, 0, 1 + random(255));
        break;
      default:
        if (at + 1 < bytes.length - 1) [bytes[at], bytes[at + 1]] = [bytes[at + 1]!, bytes[at]!];
    }
    const bad = Uint8Array.from(bytes);
    if (bad.length !== good.length || bad.some((byte, i) => byte !== good[i])) return bad;
  }
}

/** One case on the SDK's deframer; what went wrong, or undefined. */
export function playDeframer(seed: number, number: number, damage: Damage = spoil): string | undefined {
  const random = seeded(Math.imul(seed, 0x9e3779b1) + number);
  const deframer = new Deframer();
  const heard: Frame[] = [];
  let fed = 0;
  const feed = (bytes: Uint8Array): void => {
    for (const byte of bytes) if (byte !== 0) fed++;
    const step = 1 + random(100);
    for (let at = 0; at < bytes.length; at += step)
      deframer.push(bytes.subarray(at, at + step), (item) => {
        if ("frame" in item) heard.push(item.frame);
      });
  };
  feed(Uint8Array.from({ length: random(1024) === 0 ? 1 + random(65_536) : random(32) }, () => random(256)));
  feed(damage(encodeFrame(randomFrame(random)), random));
  const frame = randomFrame(random);
  feed(Uint8Array.of(0));
  if (heard.length > 0) return "a corrupted frame was accepted";
  if (deframer.discardedBytes !== fed) return "discarded bytes are not counted";
  feed(encodeFrame(frame));
  const [got] = heard;
  if (heard.length !== 1 || !got) return "the good frame behind it was not received";
  const same = (["channel", "session", "more", "seq", "ack", "tag"] as const).every((key) => got[key] === frame[key]);
  return same && Buffer.from(got.payload).equals(Buffer.from(frame.payload)) ? undefined : "the good frame was altered";
}
