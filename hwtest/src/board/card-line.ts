import { CardSlot } from "./card-slot.js";
import type { ModelHost } from "./model.js";
import { PioBlock } from "./pio.js";

/** Makes and registers what stands between the chip and the card: PIO0 and the slot. Clocks and pins must be in place. */
export function createCardLine(host: ModelHost): { readonly pio: PioBlock; readonly slot: CardSlot } {
  const pio = new PioBlock(host, 0);
  const slot = new CardSlot(host);
  host.register(pio);
  host.register(slot);
  return { pio, slot };
}
