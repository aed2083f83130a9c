import type { VirtualDoor } from "@inkan/sdk/node";
import type { Context } from "./context.js";
import { stop } from "./failure.js";
import { readFingers, standardSecrets } from "./fingers.js";
import { drawPad, personAtPad } from "./pad.js";
import type { World } from "./world.js";

/** The bench, an optional package: technicians who only sign need no emulator. @throws InkanError package-missing */
export async function loadBench(world: World): ReturnType<World["bench"]> {
  return loaded(() => world.bench());
}

/** The bench's cable to virtual machines. @throws InkanError package-missing */
export async function loadUsbredir(world: World): ReturnType<World["usbredir"]> {
  return loaded(() => world.usbredir());
}

/** The bench's test authority. @throws InkanError package-missing */
export async function loadAuthority(world: World): ReturnType<World["authority"]> {
  return loaded(() => world.authority());
}

/** The bench's campaigns. @throws InkanError package-missing */
export async function loadCampaigns(world: World): ReturnType<World["campaigns"]> {
  return loaded(() => world.campaigns());
}

async function loaded<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw stop("package-missing", { package: "@inkan/hwtest", command: "npm install @inkan/hwtest" }, error);
  }
}

/**
 * What `openUri` opens for `virtual:`: the standard board with the standard card, forgotten when it is closed. At a terminal the person types on
 * the drawn pad, in real time; everywhere else the bench presses its test secrets and time runs as fast as it can.
 */
export function virtualDoor(context: Context): VirtualDoor {
  return {
    async open() {
      const bench = await loadBench(context.world);
      const person = personAtPad(context);
      const fingers = person ? false : (readFingers(context) ?? standardSecrets);
      const opened = await bench.openVirtualReader({ pace: person ? "real" : "free", card: "standard", face: context.face, fingers });
      const transport = await opened.transport();
      const leave = person ? drawPad(opened, context) : undefined;
      const close = async (): Promise<void> => {
        leave?.();
        await opened.close();
      };
      return { transport, clock: opened.clock, close };
    },
  };
}
