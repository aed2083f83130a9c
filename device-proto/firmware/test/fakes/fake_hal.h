/* fake_hal.h - the board on a PC: simulated time, a scripted person at the keys, and a record of what the display, lamp and buzzer did.
 * All of it lives on the heap, so that a test may compare the program's own memory (.data, .bss) byte by byte. */
#ifndef FAKE_HAL_H
#define FAKE_HAL_H
#include "hal/hal.h"

typedef struct {
  uint64_t at;
  uint8_t pixels[1024];
  bool lamp;
} fake_frame_t;

typedef struct {
  uint64_t at;
  uint16_t hertz, ms;
} fake_beep_t;

typedef struct {
  uint64_t now;
  /* the person: every key is held for `hold_us` */
  struct { uint64_t at, until; uint8_t bit; } keys[512];
  size_t key_count;
  uint64_t next_press; /* where fake_type() goes on */
  uint64_t hold_us, gap_us;
  /* the world */
  bool present, overcurrent;
  uint64_t pulled_at, aborted_at; /* UINT64_MAX = never */
  bool stopped; /* app_wait has said stop: callers must not wait again */
  size_t waits_after_stop;
  /* the record */
  fake_frame_t *frames;
  size_t frame_count, frame_capacity;
  fake_beep_t beeps[1024];
  size_t beep_count;
  bool lamp;
  uint64_t lamp_on_at, lamp_off_at;
  size_t lamp_on_count, line_wipes;
} fake_t;
extern fake_t *g_fake; /* made before main, never moved */

/* Everything as at power-on, a card in the slot. */
void fake_reset(void);
/* A key goes down at `at` (KEY_* or a digit's ASCII). */
void fake_press(uint64_t at, uint8_t key);
/* Keys one after the other from `g_fake->next_press` on: digits, m mode, n next, c correct, x clear, q cancel, o OK, space = one second without a key. */
void fake_type(const char *keys);
#endif
