// File and short digests against OpenSSL's own program and Node's own hash object.
import { createHash, randomFillSync } from "node:crypto";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashBytes, hashFile } from "@inkan/sdk/hashing";
import { cpuRate, median, pairs, samples } from "./measure.mjs";
import { openssl } from "./programs.mjs";

const MiB = 1 << 20;
const fileMiB = 512;
let files;

/** A document of random bytes and an empty one, made when first wanted, taken away when the process ends. */
function documents() {
  if (files) return files;
  const folder = mkdtempSync(join(tmpdir(), "inkan-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const [large, empty] = ["large", "empty"].map((name) => join(folder, name));
  writeFileSync(empty, "");
  const fd = openSync(large, "w");
  const piece = randomFillSync(Buffer.alloc(MiB));
  for (let i = 0; i < fileMiB; i++) {
    piece.writeUInt32LE(i);
    writeSync(fd, piece);
  }
  closeSync(fd);
  return (files = { large, empty });
}

const digestOf = ({ stdout }) => stdout.trim().split(" ").at(-1);

/** Speed of `hashFile` over that of `openssl dgst`, wall clock. The time OpenSSL needs for an empty file is taken off its own. */
const file = (hash) => async () => {
  const { large, empty } = documents();
  const dgst = (path) => openssl("dgst", `-${hash}`, path);
  const right = digestOf(await dgst(large));
  const start = median(await samples(5, async () => (await dgst(empty)).seconds));
  return pairs(
    5,
    async () => {
      const from = performance.now();
      const { digests } = await hashFile(large, [hash]);
      const seconds = (performance.now() - from) / 1000;
      if (Buffer.from(digests[hash]).toString("hex") !== right) throw new Error("hashFile and openssl dgst do not agree");
      return 1 / seconds;
    },
    async () => 1 / ((await dgst(large)).seconds - start),
  );
};

const short = new Uint8Array(64).fill(0x5a);
const thousand = (digest) => () => {
  for (let i = 0; i < 1000; i++) digest();
  return 1000;
};

export const figures = {
  sha256: file("sha256"),
  sha384: file("sha384"),
  sha512: file("sha512"),
  "sha256-64B": async () => {
    const ours = thousand(() => hashBytes("sha256", short));
    const theirs = thousand(() => createHash("sha256").update(short).digest());
    for (const each of [ours, theirs]) cpuRate(each);
    return pairs(
      9,
      () => cpuRate(ours),
      () => cpuRate(theirs),
    );
  },
};
