/* The guard: any commands to a JPKI card that can do more than is known of it (channels, chaining, ENVELOPE, short file ids), and a person at the
 * pad. The promise: with the consent policy on, this card never signs with the signature key but what the person saw and said OK to, each once; with
 * the pad-only policy on, no secret from the host reaches JPKI's.
 * sources: guard/guard.c guard/consent.c guard/digestinfo.c front/draw.c front/front.c front/keypad.c front/words.c test/fakes/fake_hal.c test/fakes/fake_card.c */
#include "front/draw.h"
#include "fuzz/door.h"
#include "gen/board_gen.h"
#include "gen/words_gen.h"
#include "guard/guard.h"
#include "test/fakes/fake_hal.h"

/* ---- the card: what a command does, whatever the guard makes of it --------------------------------------------- */

enum { NO_FILE = 0, KEY_SIGN = 0x1a, KEY_AUTH = 0x17, PIN_SIGN = 0x1b, PIN_AUTH = 0x18 };
static const uint8_t k_aid[10] = {0xd3, 0x92, 0xf0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01};
static const uint8_t k_neighbour[10] = {0xd3, 0x92, 0x10, 0x00, 0x31, 0x00, 0x01, 0x01, 0x04, 0x08};

static struct {
  struct { bool jpki; unsigned file; } channel[4];
  uint8_t chain_head[4], chain[300]; /* data of the commands so far whose CLA says "more follows" */
  size_t chain_length;
} s_card;

/* What the card was asked to sign with the signature key, and what secrets it was given, by the command that runs. */
static uint8_t s_signed[300];
static size_t s_signed_length;
static bool s_signs, s_secret;

/* Nc bytes of data, short or extended; NULL = none or not to be read. */
static const uint8_t *data_of(const uint8_t *c, size_t length, size_t *n) {
  *n = 0;
  if (length <= 5) return NULL;
  if (c[4] != 0) *n = c[4];
  else if (length > 7) *n = (size_t)c[5] << 8 | c[6];
  const size_t at = c[4] != 0 ? 5 : 7;
  if (*n > length - at) *n = length - at; /* a lenient card takes what is there */
  return c + at;
}

static bool begins(const uint8_t *name, size_t n, const uint8_t aid[10]) { return n > 0 && memcmp(name, aid, n < 10 ? n : 10) == 0; }

