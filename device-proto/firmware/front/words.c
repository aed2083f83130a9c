#include "front/words.h"
#include "gen/words_gen.h"

void fingerprint_word(const uint8_t *hash, unsigned which, char word[9]) {
  unsigned index = 0;
  for (unsigned bit = 11u * which; bit < 11u * which + 11u; bit++) index = index << 1 | ((unsigned)hash[bit >> 3] >> (7u - (bit & 7u)) & 1u);
  const uint8_t *packed = WORDS[index];
  for (unsigned i = 0; i < 8; i++) {
    unsigned letter = 0;
    for (unsigned bit = 5u * i; bit < 5u * i + 5u; bit++) letter = letter << 1 | ((unsigned)packed[bit >> 3] >> (7u - (bit & 7u)) & 1u);
    word[i] = letter == 0 ? '\0' : (char)('a' + letter - 1u);
  }
  word[8] = '\0';
}
