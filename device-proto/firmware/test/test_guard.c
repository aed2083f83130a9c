/* What the guard lets pass, what it asks about, and what it may say about a secret.
 * sources: guard/guard.c guard/consent.c guard/digestinfo.c front/draw.c front/front.c front/keypad.c front/words.c test/fakes/fake_hal.c test/fakes/fake_card.c */
#include "front/draw.h"
#include "gen/board_gen.h"
#include "guard/digestinfo.h"
#include "guard/guard.h"
#include "test/fakes/check.h"
#include "test/fakes/fake_card.h"
#include "test/fakes/fake_hal.h"
#include <stdlib.h>

#define JPKI 0xd3, 0x92, 0xf0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01
static const uint8_t k_select_jpki[] = {0x00, 0xa4, 0x04, 0x0c, 0x0a, JPKI};
static const uint8_t k_other[] = {0x00, 0xa4, 0x04, 0x00, 0x07, 0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02};
static const uint8_t k_ok[] = {0x90, 0x00};

static void passes(const uint8_t *command, size_t length, unsigned sw) {
  const uint8_t answer[2] = {(uint8_t)(sw >> 8), (uint8_t)sw};
  guard_after(command, length, answer, 2);
}
static void select_file(uint8_t low) {
  const uint8_t command[] = {0x00, 0xa4, 0x02, 0x0c, 0x02, 0x00, low};
  passes(command, sizeof command, 0x9000);
}
static void fresh(void) {
  fake_reset();
  fake_card_reset();
  guard_policies(true, false);
  guard_reset();
}
static void jpki(void) {
  fresh();
  passes(k_select_jpki, sizeof k_select_jpki, 0x9000);
}

