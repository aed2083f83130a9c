// One boot of the guest in front of one image: the reader, the hands at it, and what was found.
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "../toolchain.mjs";
import { initramfs } from "./cache.mjs";
import { boot, listen, plist } from "./guest.mjs";
import { loudLines } from "./kernel-log.mjs";
import { differsFromDescriptors } from "./lsusb.mjs";

const IDS = "1209:0001";
/** The board's unique number as the reader says it. */
const SERIAL = "E661A4D1731B0001";
/**
 * ATR of a card at F 512, D 16: T=1, IFSC 254. 64 KiB take 6.5 s each way, in which the emulated processor has time to spare: libccid gives a
 * reader up that says nothing for 3 s of its own clock.
 */
const FAST_ATR = [0x3b, 0x90, 0x95, 0x81, 0x31, 0xfe, 0x45];
/** A PIN the standard card does not have. */
const WRONG = "9999";

const load = (path) => import(pathToFileURL(join(root, path)).href);

/** A card that answers a command with all of its data and 9000. */
function echoCard() {
  const atr = Uint8Array.of(
    ...FAST_ATR,
    FAST_ATR.slice(1).reduce((sum, byte) => sum ^ byte, 0),
  );
  const transmit = (command) => {
    const extended = command[4] === 0;
    const at = extended ? 7 : 5;
    const lc = extended ? (command[5] << 8) | command[6] : command[4];
    return { response: Uint8Array.of(...command.subarray(at, at + lc), 0x90, 0), thinkMs: 1 };
  };
  return { atr, powerOn: () => atr, transmit };
}

/** Certificates that OpenSC read, by its ids, against those in the card. */
function differsFromCard(files, { authCertificate, signCertificate, authCa, signCa }) {
  return [authCertificate, signCertificate, authCa, signCa].flatMap((wanted, index) => {
    const name = `cert-${index + 1}`;
    try {
      const read = new X509Certificate(files[name] ?? "").raw;
      return read.equals(wanted) ? [] : [`${name} is another certificate`];
    } catch (error) {
      return [`${name}: ${error.message}`];
    }
  });
}

/** The person at the pad: types what is right, what is wrong, cancels, or is not there. */
function person(reader, keysFor) {
  let mood = "right";
  let tone = 0;
  const near = (heard, wanted) => Math.abs(heard - wanted) < 20;
  // A person looks before pressing. Whatever becomes of the board under the fingers is said elsewhere.
  const look = () => reader.board.run(250);
  const type = (keys) =>
    void look()
      .then(() => reader.board.type(keys))
      .catch(() => undefined);
  reader.board.on((event) => {
    if (event.type === "lamp" && event.lit && mood === "wrong") type(keysFor(WRONG));
    if (event.type === "lamp" && event.lit && mood === "cancel") type(["1", "cancel"]);
    if (event.type !== "tone" || event.hertz === 0) return;
    // The two rising tones ask for consent.
    if (mood === "cancel" && near(tone, 1200) && near(event.hertz, 1600)) type(["cancel"]);
    tone = event.hertz;
  });
  return (next) => {
    mood = next;
    reader.fingers.auto = mood === "right";
  };
}

/**
 * Boots the guest and lets it look at `parts`, with `image` (`{ boot, image }`) or the released one. Answers with results (check → undefined
 * when good, else why not), problems and the console.
 */
