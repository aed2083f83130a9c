// npm run test:interop: programs that know nothing of this project drive the reader over its serial port. pcscd with libccid's serial driver
// (libccidtwin) speaks to the released image on the virtual board over a pseudo-terminal; pcsc-tools, OpenSC and a client of libpcsclite speak
// to pcscd. One line per check, then "N passed, N failed"; exit 8 names what has to be installed. `--apdus N` for more than 1 000; `--log FILE`
// keeps what pcscd said. pcscd runs in a mount namespace of its own: one that the machine has is neither seen nor disturbed.
import { spawnSync } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { Sandbox } from "./interop/sandbox.mjs";
import { Stop, ensureBuilt, ensureInstalled, needNode, root, script } from "./toolchain.mjs";

const DRIVER = "/usr/lib/pcsc/drivers/serial/libccidtwin.so";
const NAME = "Inkan";
/** Programs and the Debian packages that have them. */
const needed = {
  pcscd: "/usr/sbin/pcscd",
  libccid: DRIVER,
  "pcsc-tools": "/usr/bin/pcsc_scan",
  opensc: "/usr/bin/opensc-explorer",
  openssl: "/usr/bin/openssl",
  python3: "/usr/bin/python3",
};
const option = (name, otherwise) => {
  const at = process.argv.indexOf(name);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const APDUS = Number(option("--apdus", "1000"));
const LOG = option("--log");

const results = { passed: 0, failed: 0 };
async function check(name, work) {
  let why;
  const began = performance.now();
  try {
    why = await work();
  } catch (error) {
    why = error.stack ?? String(error);
  }
  results[why ? "failed" : "passed"]++;
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  process.stdout.write(`${why ? "✗" : "✓"} ${name} (${seconds} s)\n${why ? `${String(why).trim().replaceAll(/^/gm, "    ")}\n` : ""}`);
}
const holds = (condition, said) => (condition ? undefined : `unexpected: ${typeof said === "string" ? said : JSON.stringify(said)}`);
const matches = (text, ...patterns) => {
  const missing = patterns.filter((pattern) => !(pattern instanceof RegExp ? pattern.test(text) : text.includes(pattern)));
  return missing.length ? `does not say ${missing.join(", ")}:\n${text}` : undefined;
};

/** pcscd for one reader.conf. */
class Daemon {
  #child;
  said = "";
  constructor(sandbox, folder, lines) {
    const conf = mkdtempSync(join(folder, "conf-"));
    writeFileSync(join(conf, "inkan"), lines);
    this.#child = sandbox.spawn("/usr/sbin/pcscd", ["--foreground", ...(LOG ? ["--debug"] : []), "--config", conf], {
      env: { LIBCCID_ifdLogLevel: LOG ? "0x000F" : "0x0003" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const file = LOG ? openSync(LOG, "a") : undefined;
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.on("data", (data) => {
        if (file === undefined) this.said += data;
        else writeFileSync(file, data);
      });
  }
  async close() {
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.kill("SIGTERM");
    const limit = setTimeout(() => this.#child.kill("SIGKILL"), 5000);
    await ended;
    clearTimeout(limit);
  }
}

/** `inkan virtual run --pcscd-serial`, as users run it, in this process: the checks put cards of their own into its reader. */
async function virtualRun(port, bench) {
  const { main: inkan } = await import(new URL("../dist/src/main.js", import.meta.url).href);
  let say, reader, tell;
  const ready = new Promise((resolve) => (tell = resolve));
  const ended = inkan(["virtual", "run", "--pcscd-serial", port, "--fingers", "auto", "--json"], {
    env: process.env,
    stdout: {
      write(text) {
        for (const line of String(text).split("\n")) {
          const event = line === "" ? {} : JSON.parse(line);
          if (event.event === "ready" || event.ok === false) tell(event);
        }
        return true;
      },
    },
    stderr: process.stderr,
    stdin: {
      listen(listener) {
        say = (line) => listener(new TextEncoder().encode(`${line}\n`));
        return () => undefined;
      },
    },
    onSignal: () => () => undefined,
    bench: async () => ({ ...bench, openVirtualReader: async (options) => (reader = await bench.openVirtualReader(options)) }),
  });
  const { readerConf, error } = await ready;
  if (error) throw new Error(error.message);
  return {
    reader,
    readerConf,
    async close() {
      say("quit");
      return ended;
    },
  };
}

/** client.py: one answer for each line. */
class Client {
  #child;
  #waiting = [];
  #ended;
  constructor(sandbox) {
    this.#child = sandbox.spawn("python3", [join(root, "tools/dev/interop/client.py")], { stdio: ["pipe", "pipe", "pipe"] });
    let errors = "";
    this.#child.stderr.on("data", (data) => (errors += data));
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.#waiting.shift()?.(line));
    this.#child.on("close", () => {
      this.#ended = `no client: ${errors}`;
      this.#waiting.forEach((resolve) => resolve(this.#ended));
    });
  }
  say(...words) {
    if (this.#ended) return Promise.resolve(this.#ended);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#child.stdin.write(`${words.join(" ")}\n`);
    });
  }
  close() {
    this.#child.stdin.end();
  }
}

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const upper = (bytes) => hex(bytes).toUpperCase();
/** Answers of cards are at most so long here: what libccid has room for besides SW1SW2. */
const LONGEST = 65534;
/** A fast T=1 card (F=512, D=32) that answers everything with itself and 9000. */
const ECHO_ATR = Uint8Array.of(0x3b, 0x90, 0x96, 0x81, 0x31, 0xfe, 0x45, 0);
ECHO_ATR[7] = ECHO_ATR.subarray(1, 7).reduce((sum, byte) => sum ^ byte, 0);
const echo = (atr, thinkMs = () => 0) => ({
  atr,
  powerOn: () => atr,
  transmit: (command) => ({ response: Uint8Array.of(...command.subarray(0, LONGEST), 0x90, 0x00), thinkMs: thinkMs() }),
});

