// The firmware's builder.
//   build [--product FILE] [--define NAME]… [--out DIR]   compiles; without --out into device-proto/firmware/release
//                                        --product: a product definition other than the reference's (docs/reference/products.md)
//   check                                builds again elsewhere and compares every byte with release/
//   test                                 C unit tests on this machine, with the address and undefined-behaviour sanitizers
// A missing or different tool is exit 8, naming it; a difference is exit 1.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import { indirectCalls, namesInArray, parseDisassembly, parseUsage, priorities, stackBound, StackProblem } from "./stack.mjs";

const firmware = fileURLToPath(new URL("../../device-proto/firmware", import.meta.url));
const root = fileURLToPath(new URL("../..", import.meta.url));
const release = join(firmware, "release");
const MISSING = 8;
const GCC = "arm-none-eabi-gcc";
const OBJCOPY = "arm-none-eabi-objcopy";
const OBJDUMP = "arm-none-eabi-objdump";
const STACK = 8192;

/** The rooms of the application, in the order of docs/map.md; what stands in each is compiled in the order of its name. */
const rooms = ["app", "blackbox", "ccid", "front", "guard", "hal/rp2040", "iso7816", "link", "pcscd", "pinpad"];
const machine = ["-mcpu=cortex-m0plus", "-mthumb"];
const flags = [
  ...machine,
  "-std=c11",
  "-Os",
  "-g",
  "-ffreestanding",
  "-fno-common",
  "-ffunction-sections",
  "-fdata-sections",
  "-fno-tree-loop-distribute-patterns",
  "-fno-ident",
  "-fstack-usage",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-Wshadow",
  "-Wstrict-prototypes",
  "-Wmissing-prototypes",
];

class Refusal extends Error {
  constructor(exit, message) {
    super(message);
    this.exit = exit;
  }
}

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const capture = (command, args) => {
  const run = spawnSync(command, args, { encoding: "utf8", cwd: firmware });
  if (run.error)
    throw new Refusal(
      MISSING,
      `${command} is missing. On Debian and Ubuntu: sudo apt-get install gcc-arm-none-eabi binutils-arm-none-eabi`,
    );
  if (run.status !== 0) throw new Refusal(1, `${command} ${args.join(" ")}\n${run.stderr}`);
  return run.stdout.trim();
};
const runAsync = (command, args) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], cwd: firmware });
    let text = "";
    child.stdout.on("data", (data) => (text += data));
    child.stderr.on("data", (data) => (text += data));
    child.on("error", () =>
      reject(
        new Refusal(
          MISSING,
          `${command} is missing. On Debian and Ubuntu: sudo apt-get install ${command === GCC ? "gcc-arm-none-eabi" : "gcc"}`,
        ),
      ),
    );
    child.on("close", (code) => resolve({ code, text }));
  });

/** What decides the bytes: the compiler proper, assembler, linker and libgcc, each by its checksum. */
function toolchain() {
  const version = capture(GCC, ["-dumpfullversion"]);
  const tool = (name) => capture(GCC, [`-print-prog-name=${name}`]);
  const onPath = (name) => (name.includes("/") ? name : capture("sh", ["-c", `command -v ${name}`]));
  const files = {
    cc1: tool("cc1"),
    as: tool("as"),
    ld: tool("ld"),
    libgcc: capture(GCC, [...machine, "-print-libgcc-file-name"]),
  };
  const sums = Object.fromEntries(Object.entries(files).map(([name, path]) => [name, sha256(readFileSync(onPath(path)))]));
  return { compiler: GCC, version, binutils: capture("arm-none-eabi-ld", ["--version"]).split("\n")[0], sha256: sums };
}

/** Debian's names for what `toolchain()` measured; informative, so absent where dpkg is. */
function packages() {
  const run = spawnSync("dpkg-query", ["-W", "-f", "${Package} ${Version}\\n", "gcc-arm-none-eabi", "binutils-arm-none-eabi"], {
    encoding: "utf8",
  });
  return run.status === 0
    ? Object.fromEntries(
        run.stdout
          .trim()
          .split("\n")
          .map((line) => line.split(" ")),
      )
    : {};
}