static unsigned execute(const uint8_t *c, size_t length, unsigned depth) {
  size_t n;
  const uint8_t *data = data_of(c, length, &n);
  const unsigned at = c[0] & 3u, ins = c[1] & 0xfeu;
  /* A chain goes on with the same CLA (but b5), INS, P1 and P2 (ISO 7816-4 §5.3.3), or is over. */
  const uint8_t head[4] = {(uint8_t)(c[0] & ~0x10u), c[1], c[2], c[3]};
  if (memcmp(head, s_card.chain_head, 4) != 0) s_card.chain_length = 0;
  memcpy(s_card.chain_head, head, 4);
  if ((c[0] & 0x10u) != 0) { /* a part of a command */
    if (n > sizeof s_card.chain - s_card.chain_length) return 0x6700;
    if (n > 0) memcpy(s_card.chain + s_card.chain_length, data, n);
    s_card.chain_length += n;
    return 0x9000;
  }
  static uint8_t whole[600];
  if (s_card.chain_length > 0) {
    const size_t before = s_card.chain_length;
    memcpy(whole, s_card.chain, before);
    if (n > 300) n = 300;
    if (n > 0) memcpy(whole + before, data, n);
    data = whole;
    n += before;
    s_card.chain_length = 0;
  }
  switch (ins) {
  case 0xa4:
    if (c[2] == 0x04) {
      const bool jpki = begins(data, n, k_aid), other = begins(data, n, k_neighbour);
      if (!jpki && !other) return 0x6a82;
      s_card.channel[at].jpki = jpki && !(other && (c[3] & 3u) == 2); /* a prefix of both: the first, or the next */
      s_card.channel[at].file = NO_FILE;
      return 0x9000;
    }
    if (n != 2) return 0x6a82;
    s_card.channel[at].file = (unsigned)data[0] << 8 | data[1];
    return 0x9000;
  case 0x70: /* MANAGE CHANNEL */
    if (c[2] == 0x80 && (c[3] & 3u) != 0) memset(&s_card.channel[c[3] & 3u], 0, sizeof s_card.channel[0]);
    return 0x9000;
  case 0xc2: /* ENVELOPE */
    if (n < 4 || depth > 2) return 0x6700;
    {
      uint8_t *inner = exactly(n);
      memcpy(inner, data, n);
      const unsigned sw = execute(inner, n, depth + 1);
      free(inner);
      return sw;
    }
  case 0xb0:
    if ((c[2] & 0x80u) != 0 && s_card.channel[at].jpki) s_card.channel[at].file = c[2] & 0x1fu;
    return 0x6981;
  case 0x20:
  case 0x24:
  case 0x2c: {
    if ((c[3] & 0x9fu) > 0x80u && s_card.channel[at].jpki) s_card.channel[at].file = c[3] & 0x1fu;
    const unsigned file = s_card.channel[at].file;
    if (s_card.channel[at].jpki && (file == PIN_SIGN || file == PIN_AUTH) && n > 0) s_secret = true;
    return 0x63c3;
  }
  case 0x2a: {
    if (!s_card.channel[at].jpki) return 0x6985;
    if ((c[3] & 0x9fu) > 0x80u) s_card.channel[at].file = c[3] & 0x1fu; /* a short id names the file and selects it */
    if (s_card.channel[at].file != KEY_SIGN) return s_card.channel[at].file == KEY_AUTH ? 0x9000 : 0x6a82;
    if (n == 0) return 0x6700;
    s_signs = true;
    s_signed_length = n < sizeof s_signed ? n : sizeof s_signed;
    memcpy(s_signed, data, s_signed_length);
    return 0x9000;
  }
  default: return 0x6d00;
  }
}

/* ---- the person: says OK only to what stands on the display ----------------------------------------------------- */

static uint8_t s_agreed[64]; /* the hash of the last OK, not signed yet */
static size_t s_agreed_length;

/* DigestInfo taken apart as DER, not compared with prefixes. */
static const uint8_t *hash_of(const uint8_t *d, size_t n, size_t *length) {
  if (n < 11 || d[0] != 0x30 || d[1] != n - 2 || d[2] != 0x30 || (size_t)d[3] + 6 > n || d[4] != 0x06) return NULL;
  const size_t at = 4u + d[3];
  if (d[at] != 0x04 || at + 2 + d[at + 1] != n) return NULL;
  *length = d[at + 1];
  return *length == 20 || *length == 32 || *length == 48 || *length == 64 ? d + at + 2 : NULL;
}

/* The consent screen's six words, drawn from the list by this door, lie in the frame as it was shown. */
static void stands_there(const uint8_t *frame, const uint8_t *hash) {
  static uint8_t kept[FRAME_SIZE];
  memcpy(kept, g_frame, FRAME_SIZE);
  for (unsigned i = 0; i < 6; i++) {
    unsigned index = 0;
    for (unsigned bit = 11 * i; bit < 11 * i + 11; bit++) index = 2 * index + (hash[bit / 8] >> (7 - bit % 8) & 1);
    char word[9] = {0};
    uint64_t packed = 0;
    for (unsigned k = 0; k < 5; k++) packed = packed << 8 | WORDS[index][k];
    for (unsigned k = 0; k < 8; k++) {
      const unsigned letter = (unsigned)(packed >> (35 - 5 * k)) & 31u;
      word[k] = letter == 0 ? 0 : (char)('a' + letter - 1);
    }
    memset(g_frame, 0, FRAME_SIZE);
    (void)draw_small((i % 2) * 66 + 12, 18 + i / 2 * 10, word);
    unsigned lit = 0;
    for (unsigned k = 0; k < FRAME_SIZE; k++) {
      PROMISE((g_frame[k] & frame[k]) == g_frame[k]);
      lit += g_frame[k] != 0;
    }
    PROMISE(lit > 8);
  }
  memcpy(g_frame, kept, FRAME_SIZE);
}

