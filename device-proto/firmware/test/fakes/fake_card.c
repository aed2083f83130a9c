#include "test/fakes/fake_card.h"
#include "test/fakes/fake_hal.h"
#include <stdlib.h>
#include <string.h>

card_t g_card = {.voltage_class = 1};
fake_card_t *g_fake_card;

__attribute__((constructor)) static void make(void) {
  g_fake_card = calloc(1, sizeof *g_fake_card);
  if (g_fake_card == NULL) abort();
}

void fake_card_reset(void) {
  memset(g_fake_card, 0, sizeof *g_fake_card);
  g_fake_card->takes_us = 30000;
}

card_result_t card_exchange(const uint8_t *command, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length) {
  if (g_fake_card->count == 64 || length > 300) abort();
  fake_command_t *c = &g_fake_card->commands[g_fake_card->count++];
  memset(c, 0, sizeof *c);
  memcpy(c->bytes, command, length);
  c->length = length;
  volatile uint8_t left_behind[300]; /* layers below may spill what they send: the stack is the pad's to scrub */
  for (size_t i = 0; i < length; i++) left_behind[i] = command[i];
  (void)left_behind[0];
  g_fake->now += g_fake_card->takes_us;
  if (g_fake_card->pulled_during) g_fake->present = false;
  if (g_fake_card->result != CARD_OK) return g_fake_card->result;
  uint8_t reply[600] = {0x90, 0x00};
  const size_t n = g_fake_card->answer == NULL ? 2 : g_fake_card->answer(c->bytes, length, reply);
  const bool fits = n <= capacity;
  if (fits) memcpy(answer, reply, n);
  if (fits) *answer_length = n;
  return fits ? CARD_OK : CARD_TOO_LONG;
}
