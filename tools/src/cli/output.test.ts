import { expect, test } from "vitest";
import { Output } from "./output.js";
import { drawn, pages } from "./picture.js";

function outputs(manner: { json?: boolean; quiet?: boolean; terminal?: boolean }) {
  const said = { out: "", err: "" };
  const stream = (to: "out" | "err") => ({
    write: (text: string | Uint8Array) => (said[to] += String(text)),
    isTTY: manner.terminal === true,
    columns: 80,
  });
  return {
    said,
    output: new Output(stream("out"), stream("err"), { language: "en", json: manner.json === true, quiet: manner.quiet === true }),
  };
}

test("people get lines, programs one JSON object a line, never both", () => {
  const people = outputs({});
  people.output.line("a result");
  people.output.document({ ok: true });
  people.output.note("beside");
  expect(people.said).toEqual({ out: "a result\n", err: "beside\n" });
  const program = outputs({ json: true });
  program.output.line("a result");
  program.output.document({ ok: true });
  expect(program.said.out).toBe('{"schema":1,"ok":true}\n');
});

test("--quiet leaves only what must be said", () => {
  const { said, output } = outputs({ quiet: true, terminal: true });
  output.note("chatter");
  output.note("tries left", { always: true });
  output.progress("hashing", 0.5);
  output.picture(["x"]);
  expect(said).toEqual({ out: "", err: "tries left\n" });
});

test("progress is for terminals, and is gone when something is said", () => {
  const pipe = outputs({});
  pipe.output.progress("hashing", 0.5);
  expect(pipe.said.err).toBe("");
  const { said, output } = outputs({ terminal: true });
  output.progress("hashing", 0.5);
  expect(said.err).toContain("50 %");
  output.note("done");
  expect(said.err).toMatch(/\r +\rdone\n$/);
});

test("a picture is drawn again in place; lines go above it; kept, it stays", () => {
  const { said, output } = outputs({ terminal: true });
  output.picture(["one", "two"]);
  output.picture(["three", "four"]);
  output.line("said");
  output.keepPicture();
  output.line("below");
  expect(said.out).toBe("one\ntwo\n\x1b[2A\x1b[Jthree\nfour\n\x1b[2A\x1b[Jsaid\nthree\nfour\nbelow\n");
  const narrow = outputs({ terminal: true });
  narrow.output.picture(["x".repeat(81)]);
  expect(narrow.said.out).toBe("");
});

test("the display as half blocks where they fit, else as Braille", () => {
  const memory = new Uint8Array(1024);
  memory[0] = 0b1000_0011; // column 0: rows 0, 1 and 7
  memory[1] = 0b0000_0010;
  const wide = drawn(pages(memory), 130);
  expect(wide).toHaveLength(34);
  expect(wide[1]!.slice(0, 3)).toBe("│█▄");
  expect(wide[4]!.slice(0, 2)).toBe("│▄");
  const narrow = drawn(pages(memory), 80);
  expect(narrow).toHaveLength(18);
  expect(narrow[1]!.slice(0, 2)).toBe(`│${String.fromCodePoint(0x2800 | 0b0001_0011)}`);
  expect(narrow[2]!.slice(0, 2)).toBe(`│${String.fromCodePoint(0x2840)}`);
});
