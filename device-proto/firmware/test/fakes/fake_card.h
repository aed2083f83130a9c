/* fake_card.h - a card at APDU level in place of iso7816/: records the commands and answers as a test says. */
#ifndef FAKE_CARD_H
#define FAKE_CARD_H
#include "iso7816/card.h"

typedef struct {
  uint8_t bytes[300];
  size_t length;
} fake_command_t;

typedef struct {
  fake_command_t commands[64];
  size_t count;
  /* How the card answers: writes data and SW1SW2, returns their number. NULL = 9000. */
  size_t (*answer)(const uint8_t *command, size_t length, uint8_t *answer);
  card_result_t result; /* not CARD_OK: every exchange ends so */
  bool pulled_during;   /* … and the card is gone */
  uint64_t takes_us;
} fake_card_t;
extern fake_card_t *g_fake_card;
void fake_card_reset(void);
#endif
