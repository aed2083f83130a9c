/** What a test needs instead of a card and a clock. Node only. */
export * from "./card/index.js";
export { FakeClock, settle } from "./fake-clock.js";
export { FakeReader } from "./fake-reader.js";
export type { FakeAnswers, FakeReaderCard, FakeReaderOptions } from "./fake-reader.js";
/** Strict DER both ways, for making test certificates and for breaking them. */
export * as der from "../src/der/index.js";
export { extension, seal, testCertificate, type TestCertificateFields } from "./certificate.js";
export { hostSigner } from "./host-signer.js";