/* ---- commands --------------------------------------------------------------------------------------------------- */

static const uint8_t k_info[4][19] = {
    {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20},
    {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30},
    {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40},
    {0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14},
};

static size_t compose(uint8_t *c) {
  static const uint8_t k_files[] = {KEY_SIGN, KEY_AUTH, PIN_SIGN, PIN_AUTH, 0x01};
  const unsigned what = take(), more = what >> 4;
  size_t n = 0;
  switch (what & 15u) {
  case 0:
  case 1: { /* SELECT JPKI, or part of its name, or a neighbour */
    const uint8_t *aid = (more & 1u) != 0 ? k_neighbour : k_aid;
    const size_t length = (more & 2u) != 0 ? take() % 11u : 10, from = (more & 4u) != 0 && length > 0 ? take() % length : 0;
    const uint8_t head[5] = {0x00, 0xa4, 0x04, (more & 8u) != 0 ? take() : 0x0c, (uint8_t)(length - from)};
    memcpy(c, head, 5);
    memcpy(c + 5, aid + from, length - from);
    n = 5 + length - from;
    break;
  }
  case 2:
  case 3: { /* SELECT a file */
    const uint8_t head[7] = {0x00, 0xa4, (more & 8u) != 0 ? take() : 0x02, 0x0c, 0x02, 0x00, k_files[more % 5u]};
    memcpy(c, head, n = 7);
    break;
  }
  case 4:
  case 5:
  case 6: { /* COMPUTE DIGITAL SIGNATURE of a hash */
    const unsigned form = more & 3u;
    const size_t prefix = form == 3 ? 15 : 19, hash = form == 3 ? 20 : 32 + 16 * form;
    static const uint8_t k_p2[] = {0x80, 0x9a, 0x97, 0x80};
    const uint8_t head[5] = {0x80, 0x2a, 0x00, k_p2[more >> 2], (uint8_t)(prefix + hash)};
    memcpy(c, head, 5);
    memcpy(c + 5, k_info[form], prefix);
    memset(c + 5 + prefix, take(), hash);
    n = 5 + prefix + hash;
    c[n++] = 0;
    break;
  }
  case 7: { /* VERIFY and its like */
    static const uint8_t k_ins[] = {0x20, 0x24, 0x2c, 0x21};
    const uint8_t head[9] = {0x00, k_ins[more & 3u], 0x00, take(), 4, '1', '2', '3', '4'};
    memcpy(c, head, n = (more & 4u) != 0 ? 4 : 9);
    break;
  }
  case 8: { /* the next one in an envelope */
    n = s_left > 0 && *s_script % 16u != 8 ? compose(c + 5) : 0;
    if (n > 255) n = 255;
    const uint8_t head[5] = {0x00, 0xc2, 0x00, 0x00, (uint8_t)n};
    memcpy(c, head, 5);
    n += 5;
    break;
  }
  case 9: /* the next one with another class */
    n = s_left > 0 && *s_script % 16u != 9 ? compose(c) : 0;
    c[0] = take();
    break;
  case 10: /* the next one with extended lengths */
    n = s_left > 0 && *s_script % 16u != 10 ? compose(c) : 0;
    if (n > 5 && c[4] != 0) {
      memmove(c + 7, c + 5, n - 5);
      c[5] = 0;
      c[6] = c[4];
      c[4] = 0;
      n += 2;
    }
    break;
  case 11: /* the next one, cut and prolonged */
    n = s_left > 0 && *s_script % 16u != 11 ? compose(c) : 0;
    n = more < n ? n - more : n + more;
    break;
  case 12: /* the next one, with any byte changed */
    n = s_left > 0 && *s_script % 16u != 12 ? compose(c) : 0;
    if (n > 0) c[take() % n] = take();
    break;
  case 13: { /* MANAGE CHANNEL */
    const uint8_t head[4] = {0x00, 0x70, (more & 1u) != 0 ? 0x80 : 0x00, (uint8_t)(more >> 1)};
    memcpy(c, head, n = 4);
    break;
  }
  case 14: { /* READ BINARY, by short id too */
    const uint8_t head[5] = {0x00, 0xb0, take(), 0x00, 0x00};
    memcpy(c, head, n = 5);
    break;
  }
  default:
    n = 4u + more;
    take_bytes(c, n);
    break;
  }
  return n;
}

