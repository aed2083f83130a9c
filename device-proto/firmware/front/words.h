/* words.h - a hash in words a person can compare: 11 bits each, most significant bit first (device-proto/src/words.ts). */
#ifndef WORDS_H
#define WORDS_H
#include <stdint.h>

#define FINGERPRINT_WORDS 6u
/* Word number `which` of the hash, which must have at least 11 × (which + 1) bits. */
void fingerprint_word(const uint8_t *hash, unsigned which, char word[9]);
#endif
