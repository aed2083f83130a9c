#include "test/fakes/fake_hal.h"
#include "gen/board_gen.h"
#include <stdlib.h>
#include <string.h>

fake_t *g_fake;

__attribute__((constructor)) static void make(void) {
  g_fake = calloc(1, sizeof *g_fake);
  if (g_fake == NULL) abort();
  fake_reset();
}

void fake_reset(void) {
  fake_frame_t *frames = g_fake->frames;
  const size_t capacity = g_fake->frame_capacity;
  memset(g_fake, 0, sizeof *g_fake);
  g_fake->frames = frames;
  g_fake->frame_capacity = capacity;
  g_fake->now = 1000000;
  g_fake->present = true;
  g_fake->pulled_at = g_fake->aborted_at = UINT64_MAX;
  g_fake->hold_us = 40000;
  g_fake->gap_us = 40000;
  g_fake->next_press = g_fake->now + 300000;
}

void fake_press(uint64_t at, uint8_t key) {
  for (uint8_t bit = 0; bit < 16; bit++) {
    if (KEYPAD[bit] != key) continue;
    if (g_fake->key_count == sizeof g_fake->keys / sizeof g_fake->keys[0]) abort();
    g_fake->keys[g_fake->key_count].at = at;
    g_fake->keys[g_fake->key_count].until = at + g_fake->hold_us;
    g_fake->keys[g_fake->key_count++].bit = bit;
  }
}

void fake_type(const char *keys) {
  static const char letters[] = "mncxqo";
  static const uint8_t codes[] = {KEY_MODE, KEY_NEXT, KEY_CORRECT, KEY_CLEAR, KEY_CANCEL, KEY_OK};
  for (; *keys != 0; keys++) {
    if (*keys == ' ') {
      g_fake->next_press += 1100000;
      continue;
    }
    const char *letter = strchr(letters, *keys);
    fake_press(g_fake->next_press, letter == NULL ? (uint8_t)*keys : codes[letter - letters]);
    g_fake->next_press += g_fake->hold_us + g_fake->gap_us;
  }
}

uint64_t hal_now_us(void) { return g_fake->now; }
void hal_idle(uint64_t until_us) {
  if (until_us > g_fake->now) g_fake->now = until_us;
}

uint16_t hal_keys(void) {
  uint16_t mask = 0;
  for (size_t i = 0; i < g_fake->key_count; i++) {
    if (g_fake->keys[i].at <= g_fake->now && g_fake->now < g_fake->keys[i].until) mask |= (uint16_t)(1u << g_fake->keys[i].bit);
  }
  return mask;
}

void hal_display(const uint8_t frame[1024]) {
  if (g_fake->frame_count == g_fake->frame_capacity) {
    g_fake->frame_capacity = g_fake->frame_capacity * 2 + 256;
    g_fake->frames = realloc(g_fake->frames, g_fake->frame_capacity * sizeof *g_fake->frames);
    if (g_fake->frames == NULL) abort();
  }
  fake_frame_t *f = &g_fake->frames[g_fake->frame_count++];
  memset(f, 0, sizeof *f);
  f->at = g_fake->now;
  f->lamp = g_fake->lamp;
  memcpy(f->pixels, frame, 1024);
}

void hal_lamp(bool lit) {
  if (lit && !g_fake->lamp) {
    g_fake->lamp_on_at = g_fake->now;
    g_fake->lamp_on_count++;
  }
  if (!lit && g_fake->lamp) g_fake->lamp_off_at = g_fake->now;
  g_fake->lamp = lit;
}

void hal_beep(uint16_t hertz, uint16_t ms) {
  if (g_fake->beep_count == sizeof g_fake->beeps / sizeof g_fake->beeps[0]) abort();
  g_fake->beeps[g_fake->beep_count++] = (fake_beep_t){g_fake->now, hertz, ms};
}

bool hal_card_present(void) { return g_fake->present; }
bool hal_card_overcurrent(void) { return g_fake->overcurrent; }
void hal_line_wipe(void) { g_fake->line_wipes++; }

/* Wakes at every edge of a key, as the interrupt does. */
bool app_wait(uint64_t until_us) {
  if (g_fake->stopped) {
    if (++g_fake->waits_after_stop > 10) abort();
    return false;
  }
  uint64_t next = until_us;
  for (size_t i = 0; i < g_fake->key_count; i++) {
    const uint64_t edges[2] = {g_fake->keys[i].at, g_fake->keys[i].until};
    for (size_t e = 0; e < 2; e++) {
      if (edges[e] > g_fake->now && edges[e] < next) next = edges[e];
    }
  }
  if (g_fake->pulled_at < next) next = g_fake->pulled_at;
  if (g_fake->aborted_at < next) next = g_fake->aborted_at;
  if (next > g_fake->now) g_fake->now = next;
  if (g_fake->now >= g_fake->pulled_at) g_fake->present = false;
  g_fake->stopped = g_fake->now >= g_fake->pulled_at || g_fake->now >= g_fake->aborted_at;
  return !g_fake->stopped;
}
