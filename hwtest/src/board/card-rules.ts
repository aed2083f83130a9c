/** The rules of PIO, card slot and card line; part of `rules`. */
export const cardRules = {
  "pio/not-modelled": "A PIO feature that this board does not model was used (OUT_STICKY, INLINE_OUT_EN, both joins, a reserved encoding).",
  "pio/forced-while-running":
    "An instruction was forced into an enabled state machine; the datasheet does not say what a divided clock does to it.",
  "pio/tx-overflow": "A word was written to a full TX FIFO.",
  "pio/rx-underflow": "An empty RX FIFO was read.",
  "slot/vcc-without-card":
    "VCC was switched on, or stayed on for more than 1 ms, without a card in the slot (ISO 7816-3 §6.4 asks for deactivation when the card leaves).",
  "slot/voltage-class": "VCC was switched on without a class, or the class changed under power (ISO 7816-3 §6.2.4: deactivate first).",
  "slot/activation-order": "The order is RST low, VCC on, I/O let go, CLK, RST high (ISO 7816-3 §6.2.1).",
  "slot/rst-early":
    "RST was raised less than 400 clocks after CLK started, or held low for less than 400 clocks in a warm reset (ISO 7816-3 §6.2.2, §6.2.3).",
  "slot/deactivation-order": "The order is RST low, CLK low, I/O low, VCC off (ISO 7816-3 §6.4).",
  "slot/clock-stop":
    "CLK stopped while the card is active though its ATR does not allow it, in the other state than it allows, or less than 1 860 clocks after I/O was last used (ISO 7816-3 §6.3.2, §8.3).",
  "slot/clock-restart": "I/O was used while CLK rests, or less than 700 clocks after it started again (ISO 7816-3 §6.3.2).",
  "slot/power-cycle": "VCC was switched on again less than 10 ms after it was off (ISO 7816-3 §6.2.4).",
  "slot/clock-range": "The card clock is outside 1 to 5 MHz (ISO 7816-3 §5.2.3).",
  "slot/io-high-drive": "The reader drives I/O high: the line is open drain.",
  "slot/io-pad": "PIO took the I/O pin while its pad has the input or the Schmitt trigger off, or pulls down against the card's pull-up.",
  "slot/io-conflict": "Reader and card pull I/O low at the same time.",
  "slot/over-current": "VCC stayed on for more than 1 ms after the front end reported over-current.",
  "card-line/bit-time": "A reader's edge lies more than 0.2 etu from its place (ISO 7816-3 §7.1).",
  "card-line/guard-time": "The reader's characters follow each other too closely (ISO 7816-3 §7.2, TC1).",
  "card-line/turnaround":
    "The reader answered a character of the card too soon (12 etu after the ATR, 16 for T=0, 22 for T=1; ISO 7816-3 §10.2, §11.4.2).",
  "card-line/pps-turnaround": "The first block after a PPS came too soon: the wait counts in the old etu (ISO 7816-3 §9).",
  "card-line/character-waiting": "The reader paused longer than CWT inside a block (ISO 7816-3 §11.4.3).",
  "card-line/error-signal": "The reader's error signal does not begin 10.5 ± 0.2 etu after the character (ISO 7816-3 §7.3).",
  "card-line/while-sending": "The reader drove I/O while the card was sending.",
} as const satisfies Record<string, string>;