/* 80 2A 00 p2 Lc DigestInfo(SHA-256, bytes seed, seed+1, …) 00 */
static size_t sign_command(uint8_t *c, uint8_t p2, uint8_t seed) {
  static const uint8_t head[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
  const uint8_t header[] = {0x80, 0x2a, 0x00, p2, 0x33};
  memcpy(c, header, 5);
  memcpy(c + 5, head, 19);
  for (unsigned i = 0; i < 32; i++) c[24 + i] = (uint8_t)(seed + i);
  c[56] = 0;
  return 57;
}
static guard_verdict_t sign(uint8_t p2, uint8_t seed) {
  uint8_t c[64];
  return guard_before(c, sign_command(c, p2, seed));
}
static void signed_by_card(uint8_t p2, uint8_t seed) {
  uint8_t c[64];
  const size_t length = sign_command(c, p2, seed);
  passes(c, length, 0x9000);
}

static void naming(void) {
  STORY("secrets are named only after the card said yes");
  fresh();
  passes(k_select_jpki, sizeof k_select_jpki, 0x6a82);
  select_file(0x18);
  CHECK(guard_selected_secret() == SECRET_UNKNOWN && guard_secret_of(0x98) == SECRET_UNKNOWN);
  jpki();
  CHECK(guard_selected_secret() == SECRET_UNKNOWN && guard_secret_of(0x98) == SECRET_JPKI_AUTH && guard_secret_of(0x9b) == SECRET_JPKI_SIGN);
  select_file(0x18);
  CHECK(guard_selected_secret() == SECRET_JPKI_AUTH && guard_tries_left() == -1);
  select_file(0x1b);
  CHECK(guard_selected_secret() == SECRET_JPKI_SIGN);
  const uint8_t refused[] = {0x00, 0xa4, 0x02, 0x0c, 0x02, 0x00, 0x18};
  passes(refused, sizeof refused, 0x6a82);
  CHECK(guard_selected_secret() == SECRET_JPKI_SIGN);

  STORY("another application, a prefix, a reset, another way to select: unknown again");
  static const uint8_t text_ap[] = {0x00, 0xa4, 0x04, 0x0c, 0x0a, 0xd3, 0x92, 0x10, 0x00, 0x31, 0x00, 0x01, 0x01, 0x04, 0x08};
  passes(text_ap, sizeof text_ap, 0x9000);
  select_file(0x18);
  CHECK(guard_selected_secret() == SECRET_UNKNOWN);
  jpki();
  static const uint8_t prefix[] = {0x00, 0xa4, 0x04, 0x0c, 0x02, 0xd3, 0x92};
  passes(prefix, sizeof prefix, 0x9000);
  select_file(0x18);
  CHECK(guard_selected_secret() == SECRET_UNKNOWN);
  jpki();
  select_file(0x18);
  static const uint8_t by_path[] = {0x00, 0xa4, 0x08, 0x0c, 0x02, 0x00, 0x1b};
  passes(by_path, sizeof by_path, 0x9000);
  CHECK(guard_selected_secret() == SECRET_UNKNOWN);
  static const uint8_t odd_class[] = {0x80, 0xa4, 0x02, 0x0c, 0x02, 0x00, 0x1b};
  jpki();
  select_file(0x18);
  passes(odd_class, sizeof odd_class, 0x9000);
  CHECK(guard_selected_secret() == SECRET_UNKNOWN);
  static const uint8_t read_short_id[] = {0x00, 0xb0, 0x9b, 0x00, 0x00};
  jpki();
  select_file(0x18);
  passes(read_short_id, sizeof read_short_id, 0x6986);
  CHECK(guard_selected_secret() == SECRET_UNKNOWN);
  jpki();
  select_file(0x18);
  guard_reset();
  CHECK(guard_selected_secret() == SECRET_UNKNOWN);

  STORY("an ENVELOPE, which passes with the policies off, may have left JPKI");
  guard_policies(false, false);
  static const uint8_t k_wrapped[] = {0x00, 0xc2, 0x00, 0x00, 0x06, 0x00, 0xa4, 0x04, 0x0c, 0x01, 0xa0};
  passes(k_select_jpki, sizeof k_select_jpki, 0x9000);
  select_file(0x1b);
  CHECK(guard_selected_secret() == SECRET_JPKI_SIGN);
  passes(k_wrapped, sizeof k_wrapped, 0x9000);
  select_file(0x1b);
  CHECK(guard_selected_secret() == SECRET_UNKNOWN);
  jpki();

  STORY("tries are what 63Cx said of this very secret");
  jpki();
  static const uint8_t empty[] = {0x00, 0x20, 0x00, 0x80};
  select_file(0x18);
  passes(empty, 4, 0x63c2);
  CHECK(guard_tries_left() == 2 && guard_tries_of(SECRET_JPKI_SIGN) == -1);
  select_file(0x1b);
  CHECK(guard_tries_left() == -1);
  static const uint8_t by_short_id[] = {0x00, 0x20, 0x00, 0x9b};
  passes(by_short_id, 4, 0x63c4);
  CHECK(guard_tries_of(SECRET_JPKI_SIGN) == 4);
  select_file(0x1b);
  passes(empty, 4, 0x6984);
  CHECK(guard_tries_left() == 0);
  passes(empty, 4, 0x9000);
  CHECK(guard_tries_left() == -1);
}

static void consent(void) {
  STORY("the signature key signs what was approved, once");
  jpki();
  select_file(0x1a);
  fake_type(" o");
  const uint64_t before = g_fake->now;
  CHECK(sign(0x80, 1) == GUARD_PASS && g_fake->now > before);
  CHECK(g_fake->beeps[0].hertz == 1200 && g_fake->beeps[1].hertz == 1600 && g_fake->beep_count == 2);
  CHECK(g_fake->lamp_on_count == 0 && g_fake_card->count == 0);
  passes((const uint8_t[]){0x80, 0x2a, 0x00, 0x80}, 4, 0x6985); /* the card did not sign: the same hash needs no second OK */
  CHECK(sign(0x80, 1) == GUARD_PASS && g_fake->beep_count == 2);
  signed_by_card(0x80, 1);
  CHECK(sign(0x80, 1) == GUARD_TIMEOUT);

  STORY("an OK in the first half second was meant for something else: it signs nothing");
  jpki();
  select_file(0x1a);
  fake_type("oo");
  CHECK(sign(0x80, 1) == GUARD_TIMEOUT);
  jpki();
  select_file(0x1a);
  fake_type("oo o");
  CHECK(sign(0x80, 1) == GUARD_PASS);

  STORY("an OK for one hash is none for another, and none after reset");
  jpki();
  fake_type(" o");
  CHECK(sign(0x9a, 1) == GUARD_PASS);
  CHECK(sign(0x9a, 2) == GUARD_TIMEOUT);
  guard_reset();
  passes(k_select_jpki, sizeof k_select_jpki, 0x9000);
  CHECK(sign(0x9a, 1) == GUARD_TIMEOUT);

  STORY("no, silence, abort, card pulled: each its own answer, other keys none");
  jpki();
  fake_type("5mcxnq");
  CHECK(sign(0x9a, 1) == GUARD_CANCELLED);
  jpki();
  const uint64_t start = g_fake->now;
  CHECK(sign(0x9a, 1) == GUARD_TIMEOUT && g_fake->now - start >= 60000000 && g_fake->now - start < 60100000);
  jpki();
  g_fake->aborted_at = g_fake->now + 5000000;
  CHECK(sign(0x9a, 1) == GUARD_ABORTED);
  jpki();
  g_fake->pulled_at = g_fake->now + 50000; /* during the first tone */
  CHECK(sign(0x9a, 1) == GUARD_ABORTED);

  STORY("the screen depends on all 66 bits it shows and on nothing behind them");
  uint8_t first[1024];
  for (unsigned bit = 0; bit < 256; bit++) {
    jpki();
    uint8_t c[64];
    const size_t length = sign_command(c, 0x9a, 7);
    if (bit > 0) c[24 + (bit - 1) / 8] ^= (uint8_t)(0x80u >> ((bit - 1) & 7u));
    fake_type("q");
    (void)guard_before(c, length);
    if (bit == 0) memcpy(first, g_fake->frames[0].pixels, 1024);
    CHECK((memcmp(first, g_fake->frames[0].pixels, 1024) != 0) == (bit > 0 && bit <= 66));
  }
}

static void refusals(void) {
  uint8_t c[400];
  STORY("what cannot be shown is not signed");
  jpki();
  select_file(0x1a);
  const size_t length = sign_command(c, 0x80, 1);
  for (unsigned i = 0; i < 24; i++) { /* any byte of header data or DigestInfo prefix changed */
    if (i == 1 || i == 3) continue; /* INS and P2 are looked at below */
    c[i] ^= 0x01;
    CHECK(guard_before(c, length) == GUARD_REFUSE);
    c[i] ^= 0x01;
  }
  for (size_t cut = 4; cut < length - 1; cut++) CHECK(guard_before(c, cut) == GUARD_REFUSE);
  const uint8_t classes[] = {0x90, 0x10, 0x81, 0x01, 0x84, 0x0c, 0x40, 0xc0, 0xff};
  for (unsigned i = 0; i < sizeof classes; i++) {
    c[0] = classes[i];
    CHECK(guard_before(c, length) == GUARD_REFUSE);
  }
  c[0] = 0x80;
  for (unsigned p1 = 1; p1 < 256; p1++) {
    c[2] = (uint8_t)p1;
    CHECK(guard_before(c, length) == GUARD_REFUSE);
  }
  c[2] = 0;
  c[1] = 0x2b;
  CHECK(guard_before(c, length) == GUARD_REFUSE);
  c[1] = 0xc2; /* wrapped in an ENVELOPE */
  CHECK(guard_before(c, length) == GUARD_REFUSE);
  CHECK(g_fake->frame_count == 0);

  STORY("a channel of its own does not help");
  fresh();
  uint8_t select[sizeof k_select_jpki];
  memcpy(select, k_select_jpki, sizeof select);
  select[0] = 0x01;
  passes(select, sizeof select, 0x9000);
  (void)sign_command(c, 0x9a, 1);
  c[0] = 0x81;
  CHECK(guard_before(c, length) == GUARD_REFUSE);

  STORY("the authentication key signs hashes without asking, and only hashes");
  jpki();
  CHECK(sign(0x97, 1) == GUARD_PASS);
  select_file(0x17);
  CHECK(sign(0x80, 1) == GUARD_PASS && g_fake->frame_count == 0);
  (void)sign_command(c, 0x97, 1);
  c[5] = 0x31;
  CHECK(guard_before(c, length) == GUARD_REFUSE);

  STORY("with the file in doubt it is the signature key");
  jpki();
  CHECK(sign(0x80, 1) == GUARD_TIMEOUT);
  jpki();
  select_file(0x17);
  static const uint8_t read_short_id[] = {0x00, 0xb0, 0x9a, 0x00, 0x00};
  passes(read_short_id, sizeof read_short_id, 0x6986);
  CHECK(sign(0x80, 1) == GUARD_TIMEOUT);
  jpki();
  select_file(0x17);
  static const uint8_t odd_class[] = {0x80, 0xa4, 0x02, 0x0c, 0x02, 0x00, 0x1a};
  passes(odd_class, sizeof odd_class, 0x9000);
  CHECK(sign(0x80, 1) == GUARD_TIMEOUT);
  jpki();
  select_file(0x17);
  static const uint8_t select_extended[] = {0x00, 0xa4, 0x02, 0x0c, 0x00, 0x00, 0x02, 0x00, 0x1a};
  passes(select_extended, sizeof select_extended, 0x9000);
  CHECK(sign(0x80, 1) == GUARD_TIMEOUT);
  jpki();
  select_file(0x17);
  static const uint8_t select_odd[] = {0x00, 0xa4, 0x02, 0x0c, 0x02, 0x00, 0x1a, 0x00, 0x00};
  passes(select_odd, sizeof select_odd, 0x9000);
  CHECK(sign(0x80, 1) == GUARD_TIMEOUT);

  STORY("other cards and other applications are not our business; consent may be off");
  fresh();
  passes(k_other, sizeof k_other, 0x9000);
  CHECK(sign(0x9a, 1) == GUARD_PASS);
  CHECK(guard_before((const uint8_t[]){0x00, 0xc2, 0x00, 0x00, 0x02, 0x00, 0x20}, 7) == GUARD_PASS); /* a SIM's */
  fresh();
  CHECK(guard_before((const uint8_t[]){0x00, 0x2a, 0x9e, 0x9a, 0x02, 1, 2}, 7) == GUARD_PASS); /* as ISO 7816-8 has it */
  CHECK(guard_before((const uint8_t[]){0x00, 0x2a, 0x00, 0xbe, 0x02, 1, 2}, 7) == GUARD_PASS); /* VERIFY CERTIFICATE */
  CHECK(guard_before((const uint8_t[]){0x00, 0x88, 0x00, 0x00, 0x02, 1, 2}, 7) == GUARD_PASS);
  jpki();
  static const uint8_t text_ap[] = {0x00, 0xa4, 0x04, 0x0c, 0x0a, 0xd3, 0x92, 0x10, 0x00, 0x31, 0x00, 0x01, 0x01, 0x04, 0x08};
  passes(text_ap, sizeof text_ap, 0x9000);
  CHECK(sign(0x9a, 1) == GUARD_PASS);
  jpki();
  guard_policies(false, false);
  CHECK(sign(0x9a, 1) == GUARD_PASS && g_fake->frame_count == 0);
}

/* Ways round the screen: none may lead to a signature that nobody saw. */
static void ways_round(void) {
  static const uint8_t text_ap[] = {0x00, 0xa4, 0x04, 0x0c, 0x0a, 0xd3, 0x92, 0x10, 0x00, 0x31, 0x00, 0x01, 0x01, 0x04, 0x08};
  static const uint8_t by_id[] = {0x00, 0xa4, 0x00, 0x0c, 0x02, 0x10, 0x01}, by_path[] = {0x00, 0xa4, 0x08, 0x0c, 0x02, 0x10, 0x01};
  uint8_t c[64];
  const size_t length = sign_command(c, 0x9a, 1);

  STORY("JPKI was never selected by its name");
  fresh();
  CHECK(sign(0x9a, 1) == GUARD_TIMEOUT);
  c[2] = 3; /* the card would hash */
  CHECK(guard_before(c, length) == GUARD_REFUSE);
  c[2] = 0;
  c[0] = 0x81;
  CHECK(guard_before(c, length) == GUARD_REFUSE);
  c[0] = 0x80;
  STORY("… but by a name of no length, with which every name begins");
  fresh();
  static const uint8_t empty[] = {0x00, 0xa4, 0x04, 0x02}, empty_le[] = {0x00, 0xa4, 0x04, 0x00, 0x00};
  passes(empty, sizeof empty, 0x9000);
  c[2] = 0x9e;
  CHECK(guard_before(c, length) == GUARD_REFUSE);
  c[2] = 0;
  fresh();
  passes(empty_le, sizeof empty_le, 0x6110);
  CHECK(sign(0x9a, 1) == GUARD_TIMEOUT);
  STORY("… or by a file id or a path, from another application");
  fresh();
  passes(text_ap, sizeof text_ap, 0x9000);
  CHECK(sign(0x9a, 1) == GUARD_PASS);
  passes(by_id, sizeof by_id, 0x9000);
  CHECK(sign(0x9a, 1) == GUARD_TIMEOUT);
  jpki();
  passes(text_ap, sizeof text_ap, 0x9000);
  passes(by_path, sizeof by_path, 0x9000);
  CHECK(sign(0x9a, 1) == GUARD_TIMEOUT);
  STORY("… or inside an ENVELOPE");
  static const uint8_t envelope[] = {0x00, 0xc2, 0x00, 0x00, 0x02, 0x00, 0xa4}, envelope_tlv[] = {0x10, 0xc3, 0x00, 0x00, 0x02, 0x00, 0xa4};
  fresh();
  CHECK(guard_before(envelope, sizeof envelope) == GUARD_REFUSE && guard_before(envelope_tlv, sizeof envelope_tlv) == GUARD_REFUSE);
  passes(text_ap, sizeof text_ap, 0x9000);
  CHECK(guard_before(envelope, sizeof envelope) == GUARD_REFUSE);
  guard_policies(false, true);
  CHECK(guard_before(envelope, sizeof envelope) == GUARD_REFUSE);
  guard_policies(false, false);
  CHECK(guard_before(envelope, sizeof envelope) == GUARD_PASS);
  STORY("a warning, or an answer that got lost, does not say that the card left JPKI");
  jpki();
  passes(text_ap, sizeof text_ap, 0x6283);
  CHECK(sign(0x9a, 1) == GUARD_TIMEOUT);
  jpki();
  guard_after(text_ap, sizeof text_ap, NULL, 0);
  CHECK(sign(0x9a, 1) == GUARD_TIMEOUT);
  fresh();
  passes(k_other, sizeof k_other, 0x9000);
  guard_after(k_select_jpki, sizeof k_select_jpki, NULL, 0);
  CHECK(sign(0x9a, 1) == GUARD_TIMEOUT);
  STORY("the authentication key is selected, then the signature key by the short id of a signature that was allowed");
  jpki();
  select_file(0x17);
  CHECK(sign(0x80, 1) == GUARD_PASS);
  fake_type(" o");
  CHECK(sign(0x9a, 1) == GUARD_PASS);
  signed_by_card(0x9a, 1);
  CHECK(sign(0x80, 2) == GUARD_TIMEOUT);
  STORY("… or by a command whose answer got lost; and its OK is used up");
  jpki();
  select_file(0x17);
  guard_after((const uint8_t[]){0x00, 0xb0, 0x9a, 0x00, 0x00}, 5, NULL, 0);
  CHECK(sign(0x80, 2) == GUARD_TIMEOUT);
  jpki();
  fake_type(" o");
  CHECK(sign(0x9a, 1) == GUARD_PASS);
  guard_after(c, length, NULL, 0);
  CHECK(sign(0x9a, 1) == GUARD_TIMEOUT);
  STORY("other commands that could sign with a key of JPKI");
  static const uint8_t instructions[] = {0x86, 0x87, 0x88, 0x89};
  for (unsigned i = 0; i < sizeof instructions; i++) {
    jpki();
    c[1] = instructions[i];
    CHECK(guard_before(c, length) == GUARD_REFUSE);
    passes(text_ap, sizeof text_ap, 0x9000);
    CHECK(guard_before(c, length) == GUARD_PASS);
  }
}

static void chains(void) {
  STORY("a chain is open after a part that the card took, until something else comes");
  fresh();
  static const uint8_t part[] = {0x10, 0x2a, 0x00, 0x9a, 0x02, 1, 2}, status[] = {0x00, 0x84, 0x00, 0x00, 0x08};
  CHECK(!guard_chain_open());
  passes(part, sizeof part, 0x6884);
  CHECK(!guard_chain_open());
  passes(part, sizeof part, 0x9000);
  CHECK(guard_chain_open());
  passes(status, sizeof status, 0x6d00);
  CHECK(!guard_chain_open());
  guard_after(part, sizeof part, NULL, 0);
  CHECK(guard_chain_open());
  guard_reset();
  CHECK(!guard_chain_open());

  STORY("while a chain is open nothing is signed: the card could sign what came before the hash that the person sees");
  jpki();
  select_file(0x17);
  static const uint8_t opens[] = {0x10, 0xca, 0x00, 0x9a, 0x02, 1, 2};
  passes(opens, sizeof opens, 0x9000);
  CHECK(sign(0x9a, 1) == GUARD_REFUSE);
  CHECK(sign(0x97, 1) == GUARD_REFUSE);
  passes(status, sizeof status, 0x9000);
  CHECK(sign(0x97, 1) == GUARD_PASS);
  CHECK(sign(0x9a, 1) == GUARD_TIMEOUT);

  STORY("after MANAGE CHANNEL it is not known what the basic channel talks to");
  fresh();
  static const uint8_t manage[] = {0x00, 0x70, 0x40, 0x00};
  passes(k_other, sizeof k_other, 0x9000);
  CHECK(sign(0x9a, 1) == GUARD_PASS);
  passes(manage, sizeof manage, 0x6881);
  CHECK(sign(0x9a, 1) == GUARD_PASS);
  passes(manage, sizeof manage, 0x9000);
  CHECK(sign(0x9a, 1) == GUARD_TIMEOUT);

  STORY("the last part of a chained SELECT is not a whole name: the card may have put JPKI's together");
  fresh();
  static const uint8_t begin[] = {0x10, 0xa4, 0x04, 0x0c, 0x05, 0xd3, 0x92, 0xf0, 0x00, 0x26}, end[] = {0x00, 0xa4, 0x04, 0x0c, 0x05, 0x01, 0x00, 0x00, 0x00, 0x01};
  passes(begin, sizeof begin, 0x9000);
  passes(end, sizeof end, 0x9000);
  CHECK(sign(0x9a, 1) == GUARD_TIMEOUT);
}

static void digests(void) {
  STORY("every hash JPKI is used with, each in its one form");
  static const struct { uint8_t length, oid_last, oid_length; } forms[] = {{32, 1, 9}, {48, 2, 9}, {64, 3, 9}};
  uint8_t data[128];
  digest_t digest;
  for (unsigned f = 0; f < 3; f++) {
    const uint8_t head[] = {0x30, (uint8_t)(17 + forms[f].length), 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, forms[f].oid_last, 0x05, 0x00, 0x04, forms[f].length};
    memcpy(data, head, sizeof head);
    CHECK(digestinfo_parse(data, 19u + forms[f].length, &digest) && digest.hash == data + 19 && digest.length == forms[f].length);
    CHECK(!digestinfo_parse(data, 18u + forms[f].length, &digest) && !digestinfo_parse(data, 20u + forms[f].length, &digest));
  }
  static const uint8_t sha1[15] = {0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14};
  memcpy(data, sha1, 15);
  CHECK(digestinfo_parse(data, 35, &digest) && strcmp(digest.name, "sha-1") == 0);
  CHECK(!digestinfo_parse(data, 0, &digest));
}

static void pad_only(void) {
  STORY("pad-only: no secret from a host once JPKI was selected, in any coding");
  jpki();
  guard_policies(true, true);
  static const uint8_t secret[] = {0x00, 0x20, 0x00, 0x80, 0x04, '1', '2', '3', '4'};
  uint8_t c[16];
  const uint8_t instructions[] = {0x20, 0x21, 0x24, 0x25, 0x26, 0x28, 0x2c, 0x2d, 0x32, 0x33};
  const uint8_t classes[] = {0x00, 0x01, 0x80, 0x10, 0x0c};
  for (unsigned i = 0; i < sizeof instructions; i++) {
    for (unsigned k = 0; k < sizeof classes; k++) {
      memcpy(c, secret, sizeof secret);
      c[0] = classes[k];
      c[1] = instructions[i];
      CHECK(guard_before(c, sizeof secret) == GUARD_REFUSE);
    }
  }
  static const uint8_t extended[] = {0x00, 0x20, 0x00, 0x80, 0x00, 0x00, 0x04, '1', '2', '3', '4'};
  static const uint8_t broken[] = {0x00, 0x20, 0x00, 0x80, 0x05, '1', '2', '3', '4'};
  static const uint8_t envelope[] = {0x00, 0xc2, 0x00, 0x00, 0x02, 0x00, 0x20};
  CHECK(guard_before(extended, sizeof extended) == GUARD_REFUSE && guard_before(broken, sizeof broken) == GUARD_REFUSE);
  CHECK(guard_before(envelope, sizeof envelope) == GUARD_REFUSE);
  CHECK(guard_before(secret, 4) == GUARD_PASS); /* asking for the tries left */
  for (unsigned ins = 0; ins < 256; ins++) { /* what the card might read otherwise than we do, whatever it is called */
    memcpy(c, broken, sizeof broken);
    c[1] = (uint8_t)ins;
    CHECK(guard_before(c, sizeof broken) == GUARD_REFUSE);
  }
  STORY("pad-only holds until reset, also after a prefix, also in another application");
  static const uint8_t prefix[] = {0x01, 0xa4, 0x04, 0x0c, 0x01, 0xd3};
  fresh();
  guard_policies(true, true);
  CHECK(guard_before(secret, sizeof secret) == GUARD_PASS);
  passes(prefix, sizeof prefix, 0x6283);
  CHECK(guard_before(secret, sizeof secret) == GUARD_REFUSE);
  static const uint8_t other[] = {0x00, 0xa4, 0x04, 0x0c, 0x01, 0xa0};
  passes(other, sizeof other, 0x9000);
  CHECK(guard_before(secret, sizeof secret) == GUARD_REFUSE);
  guard_reset();
  CHECK(guard_before(secret, sizeof secret) == GUARD_PASS);
}

/* Every way to bring a secret from a host past the pad-only policy, by name: what came before, as the card answered it, and the command that brings
 * the secret. With the policy off each passes: it is the rule that refuses, not something else. */
static const struct {
  const char *name;
  uint8_t before_length[2];
  uint8_t before[2][16];
  uint8_t length, command[12];
} k_evasions[] = {
#define JPKI_BY_NAME {15, 0}, {{0x00, 0xa4, 0x04, 0x0c, 0x0a, 0xd3, 0x92, 0xf0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01}}
#define VERIFY_SELECTED 9, {0x00, 0x20, 0x00, 0x80, 0x04, '1', '2', '3', '4'}
    {"pad-only: the selected file, P2 80", JPKI_BY_NAME, VERIFY_SELECTED},
    {"pad-only: short id of the authentication PIN, P2 98", JPKI_BY_NAME, 9, {0x00, 0x20, 0x00, 0x98, 0x04, '1', '2', '3', '4'}},
    {"pad-only: short id of the signature password, P2 9B", JPKI_BY_NAME, 9, {0x00, 0x20, 0x00, 0x9b, 0x04, '1', '2', '3', '4'}},
    {"pad-only: JICSAP's 80 32", JPKI_BY_NAME, 9, {0x80, 0x32, 0x00, 0x80, 0x04, '1', '2', '3', '4'}},
    {"pad-only: another logical channel", JPKI_BY_NAME, 9, {0x02, 0x20, 0x00, 0x80, 0x04, '1', '2', '3', '4'}},
    {"pad-only: a channel above 3", JPKI_BY_NAME, 9, {0x41, 0x20, 0x00, 0x80, 0x04, '1', '2', '3', '4'}},
    {"pad-only: a chained VERIFY", JPKI_BY_NAME, 9, {0x10, 0x20, 0x00, 0x80, 0x04, '1', '2', '3', '4'}},
    {"pad-only: a chained VERIFY without data", JPKI_BY_NAME, 4, {0x10, 0x20, 0x00, 0x80}},
    {"pad-only: extended Lc", JPKI_BY_NAME, 11, {0x00, 0x20, 0x00, 0x80, 0x00, 0x00, 0x04, '1', '2', '3', '4'}},
    {"pad-only: the TLV coding, INS 21", JPKI_BY_NAME, 9, {0x00, 0x21, 0x00, 0x80, 0x04, '1', '2', '3', '4'}},
    {"pad-only: CHANGE REFERENCE DATA", JPKI_BY_NAME, 9, {0x00, 0x24, 0x01, 0x80, 0x04, '1', '2', '3', '4'}},
    {"pad-only: inside an ENVELOPE", JPKI_BY_NAME, 12, {0x00, 0xc2, 0x00, 0x00, 0x07, 0x00, 0x20, 0x00, 0x80, 0x02, '1', '2'}},
    {"pad-only: lengths that contradict each other", JPKI_BY_NAME, 9, {0x00, 0x20, 0x00, 0x80, 0x09, '1', '2', '3', '4'}},
    {"pad-only: SELECT by a prefix of JPKI's name", {6, 0}, {{0x00, 0xa4, 0x04, 0x0c, 0x01, 0xd3}}, VERIFY_SELECTED},
    {"pad-only: SELECT by the empty name", {4, 0}, {{0x00, 0xa4, 0x04, 0x0c}}, VERIFY_SELECTED},
    {"pad-only: SELECT on another channel", {7, 0}, {{0x01, 0xa4, 0x04, 0x0c, 0x02, 0xd3, 0x92}}, VERIFY_SELECTED},
    {"pad-only: SELECT in two chained parts", {10, 10},
     {{0x10, 0xa4, 0x04, 0x0c, 0x05, 0xd3, 0x92, 0xf0, 0x00, 0x26}, {0x00, 0xa4, 0x04, 0x0c, 0x05, 0x01, 0x00, 0x00, 0x00, 0x01}}, VERIFY_SELECTED},
    {"pad-only: a SELECT whose lengths contradict each other", {7, 0}, {{0x00, 0xa4, 0x04, 0x0c, 0x09, 0xd3, 0x92}}, VERIFY_SELECTED},
    {"pad-only: another application after JPKI, then a file id", {15, 7},
     {{0x00, 0xa4, 0x04, 0x0c, 0x0a, 0xd3, 0x92, 0xf0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01}, {0x00, 0xa4, 0x00, 0x0c, 0x02, 0x10, 0x01}}, VERIFY_SELECTED},
    {"pad-only: another application after JPKI, then a path", {15, 7},
     {{0x00, 0xa4, 0x04, 0x0c, 0x0a, 0xd3, 0x92, 0xf0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01}, {0x00, 0xa4, 0x08, 0x0c, 0x02, 0x10, 0x01}}, VERIFY_SELECTED},
};

static void evasions(void) {
  for (size_t i = 0; i < sizeof k_evasions / sizeof *k_evasions; i++) {
    STORY(k_evasions[i].name);
    for (unsigned on = 0; on < 2; on++) {
      fresh();
      guard_policies(false, on != 0);
      for (unsigned n = 0; n < 2; n++) {
        if (k_evasions[i].before_length[n] != 0) passes(k_evasions[i].before[n], k_evasions[i].before_length[n], 0x9000);
      }
      CHECK(guard_before(k_evasions[i].command, k_evasions[i].length) == (on != 0 ? GUARD_REFUSE : GUARD_PASS));
    }
  }
}

/* Any bytes at all: no crash (the sanitizers watch), and never a signature command through unasked. */
static void noise(void) {
  STORY("random commands");
  jpki();
  unsigned seed = 1, leaks = 0;
  uint8_t *c = malloc(80);
  for (unsigned n = 0; n < 200000 && c != NULL; n++) {
    size_t length = 57;
    (void)sign_command(c, 0x9a, 1);
    for (unsigned k = 0; k < 3; k++) {
      seed = seed * 1664525u + 1013904223u;
      c[(seed >> 8) % 26] = (uint8_t)(seed >> 24);
    }
    if ((seed & 7u) == 0) length = (seed >> 16) % 58;
    if (c[1] != 0x2a || (c[0] == 0x80 && c[2] == 0 && c[3] != 0x97)) continue; /* allowed to ask: tested above */
    uint8_t *exact = malloc(length + 1);
    if (exact == NULL) break;
    memcpy(exact, c, length);
    const guard_verdict_t verdict = guard_before(exact, length);
    if (length >= 4 && verdict != GUARD_REFUSE && c[3] != 0x97) leaks += (c[0] != 0x00) || c[2] != 0;
    guard_after(exact, length, k_ok, 2);
    free(exact);
  }
  free(c);
  CHECK(leaks == 0);
}

int main(void) {
  naming();
  consent();
  refusals();
  ways_round();
  chains();
  digests();
  pad_only();
  evasions();
  noise();
  return check_end("guard");
}
