/* apdu.h - a command APDU taken apart (ISO 7816-4 §5.1, short and extended). Private to guard/. */
#ifndef APDU_H
#define APDU_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint8_t cla, ins, p1, p2;
  const uint8_t *data;
  size_t data_length; /* Nc */
} apdu_t;

/* False: its lengths contradict each other, so that reader and card might read it differently. */
static inline bool apdu_parse(const uint8_t *c, size_t length, apdu_t *a) {
  if (length < 4) return false;
  *a = (apdu_t){c[0], c[1], c[2], c[3], c + 4, 0};
  if (length <= 5) return true; /* cases 1 and 2 short */
  if (c[4] != 0) {              /* cases 3 and 4 short */
    a->data = c + 5;
    a->data_length = c[4];
    return length == 5u + c[4] || length == 6u + c[4];
  }
  if (length == 7) return true; /* case 2 extended */
  if (length < 7) return false;
  a->data = c + 7;
  a->data_length = (size_t)c[5] << 8 | c[6];
  return a->data_length != 0 && (length == 7u + a->data_length || length == 9u + a->data_length);
}
#endif
