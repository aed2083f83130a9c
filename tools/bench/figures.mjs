// The figures: name, unit, what it is held against, goal, and the room that takes it. Rooms are loaded when one of theirs is wanted.

const bus = "full-speed USB's bulk payload, 1 216 000 B/s";
const speed = (curve) => `openssl speed ${curve}, one process, warm key`;
const pcscd = "pcscd + libccidtwin and a C client, same pty and instant reader";
const dgst = (hash) => `openssl dgst -${hash}, same 512 MiB file`;

/** In the order of the command line's contract. */
export const figures = [
  { name: "apdu-pty-p50", room: "pty", unit: "×", against: pcscd, goal: { max: 0.4 } },
  { name: "apdu-pty-p99", room: "pty", unit: "×", against: pcscd, goal: { max: 0.5 } },
  { name: "deframe-64-bus", room: "framing", unit: "×", against: bus, goal: { min: 100 } },
  { name: "deframe-64-slip", room: "framing", unit: "×", against: "serialport's SlipDecoder, same payloads and pieces", goal: { min: 25 } },
  { name: "link-eff-1k", room: "board", unit: "×", against: "all bytes the host sends, messages of 1 KiB", goal: { min: 0.98 } },
  { name: "link-eff-64", room: "board", unit: "×", against: "all bytes the host sends, messages of 64 bytes", goal: { min: 0.85 } },
  { name: "line-use", room: "board", unit: "×", against: "least line time of T=1 reads of 252 bytes (372/4)", goal: { min: 0.97 } },
  { name: "usb-bulk", room: "board", unit: "×", against: bus, goal: { min: 0.8 } },
  {
    name: "boot-first-apdu",
    room: "process",
    unit: "s",
    against: "processor time, process start to first APDU answered",
    goal: { max: 2 },
  },
  { name: "heap-apdu", room: "process", unit: "B", against: "heap kept per APDU, USB transport to card", goal: { max: 1 } },
  { name: "import", room: "process", unit: "ms", against: "processor time of an empty Node process taken off", goal: { max: 50 } },
  { name: "sha256", room: "hashing", unit: "×", against: dgst("sha256"), goal: { min: 0.95 } },
  { name: "sha384", room: "hashing", unit: "×", against: dgst("sha384"), goal: { min: 0.95 } },
  { name: "sha512", room: "hashing", unit: "×", against: dgst("sha512"), goal: { min: 0.95 } },
  { name: "sha256-64B", room: "hashing", unit: "×", against: "node:crypto createHash, 64 bytes", goal: { min: 1.4 } },
  { name: "verify-rsa2048", room: "signatures", unit: "×", against: speed("rsa2048"), goal: { min: 0.75 } },
  { name: "verify-p256", room: "signatures", unit: "×", against: speed("ecdsap256"), goal: { min: 0.9 } },
  { name: "verify-p384", room: "signatures", unit: "×", against: speed("ecdsap384"), goal: { min: 0.95 } },
  { name: "path-rsa", room: "signatures", unit: "×", against: "node:crypto X509Certificate, same three", goal: { min: 3 } },
  { name: "path-p384", room: "signatures", unit: "×", against: "node:crypto X509Certificate, same three", goal: { min: 1.2 } },
];

/** Takes one figure: its samples. */
export async function take({ name, room }) {
  const { figures: taken } = await import(`./${room}.mjs`);
  return taken[name]();
}
