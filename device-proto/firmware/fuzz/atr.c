/* ATR: any bytes. Judged by a reader of ATRs written from ISO 7816-3 §8.2 alone, group by group.
 * sources: iso7816/atr.c */
#include "fuzz/door.h"
#include "iso7816/atr.h"
#include "iso7816/card.h"

typedef struct {
  bool good;
  size_t length;
  int ta[40], tb[40], tc[40], td[40]; /* by group, -1 = absent */
  unsigned groups;
} groups_t;

/* Splits as far as the bytes go. `length` = what the interface bytes say, historical bytes and TCK included. */
static groups_t split(const uint8_t *atr, size_t have) {
  groups_t g = {.good = false};
  size_t at = 1;
  unsigned next = atr[at++];
  const unsigned historical = next & 15u;
  bool only_t0 = true;
  for (;;) {
    const unsigned i = g.groups++;
    g.ta[i] = g.tb[i] = g.tc[i] = g.td[i] = -1;
    int *const parts[4] = {&g.ta[i], &g.tb[i], &g.tc[i], &g.td[i]};
    for (unsigned k = 0; k < 4; k++) {
      if ((next >> (4 + k) & 1u) == 0) continue;
      if (at >= have) return g;
      *parts[k] = atr[at++];
    }
    if (g.td[i] < 0) break;
    next = (unsigned)g.td[i];
    if ((next & 15u) != 0) only_t0 = false;
  }
  g.length = at + historical + (only_t0 ? 0 : 1);
  g.good = g.length == have && have <= ATR_MAX;
  if (!only_t0 && g.good) {
    unsigned sum = 0;
    for (size_t i = 1; i < have; i++) sum ^= atr[i];
    g.good = sum == 0;
  }
  return g;
}

static void judge(const uint8_t *atr, size_t length, const atr_t *said, bool accepted) {
  const groups_t g = length >= 2 && (atr[0] == 0x3b || atr[0] == 0x3f) ? split(atr, length) : (groups_t){.good = false};
  if (!g.good) {
    PROMISE(!accepted);
    return;
  }
  unsigned offered = 0, first = 0;
  int ifsc = -1, bwi_cwi = -1, edc = -1, classes = -1;
  bool t1 = false, t15 = false;
  for (unsigned i = 0; i < g.groups; i++) {
    if (g.td[i] >= 0) {
      const unsigned t = (unsigned)g.td[i] & 15u;
      if (i == 0) first = t;
      if (t < 2) offered |= 1u << t;
    }
    if (i < 2) continue;
    const unsigned t = (unsigned)g.td[i - 1] & 15u;
    if (t == 1 && !t1) t1 = true, ifsc = g.ta[i], bwi_cwi = g.tb[i], edc = g.tc[i];
    if (t == 15 && !t15) t15 = true, classes = g.ta[i];
  }
  if (g.td[0] < 0) offered = 1;
  const bool reserved = ifsc == 0 || ifsc == 255 || bwi_cwi >> 4 > 9;
  PROMISE(accepted == (offered != 0 && !reserved));
  if (!accepted) return;
  PROMISE(said->protocols == offered && said->first == first);
  PROMISE(said->fidi == (g.ta[0] < 0 ? 0x11 : g.ta[0]) && said->guard == (g.tc[0] < 0 ? 0 : g.tc[0]));
  const bool specific = g.groups > 1 && g.ta[1] >= 0;
  PROMISE(said->specific == specific && (!specific || (said->specific_protocol == (g.ta[1] & 15) && said->implicit == ((g.ta[1] & 16) != 0))));
  PROMISE(said->wi == (g.groups > 1 && g.tc[1] > 0 ? g.tc[1] : 10));
  PROMISE(said->ifsc == (ifsc < 0 ? 32 : ifsc) && said->bwi == (bwi_cwi < 0 ? 4 : bwi_cwi >> 4) && said->cwi == (bwi_cwi < 0 ? 13 : bwi_cwi & 15));
  PROMISE(said->crc == (edc >= 0 && (edc & 1) != 0) && said->classes == (classes >= 0 && (classes & 63) != 0 ? classes & 7 : 7));
}

static void door(void) {
  const unsigned mode = take();
  const size_t length = s_left < 40 ? s_left : 40;
  uint8_t *atr = exactly(length);
  take_bytes(atr, length);
  if (length >= 2 && (mode & 1u) != 0) { /* one in 256 has a right TCK by chance: put it right */
    uint8_t sum = 0;
    for (size_t i = 1; i + 1 < length; i++) sum ^= atr[i];
    atr[length - 1] = sum;
  }
  /* As it arrives, byte for byte: what is awaited never shrinks below what is there, and never grows past the largest ATR by more than one. */
  size_t arrived = length;
  for (size_t have = 2; have <= length; have++) {
    uint8_t *part = exactly(have);
    memcpy(part, atr, have);
    const size_t expected = atr_expected(part, have);
    free(part);
    PROMISE(expected <= ATR_MAX + 1u);
    if (expected > have) continue;
    PROMISE(expected == have);
    arrived = have;
    break;
  }
  atr_t said;
  judge(atr, length, &said, atr_parse(atr, length, &said));
  if (arrived < length) { /* what the reader would have taken for the whole of it */
    uint8_t *whole = exactly(arrived);
    memcpy(whole, atr, arrived);
    judge(whole, arrived, &said, atr_parse(whole, arrived, &said));
    free(whole);
  }
  free(atr);
}
