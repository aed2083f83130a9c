/* atr.c - ISO 7816-3 section 8.2.
 *
 *   TS T0 [TA1 TB1 TC1 TD1] [TA2 TB2 TC2 TD2] ... T1..TK [TCK]
 *       |                |
 *       Y1 K             Y2 T   the high nibble announces the next group, the low one names its protocol
 */
#include "iso7816/atr.h"
#include "iso7816/card.h"

#define TS_DIRECT 0x3b
#define TS_INVERSE 0x3f
#define HAS_TA 1u
#define HAS_TB 2u
#define HAS_TC 4u
#define HAS_TD 8u

size_t atr_expected(const uint8_t *atr, size_t have) {
  size_t at = 2;
  unsigned announced = atr[1] >> 4;
  bool check = false;
  for (;;) {
    at += (announced & 1u) + ((announced >> 1) & 1u) + ((announced >> 2) & 1u);
    if (at > ATR_MAX) return ATR_MAX + 1;
    if ((announced & HAS_TD) == 0) break;
    if (at >= have) return at + 1;
    if ((atr[at] & 0x0fu) != 0) check = true; /* TCK is absent only when T=0 alone is offered (8.2.5) */
    announced = atr[at] >> 4;
    at++;
  }
  at += (atr[1] & 0x0fu) + (check ? 1u : 0u);
  return at > ATR_MAX ? ATR_MAX + 1 : at;
}

bool atr_parse(const uint8_t *atr, size_t length, atr_t *out) {
  *out = (atr_t){.fidi = 0x11, .wi = 10, .ifsc = 32, .bwi = 4, .cwi = 13, .classes = 7};
  if (length < 2 || length > ATR_MAX || (atr[0] != TS_DIRECT && atr[0] != TS_INVERSE) || atr_expected(atr, length) != length) return false;
  size_t at = 2;
  unsigned announced = atr[1] >> 4;
  unsigned protocol = 0; /* of the group being read; T=0 before the first TD */
  bool check = false, t1_seen = false, t15_seen = false, any_td = false;
  for (unsigned group = 1;; group++) {
    const bool first_t1 = group > 2 && protocol == 1 && !t1_seen;
    const bool first_t15 = group > 2 && protocol == 15 && !t15_seen;
    if (announced & HAS_TA) {
      const uint8_t ta = atr[at++];
      if (group == 1) out->fidi = ta;
      if (group == 2) {
        out->specific = true;
        out->specific_protocol = ta & 0x0fu;
        out->implicit = (ta & 0x10u) != 0;
        out->changeable = (ta & 0x80u) == 0;
      }
      if (first_t1) {
        if (ta == 0 || ta == 0xff) return false; /* reserved (11.4.2) */
        out->ifsc = ta;
      }
      if (first_t15 && (ta & 0x3fu) != 0) out->classes = ta & 7u;
      if (first_t15) out->clock_stop = ta >> 6;
    }
    if (announced & HAS_TB) {
      const uint8_t tb = atr[at++];
      if (first_t1) {
        if (tb >> 4 > 9) return false; /* BWI 10..15 reserved (11.4.3) */
        out->bwi = tb >> 4;
        out->cwi = tb & 0x0fu;
      }
    }
    if (announced & HAS_TC) {
      const uint8_t tc = atr[at++];
      if (group == 1) out->guard = tc;
      if (group == 2) out->wi = tc == 0 ? 10 : tc; /* 0 is reserved (10.2): read as the default */
      if (first_t1) out->crc = (tc & 1u) != 0;
    }
    if (first_t1) t1_seen = true;
    if (first_t15) t15_seen = true;
    if ((announced & HAS_TD) == 0) break;
    const uint8_t td = atr[at++];
    protocol = td & 0x0fu;
    announced = td >> 4;
    if (protocol != 0) check = true;
    if (!any_td) out->first = (uint8_t)protocol;
    any_td = true;
    if (protocol <= 1) out->protocols |= (uint8_t)(1u << protocol);
  }
  if (!any_td) out->protocols = 1; /* no TD1: T=0 only (8.2.3) */
  if (check) {
    uint8_t sum = 0;
    for (size_t i = 1; i < length; i++) sum ^= atr[i];
    out->fault = ATR_CHECK;
    if (sum != 0) return false;
  }
  out->fault = ATR_PROTOCOL;
  return out->protocols != 0;
}
