/* atr.h - answer to reset (ISO 7816-3 section 8): how long it is while it arrives, and what it says. */
#ifndef ISO7816_ATR_H
#define ISO7816_ATR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint8_t protocols;      /* bit T for T = 0 and 1 */
  uint8_t first;          /* T of the first offer */
  uint8_t fidi;           /* TA1 or 0x11 */
  uint8_t guard;          /* TC1 or 0 */
  bool specific;          /* TA2 present: */
  uint8_t specific_protocol;
  bool implicit;          /* ... but F and D are not TA1's */
  bool changeable;        /* ... and a warm reset may bring the negotiable mode (TA2 bit 8 = 0) */
  uint8_t wi;             /* TC2 or 10 */
  uint8_t ifsc, bwi, cwi; /* T=1 */
  bool crc;
  uint8_t classes;        /* bit 0 = A, 1 = B, 2 = C; 7 when the ATR does not say */
  uint8_t clock_stop;     /* TA for T=15, bits 8 and 7: 0 not allowed, 1 low, 2 high, 3 either (8.3) */
  uint8_t fault;          /* of an ATR that atr_parse() refuses: ATR_SHAPE, ATR_CHECK or ATR_PROTOCOL */
} atr_t;

/* ATR_SHAPE: TS, length or a reserved value; ATR_CHECK: TCK; ATR_PROTOCOL: none that we speak. */
enum { ATR_SHAPE, ATR_CHECK, ATR_PROTOCOL };

/* Bytes the ATR has in all as far as `have` bytes tell: `have` itself when it is complete, more otherwise, ATR_MAX + 1 when it cannot fit. have >= 2. */
size_t atr_expected(const uint8_t *atr, size_t have);
/* False: TS, TCK, a reserved value, or no protocol we speak. `length` is what atr_expected() agreed to. */
bool atr_parse(const uint8_t *atr, size_t length, atr_t *out);
#endif
