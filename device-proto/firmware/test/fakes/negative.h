/* negative.h - is test_pinpad.c able to fail? A program that puts one fault into the room includes this: it passes when the tests do not. */
#ifndef FAKES_NEGATIVE_H
#define FAKES_NEGATIVE_H
#define main pinpad_tests
#include "test/test_pinpad.c"
#undef main
#include <fcntl.h>
#include <unistd.h>

int main(void) {
  const int out = dup(1), nowhere = open("/dev/null", O_WRONLY);
  (void)fflush(stdout);
  (void)dup2(nowhere, 1); /* its complaints are what is wanted, not what is to be read */
  const int code = pinpad_tests();
  (void)fflush(stdout);
  (void)dup2(out, 1);
  const int caught = code == 1 && s_failed > 0 && s_passed > s_failed;
  printf("negative: %d passed, %d failed\n", caught, !caught);
  return !caught;
}
#endif