async function main() {
  needNode();
  const missing = Object.keys(needed).filter((name) => !existsSync(needed[name]));
  if (process.platform !== "linux" || missing.length)
    throw new Stop(`Programs are missing. On Debian: sudo apt-get install ${(missing.length ? missing : Object.keys(needed)).join(" ")}`);
  if (!(APDUS > 0)) throw new Stop("--apdus takes a number", 2);
  ensureInstalled();
  ensureBuilt();
  const bench = {
    ...(await import("@inkan/hwtest/board")),
    ...(await import("@inkan/hwtest/cards")),
    ...(await import("@inkan/sdk/node")),
    material: (await import("@inkan/hwtest/authority")).standardMaterial(),
  };
  const folder = mkdtempSync(join(tmpdir(), "inkan-interop-"));
  const sandbox = await Sandbox.open();
  const port = join(folder, "port");
  let run, daemon, client;
  const problems = [];
  try {
    run = await virtualRun(port, bench);
    const { reader, readerConf } = run;
    reader.board.on((event) => {
      if (event.type === "violation") problems.push(event.violation.message);
    });
    const world = { sandbox, folder, reader, bench, port, readerConf };
    // Noise before anybody speaks: half a frame, a frame with a wrong check, an unfinished link frame.
    writeFileSync(
      port,
      Buffer.from(`ff030603066f050000000001000000 03066b0100000000000000000002ff 00024001035a`.replaceAll(" ", ""), "hex"),
    );
    await delay(200);
    daemon = new Daemon(sandbox, folder, readerConf);
    await scanning(world);
    client = new Client(sandbox); // its context needs a daemon
    world.client = client;
    await connecting(world);
    await opensc(world);
    await pad(world);
    await blocks(world);
    await characters(world);
    await daemon.close();
    daemon = undefined;
    await others(world);
    await check("the board's rules were kept, to the end", () =>
      holds(problems.length === 0 && !reader.board.failure, [...problems, String(reader.board.failure ?? "")].join("\n")),
    );
    await check("virtual run ends at quit, and takes its port away", async () => {
      const status = await run.close();
      run = undefined;
      return holds(status === 0 && !existsSync(port), `exit ${status}`);
    });
  } finally {
    client?.close();
    await daemon?.close();
    await run?.close();
    sandbox.close();
    rmSync(folder, { recursive: true, force: true });
  }
  process.stdout.write(`${results.passed} passed, ${results.failed} failed\n`);
  process.exitCode = results.failed ? 1 : 0;
}

/** Waits until pcscd says so; it polls every 0.4 s, and opens a PIN pad reader in about two. */
async function until(limitMs, work) {
  for (const end = performance.now() + limitMs; ; await delay(100)) {
    const said = await work();
    if (said !== undefined || performance.now() > end) return said;
  }
}

