import { runVerbs } from "./cli/run.js";
import type { Verb } from "./cli/verb.js";
import { processWorld, type World } from "./cli/world.js";

export type { World } from "./cli/world.js";

const secret = [
  ["--pin-stdin", "option.pin-stdin"],
  ["--last-try", "option.last-try"],
  ["--allow-clear-network", "option.allow-clear-network"],
] as const;

/** Every verb: what is typed. What it does is in its own file and loaded when it is wanted. */
export const verbs: readonly Verb[] = [
  {
    syntax: "demo [file]",
    summary: "verb.demo",
    options: [
      ["--out <folder>", "option.out-folder"],
      ["--face <face>", "option.face", ["usb", "link"]],
    ],
    example: "inkan demo letter.pdf --out signed",
    load: () => import("./commands/demo.js"),
  },
  { syntax: "list", summary: "verb.list", example: "inkan list", load: () => import("./commands/list.js") },
  { syntax: "info", summary: "verb.info", example: "inkan info --reader serial:/dev/ttyACM0", load: () => import("./commands/info.js") },
  {
    syntax: "identify",
    summary: "verb.identify",
    example: "inkan identify --reader serial:/dev/ttyACM0",
    load: () => import("./commands/identify.js"),
  },
  { syntax: "card info", summary: "verb.card-info", example: "inkan card info", load: () => import("./commands/card.info.js") },
  {
    syntax: "card apdu <hex...>",
    summary: "verb.card-apdu",
    options: [["--allow-clear-network", "option.allow-clear-network"]],
    example: "inkan card apdu 00A4040C0AD392F000260100000001",
    load: () => import("./commands/card.apdu.js"),
  },
  { syntax: "cert list", summary: "verb.cert-list", example: "inkan cert list", load: () => import("./commands/cert.list.js") },
  {
    syntax: "cert show <which>",
    summary: "verb.cert-show",
    options: secret,
    example: "inkan cert show auth",
    load: () => import("./commands/cert.show.js"),
  },
  {
    syntax: "cert export <which>",
    summary: "verb.cert-export",
    options: [["--out <file>", "option.out-file"], ["--der", "option.der"], ...secret],
    example: "inkan cert export auth --out auth.pem",
    load: () => import("./commands/cert.export.js"),
  },
  { syntax: "pin status [which]", summary: "verb.pin-status", example: "inkan pin status", load: () => import("./commands/pin.status.js") },
  {
    syntax: "pin verify <which>",
    summary: "verb.pin-verify",
    options: secret,
    example: "inkan pin verify auth",
    load: () => import("./commands/pin.verify.js"),
  },
  {
    syntax: "sign <file>",
    summary: "verb.sign",
    options: [
      ["--key <key>", "option.key", ["sign", "auth"]],
      ["--format <format>", "option.format", ["cms", "cms-attached"]],
      ["--out <file>", "option.out-file"],
      ...secret,
    ],
    example: "inkan sign letter.pdf",
    load: () => import("./commands/sign.js"),
  },
  {
    syntax: "verify <file>",
    summary: "verb.verify",
    options: [
      ["--content <file>", "option.content"],
      ["--trust <pem>", "option.trust"],
      ["--at <time>", "option.at"],
      ["--revocation <how>", "option.revocation"],
    ],
    example: "inkan verify letter.pdf.p7s --content letter.pdf --trust ca.pem --revocation none",
    load: () => import("./commands/verify.js"),
  },
  {
    syntax: "product check [file]",
    summary: "verb.product-check",
    example: "inkan product check my-reader.json",
    load: () => import("./commands/product.check.js"),
  },
  {
    syntax: "product print [file]",
    summary: "verb.product-print",
    options: [
      ["--what <what>", "option.what", ["c", "plist", "udev", "descriptors", "manifest"]],
      ["--out <file>", "option.out-file"],
    ],
    example: "inkan product print my-reader.json --what udev",
    load: () => import("./commands/product.print.js"),
  },
  {
    syntax: "virtual run",
    summary: "verb.virtual-run",
    options: [
      ["--card <name>", "option.card"],
      ["--pty <path>", "option.pty"],
      ["--pcscd-serial <path>", "option.pcscd-serial"],
      ["--tcp <host:port>", "option.tcp"],
      ["--expose", "option.expose"],
      ["--usbredir <socket>", "option.usbredir"],
      ["--flash <file>", "option.flash"],
      ["--detach", "option.detach"],
    ],
    example: "inkan virtual run --pty /tmp/inkan --json",
    load: () => import("./commands/virtual.run.js"),
  },
  {
    syntax: "hwtest campaign [name]",
    summary: "verb.hwtest-campaign",
    options: [
      ["--on <world>", "option.on", ["host", "arm"]],
      ["--cases <number>", "option.cases"],
      ["--jobs <number>", "option.jobs"],
      ["--seed <number>", "option.seed"],
      ["--replay <file>", "option.replay"],
    ],
    example: "inkan hwtest campaign pin-secrecy --cases 20 --seed 3",
    load: () => import("./commands/hwtest.campaign.js"),
  },
];

/** Runs the command line; answers with the exit code. */
export async function main(argv: readonly string[], world: World = processWorld()): Promise<number> {
  return runVerbs(verbs, argv, world);
}
