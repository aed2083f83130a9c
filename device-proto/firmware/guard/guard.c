/* guard.c - see guard.h. What is known of the card comes only from commands it answered with 9000, 61xx, 62xx or 63xx.
 *
 *   reset ─▶ UNKNOWN ──SELECT by name──▶ FOREIGN, NEIGHBOUR, or JPKI (also by a prefix of its name, for that may select it)
 *               ▲                              │
 *               └──SELECT in any other way─────┘   only JPKI stays JPKI
 */
#include "guard/guard.h"
#include "gen/product_gen.h"
#include "guard/apdu.h"
#include "guard/consent.h"
#include "hal/hal.h"

enum { EF_SIGN_KEY = 0x001a, EF_AUTH_KEY = 0x0017, EF_SIGN_PIN = 0x001b, EF_AUTH_PIN = 0x0018, EF_UNKNOWN = 0 };
enum {
  INS_VERIFY = 0x20,
  INS_CHANGE = 0x24,
  INS_PSO = 0x2a,
  INS_DISABLE = 0x26,
  INS_ENABLE = 0x28,
  INS_RESET_RETRY = 0x2c,
  INS_CHANGE_KEY = 0x32, /* JICSAP */
  INS_MANAGE_CHANNEL = 0x70,
  INS_GET_CHALLENGE = 0x84,
  INS_GENERAL_AUTHENTICATE = 0x86,
  INS_INTERNAL_AUTHENTICATE = 0x88,
  INS_SELECT = 0xa4,
  INS_READ_BINARY = 0xb0,
  INS_GET_RESPONSE = 0xc0,
  INS_ENVELOPE = 0xc2,
};
#define ODD 1u /* the same instruction with data in BER-TLV (ISO 7816-4 §5.1.2) */
#define CHAINED 0x10u
/* The coding of JPKI's COMPUTE DIGITAL SIGNATURE: 80 2A, P1 00…05, P2 a short file id or 80 for the selected key. ISO's own has P1 9E. */
#define JPKI_SIGN_P1_MAX 5u
static const uint8_t k_jpki[] = {0xd3, 0x92, 0xf0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01};

static bool s_consent = PRODUCT_CONSENT, s_pad_only = PRODUCT_PAD_ONLY;

static struct {
  bool jpki_seen; /* since reset, on any channel: JPKI or a prefix of its AID was selected */
  /* What the basic channel talks to now. JPKI: it, perhaps. NEIGHBOUR: surely not JPKI, but perhaps on its card; FOREIGN: not even that. */
  enum { UNKNOWN, JPKI, NEIGHBOUR, FOREIGN } application;
  bool full_name; /* JPKI surely: a prefix could have selected a neighbour */
  bool chain_open;
  uint16_t ef;    /* selected there; EF_UNKNOWN after anything that might have changed it */
  int8_t tries[3];       /* by guard_secret_t; -1 = unknown */
  uint8_t accepted[64];  /* the hash the person said OK to and the card has not signed yet */
  uint8_t accepted_length;
} s_card = {.tries = {-1, -1, -1}};

void guard_policies(bool consent, bool pad_only) {
  s_consent = consent;
  s_pad_only = pad_only;
}

void guard_reset(void) {
  secret_wipe(&s_card, sizeof s_card);
  for (size_t i = 0; i < 3; i++) s_card.tries[i] = -1;
}

guard_secret_t guard_secret_of(uint8_t p2) {
  if (s_card.application != JPKI || !s_card.full_name) return SECRET_UNKNOWN;
  const unsigned ef = p2 == 0x80u ? s_card.ef : (p2 & 0xe0u) == 0x80u ? p2 & 0x1fu : (unsigned)EF_UNKNOWN; /* short EF id in bits 5..1 */
  return ef == EF_AUTH_PIN ? SECRET_JPKI_AUTH : ef == EF_SIGN_PIN ? SECRET_JPKI_SIGN : SECRET_UNKNOWN;
}
guard_secret_t guard_selected_secret(void) { return guard_secret_of(0x80); }
int guard_tries_of(guard_secret_t secret) { return s_card.tries[secret]; }
bool guard_chain_open(void) { return s_card.chain_open; }
int guard_tries_left(void) { return guard_tries_of(guard_selected_secret()); }

/* Basic channel, no chaining, no secure messaging: interindustry 00 or JPKI's own 80. */
static bool plain_class(uint8_t cla) { return cla == 0x00 || cla == 0x80; }

