// The guest's kernel: Debian's own package, unpacked once into a cache. Nothing is installed and no root is needed.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { Stop, root } from "../toolchain.mjs";

/** Modules in the order they go in; the kernel has every one of them as a module. */
const modules = [
  ..."virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio virtio_pci".split(" "),
  ..."9pnet 9pnet_virtio netfs fscache 9p".split(" "),
  ..."usb-common usbcore xhci-hcd xhci-pci cdc-acm".split(" "),
];
const cache = join(process.env.XDG_CACHE_HOME ? join(process.env.XDG_CACHE_HOME, "inkan") : join(root, "node_modules/.cache"), "usb-guest");

function run(program, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 28, ...options });
  if (error) throw error;
  return { status, stdout, stderr };
}

/** Name and version of the stock kernel package that apt offers, as `name_version`; undefined without apt's lists. */
function offered() {
  const depends = run("apt-cache", ["depends", "linux-image-amd64"]).stdout;
  const name = /Depends: (linux-image-[0-9][^ \n]*-amd64)$/m.exec(depends)?.[1];
  const version = name && /Candidate: (\S+)/.exec(run("apt-cache", ["policy", name]).stdout)?.[1];
  return version && version !== "(none)" ? { name, version, key: `${name}_${version.replaceAll(/[^0-9A-Za-z.+~-]/g, "_")}` } : undefined;
}

/** The kernel as an ELF file (`vmlinux`) and its modules: the newest offered, else whatever an earlier run has left. */
export function guestKernel() {
  const wanted = offered();
  if (!wanted) {
    const [kept] = existsSync(cache)
      ? readdirSync(cache)
          .filter((one) => existsSync(join(cache, one, "complete")))
          .sort()
          .reverse()
      : [];
    if (kept) return join(cache, kept);
    throw new Stop("apt knows no kernel package. Run: sudo apt-get update");
  }
  const folder = join(cache, wanted.key);
  if (existsSync(join(folder, "complete"))) return folder;
  process.stderr.write(`fetching ${wanted.name} ${wanted.version} (once) …\n`);
  const work = join(cache, `.${process.pid}`);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(join(work, "kernel"), { recursive: true });
  try {
    const got = run("apt-get", ["download", `${wanted.name}=${wanted.version}`], { cwd: work });
    const deb = readdirSync(work).find((one) => one.endsWith(".deb"));
    if (!deb) throw new Stop(`${wanted.name} cannot be fetched: ${got.stderr.trim()}. Run: sudo apt-get update`);
    const unpacked = run("dpkg-deb", ["-x", deb, "package"], { cwd: work });
    if (unpacked.status !== 0) throw new Stop(`${deb} cannot be unpacked: ${unpacked.stderr.trim()}`);
    collect(join(work, "package"), join(work, "kernel"));
    rmSync(folder, { recursive: true, force: true });
    renameSync(join(work, "kernel"), folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return folder;
}

function collect(from, to) {
  const image = readdirSync(join(from, "boot")).find((one) => one.startsWith("vmlinuz-"));
  writeFileSync(join(to, "vmlinux"), unpackKernel(readFileSync(join(from, "boot", image))));
  const found = new Map(
    readdirSync(join(from, "lib/modules"), { recursive: true, encoding: "utf8" })
      .filter((one) => one.endsWith(".ko"))
      .map((one) => [basename(one, ".ko"), join(from, "lib/modules", one)]),
  );
  for (const module of modules) {
    const path = found.get(module);
    if (!path) throw new Stop(`the kernel package has no module ${module}`);
    writeFileSync(join(to, `${module}.ko`), readFileSync(path));
  }
  writeFileSync(join(to, "complete"), "");
}

/**
 * The ELF file inside a bzImage (Linux x86 boot protocol: setup_sects at 1f1, payload_offset at 248, payload_length at 24c; the
 * uncompressed size follows the xz stream). Given to QEMU as it is, it boots by PVH: the decompressor would take seconds without KVM.
 */
function unpackKernel(image) {
  const setup = (image[0x1f1] || 4) + 1;
  const at = setup * 512 + image.readUInt32LE(0x248);
  const end = at + image.readUInt32LE(0x24c);
  const size = image.readUInt32LE(end - 4);
  const { stdout, status } = spawnSync("xz", ["-dc"], { input: image.subarray(at, end - 4), maxBuffer: 1 << 28 });
  if (status !== 0 || stdout.length !== size || stdout.readUInt32BE(0) !== 0x7f454c46)
    throw new Stop(`the kernel image does not unpack: ${stdout.length} bytes of ${size}`);
  return stdout;
}

/** A gzipped newc archive (Documentation/driver-api/early-userspace/buffer-format.rst) of the modules, busybox and `files`. */
export function initramfs(kernel, busybox, files) {
  const entries = [];
  const put = (name, mode, data) => {
    const fields = [entries.length + 1, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, Buffer.byteLength(name) + 1, 0];
    const head = Buffer.from(`070701${fields.map((one) => one.toString(16).padStart(8, "0")).join("")}${name}\0`);
    entries.push(padded(head), padded(data));
  };
  const padded = (bytes) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
  const none = Buffer.alloc(0);
  for (const folder of ["bin", "modules", "guest"]) put(folder, 0o40755, none);
  put("bin/busybox", 0o100755, readFileSync(busybox));
  for (const module of modules) put(`modules/${module}.ko`, 0o100644, readFileSync(join(kernel, `${module}.ko`)));
  put("modules/order", 0o100644, Buffer.from(`${modules.join("\n")}\n`));
  for (const [name, data] of Object.entries(files)) put(name, name === "init" ? 0o100755 : 0o100644, Buffer.from(data));
  put("TRAILER!!!", 0, none);
  return gzipSync(Buffer.concat(entries), { level: 1 });
}

/** True when a program asks for no shared libraries: it has no PT_INTERP. */
export function isStatic(path) {
  if (!existsSync(path) || statSync(path).size < 64) return false;
  const elf = readFileSync(path);
  const table = Number(elf.readBigUInt64LE(0x20));
  const size = elf.readUInt16LE(0x36);
  return !Array.from({ length: elf.readUInt16LE(0x38) }, (_, index) => elf.readUInt32LE(table + index * size)).includes(3);
}
