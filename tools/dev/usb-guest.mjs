// npm run test:usb: a real Linux USB stack in front of the released image. A stock Debian kernel in QEMU (no KVM needed) enumerates
// the virtual board through an xHCI controller; lsusb, cdc_acm, npm `usb`, pcscd with libccid judge it inside the guest. One line per
// check, then "N passed, N failed"; exit 8 names what has to be installed. `--console` shows the guest's console.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Stop, ensureBuilt, ensureInstalled, needNode, root, script } from "./toolchain.mjs";
import { guestKernel, initramfs, isStatic } from "./usb-guest/cache.mjs";

/** Everything the guest must have said yes to, in its order. A check it does not mention has failed. */
const checks = {
  enumerated: "the kernel enumerates the reader",
  "full-speed": "at full speed",
  strings: "with the product's strings and the board's serial number",
  ttyACM0: "cdc_acm binds ttyACM0",
  lsusb: "lsusb -v has nothing to complain of",
  "npm-usb": "npm usb: GetSlotStatus, a read that times out, cleared halts, a reset",
  "cdc-link": "the SDK's link over the kernel's ttyACM0",
  "pcscd-lists": "pcscd with libccid lists exactly this reader",
  "power-on": "it powers the card up",
  apdu: "an APDU is exchanged",
  apdus: "and fifty more",
  "apdu-refused": "an application the card does not have is refused by the card",
  "pin-on-pad": "FEATURE_VERIFY_PIN_DIRECT: the PIN is typed on the reader",
  "card-goes-and-comes": "pcscd sees the card go and come, and uses it again",
  replug: "three times unplugged and plugged in",
  "kernel-log": "no warning in the kernel's log",
};
const LIMIT_MS = 180_000;
const IDS = "1209:0001";
/** The board's unique number as the reader says it. */
const SERIAL = "E661A4D1731B0001";
const PLIST = "/etc/libccid_Info.plist";

function firstOf(...paths) {
  return paths.find((path) => existsSync(path));
}

/** What the tier needs of this machine: names the packages of what is missing. */
function needs() {
  if (process.platform !== "linux" || process.arch !== "x64") throw new Stop("This tier needs Debian (or a relative) on amd64.");
  const found = {
    qemu: firstOf("/usr/bin/qemu-system-x86_64"),
    busybox: ["/bin/busybox", "/usr/bin/busybox"].find(isStatic),
    pcscd: firstOf("/usr/sbin/pcscd"),
    lsusb: firstOf("/usr/bin/lsusb"),
    ccid: firstOf(PLIST),
    perl: spawnSync("perl", ["-MChipcard::PCSC", "-e", "1"]).status === 0 ? "yes" : undefined,
    xz: firstOf("/usr/bin/xz"),
    apt: firstOf("/usr/bin/apt-get"),
  };
  const packages = {
    qemu: "qemu-system-x86",
    busybox: "busybox-static",
    pcscd: "pcscd",
    lsusb: "usbutils",
    ccid: "libccid",
    perl: "libpcsc-perl",
    xz: "xz-utils",
    apt: "apt",
  };
  const missing = Object.keys(found).filter((name) => !found[name]);
  if (missing.length) throw new Stop(`Programs are missing. Run: sudo apt-get install ${missing.map((name) => packages[name]).join(" ")}`);
  return found;
}

/** libccid knows readers by its list only: ours goes in front of each of the three arrays. */
function plist(name) {
  let text = readFileSync(PLIST, "utf8");
  const [vendor, product] = IDS.split(":");
  for (const [key, value] of [
    ["ifdVendorID", `0x${vendor}`],
    ["ifdProductID", `0x${product}`],
    ["ifdFriendlyName", name],
  ])
    text = text.replace(new RegExp(`(<key>${key}</key>\\s*<array>)`), `$1\n\t\t<string>${value}</string>`);
  return text;
}