const sourcesOf = (room) =>
  existsSync(join(firmware, room))
    ? readdirSync(join(firmware, room))
        .filter((name) => /\.[cS]$/.test(name))
        .sort()
        .map((name) => join(room, name))
    : [];

const applicationSources = () => rooms.flatMap(sourcesOf);

/** A product's own headers, in a folder that is looked at before firmware/gen; the reference product's are checked in. */
async function productOf(file, into) {
  const built = spawnSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b", "device-proto"], {
    cwd: root,
    encoding: "utf8",
  });
  if (built.status !== 0) throw new Refusal(1, built.stdout);
  const { checkProductText, productHeaders, productManifest, productRules, referenceDefinition } = await import(
    new URL("../../device-proto/dist/gen/product.js", import.meta.url).href
  );
  const { problems, product } = checkProductText(file === undefined ? JSON.stringify(referenceDefinition) : readFileSync(file, "utf8"));
  if (product === undefined)
    throw new Refusal(
      2,
      problems.map(({ field, rule }) => `${file}: ${field}: ${productRules[rule].message.en} (inkan product check says more)`).join("\n"),
    );
  if (file !== undefined)
    for (const { path, text } of productHeaders(product)) {
      mkdirSync(dirname(join(into, path)), { recursive: true });
      writeFileSync(join(into, path), text);
    }
  return { ...productManifest(product), folder: file === undefined ? undefined : into };
}

async function compile(sources, into, extra) {
  mkdirSync(into, { recursive: true });
  const objects = sources.map((source) => join(into, `${source.replaceAll("/", "_")}.o`));
  const failures = [];
  const queue = sources.map((source, index) => ({ source, object: objects[index] }));
  const worker = async () => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
      const args = [
        ...flags,
        ...extra,
        `-ffile-prefix-map=${firmware}=.`,
        "-I",
        firmware,
        "-c",
        join(firmware, job.source),
        "-o",
        job.object,
      ];
      const { code, text } = await runAsync(GCC, args);
      if (code !== 0) failures.push(`${job.source}\n${text}`);
    }
  };
  await Promise.all([worker(), worker()]);
  if (failures.length > 0) throw new Refusal(1, failures.join("\n"));
  return objects;
}

function link(objects, script, elf) {
  const map = `${elf}.map`;
  capture(GCC, [
    ...machine,
    "-nostdlib",
    "-nostartfiles",
    "-Wl,--gc-sections",
    "-Wl,--build-id=none",
    "-Wl,--fatal-warnings",
    "-Wl,--no-warn-rwx-segments",
    `-Wl,-Map=${map}`,
    "-T",
    join(firmware, script),
    ...objects,
    "-lgcc",
    "-o",
    elf,
  ]);
}

function binary(elf, ...sections) {
  const file = `${elf}.bin`;
  capture(OBJCOPY, ["-O", "binary", ...sections.flatMap((name) => ["-j", name]), elf, file]);
  return readFileSync(file);
}

/** CRC-32 of the boot ROM over boot2 (RP2040 datasheet 2.8.1.3.1): polynomial 04c11db7, start ffffffff, not reflected, no final xor. */
function bootCrc(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  }
  return crc >>> 0;
}

function bootImage(boot2, loader, defines) {
  const image = Buffer.alloc(0x100 + loader.length);
  boot2.copy(image, 0);
  image.writeUInt32LE((bootCrc(image.subarray(0, 252)) ^ (defines.includes("NEGATIVE_BOOT2_CRC") ? 1 : 0)) >>> 0, 252);
  loader.copy(image, 0x100);
  return image;
}

