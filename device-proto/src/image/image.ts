import { flashMap, ramMap } from "../board.js";
import { bytes, CodecError, crc32Mpeg2, type Infer, rest, struct, u16le, u32le, u8 } from "../codec/index.js";

/** MCUboot's image header (MCUboot design.md "Image format"), 32 bytes; ours is padded to 0x100. */
export const imageHeader = struct({
  ih_magic: u32le,
  ih_load_addr: u32le,
  ih_hdr_size: u16le,
  ih_protect_tlv_size: u16le,
  ih_img_size: u32le,
  ih_flags: u32le,
  iv_major: u8,
  iv_minor: u8,
  iv_revision: u16le,
  iv_build_num: u32le,
  pad1: u32le,
});
/** Magic of an MCUboot image. */
export const IMAGE_MAGIC = 0x96f3b83d;
/** ih_flags: RAM_LOAD, the only flag our images carry. */
export const IMAGE_F_RAM_LOAD = 0x20;
/** Magic of the unprotected TLV area. */
export const TLV_INFO_MAGIC = 0x6907;
/** TLV types in use. */
export const tlvType = { sha256: 0x10 } as const;

const tlvInfo = struct({ it_magic: u16le, it_tlv_tot: u16le });
const tlvHead = struct({ it_type: u16le, it_len: u16le });

/** An image taken apart. */
export interface Image {
  readonly header: Infer<typeof imageHeader>;
  /** What is linked and runs: `ih_img_size` bytes after the header. */
  readonly body: Uint8Array;
  /** Header and body: what the hash covers. */
  readonly hashed: Uint8Array;
  readonly sha256: Uint8Array;
}

/** `0.1.0` → header fields. */
function version(text: string): { iv_major: number; iv_minor: number; iv_revision: number } {
  const match = /^(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (!match) throw new CodecError(20, `version "${text}" is not major.minor.patch`);
  return { iv_major: Number(match[1]), iv_minor: Number(match[2]), iv_revision: Number(match[3]) };
}

/** Makes an image from a linked body. `sha256` hashes header and body (given by the caller: this package does no cryptography). */
export function buildImage(body: Uint8Array, versionText: string, sha256: (data: Uint8Array) => Uint8Array): Uint8Array<ArrayBuffer> {
  const head = imageHeader.encode({
    ih_magic: IMAGE_MAGIC,
    ih_load_addr: ramMap.imageLoad,
    ih_hdr_size: ramMap.imageHeader,
    ih_protect_tlv_size: 0,
    ih_img_size: body.length,
    ih_flags: IMAGE_F_RAM_LOAD,
    ...version(versionText),
    iv_build_num: 0,
    pad1: 0,
  });
  const hashed = new Uint8Array(ramMap.imageHeader + body.length);
  hashed.set(head);
  hashed.set(body, ramMap.imageHeader);
  const digest = sha256(hashed);
  const tlvs = struct({ info: bytes(4), head: bytes(4), digest: bytes(32) }).encode({
    info: tlvInfo.encode({ it_magic: TLV_INFO_MAGIC, it_tlv_tot: 40 }),
    head: tlvHead.encode({ it_type: tlvType.sha256, it_len: 32 }),
    digest,
  });
  const image = new Uint8Array(hashed.length + tlvs.length);
  if (image.length > ramMap.imageMax) throw new CodecError(12, `the image is ${image.length} bytes, at most ${ramMap.imageMax}`);
  image.set(hashed);
  image.set(tlvs, hashed.length);
  return image;
}

/** Takes an image apart; throws CodecError with the byte and the rule. It does not check the hash: see `sha256`. */
export function parseImage(image: Uint8Array): Image {
  const header = imageHeader.decode(image.subarray(0, imageHeader.size));
  const { offsets } = imageHeader;
  const must = (holds: boolean, offset: number, rule: string): void => {
    if (!holds) throw new CodecError(offset, rule);
  };
  must(header.ih_magic === IMAGE_MAGIC, offsets.ih_magic, "ih_magic is not 96F3B83D");
  must(header.ih_load_addr === ramMap.imageLoad, offsets.ih_load_addr, "ih_load_addr is not 20000000");
  must(header.ih_hdr_size === ramMap.imageHeader, offsets.ih_hdr_size, "ih_hdr_size is not 0100");
  must(header.ih_flags === IMAGE_F_RAM_LOAD, offsets.ih_flags, "ih_flags is not exactly RAM_LOAD");
  const end = header.ih_hdr_size + header.ih_img_size;
  must(header.ih_protect_tlv_size === 0, offsets.ih_protect_tlv_size, "protected TLVs are not known yet");
  must(end + 40 <= image.length && image.length <= ramMap.imageMax, offsets.ih_img_size, `ih_img_size ${header.ih_img_size} does not fit`);
  const tlvs = struct({ it_magic: u16le, it_tlv_tot: u16le, it_type: u16le, it_len: u16le, digest: bytes(32), rest }).decode(
    image.subarray(end),
  );
  must(tlvs.it_magic === TLV_INFO_MAGIC && tlvs.it_tlv_tot === 40, end, "the TLV area is not one SHA-256 entry");
  must(tlvs.it_type === tlvType.sha256 && tlvs.it_len === 32, end + 4, "the TLV is not SHA256");
  return { header, body: image.slice(header.ih_hdr_size, end), hashed: image.slice(0, end), sha256: tlvs.digest };
}

/** Puts the check word behind boot2's code (≤ 252 bytes): what the mask ROM demands before it enters it. */
export function sealBoot2(code: Uint8Array): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(flashMap.boot2.size);
  if (code.length > block.length - 4) throw new CodecError(code.length, `boot2 is ${code.length} bytes, at most 252`);
  block.set(code);
  new DataView(block.buffer).setUint32(252, crc32Mpeg2(block.subarray(0, 252)), true);
  return block;
}

