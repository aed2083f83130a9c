// The guest: what it needs of this machine, its boot, and its console, on which it says what it found and asks for hands at the reader.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Stop } from "../toolchain.mjs";
import { isStatic } from "./cache.mjs";

const PLIST = "/etc/libccid_Info.plist";
const firstOf = (...paths) => paths.find((path) => existsSync(path));

/** Programs the tier stands on. Names the packages of what is missing (exit 8). */
export function needs() {
  if (process.platform !== "linux" || process.arch !== "x64") throw new Stop("This tier needs Debian (or a relative) on amd64.");
  const found = {
    "qemu-system-x86": firstOf("/usr/bin/qemu-system-x86_64"),
    "busybox-static": ["/bin/busybox", "/usr/bin/busybox"].find(isStatic),
    pcscd: firstOf("/usr/sbin/pcscd"),
    usbutils: firstOf("/usr/bin/lsusb"),
    libccid: firstOf(PLIST),
    udev: firstOf("/bin/udevadm", "/usr/bin/udevadm"),
    opensc: firstOf("/usr/bin/pkcs15-tool"),
    "opensc-pkcs11": firstOf("/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so"),
    openssl: firstOf("/usr/bin/openssl"),
    "libpcsc-perl": spawnSync("perl", ["-MChipcard::PCSC", "-e", "1"]).status === 0 ? "yes" : undefined,
    "xz-utils": firstOf("/usr/bin/xz"),
    apt: firstOf("/usr/bin/apt-get"),
  };
  const missing = Object.keys(found).filter((name) => !found[name]);
  if (missing.length) throw new Stop(`Programs are missing. Run: sudo apt-get install ${missing.join(" ")}`);
  return { qemu: found["qemu-system-x86"], busybox: found["busybox-static"] };
}

/** libccid knows readers by its list only: each line that is printed from the product goes to the end of the array it names. */
export function plist(printed) {
  let text = readFileSync(PLIST, "utf8");
  const lines = [...printed.matchAll(/^<!-- last in <key>(\w+)<\/key> --> (<string>.*<\/string>)$/gm)];
  if (lines.length !== 3) throw new Error(`not the three lines of an Info.plist:\n${printed}`);
  for (const [, key, line] of lines) {
    const array = new RegExp(`(<key>${key}</key>\\s*<array>[^]*?)(\\s*</array>)`);
    if (!array.test(text)) throw new Error(`${PLIST} has no array ${key}`);
    text = text.replace(array, (_, before, end) => `${before}\n\t\t${line}${end}`);
  }
  return text;
}

/** Starts the machine: this machine's root over 9p, read-only, and the reader's cable from `folder`/usb. */
export function boot(qemu, kernel, folder) {
  const words = (text) => text.split(" ");
  return spawn(
    qemu,
    [
      ...words(
        "-accel tcg,thread=multi -machine q35 -cpu max -smp 1 -m 768 -nodefaults -no-user-config -display none -serial stdio -no-reboot",
      ),
      ...["-kernel", join(kernel, "vmlinux"), "-initrd", join(folder, "initrd"), "-append", "console=ttyS0 panic=-1 quiet"],
      ...["-device", "qemu-xhci,id=xhci", "-chardev", `socket,id=ur,path=${join(folder, "usb")}`],
      ...["-device", "usb-redir,chardev=ur,bus=xhci.0"],
      ...["-fsdev", "local,id=fs0,path=/,security_model=none,readonly=on,multidevs=remap"],
      ...["-device", "virtio-9p-pci,fsdev=fs0,mount_tag=hostroot"],
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
}

/** Hears the guest's console until it is off; what it asks for is done in its order. Gives the whole of what was said. */
export async function listen(guest, limitMs, heard) {
  let all = "";
  let line = "";
  let work = Promise.resolve();
  const limit = setTimeout(() => {
    all += `\nthe guest was ended after ${limitMs / 1000} s\n`;
    guest.kill("SIGKILL");
  }, limitMs);
  guest.stderr.on("data", (chunk) => (all += chunk));
  guest.stdout.on("data", (chunk) => {
    all += chunk;
    line += chunk;
    const lines = line.split(/\r*\n/);
    line = lines.pop();
    for (const one of lines) {
      const said = /^@ (\w+) ?(.*)$/.exec(one);
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