/** MCUboot image: header 0x100 │ image │ TLV info │ SHA-256 of header and image. */
function readerImage(code, version) {
  const [major, minor, revision] = version.split(".").map(Number);
  const size = Math.ceil(code.length / 4) * 4;
  const body = Buffer.alloc(0x100 + size);
  body.writeUInt32LE(0x96f3b83d, 0); // ih_magic
  body.writeUInt32LE(0x20000000, 4); // ih_load_addr
  body.writeUInt16LE(0x100, 8); // ih_hdr_size
  body.writeUInt32LE(size, 12); // ih_img_size
  body.writeUInt32LE(0x20, 16); // ih_flags: RAM_LOAD
  body.writeUInt8(major, 20);
  body.writeUInt8(minor, 21);
  body.writeUInt16LE(revision, 22);
  code.copy(body, 0x100);
  const tlv = Buffer.alloc(40);
  tlv.writeUInt16LE(0x6907, 0);
  tlv.writeUInt16LE(tlv.length, 2);
  tlv.writeUInt16LE(0x10, 4); // SHA256
  tlv.writeUInt16LE(32, 6);
  createHash("sha256").update(body).digest().copy(tlv, 8);
  return Buffer.concat([body, tlv]);
}

const filesIn = (folder, ending) =>
  readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name));

/** The deepest the application's stack can get; refused beyond its banks, with recursion, or with a call nobody can follow. */
function stackOf(elf, objects) {
  const functions = parseDisassembly(capture(OBJDUMP, ["-d", elf]));
  const names = new Set([...functions.values()].map(({ name }) => name.replace(/\..*/, "")));
  const usage = new Map();
  for (const su of filesIn(objects, ".su")) parseUsage(readFileSync(su, "utf8"), usage);
  const sources = filesIn(join(firmware, "hal/rp2040"), ".c").concat(join(firmware, "hal/rp2040/chip.h"));
  const indirect = indirectCalls.map(({ rows, calls, ...row }) => ({
    ...row,
    calls: calls ?? [...namesInArray(readFileSync(join(firmware, rows.file), "utf8"), rows.array)].filter((name) => names.has(name)),
  }));
  try {
    const bound = stackBound({
      functions,
      usage,
      roots: ["app_reset"],
      interrupts: priorities(sources.map((path) => readFileSync(path, "utf8")).join("\n")),
      indirect,
      ends: ["fault_entry"],
    });
    if (bound.bytes > STACK)
      throw new StackProblem(`the stack can get ${bound.bytes} bytes deep; it has ${STACK}: ${bound.main.path.join(" → ")}`);
    return bound;
  } catch (error) {
    if (!(error instanceof StackProblem)) throw error;
    throw new Refusal(1, `stack: ${error.message}`);
  }
}

/** RAM and flash as they were linked, each part against its budget (the linker has asserted them), and the stack. */
function memoryMap(elf, { boot, image, stack }) {
  const sections = Object.fromEntries(
    [...capture(OBJDUMP, ["-h", elf]).matchAll(/^\s*\d+ \.(\w+)\s+([0-9a-f]{8})\s+([0-9a-f]{8})/gm)].map(([, name, size, at]) => [
      name,
      { size: parseInt(size, 16), at: parseInt(at, 16) },
    ]),
  );
  const { message, noinit } = sections;
  const end = message.at + message.size;
  const row = (name, at, size, budget) =>
    `  ${at.toString(16).padStart(8, "0")}  ${name.padEnd(34)} ${String(size).padStart(6)}${budget === undefined ? "" : ` of ${budget}`}`;
  return [
    "flash",
    row("boot2 and loader", 0, boot.length, 0x100 + 32512),
    row("image in slot A", 0x10000, image.length, 112 * 1024),
    "RAM",
    row("image with header and TLVs", 0x20000000, image.length, 112 * 1024),
    row("static data", sections.bss.at, sections.bss.size, 48 * 1024),
    row("message buffer", message.at, message.size, 65560),
    row("reserve, at least 24576", end, 0x2003f000 - end),
    row("no-init: black box, crash record", noinit.at, noinit.size, 4096),
    row("stack, the deepest there can be", 0x20040000, stack.bytes, STACK),
    `    ${stack.main.path.join(" → ")}`,
    ...stack.interrupts.map(({ handler, bytes }) => `    + ${handler} ${bytes}`),
  ].join("\n");
}