async function main() {
  needNode();
  const { qemu, busybox } = needs();
  ensureInstalled();
  ensureBuilt();
  const kernel = guestKernel();
  const load = (path) => import(pathToFileURL(join(root, path)).href);
  const { openVirtualReader } = await load("hwtest/dist/src/board/index.js");
  const { serveUsbredir } = await load("hwtest/dist/src/usbredir/index.js");
  const { referenceProduct } = await load("device-proto/dist/src/index.js");

  const folder = mkdtempSync(join(tmpdir(), "inkan-usb-"));
  const results = new Map();
  const problems = [];
  let reader, server, guest;
  try {
    reader = await openVirtualReader({ pace: "line", card: "standard" });
    reader.board.on((event) => {
      if (event.type === "violation") problems.push(event.violation.message);
    });
    server = await serveUsbredir(reader.board, join(folder, "usb"), {
      plug: false,
      onGuest: (_, error) => error && problems.push(String(error)),
    });
    const { vendorName, productName } = referenceProduct;
    const settings = `NODE='${process.execPath}'\nROOT='${root}'\nIDS=${IDS}\nSTRINGS='${vendorName} / ${productName} / ${SERIAL}'\n`;
    const here = (name) => readFileSync(join(root, "tools/dev/usb-guest", name));
    const files = { init: here("init.sh"), "guest/settings": settings, "guest/Info.plist": plist(productName) };
    for (const name of ["checks.sh", "probe-usb.mjs", "probe-serial.mjs", "probe-pcsc.pl"]) files[`guest/${name}`] = here(name);
    writeFileSync(join(folder, "initrd"), initramfs(kernel, busybox, files));
    const hands = {
      plug: () => reader.board.usb.attach(),
      unplug: () => reader.board.usb.detach(),
      insert: () => reader.insert(),
      remove: () => reader.remove(),
    };
    guest = boot(qemu, kernel, folder);
    const console = await listen(guest, async (kind, rest) => {
      if (kind === "do") await hands[rest]?.();
      else if (kind === "ok") results.set(rest, undefined);
      else if (kind === "no") results.set(rest.slice(0, rest.indexOf(":")), rest.slice(rest.indexOf(":") + 2));
      else if (kind === "note") problems.push(rest);
    });
    if (process.argv.includes("--console")) process.stderr.write(console);
    if (!/^@ end/m.test(console))
      problems.push(`the guest did not reach its end; its console ends with:\n${console.split("\n").slice(-15).join("\n")}`);
    if (/Kernel panic|\bBUG:|WARNING: |Oops/.test(console)) problems.push("the guest's kernel is not well; run again with --console");
    if (reader.board.failure) problems.push(String(reader.board.failure));
  } finally {
    guest?.kill("SIGKILL");
    await server?.close();
    await reader?.close();
    rmSync(folder, { recursive: true, force: true });
  }
  report(results, [...new Set(problems)]);
}

function boot(qemu, kernel, folder) {
  return spawn(
    qemu,
    [
      ..."-accel tcg,thread=multi -machine q35 -cpu max -smp 1 -m 768 -nodefaults -no-user-config -display none -serial stdio -no-reboot".split(
        " ",
      ),
      ...["-kernel", join(kernel, "vmlinux"), "-initrd", join(folder, "initrd"), "-append", "console=ttyS0 panic=-1 quiet"],
      ...[
        "-device",
        "qemu-xhci,id=xhci",
        "-chardev",
        `socket,id=ur,path=${join(folder, "usb")}`,
        "-device",
        "usb-redir,chardev=ur,bus=xhci.0",
      ],
      ...["-fsdev", "local,id=fs0,path=/,security_model=none,readonly=on,multidevs=remap"],
      ...["-device", "virtio-9p-pci,fsdev=fs0,mount_tag=hostroot"],
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
}

/** Hears the guest's console until it is off; what it asks for is done in its order. Gives the whole of what was said. */
async function listen(guest, heard) {
  let all = "";
  let line = "";
  let work = Promise.resolve();
  const limit = setTimeout(() => {
    all += `\nthe guest was ended after ${LIMIT_MS / 1000} s\n`;
    guest.kill("SIGKILL");
  }, LIMIT_MS);
  guest.stderr.on("data", (chunk) => (all += chunk));
  guest.stdout.on("data", (chunk) => {
    all += chunk;
    line += chunk;
    const lines = line.split(/\r*\n/);
    line = lines.pop();
    for (const one of lines) {
      const said = /^@ (\w+) (.*)$/.exec(one);
      if (said) work = work.then(() => heard(said[1], said[2])).catch((error) => void (all += `\n${error.stack}\n`));
    }
  });
  await new Promise((resolve, reject) => {
    guest.once("close", resolve);
    guest.once("error", reject);
  });
  clearTimeout(limit);
  await work;
  return all.replaceAll("\r", "");
}

function report(results, problems) {
  let failed = 0;
  const line = (why, text) => {
    if (why !== undefined) failed++;
    process.stdout.write(why === undefined ? `✓ ${text}\n` : `✗ ${text}\n${why.trim().replaceAll(/^/gm, "    ")}\n`);
  };
  for (const [name, text] of Object.entries(checks)) line(results.has(name) ? results.get(name) : "the guest said nothing of it", text);
  for (const [name, why] of results) if (!(name in checks)) line(why ?? "nobody asked for it", name);
  line(problems.length ? problems.join("\n") : undefined, "the board's rules and the protocol's were kept, to the end");
  const total = Object.keys(checks).length + [...results.keys()].filter((name) => !(name in checks)).length + 1;
  process.stdout.write(`${total - failed} passed, ${failed} failed\n`);
  process.exitCode = failed ? 1 : 0;
}

await script(main);
