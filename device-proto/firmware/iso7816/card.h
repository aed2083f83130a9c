/* card.h - a powered card at APDU level. Knows nothing of USB, CCID or the pad. */
#ifndef CARD_H
#define CARD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
  CARD_OK = 0,
  CARD_ABSENT,        /* not in the slot, or pulled meanwhile */
  CARD_MUTE,          /* no ATR, or no answer within its waiting time */
  CARD_PARITY,        /* characters kept arriving with wrong parity */
  CARD_BAD_ATR,       /* TS or length wrong, or a reserved value */
  CARD_BAD_TCK,
  CARD_CLASS,         /* it answers, but not at this voltage */
  CARD_PROTOCOL,      /* what it says makes no sense; or the command has no form of ISO 7816-3 12.1 */
  CARD_OVERCURRENT,
  CARD_REFUSED_PPS,
  CARD_TOO_LONG,      /* the answer does not fit */
  CARD_PROCEDURE,     /* T=0: a procedure byte that is none */
  CARD_NO_ENVELOPE,   /* T=0: more than 255 bytes of data, and the card does not know ENVELOPE; nothing of the command was carried out */
  CARD_ABORTED,       /* app_wait said stop */
} card_result_t;

#define ATR_MAX 33
typedef struct {
  uint8_t atr[ATR_MAX];
  uint8_t atr_length;
  uint8_t protocol;       /* 0 or 1: in use */
  uint8_t fidi;           /* TA1 in use: 0x11 = 372/1 */
  uint8_t voltage_class;  /* 0 = off */
  uint8_t clock_stop;     /* how CLK may rest, as CCID's bClockStop: 0 not at all, 1 low, 2 high, 3 either */
  uint8_t clock_rests;    /* 0 runs, 1 rests low, 2 rests high */
  uint8_t ifsc, ifsd, bwi, cwi, guard; /* guard: TC1 as given */
  bool crc;               /* T=1 epilogue is a CRC */
} card_t;
extern card_t g_card;

/* voltage_class 0 = automatic (5 V, 3 V, 1.8 V in ISO's order). Cold reset; reads the ATR, does PPS where offered, IFS for T=1. */
card_result_t card_power_on(uint8_t voltage_class);
void card_power_off(void);
/* Clock stop (ISO 7816-3 6.3.2) for a card that allows it; the next exchange, or card_clock_start(), lets it run again. Stops nothing and is
 * CARD_PROTOCOL where the ATR does not allow it. */
card_result_t card_clock_stop(void);
card_result_t card_clock_start(void);
/* One APDU. `command` is read in place and may be re-read for retransmission until the card acknowledged it; `answer` gets data + SW1SW2.
 * `command` and `answer` may be the same memory: nothing is written to `answer` before the whole command was acknowledged.
 * Ends: each exchange has a budget of blocks that bring nothing and ten minutes of waiting beyond the line time of what was moved.
 * After a failure the card is on, and in step, or off (g_card.voltage_class == 0): one that cannot be brought back in step is not kept. */
card_result_t card_exchange(const uint8_t *command, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length);
#endif