/** True when the mask ROM would enter this boot2. */
export function boot2Sealed(block: Uint8Array): boolean {
  return block.length >= 256 && crc32Mpeg2(block.subarray(0, 252)) === new DataView(block.buffer, block.byteOffset).getUint32(252, true);
}

const uf2Block = struct({
  magic0: u32le,
  magic1: u32le,
  flags: u32le,
  target: u32le,
  payloadSize: u32le,
  blockNo: u32le,
  numBlocks: u32le,
  family: u32le,
  payload: bytes(256),
  padding: bytes(220),
  magicEnd: u32le,
});

/** UF2 file for the BOOTSEL drive: parts at flash offsets, 256 bytes a block, family RP2040. */
export function buildUf2(parts: readonly { readonly at: number; readonly data: Uint8Array }[]): Uint8Array<ArrayBuffer> {
  const blocks = parts.flatMap(({ at, data }) => {
    if (at % 256) throw new CodecError(0, `part at ${at.toString(16)} is not on a 256-byte page`);
    return Array.from({ length: Math.ceil(data.length / 256) }, (_, i) => ({
      target: 0x10000000 + at + 256 * i,
      payload: data.slice(256 * i, 256 * i + 256),
    }));
  });
  const output = new Uint8Array(blocks.length * uf2Block.size);
  blocks.forEach(({ target, payload }, blockNo) => {
    const whole = new Uint8Array(256).fill(0xff);
    whole.set(payload);
    const block = uf2Block.encode({
      magic0: 0x0a324655,
      magic1: 0x9e5d5157,
      flags: 0x2000,
      target,
      payloadSize: 256,
      blockNo,
      numBlocks: blocks.length,
      family: 0xe48bff56,
      payload: whole,
      padding: new Uint8Array(220),
      magicEnd: 0x0ab16f30,
    });
    output.set(block, blockNo * uf2Block.size);
  });
  return output;
}