async function build({ out, defines, product: file }) {
  const tools = toolchain();
  const work = mkdtempSync(join(tmpdir(), "inkan-firmware-"));
  try {
    const { folder, ...product } = await productOf(file, join(work, "product"));
    const { version } = product;
    const extra = [...defines.map((name) => `-D${name}`), ...(folder === undefined ? [] : ["-I", folder, `-ffile-prefix-map=${folder}=.`])];
    const boot2 = join(work, "boot2.elf");
    link(await compile(["boot/boot2.S"], work, extra), "boot/boot2.ld", boot2);
    const loader = join(work, "loader.elf");
    const loaderSources = ["boot/loader_start.S", "boot/loader.c", "hal/rp2040/clocks.c"];
    link(await compile(loaderSources, join(work, "loader"), extra), "boot/loader.ld", loader);
    const application = join(work, "reader.elf");
    link(await compile(applicationSources(), join(work, "app"), extra), "hal/rp2040/app.ld", application);

    const boot = bootImage(binary(boot2), binary(loader), defines);
    const image = readerImage(binary(application, ".image"), version);
    // A deliberately wrong image may be wrong in this, too; the board stops it.
    const stack = defines.length > 0 ? undefined : stackOf(application, join(work, "app"));
    const describe = (file, bytes, at) => ({ file, address: at, size: bytes.length, sha256: sha256(bytes) });
    const manifest = {
      ...product,
      boot: describe("boot.bin", boot, 0),
      image: describe("reader.img", image, 0x10000),
      ...(stack && { stack: { bound: stack.bytes, size: STACK } }),
    };
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, "boot.bin"), boot);
    writeFileSync(join(out, "reader.img"), image);
    writeFileSync(join(out, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
    writeFileSync(join(out, "toolchain.json"), `${JSON.stringify({ ...tools, packages: packages(), flags }, null, 2)}\n`);
    const keep = join(firmware, "build");
    mkdirSync(keep, { recursive: true });
    if (defines.length === 0 && out === release) {
      for (const elf of [loader, application]) writeFileSync(join(keep, relative(work, elf)), readFileSync(elf));
      writeFileSync(join(keep, "reader.map"), readFileSync(`${application}.map`));
    }
    return { manifest, map: stack && memoryMap(application, { boot, image, stack }) };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Another compiler gives other bytes: that is no difference of the source, so it is said before anything is compared. */
function sameToolchain() {
  const wanted = JSON.parse(readFileSync(join(release, "toolchain.json"), "utf8"));
  const here = toolchain();
  const names = Object.entries(wanted.packages).map(([name, version]) => `${name}=${version}`);
  const install = names.length > 0 ? ` On Debian: sudo apt-get install ${names.join(" ")}` : "";
  if (wanted.version !== here.version)
    throw new Refusal(MISSING, `The release was built with ${wanted.compiler} ${wanted.version}, here is ${here.version}.${install}`);
  if (wanted.binutils !== here.binutils)
    throw new Refusal(MISSING, `The release was built with ${wanted.binutils}, here is ${here.binutils}.${install}`);
  for (const [name, sum] of Object.entries(wanted.sha256)) {
    if (here.sha256[name] !== sum)
      throw new Refusal(
        MISSING,
        `The release was built with another ${name} of ${wanted.compiler} ${wanted.version} (sha256 ${sum}).${install}`,
      );
  }
}

async function check() {
  sameToolchain();
  const out = mkdtempSync(join(tmpdir(), "inkan-release-"));
  try {
    await build({ out, defines: [], product: undefined });
    const differing = ["boot.bin", "reader.img", "manifest.json"].filter(
      (name) => !readFileSync(join(out, name)).equals(readFileSync(join(release, name))),
    );
    if (differing.length > 0)
      throw new Refusal(1, `The sources do not give the released ${differing.join(", ")}. Build a new release: npm run firmware:build`);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
  console.log("firmware: the release is what the sources give, byte for byte");
}

/** One program per file in test/; its first comment names the sources it needs: `sources: ccid/ccid.c hal/host/host.c`. */
async function test(only) {
  const folder = join(firmware, "test");
  const programs = existsSync(folder)
    ? readdirSync(folder).filter((name) => name.endsWith(".c") && (only === undefined || name.includes(only)))
    : [];
  const work = mkdtempSync(join(tmpdir(), "inkan-test-"));
  let passed = 0;
  let failed = 0;
  const sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
  try {
    for (const name of programs.sort()) {
      const text = readFileSync(join(folder, name), "utf8");
      const sources = (/sources:([^*\n]*)/.exec(text)?.[1] ?? "").trim().split(/\s+/).filter(Boolean);
      const program = join(work, name.slice(0, -2));
      const files = [join("test", name), "hal/host/unheard.c", ...sources].map((source) => join(firmware, source));
      const built = await runAsync("gcc", [
        "-std=c11",
        "-g",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Werror",
        ...sanitize,
        "-I",
        firmware,
        ...files,
        "-o",
        program,
      ]);
      if (built.code !== 0) {
        failed++;
        console.error(`${name}: does not compile\n${built.text}`);
        continue;
      }
      const ran = await runAsync(program, []);
      const good = /(\d+) passed, (\d+) failed/.exec(ran.text);
      passed += Number(good?.[1] ?? 0);
      failed += Number(good?.[2] ?? 0);
      if (ran.code !== 0 && Number(good?.[2] ?? 0) === 0) failed++;
      if (ran.code === 0 && good === null) failed++; // a program that tested nothing
      if (ran.code !== 0 || good === null) console.error(`${name}: exit ${ran.code}\n${ran.text}`);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  console.log(`${passed} passed, ${failed} failed`);
  if (failed > 0 || passed === 0) throw new Refusal(1, "firmware tests failed");
}

function parse(argv) {
  const options = { out: release, defines: [], product: undefined, rest: [] };
  for (let i = 0; i < argv.length; i++) {
    if (argv[i] === "--define") options.defines.push(argv[++i]);
    else if (argv[i] === "--product") options.product = argv[++i];
    else if (argv[i] === "--out") options.out = argv[++i];
    else options.rest.push(argv[i]);
  }
  const known = readFileSync(join(firmware, "negative.h"), "utf8");
  const unknown = options.defines.find((name) => name === undefined || !new RegExp(`\\b${name}\\b`).test(known));
  if (options.defines.length > 0 && unknown !== undefined) throw new Refusal(2, `${unknown}: not in device-proto/firmware/negative.h`);
  if (options.defines.length > 0 && options.out === release) throw new Refusal(2, "a deliberately wrong image needs --out DIR");
  if (options.product !== undefined && (!existsSync(options.product) || options.out === release))
    throw new Refusal(2, existsSync(options.product) ? "another product's image needs --out DIR" : `${options.product} is not there`);
  return options;
}

try {
  const [verb, ...argv] = process.argv.slice(2);
  if (verb === "build") {
    const { manifest, map } = await build(parse(argv));
    if (map) console.log(map);
    console.log(`firmware ${manifest.version}: boot ${manifest.boot.size} bytes, image ${manifest.image.size} bytes`);
  } else if (verb === "check") await check();
  else if (verb === "test") await test(argv[0]);
  else throw new Refusal(2, "usage: firmware.mjs build [--product FILE] [--define NAME]… [--out DIR] | check | test [name]");
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  console.error(error.message);
  process.exitCode = error.exit;
}
