// Processes beside the machine's own: a pcscd that neither sees the one that runs here nor is seen.
import { spawn } from "node:child_process";
import { Stop } from "../toolchain.mjs";

/** Processes in a mount namespace where /run belongs to us: pcscd's socket stands at a path that is compiled in. */
export class Sandbox {
  #holder;
  #enter;
  static async open() {
    const own = process.getuid() === 0 ? [] : ["--user", "--map-root-user"];
    const sandbox = new Sandbox();
    sandbox.#holder = spawn(
      "unshare",
      [...own, "--mount", "--propagation", "private", "sh", "-c", "mount -t tmpfs none /run && mkdir /run/pcscd && echo ready && exec cat"],
      { stdio: ["pipe", "pipe", "inherit"] },
    );
    const [ready] = await Promise.race([
      new Promise((resolve) => sandbox.#holder.stdout.once("data", (data) => resolve([String(data)]))),
      new Promise((resolve) => sandbox.#holder.once("close", () => resolve([""]))),
    ]);
    if (!ready.startsWith("ready")) throw new Stop("A mount namespace is needed: run this as root, or allow user namespaces.");
    sandbox.#enter = [
      "nsenter",
      ...(own.length ? ["--user", "--preserve-credentials"] : []),
      "--mount",
      "--target",
      String(sandbox.#holder.pid),
      "--",
    ];
    return sandbox;
  }
  spawn(program, args, options) {
    const [first, ...rest] = this.#enter;
    return spawn(first, [...rest, program, ...args], { ...options, env: { ...process.env, LC_ALL: "C", ...options?.env } });
  }
  /** Runs to its end; what it wrote to both outputs, in one text. */
  run(program, args, { input = "", env, limitMs = 60_000 } = {}) {
    const child = this.spawn(program, args, { env });
    let said = "";
    child.stdout.on("data", (data) => (said += data));
    child.stderr.on("data", (data) => (said += data));
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    const limit = setTimeout(() => child.kill("SIGKILL"), limitMs);
    return new Promise((resolve) =>
      child.on("close", (status) => {
        clearTimeout(limit);
        resolve({ status, said: said.replaceAll("\r", "") });
      }),
    );
  }
  close() {
    this.#holder?.stdin.end();
  }
}