async function scanning({ sandbox, reader }) {
  await check("pcscd adds the reader behind noise, and lists exactly it", async () => {
    const list = await until(10_000, async () => {
      const { said } = await sandbox.run("pcsc_scan", ["-r"]);
      return said.includes(NAME) ? said : undefined;
    });
    return holds(list !== undefined && /^0: Inkan 00 00$/m.test(list) && !/^1:/m.test(list), list ?? "no reader within 10 s");
  });
  await check("pcsc_scan sees the card, sees it go and come", async () => {
    const scan = sandbox.spawn("stdbuf", ["-oL", "pcsc_scan", "-n"], { stdio: "pipe" });
    let said = "";
    scan.stdout.on("data", (data) => (said += data));
    const seen = (pattern, count) => until(8000, async () => (said.match(pattern)?.length === count ? true : undefined));
    try {
      const first = await seen(/Card inserted/g, 1);
      await reader.remove();
      const gone = await seen(/Card removed/g, 1);
      await reader.insert();
      const again = await seen(/Card inserted/g, 2);
      return holds(first && gone && again && /3B DA 13 FF/.test(said), said);
    } finally {
      scan.kill("SIGTERM");
    }
  });
}

async function connecting({ client }) {
  await check("a client of libpcsclite connects, T=1", async () => {
    const said = await client.say("connect");
    return holds((await client.say("disconnect")) === "ok" && /^ok T=1 3bda13/.test(said), said);
  });
}

/** OpenSC's own driver for the card. It types PINs at the host: its VERIFY does not know pads. */
async function opensc({ sandbox, folder, reader, bench: { material } }) {
  const certificates = { auth: new X509Certificate(material.authCertificate), sign: new X509Certificate(material.signCertificate) };
  await check("opensc-tool -n: jpki", async () => {
    const { status, said } = await sandbox.run("opensc-tool", ["-n"]);
    return holds(status === 0 && /^jpki$/m.test(said), said);
  });
  await check("opensc-tool -l: a card, and a PIN pad", async () =>
    matches((await sandbox.run("opensc-tool", ["-l"])).said, /0\s+Yes\s+PIN pad\s+Inkan/),
  );
  await check("pkcs15-tool lists keys, PINs and tries", async () =>
    matches(
      (await sandbox.run("pkcs15-tool", ["-D"])).said,
      "[User Authentication Key]",
      "[Digital Signature Key]",
      "Tries left     : 3",
      "Tries left     : 5",
    ),
  );
  const read = (id, ...more) => sandbox.run("pkcs15-tool", ["--read-certificate", id, ...more]);
  const pem = (text) => /-----BEGIN[^]*END CERTIFICATE-----/.exec(text)?.[0];
  await check("pkcs15-tool reads the authentication certificate, byte for byte", async () => {
    const { said } = await read("01");
    return holds(pem(said) && new X509Certificate(pem(said)).raw.equals(certificates.auth.raw), said);
  });
  await check("pkcs15-tool reads the signature certificate with its password only", async () => {
    const refused = await read("02");
    const { said } = await read("02", "--verify-pin", "--auth-id", "02", "--pin", material.signPassword);
    return holds(
      !pem(refused.said) && pem(said) && new X509Certificate(pem(said)).raw.equals(certificates.sign.raw),
      `${refused.said}\n${said}`,
    );
  });
  const document = join(folder, "document");
  writeFileSync(document, "a document\n");
  const sign = (slot, pin, to) =>
    sandbox.run("pkcs11-tool", [
      ...["--sign", "--mechanism", "SHA256-RSA-PKCS", "--slot-index", String(slot), "--login", "--pin", pin],
      ...["--input-file", document, "--output-file", to],
    ]);
  const verified = (name, signature) => {
    const key = join(folder, `${name}.pub`);
    writeFileSync(key, certificates[name].publicKey.export({ type: "spki", format: "pem" }));
    const { status, stdout, stderr } = spawnSync("openssl", ["dgst", "-sha256", "-verify", key, "-signature", signature, document], {
      encoding: "utf8",
    });
    return holds(status === 0 && /Verified OK/.test(stdout), stdout + stderr);
  };
  for (const [slot, name, pin] of [
    [0, "auth", material.authPin],
    [1, "sign", material.signPassword],
  ])
    await check(`pkcs11-tool signs with the ${name} key${name === "sign" ? ", OK pressed on the pad" : ""}; openssl verifies`, async () => {
      const to = join(folder, `${name}.sig`);
      const { status, said } = await sign(slot, pin, to);
      return status === 0 ? verified(name, to) : said;
    });
  await check("pkcs11-tool: a wrong PIN is CKR_PIN_INCORRECT, and costs one try", async () => {
    const { status, said } = await sign(0, "9999", join(folder, "none"));
    const tries = await sandbox.run("pkcs15-tool", ["--list-pins"]);
    return holds(status !== 0 && /CKR_PIN_INCORRECT/.test(said) && /Tries left {5}: 2/.test(tries.said), said + tries.said);
  });
  await check("a signature that is refused on the pad is not made", async () => {
    reader.fingers.auto = false;
    const watch = reader.board.on((event) => {
      // The second of the consent's two tones: then nothing else is asked.
      if (event.type === "tone" && Math.abs(event.hertz - 1600) < 20) void delay(300).then(() => reader.fingers.press("cancel"));
    });
    try {
      const to = join(folder, "refused.sig");
      const { status, said } = await sign(1, material.signPassword, to);
      return holds(status !== 0 && /error: PKCS11 function C_Sign/.test(said) && !existsSync(to), said);
    } finally {
      watch();
      reader.fingers.auto = true;
    }
  });
}

