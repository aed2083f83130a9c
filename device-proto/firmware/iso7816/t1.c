/* t1.c - block protocol T=1 (ISO 7816-3 section 11), interface device side.
 *
 *   NAD PCB LEN │ INF 0…254 │ LRC, or CRC high low        I: 0 N(S) M 00000   R: 100 N(R) 00 error   S: 11 response 000 kind
 *
 * INF is sent from the caller's memory, block by block, never copied: it may be a secret. Every exchange ends: at most three
 * errors in a row, a budget of blocks that bring nothing, a budget of time extensions, and patience (line.h). */
#include "blackbox/blackbox.h"
#include "gen/card_pio_gen.h"
#include "iso7816/line.h"
#include "negative.h"

#define PCB_R 0x80u
#define PCB_S 0xc0u
#define I_MORE 0x20u
#define S_RESPONSE 0x20u
#define S_RESYNCH 0xc0u
#define S_IFS 0xc1u
#define S_ABORT 0xc2u
#define S_WTX 0xc3u
#define R_OK 0u
#define R_EDC 1u
#define R_OTHER 2u
#define IFSD 254u
#define ERRORS_IN_A_ROW 3u
#define BLOCK_OVERHEAD 10u       /* characters of prologue, epilogue and the turn-rounds beside INF */
#define IDLE_BLOCKS 64u          /* blocks per exchange that carry nothing forward: errors, empty I-blocks, IFS */
#define EXTENSIONS_US PATIENCE_US /* granted by S(WTX), in all, per exchange, used or not */
#define RECOVERY_US 160000000u   /* three times the longest BWT */
#define BABBLE_MAX 600u          /* characters without a pause: more than two blocks */
#define BWT_UNIT_US ((960u * 372u * CARD_CLK_NS + 999u) / 1000u)

typedef enum { GOT_BLOCK, GOT_GARBLED, GOT_INVALID, GOT_SILENCE, GOT_STOP } got_t;

static uint8_t s_ns, s_nr;           /* N(S) of our next I-block; N(S) we expect */
static uint8_t s_first_ifsc;         /* the ATR's */
static uint8_t s_in[3 + 254 + 2];
static uint8_t s_pcb, s_length;      /* of the block received */
static card_result_t s_stop;

static void crc_update(uint16_t *crc, const uint8_t *data, size_t length) {
  for (size_t i = 0; i < length; i++) {
    *crc ^= data[i];
    for (unsigned bit = 0; bit < 8; bit++) *crc = *crc & 1u ? (uint16_t)(*crc >> 1 ^ 0x8408u) : (uint16_t)(*crc >> 1);
  }
}

/* The check of head and INF into edc[2]; its length. */
static size_t check(const uint8_t head[3], const uint8_t *inf, size_t length, uint8_t edc[2]) {
  if (g_card.crc) { /* polynomial of ISO/IEC 13239, start FFFF, high byte first, as cards in the field have it */
    uint16_t crc = 0xffff;
    crc_update(&crc, head, 3);
    crc_update(&crc, inf, length);
    edc[0] = (uint8_t)(crc >> 8);
    edc[1] = (uint8_t)crc;
    return 2;
  }
  edc[0] = (uint8_t)(head[0] ^ head[1] ^ head[2]);
  for (size_t i = 0; i < length; i++) edc[0] ^= inf[i];
  return 1;
}

static card_result_t send_block(uint8_t pcb, const uint8_t *inf, size_t length) {
  blackbox_event(BLACKBOX_BLOCK_SENT, pcb, 0);
  const uint8_t head[3] = {0, pcb, (uint8_t)length};
  uint8_t edc[2];
  const size_t edc_length = check(head, inf, length, edc);
  const hal_span_t spans[3] = {{head, 3}, {inf, length}, {edc, edc_length}};
  const card_result_t result = line_put(spans, 3, 22); /* BGT (11.4.3) */
  secret_wipe(edc, sizeof edc);                          /* LRC of one secret block tells something of it */
  return result;
}

/* Reads until the line has been silent for CWT: the next block of ours must not meet the rest of a bad one. A card that does not stop
 * talking leaves no room for an answer: only its reset makes it silent. */
