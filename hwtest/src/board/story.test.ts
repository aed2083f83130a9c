import { verify as verifySignature, X509Certificate } from "node:crypto";
import { Reader } from "@inkan/sdk";
import { hashBytes } from "@inkan/sdk/hashing";
import { openJpki } from "@inkan/sdk/jpki";
import { expect, test } from "vitest";
import { openVirtualReader } from "./open-virtual-reader.js";

test.each(["usb", "link"] as const)("through %s a person types the password, consents, and the card signs", async (face) => {
  const bench = await openVirtualReader({ pace: "free", card: "standard", face });
  const reader = await Reader.open(await bench.transport(), { clock: bench.clock });
  const card = await reader.connect({});
  const jpki = await openJpki(card);
  await jpki.verify("sign", { on: "pad" }, {});
  const signer = await jpki.signer("sign");
  const document = new TextEncoder().encode("document");
  const digest = hashBytes("sha256", document);
  const signature = await signer.sign("sha256", digest);
  expect(verifySignature("sha256", document, new X509Certificate(signer.certificate).publicKey, signature)).toBe(true);
  await reader.close();
  await bench.close();
});
