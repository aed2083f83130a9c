/** A T=1 block (ISO 7816-3 §11.3): NAD, PCB, INF; LEN and EDC are made and checked here. */
export type Block = { nad: number; pcb: number; inf: number[] };

/** The CRC as readers and cards in the field compute it: poly x¹⁶+x¹²+x⁵+1 reflected, init FFFF, no final complement, high byte sent first (ISO 7816-3 §11.3.4 names ISO/IEC 13239 only). */
export function crc16(bytes: readonly number[]): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >> 1) ^ 0x8408 : crc >> 1;
  }
  return crc;
}

/** Exclusive or of all bytes. */
export const lrc = (bytes: readonly number[]): number => bytes.reduce((sum, byte) => sum ^ byte, 0);

/** The check bytes to append. */
export function epilogue(bytes: readonly number[], crc: boolean): number[] {
  if (!crc) return [lrc(bytes)];
  const sum = crc16(bytes);
  return [sum >> 8, sum & 0xff];
}

/** The bytes of a block on the line. */
export function encodeBlock(block: Block, crc: boolean): number[] {
  const bytes = [block.nad, block.pcb, block.inf.length, ...block.inf];
  return [...bytes, ...epilogue(bytes, crc)];
}

/** The block in `bytes`, or undefined when length or check is wrong. */
export function decodeBlock(bytes: readonly number[], crc: boolean): Block | undefined {
  const tail = crc ? 2 : 1;
  if (bytes.length < 3 + tail || bytes[2] === 255 || bytes.length !== 3 + bytes[2]! + tail) return undefined;
  const body = bytes.slice(0, -tail);
  if (epilogue(body, crc).some((byte, i) => byte !== bytes[body.length + i])) return undefined;
  return { nad: bytes[0]!, pcb: bytes[1]!, inf: body.slice(3) };
}
