/* digestinfo.h - DigestInfo (RFC 8017 §9.2 note 1) of the hashes JPKI is used with. Private to guard/. */
#ifndef DIGESTINFO_H
#define DIGESTINFO_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  const char *name;    /* for the display */
  const uint8_t *hash; /* in the given data */
  uint8_t length;
} digest_t;

/* Only the one DER form of each algorithm, with NULL parameters, and nothing behind it. */
bool digestinfo_parse(const uint8_t *data, size_t length, digest_t *digest);
#endif
