/* level.h - what each command means at TPDU level. Private to pcscd/. */
#ifndef PCSCD_LEVEL_H
#define PCSCD_LEVEL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "pcscd/frame.h"

/* Runs one message of `length` bytes, blocking (app_wait); the answer's length. `answer` holds PCSCD_LIMIT_MAX_MESSAGE bytes. */
size_t level_run(const uint8_t *message, size_t length, uint8_t *answer);
/* Answered at once, whatever else runs: it asks nothing of the card. */
bool level_is_light(uint8_t type);
/* The host is gone, or begins anew: half a command and half an answer are overwritten. */
void level_reset(void);
/* The host is silent in the middle of a chain for `silent_us`: gives the message buffer back if another face wants it. */
void level_idle(uint64_t silent_us);
#endif