/* Pad-only: may this command bring a secret from the host? Everything that could, in any coding, is refused. */
static bool carries_secret(const apdu_t *a, bool readable) {
  switch (a->ins & ~ODD) {
  case INS_VERIFY:
  case INS_CHANGE:
  case INS_DISABLE:
  case INS_ENABLE:
  case INS_RESET_RETRY:
  case INS_CHANGE_KEY: return !readable || a->data_length != 0 || (a->cla & CHAINED) != 0;
  default: return !readable;
  }
}

/* A command within a command: it could hold a SELECT, a VERIFY or a signature. The reader makes its own where T=0 needs them, so that a host's is
 * let through only to a card that has named itself as something else (SIM toolkits live by it). */
static bool is_envelope(const apdu_t *a) { return (a->ins & ~ODD) == INS_ENVELOPE; }
static bool may_unwrap_jpki(void) { return s_card.jpki_seen || s_card.application != FOREIGN; }

static guard_verdict_t compute_signature(const apdu_t *a, bool readable) {
  /* Which key: its file, or its short id. What is not surely the authentication key is treated as the signature key. */
  const bool auth_key = a->p2 == 0x97u || (a->p2 == 0x80u && s_card.ef == EF_AUTH_KEY);
  digest_t digest;
  /* Its data could be the end of what an open chain has brought: the card would sign more than is shown. */
  if (s_card.chain_open) return GUARD_REFUSE;
  /* P1 00: the card signs what it is given. The other forms, where the card hashes, would leave nothing to show. */
  if (!readable || a->p1 != 0x00u || !digestinfo_parse(a->data, a->data_length, &digest)) return GUARD_REFUSE;
  if (auth_key) return GUARD_PASS; /* a log-in; still only a hash, so that no document can be had from it */
  bool accepted = s_card.accepted_length == digest.length;
  for (size_t i = 0; accepted && i < digest.length; i++) accepted = s_card.accepted[i] == digest.hash[i];
  if (accepted) return GUARD_PASS;
  const guard_verdict_t verdict = consent_ask(&digest);
  if (verdict != GUARD_PASS) return verdict;
  for (size_t i = 0; i < digest.length; i++) s_card.accepted[i] = digest.hash[i];
  s_card.accepted_length = digest.length;
  return GUARD_PASS;
}

static bool maybe_jpki(void) { return s_card.application == JPKI || s_card.application == UNKNOWN; }

static guard_verdict_t security_operation(const apdu_t *a, bool readable) {
  const bool plain = plain_class(a->cla) && (a->ins & ODD) == 0;
  if (s_card.jpki_seen) {
    if (!plain) return GUARD_REFUSE; /* another channel, a chain or secure messaging: not to be classified */
    return maybe_jpki() ? compute_signature(a, readable) : GUARD_PASS;
  }
  /* JPKI may be there without having been selected by name, if its card knows another way. Other cards' signatures look different. */
  const bool like_jpki = a->p1 <= JPKI_SIGN_P1_MAX && (a->p2 & 0xe0u) == 0x80u;
  if (!like_jpki || s_card.application == FOREIGN) return GUARD_PASS;
  if (!plain) return GUARD_REFUSE;
  return s_card.application == NEIGHBOUR ? GUARD_PASS : compute_signature(a, readable);
}

guard_verdict_t guard_before(const uint8_t *command, size_t length) {
  apdu_t a = {0};
  const bool readable = apdu_parse(command, length, &a);
  if (length < 4) return GUARD_PASS; /* ccid/ lets none through */
  if ((s_pad_only || s_consent) && is_envelope(&a) && may_unwrap_jpki()) return GUARD_REFUSE;
  if (s_pad_only && s_card.jpki_seen && carries_secret(&a, readable)) return GUARD_REFUSE;
  if (!s_consent) return GUARD_PASS;
  switch (a.ins & ~ODD) {
  case INS_PSO: return security_operation(&a, readable);
  case INS_INTERNAL_AUTHENTICATE: /* could sign, too; nothing lawful in JPKI uses it */
  case INS_GENERAL_AUTHENTICATE: return s_card.jpki_seen && (maybe_jpki() || !plain_class(a.cla)) ? GUARD_REFUSE : GUARD_PASS;
  default: return GUARD_PASS;
  }
}

/* By name. Every name begins with the empty one; JPKI may also have been selected by a longer name that begins with its own. */
static bool names_jpki(const apdu_t *a) {
  const size_t n = a->data_length < sizeof k_jpki ? a->data_length : sizeof k_jpki;
  bool jpki = true;
  for (size_t i = 0; i < n; i++) jpki &= a->data[i] == k_jpki[i];
  return jpki;
}

static void unknown_application(void) {
  if (s_card.application != JPKI) s_card.application = UNKNOWN;
  s_card.full_name = false;
}