export async function play({ qemu, busybox, kernel, parts, image, apdus, rounds, patient, limitMs }) {
  const { openVirtualReader, keysFor } = await load("hwtest/dist/src/board/index.js");
  const { serveUsbredir } = await load("hwtest/dist/src/usbredir/index.js");
  const { T1Card } = await load("hwtest/dist/src/cards/index.js");
  const { referenceProduct, deviceDescriptor, configurationDescriptor, usbStrings } = await load("device-proto/dist/src/index.js");
  const { printPlist, printUdev } = await load("device-proto/dist/gen/product.js");
  const { standardMaterial } = await load("hwtest/dist/src/authority/index.js");
  const material = standardMaterial();
  const folder = mkdtempSync(join(tmpdir(), "inkan-usb-"));
  const results = new Map();
  const problems = [];
  const files = {};
  const said = { lsusb: [], kernel: [] };
  let reader, server, guest, console;
  try {
    reader = await openVirtualReader({ pace: "line", card: "standard", ...image });
    reader.board.on((event) => {
      if (event.type === "violation") problems.push(event.violation.message);
    });
    server = await serveUsbredir(reader.board, join(folder, "usb"), {
      plug: false,
      onGuest: (_, error) => error && problems.push(String(error)),
    });
    const { vendorName, productName } = referenceProduct;
    const settings = {
      ...{ NODE: process.execPath, ROOT: root, IDS, STRINGS: `${vendorName} / ${productName} / ${SERIAL}` },
      ...{ PARTS: parts.join(" "), APDUS: apdus, ROUNDS: rounds, PATIENT: patient ? "yes" : "no" },
      ...{ AUTH: material.authPin, SIGN: material.signPassword, WRONG },
    };
    const here = join(root, "tools/dev/usb-guest");
    const given = {
      init: readFileSync(join(here, "init.sh")),
      "guest/settings": Object.entries(settings)
        .map(([name, value]) => `${name}='${value}'\n`)
        .join(""),
      "guest/Info.plist": plist(printPlist(referenceProduct)),
      "guest/70-reader.rules": printUdev(referenceProduct),
    };
    for (const name of readdirSync(here))
      if (/^(checks|part-|probe-|reader)/.test(name)) given[`guest/${name}`] = readFileSync(join(here, name));
    writeFileSync(join(folder, "initrd"), initramfs(kernel, busybox, given));
    const mood = person(reader, keysFor);
    const hands = {
      plug: () => reader.board.usb.attach(),
      unplug: () => reader.board.usb.detach(),
      suspend: () => reader.board.usb.suspend(),
      resume: () => reader.board.usb.resume(),
      insert: () => reader.insert(),
      "insert-echo": () => reader.insert(new T1Card(echoCard())),
      remove: () => reader.remove(),
      ...Object.fromEntries(["right", "wrong", "cancel", "none"].map((name) => [`fingers-${name}`, () => mood(name)])),
    };
    guest = boot(qemu, kernel, folder);
    console = await listen(guest, limitMs, async (kind, rest) => {
      if (kind === "do") {
        if (!Object.hasOwn(hands, rest)) problems.push(`the guest asks for "${rest}"`);
        await hands[rest]?.();
      } else if (kind === "ok") results.set(rest, undefined);
      else if (kind === "no") results.set(rest.slice(0, rest.indexOf(":")), rest.slice(rest.indexOf(":") + 2));
      else if (kind === "note") problems.push(rest);
      else if (kind === "file") files[rest.slice(0, rest.indexOf(" "))] = Buffer.from(rest.slice(rest.indexOf(" ") + 1), "base64");
      else if (Object.hasOwn(said, kind)) said[kind].push(rest);
    });
    if (!/^@ end/m.test(console))
      problems.push(`the guest did not reach its end; its console ends with:\n${console.split("\n").slice(-15).join("\n")}`);
    if (/Kernel panic|\bBUG:|WARNING: |Oops/.test(console)) problems.push("the guest's kernel is not well; run again with --console");
    if (reader.board.failure) problems.push(String(reader.board.failure));
    const strings = { ...usbStrings(referenceProduct), 3: SERIAL };
    const judge = (name, faults) => results.set(name, faults.length ? faults.join("\n") : undefined);
    if (parts.includes("usb"))
      judge("lsusb", differsFromDescriptors(said.lsusb, deviceDescriptor(referenceProduct), configurationDescriptor(), strings));
    if (parts.includes("opensc")) judge("opensc-reads", differsFromCard(files, material));
    judge("kernel-log", loudLines(said.kernel));
  } finally {
    guest?.kill("SIGKILL");
    await server?.close();
    await reader?.close();
    rmSync(folder, { recursive: true, force: true });
  }
  return { results, problems: [...new Set(problems)], console };
}
