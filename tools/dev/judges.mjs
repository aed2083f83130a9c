// npm run test:judges: OpenSSL and Wireshark, who know nothing of this project, judge what it makes. Prints "N passed, N failed";
// exit 8 names the Debian package that is missing. `--only card` leaves out the whole board, `--only board` the card alone.
import { spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Stop, ensureBuilt, ensureInstalled, needNode, root, script } from "./toolchain.mjs";

/** Programs that judge, and the Debian package that has each. */
const judges = { openssl: ["openssl", "version"], tshark: ["tshark", "--version"] };

const results = { passed: 0, failed: 0 };
/** One judgement. What a judge said is shown when he said no. */
async function judge(name, check) {
  let why;
  try {
    why = await check();
  } catch (error) {
    why = error.stack ?? String(error);
  }
  results[why ? "failed" : "passed"]++;
  process.stdout.write(`${why ? "✗" : "✓"} ${name}\n${why ? `${String(why).trim().replaceAll(/^/gm, "    ")}\n` : ""}`);
}

/** Runs a program. `said` is everything it wrote. */
function run(program, ...args) {
  const { status, stdout, stderr, error, signal } = spawnSync(program, args, { encoding: "latin1", maxBuffer: 1 << 28 });
  if (error) throw error;
  return { status: signal ? -1 : status, stdout, said: `${stdout}${stderr}` };
}
const accepts = ({ status, said }) => (status === 0 ? undefined : `exit ${status}: ${said}`);
/** He must refuse, and for this reason: a program that fails for another one has not judged. */
const refuses = ({ status, said }, reason) =>
  status !== 0 && reason.test(said) ? undefined : `exit ${status}, expected ${reason}: ${said}`;
const shows = ({ status, stdout }, wanted) => {
  const missing = wanted.filter((each) => !stdout.includes(each));
  return status === 0 && missing.length === 0 ? undefined : `exit ${status}, does not show: ${missing.join(", ")}`;
};

const KiB = 1024;
const sizes = [
  ["1 byte", 1],
  ["10 MiB", 10 * KiB * KiB],
  ["1 GiB", KiB * KiB * KiB],
];

/** A document of a size: sparse, with something to hash at both ends and in the middle. */
function writeDocument(path, size) {
  const fd = openSync(path, "w");
  try {
    ftruncateSync(fd, size);
    for (const at of [0, Math.floor(size / 2), size - 1]) writeSync(fd, Buffer.from([(at % 251) + 1]), 0, 1, at);
  } finally {
    closeSync(fd);
  }
}

/** Flips one bit of the document in place; the same call flips it back. */
function flipBit(path, at) {
  const fd = openSync(path, "r+");
  try {
    const octet = Buffer.alloc(1);
    readSync(fd, octet, 0, 1, at);
    octet[0] ^= 0x10;
    writeSync(fd, octet, 0, 1, at);
  } finally {
    closeSync(fd);
  }
}