static void selected(const apdu_t *a, unsigned sw) {
  s_card.ef = EF_UNKNOWN;
  if (a->p1 == 0x04) {
    const bool jpki = names_jpki(a), basic = a->cla == 0x00; /* else another channel, or a class the card need not have read as we do */
    s_card.jpki_seen |= jpki;
    if (jpki) {
      s_card.application = JPKI;
      s_card.full_name = basic && a->data_length == sizeof k_jpki;
    } else if (basic && (sw == 0x9000u || sw >> 8 == 0x61u)) {
      const bool national = a->data_length < 5 || (a->data[0] == k_jpki[0] && a->data[1] == k_jpki[1]); /* registered in Japan, like all of the card's */
      s_card.application = national ? NEIGHBOUR : FOREIGN;
    } else { /* a warning does not say that it left where it was */
      unknown_application();
    }
    return;
  }
  /* By file id under the application; any other way leaves us not knowing, which the policies take for the worst. */
  if (a->p1 != 0x02) unknown_application();
  if (a->cla == 0x00 && a->p1 == 0x02 && a->data_length == 2) s_card.ef = (uint16_t)(a->data[0] << 8 | a->data[1]);
}

/* Commands that leave the current file what it is. Every other one might name another by a short id (ISO 7816-4 §7.3.1), even if it fails. */
static bool keeps_file(const apdu_t *a) {
  switch (a->ins) {
  case INS_SELECT: return true; /* a successful one is looked at */
  case INS_VERIFY:
  case INS_CHANGE:
  case INS_PSO: return a->p2 == 0x80;
  case INS_READ_BINARY: return a->p1 < 0x80;
  case INS_GET_CHALLENGE:
  case INS_GET_RESPONSE: return true;
  default: return false;
  }
}

static void tried(const apdu_t *a, unsigned sw) {
  const guard_secret_t secret = a->cla == 0x00 ? guard_secret_of(a->p2) : SECRET_UNKNOWN;
  if (secret == SECRET_UNKNOWN) return;
  if ((sw & 0xfff0u) == 0x63c0u) {
    s_card.tries[secret] = (int8_t)(sw & 15u);
  } else {
    s_card.tries[secret] = sw == 0x6983u || sw == 0x6984u ? 0 : -1; /* 9000: full again, whatever that is */
  }
}

static void used_up(void) {
  secret_wipe(s_card.accepted, sizeof s_card.accepted);
  s_card.accepted_length = 0;
}

/* The answer got lost: the card may have done it or not. */
static void not_answered(const apdu_t *a, bool readable) {
  s_card.chain_open = (a->cla & CHAINED) != 0;
  s_card.ef = EF_UNKNOWN;
  unknown_application();
  if (a->ins == INS_SELECT && (!readable || (a->p1 == 0x04 && names_jpki(a)))) {
    s_card.jpki_seen = true;
    s_card.application = JPKI;
  }
  if (a->ins == INS_PSO) used_up();
}

void guard_after(const uint8_t *command, size_t length, const uint8_t *answer, size_t answer_length) {
  apdu_t a;
  if (length < 4) return;
  const bool readable = apdu_parse(command, length, &a);
  if (answer_length < 2) {
    not_answered(&a, readable);
    return;
  }
  const unsigned sw = (unsigned)answer[answer_length - 2] << 8 | answer[answer_length - 1];
  const bool done = sw == 0x9000u || (sw >= 0x6100u && sw < 0x6400u);
  const bool rest = s_card.chain_open; /* its data may be the end of a chained command's */
  s_card.chain_open = done && (a.cla & CHAINED) != 0;
  if (a.ins == INS_SELECT && done) {
    if (readable && !rest) {
      selected(&a, sw);
    } else { /* the card understood what we did not, or more than we saw: believe nothing about files, and the worst about JPKI */
      s_card.jpki_seen = true;
      s_card.application = JPKI;
      s_card.full_name = false;
      s_card.ef = EF_UNKNOWN;
    }
  }
  if (a.ins == INS_MANAGE_CHANNEL && done) unknown_application(); /* one can be reset to what it was at first */
  /* With the policies off one passes, and may have held a SELECT. A card known as something else keeps its name: it is asked for none of ours. */
  if (is_envelope(&a) && s_card.application != FOREIGN) unknown_application();
  if (!keeps_file(&a)) s_card.ef = EF_UNKNOWN;
  if (a.ins == INS_VERIFY && a.p1 == 0x00) tried(&a, sw);
  if (a.ins == INS_PSO && done) used_up(); /* signed */
}