static got_t skip_rest(uint64_t cwt, got_t outcome) {
  uint8_t byte;
  for (unsigned i = 0; i < BABBLE_MAX; i++) {
    const card_result_t result = line_get(&byte, hal_now_us() + cwt);
    if (result == CARD_MUTE) return outcome;
    if (result != CARD_OK && result != CARD_PARITY) {
      s_stop = result;
      return GOT_STOP;
    }
  }
  card_give_up();
  s_stop = CARD_PROTOCOL;
  return GOT_STOP;
}

/* 2^BWI * 960 * 372 / f (11.4.3), `multiplier` times; 0 counts as 1. */
static uint64_t bwt_us(uint8_t multiplier) { return (uint64_t)(multiplier ? multiplier : 1u) * ((uint64_t)BWT_UNIT_US << g_card.bwi); }

/* One block, `multiplier` times BWT at most. */
static got_t receive_raw(uint8_t multiplier) {
  const uint64_t cwt = etu_us(11u + (1u << g_card.cwi)) + LOOP_SLACK_US;
  uint64_t deadline = hal_now_us() + sending_tail_us() + etu_us(11u) + bwt_us(multiplier) + LOOP_SLACK_US;
  const size_t edc_length = g_card.crc ? 2 : 1;
  size_t expected = 3 + edc_length;
  bool garbled = false;
  for (size_t got = 0; got < expected; got++) {
    const card_result_t result = line_get(&s_in[got], patience_until(deadline));
    if (result == CARD_MUTE) return got == 0 ? GOT_SILENCE : GOT_GARBLED;
    if (result == CARD_PARITY) garbled = true;
    else if (result != CARD_OK) {
      s_stop = result;
      return GOT_STOP;
    }
    if (got == 2) {
      if (s_in[2] == 255) return skip_rest(cwt, GOT_INVALID);
      expected += s_in[2];
    }
    deadline = hal_now_us() + cwt;
  }
  /* A length that arrived wrong may have cut the block: wait for silence before complaining (11.6.2, rule 7.1). */
  if (garbled) return skip_rest(cwt, GOT_GARBLED);
  s_pcb = s_in[1];
  s_length = s_in[2];
  uint8_t edc[2];
  check(s_in, s_in + 3, s_length, edc);
#ifdef NEGATIVE_EDC_NOT_CHECKED
  return GOT_BLOCK;
#endif
  if (edc[0] != s_in[3 + s_length] || (edc_length == 2 && edc[1] != s_in[4 + s_length])) return skip_rest(cwt, GOT_GARBLED);
  return s_in[0] == 0 ? GOT_BLOCK : GOT_INVALID; /* NAD 00 only: nodes are not used (11.3.2.1) */
}

static got_t receive_block(uint8_t multiplier) {
  const got_t got = receive_raw(multiplier);
  blackbox_event(BLACKBOX_BLOCK_RECEIVED, got == GOT_BLOCK ? s_pcb : 0, (uint16_t)got);
  return got;
}

/* An S request of ours until its response comes: at most three sendings. GOT_BLOCK: answered; GOT_INVALID: the card answers, but not this. */
static got_t supervise(uint8_t kind, const uint8_t *inf, size_t length) {
  got_t got = GOT_SILENCE;
  for (unsigned i = 0; i < ERRORS_IN_A_ROW; i++) {
    s_stop = send_block(kind, inf, length);
    if (s_stop != CARD_OK) return GOT_STOP;
    got = receive_block(1);
    if (got == GOT_STOP) return got;
    if (got != GOT_BLOCK) continue;
    if (s_pcb == (kind | S_RESPONSE) && s_length == length && (length == 0 || s_in[3] == inf[0])) return GOT_BLOCK;
    got = GOT_INVALID;
  }
  return got;
}