await script(async () => {
  const at = process.argv.indexOf("--only");
  const only = at < 0 ? undefined : process.argv[at + 1];
  if (at >= 0 && only !== "card" && only !== "board") throw new Stop("--only takes card or board", 2);
  needNode();
  for (const [debianPackage, [program, ...args]] of Object.entries(judges))
    if (spawnSync(program, args).error) throw new Stop(`${program} is missing. Install it: apt-get install ${debianPackage}`, 8);
  ensureInstalled();
  ensureBuilt();
  const folder = mkdtempSync(join(tmpdir(), "inkan-judges-"));
  try {
    const tools = await prepare(folder);
    if (only !== "board") await judgeCard(tools);
    if (only !== "card") await judgeBoard(tools);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  process.stdout.write(`${results.passed} passed, ${results.failed} failed\n`);
  process.exitCode = results.failed > 0 ? 5 : 0;
});

/** Material, files and the SDK that the judgements need. */
async function prepare(folder) {
  const sdk = Object.fromEntries(
    await Promise.all(
      ["hashing", "jpki", "signing", "testing", "trace", "trust", "verify"].map(async (door) => [door, await import(`@inkan/sdk/${door}`)]),
    ),
  );
  const { standardMaterial } = await import("@inkan/hwtest/authority");
  const proto = await import("@inkan/device-proto");
  const material = standardMaterial();
  const file = (name) => join(folder, name);
  const write = (name, data) => {
    writeFileSync(file(name), data);
    return file(name);
  };
  const pem = (name, der) => write(name, sdk.trust.writePem(der));
  return {
    ...sdk,
    proto,
    material,
    file,
    write,
    signCa: pem("sign-ca.pem", material.signCa),
    authCa: pem("auth-ca.pem", material.authCa),
    sign: pem("sign.pem", material.signCertificate),
    auth: pem("auth.pem", material.authCertificate),
    signKey: write("sign.key", material.signKey),
    // The moment all of it is judged at: the checked-in certificates begin on 2026-11-01, whatever the machine's clock says.
    at: new Date("2026-11-22T03:00:00Z"),
  };
}

/** `openssl cms -verify` of a detached signature; -cades also makes him check signing-certificate-v2. */
function cmsVerify({ at }, ca, signature, document) {
  const files = ["-inform", "DER", "-in", signature, "-content", document, "-CAfile", ca, "-out", "/dev/null"];
  return run("openssl", "cms", "-verify", "-binary", "-cades", "-purpose", "any", "-attime", String(Math.floor(at / 1000)), ...files);
}

/** The simulated card in a reader that keeps a trace of CCID messages, as the real one's would be. */
function tracedCard({ testing, trace, material, proto }) {
  const card = testing.JpkiTestCard.standard(material);
  const recorder = new trace.TraceRecorder({ startedAt: new Date("2026-11-22T03:00:00Z") });
  let sequence = 0;
  let clock = 0;
  const messages = { count: 0 };
  const record = (direction, bytes, redactedAt = []) => {
    recorder.event({ at: clock, kind: "ccid", direction, bytes, redactedAt });
    messages.count++;
  };
  const exchange = (name, data, answer, thinkMs, redactedAt) => {
    sequence = (sequence + 1) & 0xff;
    record("to-reader", proto.encodeCommand({ name, slot: 0, sequence, specific: [0, 0, 0], data }), redactedAt);
    clock += thinkMs;
    record(
      "from-reader",
      proto.encodeAnswer({ name: "DataBlock", slot: 0, sequence, icc: "active", status: "ok", error: 0, specific: 0, data: answer }),
    );
    clock += 1;
  };
  const answered = (response) => ({ data: response.slice(0, -2), sw: (response.at(-2) << 8) | response.at(-1) });
  exchange("IccPowerOn", new Uint8Array(0), card.powerOn(), 80);
  const port = {
    transmit: async (apdu) => {
      const { response, thinkMs } = card.transmit(apdu);
      exchange("XfrBlock", apdu, response, thinkMs);
      return answered(response);
    },
    verifyOnPad: async ({ header }) => {
      const secret = new TextEncoder().encode(material.signPassword);
      const { response, thinkMs } = card.transmit(Uint8Array.from([...header, secret.length, ...secret]));
      const block = Uint8Array.from([0, 0, 0x82, 0, 0, 16, 6, 2, 1, 0x11, 4, 0, 0, 0, 0, ...header, 0]);
      exchange("Secure", block, response, thinkMs);
      return answered(response);
    },
  };
  return { port, recorder, messages };
}

/** Everything the SDK makes with the card alone. */
async function judgeCard(tools) {
  const { hashing, jpki, signing, trust, verify, material, file, at } = tools;
  const { port, recorder, messages } = tracedCard(tools);
  const card = await jpki.openJpki(port);
  await card.verify("sign", { on: "pad" });
  const signer = await card.signer("sign");
  const roots = [trust.parseCertificate(material.signCa)];

  for (const [words, size] of sizes) {
    const document = file("document");
    writeDocument(document, size);
    const before = process.memoryUsage().rss;
    let highest = before;
    const digests = await hashing.hashFile(document, ["sha256", "sha384", "sha512"], {
      onProgress: () => (highest = Math.max(highest, process.memoryUsage().rss)),
    });
    await judge(`${words}: hashed with flat memory`, () => {
      const grown = (highest - before) / KiB / KiB;
      return digests.size === size && grown < 32 ? undefined : `${digests.size} bytes, memory grew by ${grown.toFixed(1)} MiB`;
    });
    for (const hash of ["sha256", "sha384", "sha512"])
      await judge(`${words}: openssl dgst finds the same ${hash}`, () =>
        shows(run("openssl", "dgst", `-${hash}`, "-r", document), [Buffer.from(digests.digests[hash]).toString("hex")]),
      );
    const signature = tools.write(
      "signature.p7s",
      await signing.signCms({ hash: "sha256", digests: digests.digests, signer, signingTime: at }),
    );
    await judge(`${words}: openssl cms -verify -cades accepts`, () => accepts(cmsVerify(tools, tools.signCa, signature, document)));
    for (const [where, offset] of [
      ["first", 0],
      ["last", size - 1],
    ]) {
      flipBit(document, offset);
      await judge(`${words}: refuses one flipped bit in the ${where} byte`, () =>
        refuses(cmsVerify(tools, tools.signCa, signature, document), /verification failure|digest/i),
      );
      await judge(`${words}: so does our own verifier`, async () => {
        const changed = await hashing.hashFile(document, ["sha256"]);
        const report = await verify.verifyCms({
          signature: readFileSync(signature),
          digestOf: async (hash) => changed.digests[hash],
          trust: roots,
          at,
          revocation: "none",
        });
        return report.subIndication === "HASH_FAILURE" ? undefined : `${report.verdict} ${report.subIndication}`;
      });
      flipBit(document, offset);
    }
    await judge(`${words}: openssl accepts again with the bit flipped back`, () =>
      accepts(cmsVerify(tools, tools.signCa, signature, document)),
    );
  }
  await judgeForms(tools, signer, roots);
  await judgeCertificates(tools);
  await judgeTrace(tools, "card", tools.write("trace.pcapng", recorder.toPcapng()), messages.count);
}

/** Signatures of other shapes, ours for OpenSSL and OpenSSL's for us. */
async function judgeForms(tools, signer, roots) {
  const { hashing, signing, verify, file, at } = tools;
  const content = new TextEncoder().encode("attached or not\n");
  const document = tools.write("small", content);
  const signature = tools.write("small.p7s", await signing.signCms({ hash: "sha256", content, signer, signingTime: at }));
  await judge("another authority is refused", () =>
    refuses(cmsVerify(tools, tools.authCa, signature, document), /unable to get (local )?issuer certificate|self-signed/i),
  );
  await judge("asn1parse shows the signature's object identifiers", () =>
    shows(run("openssl", "asn1parse", "-inform", "DER", "-in", signature), [
      "pkcs7-signedData",
      "pkcs7-data",
      "contentType",
      "signingTime",
      "messageDigest",
      "id-smime-aa-signingCertificateV2",
      "rsaEncryption",
    ]),
  );
  for (const hash of ["sha384", "sha512"]) {
    const other = tools.write(`${hash}.p7s`, await signing.signCms({ hash, content, signer, signingTime: at }));
    await judge(`openssl accepts ${hash}`, () => accepts(cmsVerify(tools, tools.signCa, other, document)));
  }
  const attached = tools.write("attached.p7m", await signing.signCms({ hash: "sha256", content, signer, signingTime: at, attached: true }));
  await judge("openssl takes the document out of an attached signature", () => {
    const out = file("taken-out");
    const done = run(
      "openssl",
      "cms",
      "-verify",
      "-binary",
      "-cades",
      "-inform",
      "DER",
      "-in",
      attached,
      "-CAfile",
      tools.signCa,
      "-purpose",
      "any",
      "-attime",
      String(at / 1000),
      "-out",
      out,
    );
    return accepts(done) ?? (readFileSync(out).equals(Buffer.from(content)) ? undefined : "other bytes came out");
  });
  const digestOf = async (hash) => hashing.hashBytes(hash, content);
  const theirs = (...more) => {
    const out = file("theirs.p7s");
    const done = run(
      "openssl",
      "cms",
      "-sign",
      "-binary",
      "-in",
      document,
      "-signer",
      tools.sign,
      "-inkey",
      tools.signKey,
      "-md",
      "sha256",
      "-outform",
      "DER",
      "-out",
      out,
      ...more,
    );
    return done.status === 0 ? readFileSync(out) : Promise.reject(new Error(done.said));
  };
  const ours = async (theirSignature, more = {}) => {
    // OpenSSL stamps its signatures with the machine's clock, which is a claim only; the certificates are judged at our moment.
    const report = await verify.verifyCms({ signature: theirSignature, digestOf, trust: roots, at, revocation: "none", ...more });
    return `${report.verdict} ${report.subIndication ?? ""}`.trim();
  };
  const expect = (said, wanted) => (said === wanted ? undefined : said);
  await judge("we accept OpenSSL's CAdES signature", async () => expect(await ours(await theirs("-cades")), "TOTAL-PASSED"));
  await judge("we call its plain one indeterminate: no binding", async () =>
    expect(await ours(await theirs()), "INDETERMINATE SIG_CONSTRAINTS_FAILURE"),
  );
  await judge("unless the caller waives that", async () => expect(await ours(await theirs(), { binding: "optional" }), "TOTAL-PASSED"));
  await judge("we call one without signed attributes indeterminate", async () =>
    expect(await ours(await theirs("-noattr"), { binding: "optional" }), "INDETERMINATE SIG_CONSTRAINTS_FAILURE"),
  );
}

/** The test authority's work. */
async function judgeCertificates(tools) {
  const time = ["-attime", String(tools.at / 1000)];
  const chain = (ca, certificate) => run("openssl", "verify", ...time, "-CAfile", ca, certificate);
  await judge("openssl verify accepts the signature certificate's chain", () => accepts(chain(tools.signCa, tools.sign)));
  await judge("openssl verify accepts the authentication certificate's chain", () => accepts(chain(tools.authCa, tools.auth)));
  await judge(
    "each authority refuses the other's certificate",
    () => refuses(chain(tools.authCa, tools.sign), /unable to get/) ?? refuses(chain(tools.signCa, tools.auth), /unable to get/),
  );
  const policies = "1.2.392.200149.8.5.1.0.20";
  const attributes = [1, 2, 3, 4, 5, 6].map((last) => `1.2.392.200149.8.5.5.${last}`);
  await judge(
    "asn1parse shows the profile's object identifiers",
    () =>
      shows(run("openssl", "asn1parse", "-in", tools.sign), [
        "sha256WithRSAEncryption",
        "X509v3 Key Usage",
        "X509v3 Certificate Policies",
        "X509v3 Subject Alternative Name",
        "X509v3 Issuer Alternative Name",
        "X509v3 CRL Distribution Points",
        "X509v3 Subject Key Identifier",
      ]) ??
      shows(run("openssl", "x509", "-in", tools.sign, "-noout", "-text"), [policies, ...attributes, "Digital Signature, Non Repudiation"]),
  );
  await judge("the authentication certificate names nobody", () => {
    const { stdout } = run("openssl", "x509", "-in", tools.auth, "-noout", "-text");
    return stdout.includes("Subject Alternative Name") ? stdout : undefined;
  });
  for (const [which, ca] of [
    ["sign", tools.signCa],
    ["auth", tools.authCa],
  ]) {
    const list = join(root, "hwtest/material", `${which}.crl.pem`);
    await judge(`openssl verifies the ${which} authority's CRL`, () => {
      const { status, said } = run("openssl", "crl", "-in", list, "-CAfile", ca, "-noout");
      return shows({ status, stdout: said }, ["verify OK"]);
    });
  }
}

function tshark(file, ...args) {
  return run("tshark", "-n", "-r", file, ...args);
}

/** A capture: every CCID message is one for Wireshark too, none is malformed, and no secret is in it. */
async function judgeTrace({ material, trace, write }, whose, capture, count) {
  await judge(`${whose}: tshark finds every CCID message`, () => {
    const { status, stdout } = tshark(capture, "-Y", "usbccid", "-T", "fields", "-e", "frame.number");
    const found = stdout.trim().split("\n").length;
    return status === 0 && found === count ? undefined : `exit ${status}, ${found} of ${count}`;
  });
  const malformed = (file) => {
    const { status, stdout, said } = tshark(file, "-Y", '_ws.malformed or _ws.expert.severity == "Error"');
    if (status !== 0) throw new Error(said);
    return stdout.trim();
  };
  await judge(`${whose}: tshark finds nothing malformed`, () => malformed(capture) || undefined);
  await judge(`${whose}: it would: a message cut in its header is found`, () => {
    const recorder = new trace.TraceRecorder();
    recorder.event({ at: 0, kind: "ccid", direction: "to-reader", bytes: Uint8Array.of(0x6f, 4, 0, 0, 0, 0), redactedAt: [] });
    return malformed(write("cut.pcapng", recorder.toPcapng())) === "" ? "a cut message was not noticed" : undefined;
  });
  await judge(`${whose}: the capture holds no secret`, () => {
    const bytes = readFileSync(capture);
    return bytes.includes(material.signPassword) ? "the password is in it" : undefined;
  });
}

/** Runs `inkan demo` and learns its highest memory, in KiB: a module loaded before it writes that down at its end. */
function demo({ file, write }, document, out, face) {
  const note = file("peak");
  const spy = write(
    "peak.mjs",
    `import { writeFileSync } from "node:fs";\nprocess.on("exit", () => writeFileSync(process.env.INKAN_PEAK, String(process.resourceUsage().maxRSS)));\n`,
  );
  const env = { ...process.env, INKAN_PEAK: note };
  const args = [
    "--import",
    pathToFileURL(spy).href,
    join(root, "tools/bin/inkan.mjs"),
    "demo",
    document,
    "--out",
    out,
    "--face",
    face,
    "--json",
  ];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { env, encoding: "utf8" });
  return { status, said: `${stdout}${stderr}`, peak: status === 0 ? Number(readFileSync(note, "utf8")) : NaN };
}

