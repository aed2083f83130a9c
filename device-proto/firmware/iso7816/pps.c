/* pps.c - protocol and parameters selection (ISO 7816-3 section 9): FF, PPS0, PPS1, PCK; the answer echoes what the card takes. */
#include "iso7816/line.h"
#include "negative.h"

#define PPSS 0xffu
#define PPS1_PRESENT 0x10u

card_result_t pps_exchange(uint8_t protocol, uint8_t fidi) {
  uint8_t request[4] = {PPSS, (uint8_t)(PPS1_PRESENT | protocol), fidi, 0};
  request[3] = (uint8_t)(request[0] ^ request[1] ^ request[2]);
  const hal_span_t span = {request, sizeof request};
  card_result_t result = line_put(&span, 1, 16);
  if (result != CARD_OK) return result;

  uint8_t answer[6];
  size_t length = 3, got = 0;
  uint8_t sum = 0;
  /* The request's last characters are still on their way out when line_put returns. */
  uint64_t deadline = hal_now_us() + etu_us(INITIAL_WAITING_ETU + 6u * 268u) + LOOP_SLACK_US;
  while (got < length) {
    result = line_get(&answer[got], deadline);
    if (result == CARD_MUTE || result == CARD_PARITY) return CARD_REFUSED_PPS;
    if (result != CARD_OK) return result;
    sum ^= answer[got++];
    if (got == 2) length = 3u + ((answer[1] >> 4) & 1u) + ((answer[1] >> 5) & 1u) + ((answer[1] >> 6) & 1u);
    deadline = hal_now_us() + etu_us(INITIAL_WAITING_ETU) + LOOP_SLACK_US;
  }
  /* 9.3: PPSS and T echoed; PPS1 echoed or left out (then 372/1 stays); PPS2 and PPS3 were not asked for. */
  const bool taken = (answer[1] & PPS1_PRESENT) != 0;
  if (sum != 0 || answer[0] != PPSS || (answer[1] & 0x6fu) != protocol || (taken && answer[2] != fidi)) return CARD_REFUSED_PPS;
  if (!taken) return CARD_OK;
  /* The gap before the first character of the protocol counts in the old etu: at 512/32, 22 new ones would be two old ones. */
#ifndef NEGATIVE_PPS_RATE_AT_ONCE
  result = line_wait(hal_now_us() + etu_us(22));
#endif
  fidi_apply(fidi);
  return result;
}