/* S(IFS request) first: a block of 254 costs one turn-round where eight blocks of 32 cost eight. */
card_result_t t1_start(void) {
  static const uint8_t k_ifsd[1] = {IFSD};
  s_ns = s_nr = 0;
  s_first_ifsc = g_card.ifsc;
  patience_begin(PATIENCE_US);
  switch (supervise(S_IFS, k_ifsd, 1)) {
  case GOT_BLOCK:
    g_card.ifsd = IFSD;
    return CARD_OK;
  case GOT_INVALID:
    return CARD_OK; /* it talks, but does not know IFS: 32 stays */
  case GOT_GARBLED:
    return CARD_PARITY;
  case GOT_STOP:
    return s_stop;
  default:
    return CARD_MUTE;
  }
}

/* Three errors in a row: both sides start anew (11.6.3.2, rule 6). The command is not sent again: it may have been executed.
 * A card that does not even resynchronise is reset and switched off (rule 6.4). */
static card_result_t recover(got_t last, card_result_t named) {
  patience_begin(RECOVERY_US);
  const got_t got = supervise(S_RESYNCH, NULL, 0);
  if (got == GOT_STOP) return s_stop;
  if (got == GOT_BLOCK) {
    s_ns = s_nr = 0;
    if (g_card.ifsc > s_first_ifsc) g_card.ifsc = s_first_ifsc; /* it may have forgotten the larger one (rule 6) */
    return named;
  }
  card_give_up();
  return last == GOT_GARBLED || got == GOT_GARBLED ? CARD_PARITY : got == GOT_SILENCE ? CARD_MUTE : CARD_PROTOCOL;
}

/* The card gives up a chain, its own or ours (rule 9): agreed, and the R-block that follows gives us the right to send, and N(S). */
static card_result_t aborted_by_card(void) {
  got_t got = GOT_INVALID;
  for (unsigned i = 0; i < ERRORS_IN_A_ROW; i++) {
    s_stop = send_block(S_ABORT | S_RESPONSE, NULL, 0);
    if (s_stop != CARD_OK) return s_stop;
    got = receive_block(1);
    if (got == GOT_STOP) return s_stop;
    if (got != GOT_BLOCK || s_pcb != S_ABORT || s_length != 0) break; /* the same request again: it did not hear us */
  }
  if (got != GOT_BLOCK || (s_pcb & 0xecu) != PCB_R || s_length != 0) return recover(got, CARD_PROTOCOL);
  s_ns = s_pcb >> 4 & 1u;
  return CARD_PROTOCOL;
}

/* There is no room for the rest of the card's chain: rule 9 the other way round. */
static card_result_t abort_chain(card_result_t named) {
  const got_t got = supervise(S_ABORT, NULL, 0);
  if (got == GOT_STOP) return s_stop;
  return got == GOT_BLOCK ? named : recover(got, named);
}