/** The PIN typed on our pad: OpenSC's explorer with its plain ISO driver, and a client by PC/SC part 10. */
async function pad({ sandbox, reader, client, bench: { material } }) {
  const digest = createHash("sha256").update("typed on the pad").digest();
  const info = `3031300D060960864801650304020105000420${upper(digest)}`;
  const explore = (file, key, ...more) =>
    sandbox.run("opensc-explorer", ["--card-driver", "default", "--mf", ""], {
      input: `apdu 00A4040C0AD392F000260100000001\napdu 00A4020C02${file}\nverify CHV128\n${[`apdu 00A4020C02${key}`, `apdu 802A008033${info}00`, ...more].join("\n")}\nquit\n`,
      limitMs: 100_000,
    });
  const signatureIn = (said) => {
    const rows = said.split("802A0080").at(-1) ?? "";
    const bytes = [...rows.matchAll(/^((?:[0-9A-F]{2} ){1,16})/gm)].flatMap((row) => row[1].trim().split(" "));
    return Buffer.from(bytes.join(""), "hex");
  };
  for (const [name, file, key] of [
    ["auth", "0018", "0017"],
    ["sign", "001B", "001A"],
  ])
    await check(
      `opensc-explorer: the ${name === "sign" ? "password, in letters," : "PIN"} typed on the pad, then a signature`,
      async () => {
        const { said } = await explore(file, key);
        const signature = signatureIn(said);
        const { publicDecrypt, constants } = await import("node:crypto");
        const { publicKey } = new X509Certificate(material[`${name}Certificate`]);
        const why = matches(said, "Please enter PIN on the reader's pin pad", "Code correct");
        if (why) return why;
        const recovered = publicDecrypt({ key: publicKey, padding: constants.RSA_PKCS1_PADDING }, signature.subarray(0, 256));
        return holds(upper(recovered) === info, said);
      },
    );
  const fingers = (deed) => {
    reader.fingers.auto = false;
    const watch = reader.board.on((event) => {
      if (event.type === "lamp" && event.lit) void deed().catch(() => undefined);
    });
    return () => {
      watch();
      reader.fingers.auto = true;
    };
  };
  await check("opensc-explorer: a wrong PIN on the pad", async () => {
    const end = fingers(async () => {
      await delay(300);
      await reader.fingers.type("9876");
    });
    const { said } = await explore("0018", "0017");
    end();
    return matches(said, /Incorrect code, 2 tries left/i);
  });
  await check("opensc-explorer: cancelled on the pad", async () => {
    const end = fingers(async () => {
      await delay(300);
      await reader.fingers.press("cancel");
    });
    const { said } = await explore("0018", "0017");
    end();
    return matches(said, /cancelled by user/i);
  });
  await check("opensc-explorer: nobody at the pad for its 30 s", async () => {
    const end = fingers(async () => undefined);
    const { said } = await explore("0018", "0017");
    end();
    return matches(said, /timed out while waiting for user input/i);
  });
  await check("PC/SC part 10: after all of these, the PIN on the pad is right again", async () => {
    await client.say("connect");
    const select = [await client.say("apdu", "00A4040C0AD392F000260100000001"), await client.say("apdu", "00A4020C020018")];
    const said = await client.say("verify", 10, "0020008000");
    await client.say("disconnect");
    return holds(select.every((answer) => answer === "ok 9000") && said === "ok 9000", [...select, said].join(", "));
  });
}

