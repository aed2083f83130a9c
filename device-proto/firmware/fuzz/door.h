/* door.h - what every fuzz door shares: the input as a script, promises that stop the run when broken, and a budget for each input.
 *
 *   input │ b b b b … │   one byte is one decision; when the script is over every decision is 0
 *
 * A door is one file. Its first comment names the firmware sources it is built from (`sources: …`). It defines door(), which plays one
 * input from a fresh state. tools/dev/fuzz.mjs builds and runs it, tools/dev/fuzz-seeds.mjs gives it something to begin with. */
#ifndef FUZZ_DOOR_H
#define FUZZ_DOOR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef CPU_NS_MAX
#define CPU_NS_MAX 100000000 /* an input that takes longer is a hang; processor time, so that a busy machine does not matter */
#endif
#define STEPS_MAX 400000u    /* turns of the simulated world */

static void door(void);

static inline _Noreturn void door_broken(const char *promise, const char *file, int line) {
  (void)fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, promise);
  abort();
}
#define PROMISE(condition) ((condition) ? (void)0 : door_broken(#condition, __FILE__, __LINE__))

static const uint8_t *s_script;
static size_t s_left;
static unsigned s_steps;

static inline uint8_t take(void) {
  if (s_left == 0) return 0;
  s_left--;
  return *s_script++;
}
static inline unsigned take16(void) {
  const unsigned high = take();
  return high << 8 | take();
}
/* As many of `n` bytes as there are, the rest 0. */
static inline void take_bytes(uint8_t *to, size_t n) {
  for (size_t i = 0; i < n; i++) to[i] = take();
}
static inline void step(void) { PROMISE(++s_steps < STEPS_MAX); }

/* Memory of exactly `n` bytes: the sanitizer sees one byte too far. */
static inline uint8_t *exactly(size_t n) {
  uint8_t *p = malloc(n == 0 ? 1 : n);
  if (p == NULL) abort();
  return p;
}

static inline int64_t cpu_ns(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  s_script = data;
  s_left = size;
  s_steps = 0;
  const int64_t from = cpu_ns();
  door();
  PROMISE(cpu_ns() - from < CPU_NS_MAX);
  return 0;
}
#endif
