// npm run test:usb: a real Linux USB stack in front of the released image. A stock Debian kernel in QEMU (no KVM needed) enumerates the virtual
// board through an xHCI controller; lsusb, cdc_acm, npm `usb`, the kernel's power management, pcscd with libccid and OpenSC judge it inside the
// guest. Then a deliberately wrong image that a named check must catch. One line per check, then "N passed, N failed"; exit 8 names what
// has to be installed.
//   [PART…]       only these parts (usb suspend pcsc opensc wrong)
//   --all         also every wrong image, and what waits long for a person who does not come
//   --apdus N     how many APDUs (1000) · --rounds N: how many unpluggings (20)
//   --console     the guest's console on stderr
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Stop, ensureBuilt, ensureInstalled, needNode, root, script } from "./toolchain.mjs";
import { play } from "./usb-guest/bench.mjs";
import { guestKernel } from "./usb-guest/cache.mjs";
import { checks, lastChecks, patientChecks, wrongImages } from "./usb-guest/checks.mjs";
import { needs } from "./usb-guest/guest.mjs";

const LIMIT_MS = 300_000;
let passed = 0;
let failed = 0;

function line(why, text) {
  if (why === undefined) passed++;
  else failed++;
  process.stdout.write(why === undefined ? `✓ ${text}\n` : `✗ ${text}\n${why.trim().replaceAll(/^/gm, "    ")}\n`);
}

function report(expected, { results, problems }) {
  for (const [name, text] of Object.entries(expected)) line(results.has(name) ? results.get(name) : "the guest said nothing of it", text);
  for (const [name, why] of results) if (!(name in expected)) line(why ?? "nobody asked for it", name);
  line(problems.length ? problems.join("\n") : undefined, "the board's rules and the protocol's were kept, to the end");
}

/** Builds a wrong image; `{ boot, image }`. @throws Stop without the cross compiler */
function wrongImage(name, folder) {
  const place = join(folder, name);
  const args = ["tools/dev/firmware.mjs", "build", "--define", `NEGATIVE_${name}`, "--out", place];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  if (status === 8) throw new Stop((stderr || stdout).trim());
  if (status !== 0) throw new Error(`${name} does not compile\n${stdout}${stderr}`);
  const [image, boot] = ["reader.img", "boot.bin"].map((file) => new Uint8Array(readFileSync(join(place, file))));
  return { image, boot };
}

async function playWrong(setting) {
  const folder = mkdtempSync(join(tmpdir(), "inkan-wrong-"));
  try {
    for (const [name, { parts, caughtBy }] of Object.entries(wrongImages).slice(0, setting.patient ? undefined : 1)) {
      const { results } = await play({ ...setting, parts, image: wrongImage(name, folder) });
      // Enumerated, and then stopped by exactly this: an image that does not even boot is caught by anything.
      const stood = results.has("enumerated") && results.get("enumerated") === undefined;
      const caught = stood && results.has(caughtBy) && results.get(caughtBy) !== undefined;
      const others = [...results].filter(([, why]) => why !== undefined).map(([check]) => check);
      line(caught ? undefined : `caught by: ${others.join(", ") || "nothing"}`, `the wrong image ${name} is caught by: ${caughtBy}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main() {
  needNode();
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { all: { type: "boolean" }, console: { type: "boolean" }, apdus: { type: "string" }, rounds: { type: "string" } },
  });
  const known = [...Object.keys(checks).filter((part) => part !== ""), "wrong"];
  for (const part of positionals) if (!known.includes(part)) throw new Error(`there is no part ${part}: ${known.join(" ")}`);
  const wanted = positionals.length ? positionals : known;
  const parts = known.filter((part) => part !== "wrong" && wanted.includes(part)); // in their order: a later one leaves the card on
  const tools = needs();
  ensureInstalled();
  ensureBuilt();
  const patient = values.all === true;
  const [apdus, rounds] = [Number(values.apdus ?? 1000), Number(values.rounds ?? 20)];
  const setting = { ...tools, kernel: guestKernel(), apdus, rounds, patient, limitMs: LIMIT_MS + 60 * (apdus - 1000) };
  if (parts.length) {
    const found = await play({ ...setting, parts });
    if (values.console) process.stderr.write(found.console);
    const late = patient && parts.includes("opensc") ? patientChecks : {};
    report(Object.assign({}, checks[""], ...parts.map((part) => checks[part]), late, lastChecks), found);
  }
  if (wanted.includes("wrong")) await playWrong(setting);
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exitCode = failed ? 1 : 0;
}

await script(main);
