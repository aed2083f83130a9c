/* Printed from device-proto/src/pio by `npm run print`. Do not edit. */
#ifndef CARD_PIO_GEN_H
#define CARD_PIO_GEN_H

#define CARD_PIO_LENGTH              28u
#define CARD_PIO_WORDS { \
  0x80a0, /*  0 tx:      pull block                  */ \
  0xa0c7, /*  1          mov isr, osr                */ \
  0xe029, /*  2 send:    set x, 9                    */ \
  0x6e81, /*  3 bit:     out pindirs, 1 [14]         */ \
  0x0043, /*  4          jmp x-- bit                 */ \
  0xef80, /*  5 release: set pindirs, 0 [15]         */ \
  0x00ca, /*  6 sample:  jmp pin good                */ \
  0xdf20, /*  7          irq wait 0 [31]             */ \
  0xa0e6, /*  8          mov osr, isr                */ \
  0x0002, /*  9          jmp send                    */ \
  0x6848, /* 10 good:    out y, 8 [8]                */ \
  0x009b, /* 11 guard:   jmp y-- hold                */ \
  0x6021, /* 12          out x, 1                    */ \
  0x0040, /* 13          jmp x-- tx                  */ \
  0x20a0, /* 14 rx:      wait 1 pin 0                */ \
  0x2620, /* 15          wait 0 pin 0 [6]            */ \
  0x00ce, /* 16          jmp pin rx                  */ \
  0xe040, /* 17 seed:    set y, 0                    */ \
  0xed28, /* 18          set x, 8 [13]               */ \
  0x4001, /* 19 take:    in pins, 1                  */ \
  0x00d6, /* 20          jmp pin one                 */ \
  0x0017, /* 21          jmp next                    */ \
  0xa04a, /* 22 one:     mov y, ~y                   */ \
  0x0c53, /* 23 next:    jmp x-- take [12]           */ \
  0x006e, /* 24 judge:   jmp !y rx                   */ \
  0xf781, /* 25          set pindirs, 1 [23]         */ \
  0xe080, /* 26          set pindirs, 0              */ \
  0x0e0b, /* 27 hold:    jmp guard [14]              */ \
}
#define CARD_PIO_WRAP_TARGET         14u
#define CARD_PIO_WRAP                26u
#define CARD_PIO_RX                  14u
#define CARD_PIO_HOLD                27u

/* words changed by the CPU (instruction memory is writable while the machine runs) */
#define CARD_PIO_SEED_AT             17u
#define CARD_PIO_SEED_OFF            0xe040u /* set y, 0 */
#define CARD_PIO_SEED_ON             0xa04bu /* mov y, ~null */
#define CARD_PIO_SIGNAL_AT           24u
#define CARD_PIO_SIGNAL_OFF          0x000eu /* jmp rx */
#define CARD_PIO_SIGNAL_ON           0x006eu /* jmp !y rx */
#define CARD_PIO_SAMPLE_AT           6u
#define CARD_PIO_SAMPLE_OFF          0x000au /* jmp good */
#define CARD_PIO_SAMPLE_ON           0x00cau /* jmp pin good */
#define CARD_PIO_RELEASE_AT          5u
#define CARD_PIO_RELEASE_OFF         0xef80u /* set pindirs, 0 [15] */
#define CARD_PIO_RELEASE_ON          0xe780u /* set pindirs, 0 [7] */
#define CARD_PIO_GOOD_AT             10u
#define CARD_PIO_GOOD_OFF            0x6848u /* out y, 8 [8] */
#define CARD_PIO_GOOD_ON             0x6048u /* out y, 8 [0] */

/* instructions forced into the stopped machine */
#define CARD_PIO_DO_RELEASE          0xe080u
#define CARD_PIO_DO_LOW              0xe000u
#define CARD_PIO_DO_Y(n)             (0xe040u | (n)) /* 0..31 */
#define CARD_PIO_DO_X0               0xe020u
#define CARD_PIO_DO_OSR_ONES         0xa0ebu
#define CARD_PIO_DO_OSR_NULL         0xa0e3u
#define CARD_PIO_DO_ISR_NULL         0xa0c3u
#define CARD_PIO_DO_GUARD            0x000bu
#define CARD_PIO_DO_RX               0x000eu

/* CLKDIV in 1/256 = F * 560 / D: 16 ticks per etu at clk_sys / 35 */
#define CARD_PIO_DIV_FACTOR          560u
#define CARD_CLK_NS                  280u /* one card clock */
#define CARD_FI                      { 372, 372, 558, 744, 1116, 1488, 1860, 0, 0, 512, 768, 1024, 1536, 2048, 0, 0 }
#define CARD_DI                      { 0, 1, 2, 4, 8, 16, 32, 64, 12, 20, 0, 0, 0, 0, 0, 0 }
/* per Fi: a bit for each Di offered in a PPS (etu error <= 0.5 %, etu >= 8 card clocks) */
#define CARD_FIDI_OFFERED            { 0x37e, 0x37e, 0x3fe, 0x3fe, 0x3fe, 0x3fe, 0x3fe, 0x000, 0x000, 0x3fe, 0x3fe, 0x3fe, 0x3fe, 0x3fe, 0x000, 0x000 }
#endif
