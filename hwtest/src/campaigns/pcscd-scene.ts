import { PcscdFault, PcscdHost } from "../board/pcscd-host.js";
import type { VirtualReader } from "../board/open-virtual-reader.js";

const parametersT1 = Uint8Array.of(0x13, 0x10, 0xff, 0x46, 0x00, 0xfb, 0x00);
/** VERIFY of the selected secret with N(S) 1 in the prologue, where 0 is due; and with M set. */
const verifyBlock = (pcb: number): Uint8Array =>
  Uint8Array.of(0, 10, 0x82, 0, 0, 16, 4, 2, 1, 9, 4, 0, 0x00, pcb, 0x05, 0x00, 0x20, 0x00, 0x80, 0x00);
/** bError: the offset of bTeoPrologue's PCB in the message. */
const PROLOGUE_PCB = 10 + 13;

/**
 * What a host as strict as pcscd's driver meets: an opened port, a command that is given up, a pad that is asked out of turn. Answers with what went
 * wrong, or `nothing`. The reader's port must be open.
 */
export async function playPcscd(bench: VirtualReader): Promise<string> {
  const host = new PcscdHost(bench.board);
  try {
    await host.command("Escape", Uint8Array.of(0x02));
    await host.command("Escape", Uint8Array.of(0x01, 0x01, 0x01));
    // Given up at once: whatever the first one's answer is, the second one's comes alone.
    await host.write(host.frame("IccPowerOn", undefined, [1, 0, 0]));
    await bench.board.run(2);
    host.take();
    await host.command("GetSlotStatus");
    await bench.board.run(300);
    if (host.take().some(({ kind }) => kind === "message")) return "pcscd-framing";
    if ((await host.command("IccPowerOn", undefined, { specific: [1, 0, 0] }))?.status !== 0) return "pcscd-power";
    // FF 11 13 FD: the card's own rate, T=1.
    await host.command("XfrBlock", Uint8Array.of(0xff, 0x11, 0x13, 0xfd));
    if ((await host.command("SetParameters", parametersT1, { specific: [1, 0, 0] }))?.status !== 0) return "pcscd-parameters";
    for (const pcb of [0x40, 0x20]) {
      const refused = await host.command("Secure", verifyBlock(pcb), { waitMs: 1000 });
      if (refused === undefined || refused.error !== PROLOGUE_PCB || bench.board.lamp) return "pcscd-prologue";
    }
    return "nothing";
  } catch (error) {
    if (error instanceof PcscdFault) return "pcscd-framing";
    throw error;
  }
}