async function blocks({ reader, client, folder, bench }) {
  let think = 0;
  let asked = () => undefined;
  await reader.remove();
  await delay(1000);
  await reader.insert(new bench.T1Card(echo(ECHO_ATR, () => (asked(), think))));
  await delay(1500);
  await check("another card, with another rate: connected, after a PPS", async () => matches(await client.say("connect"), "ok T=1 3b9096"));
  const big = new Uint8Array(4 + 3 + 65535).fill(0x5a);
  big.set([0x00, 0xda, 0x01, 0x02, 0x00, 0xff, 0xff]);
  big.forEach((_, at) => at > 6 && (big[at] = at * 7));
  await check("an APDU of 64 KiB, there and back", async () => {
    const file = join(folder, "big");
    writeFileSync(file, hex(big));
    const said = await client.say("file", file);
    return holds(said === `ok ${hex(big.subarray(0, LONGEST))}9000`, said.slice(0, 200));
  });
  await check(`${APDUS} APDUs in one process, each answered right`, async () => {
    const command = "00b0000010";
    const said = await client.say("many", APDUS, command, `${command}9000`);
    if (/^ok \d+$/.test(said)) process.stdout.write(`  ${(Number(said.slice(3)) / APDUS).toFixed(2)} ms each\n`);
    return holds(/^ok \d+$/.test(said), said);
  });
  await check("a card that thinks for 6 s of its time", async () => {
    think = 6000;
    const said = await client.say("apdu", "00b0000004");
    think = 0;
    return holds(said === "ok 00b00000049000", said);
  });
  await check("a card pulled in the middle of a command, and put in again", async () => {
    think = 20_000;
    asked = () => setImmediate(() => void reader.remove());
    const said = await client.say("apdu", "00b0000004");
    asked = () => undefined;
    think = 0;
    await delay(1000);
    await reader.insert(new bench.T1Card(echo(ECHO_ATR)));
    await delay(1500);
    await client.say("disconnect");
    const again = [await client.say("connect"), await client.say("many", 20, "00b0000004", "00b00000049000")];
    return holds(said.startsWith("no ") && again[0].startsWith("ok") && again[1].startsWith("ok"), [said, ...again].join(", "));
  });
  await client.say("disconnect");
}

/** T=0: its answers are what the reader made of procedure bytes. */
async function characters({ reader, client, bench }) {
  const atr = Uint8Array.of(0x3b, 0x12, 0x11, 0x49, 0x4b);
  await reader.remove();
  await delay(1000);
  await reader.insert(
    new bench.T0Card({
      atr,
      powerOn: () => atr,
      transmit: (command) => ({
        response:
          command[1] === 0xb0
            ? Uint8Array.of(...new Uint8Array(command[4] || 256).fill(0x33), 0x90, 0x00)
            : Uint8Array.of(0x61, command.length & 0xff),
        thinkMs: 1,
      }),
    }),
  );
  await delay(1500);
  await check("a T=0 card: data out, data in, a command of four bytes, an Le behind the data", async () => {
    const said = [await client.say("connect")];
    for (const command of ["00a40400023f00", "00b0000010", "0044000a", "00a40400023f0000", "00b0000000"])
      said.push(await client.say("apdu", command));
    await client.say("disconnect");
    const right = ["ok T=0 3b1211494b", "ok 6107", `ok ${"33".repeat(16)}9000`, "ok 6105", "ok 6107", `ok ${"33".repeat(256)}9000`];
    return holds(
      JSON.stringify(said) === JSON.stringify(right),
      said.map((line, at) => `${line === right[at]} ${line.length} ${line.slice(0, 40)}`).join("\n"),
    );
  });
}

/** The other names the driver has for a reader, and the link, which takes its port back. */
async function others({ sandbox, folder, reader, port, readerConf, bench }) {
  await reader.remove();
  await reader.insert();
  await check("as GemPCTwin, without a pad: opensc-tool -n: jpki", async () => {
    const daemon = new Daemon(sandbox, folder, readerConf.replace("GemPCPinPad", "GemPCTwin"));
    try {
      const name = await until(10_000, async () => {
        const { said } = await sandbox.run("opensc-tool", ["-n"]);
        return /^jpki$/m.test(said) ? said : undefined;
      });
      const { said } = await sandbox.run("opensc-tool", ["-l"]);
      return holds(name !== undefined && !/PIN pad/.test(said), said);
    } finally {
      await daemon.close();
    }
  });
  await check("the link's hello takes the port back, and the card is a fresh one", async () => {
    const other = await bench.openUri(`serial:${port}`);
    try {
      const card = await other.connect();
      const { sw } = await card.transmit(Buffer.from("00a4040c0ad392f000260100000001", "hex"));
      return holds(sw === 0x9000, sw);
    } finally {
      await other.close();
    }
  });
}

await script(main);