/** The whole story: released image, virtual board, the password typed on the pad. */
async function judgeBoard(tools) {
  let least;
  for (const face of ["usb", "link"]) {
    for (const [words, size] of face === "usb" ? sizes : sizes.slice(0, 1)) {
      const story = `board, ${face}, ${words}`;
      const out = tools.file(`out-${face}-${size}`);
      const document = tools.file("board-document");
      writeDocument(document, size);
      const told = demo(tools, document, out, face);
      await judge(`${story}: inkan demo`, () => accepts(told));
      if (told.status !== 0) continue;
      least ??= told.peak;
      await judge(`${story}: memory is that of one byte`, () =>
        told.peak - least < 64 * KiB ? undefined : `${told.peak} KiB against ${least} KiB`,
      );
      const made = (name) => join(out, name);
      const now = { ...tools, at: new Date() };
      const verified = () => cmsVerify(now, made("ca.pem"), made("signature.p7s"), made("document"));
      await judge(`${story}: openssl accepts`, () => accepts(verified()));
      flipBit(made("document"), size - 1);
      await judge(`${story}: openssl refuses one flipped bit`, () => refuses(verified(), /verification failure|digest/i));
      await judge(`${story}: openssl verify accepts the chain`, () =>
        accepts(run("openssl", "verify", "-CAfile", made("ca.pem"), made("signer.pem"))),
      );
      const [head, ...events] = readFileSync(made("trace.jsonl"), "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      await judge(`${story}: the trace is whole and no secret had to be stopped`, () =>
        head.dropped === 0 && head.stopped === 0 && head.events === events.length ? undefined : JSON.stringify(head),
      );
      const count = events.filter(({ kind, direction }) => kind === "ccid" && direction !== "none").length;
      await judgeTrace(tools, story, made("trace.pcapng"), count);
      rmSync(out, { recursive: true, force: true });
    }
  }
}
