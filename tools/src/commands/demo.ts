import { readdir, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { TraceRecorder } from "@inkan/sdk/trace";
import { writePem } from "@inkan/sdk/trust";
import type { VirtualReader } from "@inkan/hwtest/board";
import type { Context } from "../cli/context.js";
import { stop } from "../cli/failure.js";
import { checkInput, OutputFiles } from "../cli/files.js";
import { drawn, pages } from "../cli/picture.js";
import type { Options, Result } from "../cli/verb.js";
import { loadAuthority, loadBench } from "../cli/virtual.js";
import { Screens, type Screen } from "../flows/screens.js";
import { Stopwatch } from "../flows/stopwatch.js";
import { tellStory, type Step } from "../flows/story.js";
import { say } from "../texts.js";

/** `inkan demo [FILE]`: the main job on the virtual reader, and everything it made in one folder. */
export async function run(context: Context, args: readonly string[], options: Options): Promise<Result> {
  const { language, output, signal, force } = context;
  const folder = typeof options["out"] === "string" ? options["out"] : "out";
  const face = options["face"] === "link" ? "link" : "usb";
  const place = (name: string): string => relative(process.cwd(), join(folder, name)) || name;
  const files = new OutputFiles({ force, language });
  try {
    if (args[0] !== undefined) await checkInput(args[0], language);
    await files.folder(folder);
    const names = ["document", "signature.p7s", "signer.pem", "ca.pem", "trace.jsonl", "trace.pcapng"] as const;
    for (const name of names) await files.plan(place(name));
    const { openVirtualReader } = await loadBench(context.world);
    const root = (await (await loadAuthority(context.world)).standardMaterial()).signCa;
    const document =
      args[0] === undefined
        ? await files.write(place("document"), say(language, "demo.sample"))
        : await files.copy(place("document"), args[0]);

    const watch = new Stopwatch();
    const screens = new Screens();
    const trace = new TraceRecorder();
    let bench: VirtualReader | undefined;
    const show = (screen: Screen | undefined): void => {
      if (screen === undefined) return;
      output.document({ event: "screen", screen: place(screen.name) });
      if (output.pictured) output.picture(drawn(pages(screen.pixels), output.columns));
    };
    const told = await tellStory({
      open: () => openVirtualReader({ pace: "free", card: "none", face }),
      opened: (opened) => {
        bench = opened;
        const { display } = opened.board;
        display.listen(() => show(screens.changed(display.picture(), opened.clock.now())));
      },
      document,
      root,
      trace,
      signal,
      at: new Date(),
      done: (step: Step) => {
        const ms = watch.lap(step, bench?.clock.now());
        output.document({ event: "step", step, ms });
        output.line(`✓ ${say(language, `demo.${step}`)}  ${(ms / 1000).toFixed(2)} s`);
      },
      words: (words) => {
        output.document({ event: "words", words });
        output.line(`  ${say(language, "demo.words", { words: words.join(" ") })}`);
      },
    });
    show(screens.end());
    context.reader = told.reader;
    if (told.report.verdict !== "TOTAL-PASSED") {
      const failed = told.report.checks.find((check) => check.state === "failed");
      throw stop("verification-failed", { detail: failed?.text[language] ?? told.report.subIndication ?? told.report.verdict });
    }
    await files.write(place("signature.p7s"), told.signed.signature);
    await files.write(place("signer.pem"), writePem(told.signed.certificate));
    await files.write(place("ca.pem"), writePem(root));
    await files.write(place("trace.jsonl"), trace.toJsonLines());
    await files.write(place("trace.pcapng"), trace.toPcapng());
    for (const screen of screens.all) await files.write(place(screen.name), screen.png);
    await files.commit();
    output.keepPicture();
    if (force) await clearOldScreens(folder, screens.all.length);

    output.line();
    output.line(
      say(language, "demo.files", { folder, names: [...names, `screen-01…${String(screens.all.length).padStart(2, "0")}.png`].join(" ") }),
    );
    output.line(say(language, "demo.test-material"));
    output.line(say(language, "demo.no-revocation"));
    output.line(say(language, "demo.openssl"));
    output.line(
      `  openssl cms -verify -binary -inform DER -in ${place("signature.p7s")} -content ${place("document")} -CAfile ${place("ca.pem")} -out /dev/null`,
    );
    return {
      document: {
        ok: true,
        document: place("document"),
        signature: place("signature.p7s"),
        certificate: place("signer.pem"),
        ca: place("ca.pem"),
        trace: place("trace.jsonl"),
        capture: place("trace.pcapng"),
        screens: screens.all.map((screen) => place(screen.name)),
        words: told.signed.words,
        face,
        verdict: told.report.verdict,
        revocation: told.report.revocation,
        timings: watch.timings(),
      },
    };
  } finally {
    await files.discard();
  }
}

/** Screens of an earlier, longer run would be taken for this one's. */
async function clearOldScreens(folder: string, kept: number): Promise<void> {
  for (const name of await readdir(folder)) {
    const number = /^screen-(\d{2,})\.png$/.exec(name)?.[1];
    if (number !== undefined && Number(number) > kept) await rm(join(folder, name), { force: true });
  }
}
