/** What the command line needs of standard input. */
export interface Input {
  readonly isTTY?: boolean | undefined;
  /** Keys one by one, unseen and without line editing; terminals only. */
  setRawMode?(raw: boolean): unknown;
  /**
   * Chunks as they come, `undefined` at the end, until what is answered is called. Afterwards nothing is read any more and standard input
   * keeps nobody waiting: a program may leave its end of a pipe open for ever.
   */
  listen(listener: (chunk: Uint8Array | undefined) => void): () => void;
}

/** Standard input of the process. Nothing is read before somebody listens. */
export function processInput(stdin: NodeJS.ReadStream): Input {
  return {
    get isTTY() {
      return stdin.isTTY;
    },
    ...(typeof stdin.setRawMode === "function" ? { setRawMode: (raw: boolean) => stdin.setRawMode(raw) } : {}),
    listen(listener) {
      const data = (chunk: Uint8Array): void => listener(chunk);
      const end = (): void => listener(undefined);
      stdin.on("data", data).on("end", end).on("error", end);
      return () => {
        stdin.off("data", data).off("end", end).off("error", end).pause();
      };
    },
  };
}

/** Whole lines of text, without their ends; for orders, never for secrets. Answers with what stops the listening. */
export function eachLine(input: Input, listener: (line: string) => void): () => void {
  const decoder = new TextDecoder();
  let text = "";
  return input.listen((chunk) => {
    if (chunk === undefined) return;
    const lines = (text + decoder.decode(chunk, { stream: true })).split(/\r?\n/);
    text = lines.pop()!;
    for (const line of lines) listener(line);
  });
}
