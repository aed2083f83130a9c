/* check.h - asserts that count, for the plain programs in test/. */
#ifndef CHECK_H
#define CHECK_H
#include <stdio.h>
#include <string.h>

static int s_passed, s_failed;
static const char *s_story = "";

static inline void check_at(int good, const char *what, const char *file, int line) {
  if (good) {
    s_passed++;
  } else {
    s_failed++;
    printf("%s:%d: %s: %s\n", file, line, s_story, what);
  }
}
#define CHECK(condition) check_at((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
#define CHECK_BYTES(a, b, n) check_at(memcmp((a), (b), (n)) == 0, #a " == " #b, __FILE__, __LINE__)
#define STORY(name) (s_story = (name))

static inline int check_end(const char *name) {
  printf("%s: %d passed, %d failed\n", name, s_passed, s_failed);
  return s_failed == 0 && s_passed > 0 ? 0 : 1;
}
#endif
