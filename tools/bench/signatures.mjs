// Signatures and certificate paths through the SDK's doors, against OpenSSL's own measurement and Node's own certificates.
import { X509Certificate, generateKeyPairSync, sign } from "node:crypto";
import { standardMaterial } from "@inkan/hwtest/authority";
import { der, extension, testCertificate } from "@inkan/sdk/testing";
import { KeyCache, Oid, checkPath, parseCertificate } from "@inkan/sdk/trust";
import { cpuRate, pairs } from "./measure.mjs";
import { openssl } from "./programs.mjs";

const { write } = der;
const families = {
  rsa2048: { hash: "sha256", pair: () => generateKeyPairSync("rsa", { modulusLength: 2048 }), speed: "rsa2048", row: /^\+F2:.*:2048:/ },
  p256: { hash: "sha256", pair: () => generateKeyPairSync("ec", { namedCurve: "P-256" }), speed: "ecdsap256", row: /^\+F4:.*:256:/ },
  p384: { hash: "sha384", pair: () => generateKeyPairSync("ec", { namedCurve: "P-384" }), speed: "ecdsap384", row: /^\+F4:.*:384:/ },
};
const notBefore = new Date("2026-01-01T00:00:00Z");
const notAfter = new Date("2036-01-01T00:00:00Z");
const at = new Date("2026-11-22T00:00:00Z");
const nameOf = (text) => write.sequence(write.setOfItems([write.sequence(write.oid(Oid.commonName), write.utf8String(text))]));
const ca = [extension(Oid.basicConstraints, true, write.sequence(write.booleanTrue())), extension(Oid.keyUsage, true, write.bits(5, 6))];

function certificate(issuer, issuerKey, subject, { publicKey }, extensions) {
  const fields = { serial: 7, issuer: nameOf(issuer), subject: nameOf(subject), notBefore, notAfter, publicKey, extensions };
  return testCertificate(fields, issuerKey);
}

/** The extensions of the standard card's signature certificate, as they stand: what there is to read in one of JPKI's. */
function jpkiExtensions() {
  const { tbs } = parseCertificate(standardMaterial().signCertificate);
  const fields = der.DerReader.inside(der.DerReader.single(tbs, der.Tag.sequence, "tbs"));
  for (;;) {
    const field = fields.next("a field");
    if (field.tag !== 0xa3) continue;
    const found = [];
    const list = der.DerReader.inside(der.DerReader.single(field.content, der.Tag.sequence, "extensions"));
    while (list.peek() !== undefined) found.push(list.take(der.Tag.sequence, "an extension").bytes);
    return found;
  }
}

/** Verifications per second with a key that is kept, over those of `openssl speed`, one process, processor time. */
const verify = (family) => async () => {
  const { hash, pair, speed, row } = families[family];
  const keyPair = pair();
  const { publicKey } = parseCertificate(certificate("root", keyPair.privateKey, "root", keyPair, ca));
  const message = new Uint8Array(64).fill(0x5a);
  const signature = new Uint8Array(sign(hash, message, keyPair.privateKey));
  const keys = new KeyCache();
  const work = () => {
    for (let i = 0; i < 100; i++) if (!keys.verify(publicKey, hash, message, signature)) throw new Error("a good signature was refused");
    return 100;
  };
  message[0] ^= 1;
  if (keys.verify(publicKey, hash, message, signature)) throw new Error("a bad signature was accepted");
  message[0] ^= 1;
  cpuRate(work);
  return pairs(
    5,
    () => cpuRate(work, 1),
    async () => {
      const { stdout } = await openssl("speed", "-mr", "-seconds", "1", speed);
      const line = stdout.split("\n").find((each) => row.test(each));
      return Number(line?.split(":").at(-1));
    },
  );
};

/** Chains of three per second: leaf and sub CA parsed every time, the root known, both signatures checked. */
const path = (family) => async () => {
  const [root, sub, leaf] = [0, 1, 2].map(families[family].pair);
  const rootDer = certificate("root", root.privateKey, "root", root, ca);
  const subDer = certificate("root", root.privateKey, "sub", sub, ca);
  const leafDer = certificate("sub", sub.privateKey, "leaf", leaf, jpkiExtensions());
  const roots = [parseCertificate(rootDer)];
  const keys = new KeyCache();
  const ours = () => {
    for (let i = 0; i < 20; i++) {
      const { problems, chain } = checkPath(parseCertificate(leafDer), { roots, intermediates: [parseCertificate(subDer)], at, keys });
      if (problems.length > 0 || chain.length !== 3) throw new Error(`a good path was refused: ${JSON.stringify(problems)}`);
    }
    return 20;
  };
  const nodeRoot = new X509Certificate(rootDer);
  const rootKey = nodeRoot.publicKey;
  const valid = (one) => new Date(one.validFrom) <= at && at <= new Date(one.validTo);
  const theirs = () => {
    for (let i = 0; i < 20; i++) {
      const nodeLeaf = new X509Certificate(leafDer);
      const nodeSub = new X509Certificate(subDer);
      const good =
        nodeLeaf.checkIssued(nodeSub) &&
        nodeSub.checkIssued(nodeRoot) &&
        nodeSub.ca &&
        valid(nodeLeaf) &&
        valid(nodeSub) &&
        nodeLeaf.verify(nodeSub.publicKey) &&
        nodeSub.verify(rootKey);
      if (!good) throw new Error("Node refused a good path");
    }
    return 20;
  };
  for (const each of [ours, theirs]) cpuRate(each);
  return pairs(
    7,
    () => cpuRate(ours, 0.4),
    () => cpuRate(theirs, 0.4),
  );
};

export const figures = {
  "verify-rsa2048": verify("rsa2048"),
  "verify-p256": verify("p256"),
  "verify-p384": verify("p384"),
  "path-rsa": path("rsa2048"),
  "path-p384": path("p384"),
};
