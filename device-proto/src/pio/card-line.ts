import { assemblePio } from "./assembler.js";

/**
 * The card's I/O line on one state machine: 16 ticks per etu, the pin's value latch fixed at 0, so that only the direction moves
 * (1 = pulled low, 0 = let go). A word from the CPU turns the line round by data, not by the CPU's speed:
 *
 * ```
 *  bit 18   17 … 10          9      8 … 1   0
 *  more     extra guard etu  parity  data   start      bits 9…0 are pin directions: convention and parity are already applied
 * ```
 *
 * Ticks from the start edge (ISO 7816-3 §7.2, §7.3), TX: bit k at 16k · release 160 · sample for the error signal 176 = 11.0 etu ·
 * next start 192 + 16·extra. RX: detected at tick 0…1 · false-start check 7 · samples 23, 39 … 151 · parity judged 167 = 10.44 etu ·
 * error signal 168…192 (1.5 etu).
 */
export const cardLineSource = `
.program card_line
tx:      pull block                 ; waits here, line released, until the CPU has a character
         mov isr, osr               ; the copy a repeat is made from
send:    set x, 9
bit:     out pindirs, 1      [14]   ; start, eight data bits, parity
         jmp x-- bit
release: set pindirs, 0      [15]   ; 10.0 etu
sample:  jmp pin good               ; 11.0 etu: high = nobody complains
         irq wait 0          [31]   ; error signal: the CPU allows the repeat by clearing the flag; then 2 etu at least
         mov osr, isr
         jmp send
good:    out y, 8            [8]
guard:   jmp y-- hold               ; extra guard, whole etu; also where the CPU enters to count the turn-round
         out x, 1
         jmp x-- tx                 ; more: the next start edge stands 12 + extra etu after this one
.wrap_target
rx:      wait 1 pin 0
         wait 0 pin 0        [6]    ; start edge
         jmp pin rx                 ; high again at 0.47 etu: a spike, not a start bit
seed:    set y, 0                   ; parity of the high samples; all ones for the inverse convention
         set x, 8            [13]
take:    in pins, 1                 ; middle of the bit; pushed at nine
         jmp pin one
         jmp next
one:     mov y, ~y
next:    jmp x-- take        [12]
judge:   jmp !y rx                  ; 10.5 etu
         set pindirs, 1      [23]   ; error signal, 1.5 etu
         set pindirs, 0
.wrap
hold:    jmp guard           [14]
`;

/** The card-line program, assembled. */
export const cardLine = assemblePio(cardLineSource);

/** PIO ticks per etu. */
export const ticksPerEtu = 16;

/** Words the CPU changes while the machine is in use: where, and the two forms. */
export const cardLinePatches = {
  /** Parity start value: direct and inverse convention (9 samples: lows even means highs odd). */
  seed: { at: "seed", off: "set y, 0", on: "mov y, ~null" },
  /** Error signal for a received character with wrong parity (T=0). Off: straight to the next start bit. */
  signal: { at: "judge", off: "jmp rx", on: "jmp !y rx" },
  /** Listening for the card's error signal after a sent character (T=0). */
  sample: { at: "sample", off: "jmp good", on: "jmp pin good" },
  /** Character pitch 12 etu (off) or 11 etu (on; T=1 with TC1 = 255): two delay fields. */
  release: { at: "release", off: "set pindirs, 0 [15]", on: "set pindirs, 0 [7]" },
  good: { at: "good", off: "out y, 8 [8]", on: "out y, 8 [0]" },
} as const;
