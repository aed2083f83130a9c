import { verify as verifySignature, createPublicKey, X509Certificate } from "node:crypto";
import { Reader } from "@inkan/sdk";
import { hashBytes } from "@inkan/sdk/hashing";
import { openJpki } from "@inkan/sdk/jpki";
import { expect, test } from "vitest";
import { openVirtualReader } from "./open-virtual-reader.js";

test.each(["link"] as const)("through %s a person types the password, consents, and the card signs", async (face) => {
  const t = [process.cpuUsage().user];
  const bench = await openVirtualReader({ pace: "free", card: "standard", face });
  const reader = await Reader.open(await bench.transport(), { clock: bench.clock });
  t.push(process.cpuUsage().user);
  const card = await reader.connect({});
  const jpki = await openJpki(card);
  t.push(process.cpuUsage().user);
  await jpki.verify("sign", { on: "pad" }, {});
  t.push(process.cpuUsage().user);
  const signer = await jpki.signer("sign");
  t.push(process.cpuUsage().user);
  const document = new TextEncoder().encode("document");
  const digest = hashBytes("sha256", document);
  const signature = await signer.sign("sha256", digest);
  t.push(process.cpuUsage().user);
  console.log(
    t.map((x, i) => (i ? ((x - t[i - 1]!) / 1000).toFixed(0) : "")),
    bench.board.nowNs / 1e6,
    Object.keys(signer),
  );
  expect(verifySignature("sha256", document, new X509Certificate(signer.certificate).publicKey, signature)).toBe(true);
  await reader.close();
  await bench.close();
});