static void play(bool consent, bool pad_only) {
  static uint8_t large[1200];
  memset(large, 0, sizeof large);
  size_t n = compose(large);
  if (n < 4) n = 4; /* ccid/ lets no shorter one through */
  uint8_t *c = exactly(n);
  memcpy(c, large, n);
  const unsigned person = take(), luck = take();
  fake_reset();
  fake_press(g_fake->now + 500000, (person & 3u) == 1 ? KEY_CANCEL : (person & 3u) == 2 ? '5' : KEY_OK);
  if ((person & 0x30u) == 0x30u) g_fake->aborted_at = g_fake->now + (uint64_t)(person >> 6) * 300000u;
  const guard_verdict_t verdict = guard_before(c, n);
  PROMISE(verdict <= GUARD_ABORTED && g_fake->frame_count <= 2);
  if (!consent) PROMISE(g_fake->frame_count == 0);
  if (g_fake->frame_count != 0 && verdict == GUARD_PASS) { /* it asked and got its OK: for what was on the display */
    PROMISE((person & 3u) == 0 || (person & 3u) == 3);
    size_t length = 0, data_length;
    const uint8_t *data = data_of(c, n, &data_length), *hash = data == NULL ? NULL : hash_of(data, data_length, &length);
    PROMISE(hash != NULL);
    stands_there(g_fake->frames[0].pixels, hash);
    memcpy(s_agreed, hash, length);
    s_agreed_length = length;
  }
  if (verdict == GUARD_PASS) {
    s_signs = s_secret = false;
    const unsigned sw = execute(c, n, 0);
    if (consent && s_signs) {
      size_t length = 0;
      const uint8_t *hash = hash_of(s_signed, s_signed_length, &length);
      PROMISE(hash != NULL && s_agreed_length == length && memcmp(hash, s_agreed, length) == 0);
      s_agreed_length = 0;
    }
    if (pad_only) PROMISE(!s_secret);
    /* ccid/ shows the guard the first 64 bytes of the command; the answer may get lost. */
    const uint8_t answer[2] = {(uint8_t)(sw >> 8), (uint8_t)sw};
    uint8_t *kept = exactly(n < 64 ? n : 64);
    memcpy(kept, c, n < 64 ? n : 64);
    guard_after(kept, n < 64 ? n : 64, answer, luck == 0xff ? 0 : 2);
    free(kept);
  }
  const guard_secret_t secret = guard_selected_secret();
  PROMISE(secret <= SECRET_JPKI_SIGN && guard_tries_left() >= -1 && guard_tries_left() <= 15);
  /* What the display may say of a secret is true. */
  if (secret != SECRET_UNKNOWN) {
    PROMISE(s_card.channel[0].jpki && s_card.channel[0].file == (unsigned)(secret == SECRET_JPKI_SIGN ? PIN_SIGN : PIN_AUTH));
  }
  free(c);
}

static void door(void) {
  const unsigned how = take();
  memset(&s_card, 0, sizeof s_card);
  s_agreed_length = 0;
  guard_policies((how & 1u) == 0, (how & 2u) != 0);
  guard_reset();
  for (unsigned i = 0; i < 24 && s_left > 0; i++) {
    step();
    play((how & 1u) == 0, (how & 2u) != 0);
  }
}