card_result_t t1_exchange(const uint8_t *command, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length) {
  size_t sent = 0, got_bytes = 0;
  size_t chunk = length < g_card.ifsc ? length : g_card.ifsc;
  bool acknowledged = false; /* the whole command: an I-block came back */
  unsigned errors = 0, idle = 0, multiplier = 0;
  uint64_t extensions = 0;
  patience_begin(PATIENCE_US);
  patience_for(chunk + BLOCK_OVERHEAD);
  /* What to send next. */
  uint8_t pcb = (uint8_t)(s_ns << 6 | (chunk < length ? I_MORE : 0u));
  uint8_t inf[1];
  bool information = true;
  for (;;) {
    s_stop = send_block(pcb, information ? command + sent : inf, information ? chunk : (pcb & 0xc0u) == PCB_S ? 1u : 0u);
    if (s_stop != CARD_OK) return s_stop;
    got_t got = receive_block((uint8_t)multiplier);
    multiplier = 0;
    if (got == GOT_STOP) return s_stop;
    const bool all_sent = sent + chunk == length;
    information = false;
    if (got == GOT_BLOCK && (s_pcb & 0x80u) == 0) { /* I-block */
#ifdef NEGATIVE_NS_NOT_CHECKED
      s_nr = s_pcb >> 6 & 1u;
#endif
      const bool in_order = all_sent && (s_pcb & 0x1fu) == 0 && (s_pcb >> 6 & 1u) == s_nr && s_length <= g_card.ifsd;
      if (in_order) {
        if (!acknowledged) s_ns ^= 1u;
        acknowledged = true;
        s_nr ^= 1u;
        if (s_length > capacity - got_bytes) return (s_pcb & I_MORE) != 0 ? abort_chain(CARD_TOO_LONG) : CARD_TOO_LONG;
        patience_for(s_length + BLOCK_OVERHEAD);
        for (size_t i = 0; i < s_length; i++) answer[got_bytes++] = s_in[3 + i];
        if ((s_pcb & I_MORE) == 0) {
          *answer_length = got_bytes;
          return got_bytes >= 2 ? CARD_OK : CARD_PROTOCOL;
        }
        errors = 0;
        if (s_length == 0 && ++idle > IDLE_BLOCKS) return recover(GOT_BLOCK, CARD_PROTOCOL);
        pcb = (uint8_t)(PCB_R | s_nr << 4);
        continue;
      }
      got = GOT_INVALID;
    } else if (got == GOT_BLOCK && (s_pcb & 0xc0u) == PCB_R) {
      const bool asks_next = (s_pcb >> 4 & 1u) != s_ns;
      if ((s_pcb & 0x2cu) == 0 && s_length == 0 && !acknowledged) {
        if (asks_next && !all_sent) { /* our chain goes on (rule 2.2) */
          s_ns ^= 1u;
          sent += chunk;
          chunk = length - sent < g_card.ifsc ? length - sent : g_card.ifsc;
          patience_for(chunk + BLOCK_OVERHEAD);
          errors = 0;
          information = true;
        } else if (!asks_next) { /* it wants the same again */
          information = true;
          errors++;
          idle++;
        }
        if (information) {
          if (errors > ERRORS_IN_A_ROW || idle > IDLE_BLOCKS) return recover(got, CARD_PROTOCOL);
          pcb = (uint8_t)(s_ns << 6 | (sent + chunk < length ? I_MORE : 0u));
          continue;
        }
      } else if ((s_pcb & 0x2cu) == 0 && s_length == 0 && acknowledged && !asks_next) { /* it did not get our R: the same again */
        if (++errors > ERRORS_IN_A_ROW || ++idle > IDLE_BLOCKS) return recover(got, CARD_PROTOCOL);
        pcb = (uint8_t)(PCB_R | s_nr << 4);
        continue;
      }
      got = GOT_INVALID;
    } else if (got == GOT_BLOCK) { /* S-block */
      if (s_pcb == S_WTX && s_length == 1) {
        multiplier = s_in[3];
        extensions += bwt_us((uint8_t)multiplier);
        if (extensions > EXTENSIONS_US || patience_over()) return recover(got, CARD_MUTE);
        inf[0] = s_in[3];
        pcb = S_WTX | S_RESPONSE;
        errors = 0;
        continue;
      }
      if (s_pcb == S_IFS && s_length == 1 && s_in[3] != 0 && s_in[3] != 255) {
        if (++idle > IDLE_BLOCKS) return recover(got, CARD_PROTOCOL);
        g_card.ifsc = s_in[3];
        inf[0] = s_in[3];
        pcb = S_IFS | S_RESPONSE;
        continue;
      }
      if (s_pcb == S_ABORT && s_length == 0) return aborted_by_card();
      if ((s_pcb & S_RESPONSE) != 0 && !acknowledged && errors > 0) {
        /* Our R made it repeat a response from before our I-block, which it never had. N(S) protects against doing it twice. */
        if (++errors > ERRORS_IN_A_ROW || ++idle > IDLE_BLOCKS) return recover(got, CARD_PROTOCOL);
        information = true;
        pcb = (uint8_t)(s_ns << 6 | (sent + chunk < length ? I_MORE : 0u));
        continue;
      }
      got = GOT_INVALID;
    }
    blackbox_count(COUNT_RETRY);
    /* Garbled, invalid or silent: R with what we expect (rule 7.1). */
    if (++errors > ERRORS_IN_A_ROW || ++idle > IDLE_BLOCKS) return recover(got, CARD_PROTOCOL);
    pcb = (uint8_t)(PCB_R | s_nr << 4 | (got == GOT_GARBLED ? R_EDC : R_OTHER));
  }
}
