/* Service messages (channel 2): any request, over a black box that holds what the script put there. Who asks twice is told the same; pages end; every answer
 * fits its room and says its own length.
 * sources: link/service.c blackbox/blackbox.c blackbox/log.c blackbox/ring.c hal/host/host.c hal/host/flash.c */
#include "blackbox/parts.h"
#include "fuzz/door.h"
#include "gen/product_gen.h"
#include "hal/host/flash.h"
#include "hal/host/host.h"
#include "gen/board_gen.h"
#include "link/service.h"

static unsigned s_blinks;
void front_blink(void) { s_blinks++; }
uint32_t link_discarded(void) { return 3; }
uint8_t hal_boot_reason(hal_fault_t *fault) {
  *fault = (hal_fault_t){0};
  return HAL_BOOT_POWER;
}
uint32_t hal_stack_used(void) { return 77; }
void app_card_pulled(void) {}
/* A person decides, elsewhere: what comes here is asked for once, as it was said. */
static unsigned s_asks;
static uint8_t s_policy, s_verdict;
uint8_t policy_ask(uint8_t policy) {
  s_asks++;
  s_policy = policy;
  return s_verdict;
}

/* The data of a request that has a meaning, in bytes; -1 = there is no such message. docs/reference/link.md. */
static int data_of(uint8_t id) {
  switch (id) {
  case 0x01: case 0x02: case 0x03: case 0x06: return 0;
  case 0x04: return 1;
  case 0x05: return 3;
  default: return -1;
  }
}

static size_t answer_of(const service_reply_t *reply, uint8_t *into) {
  uint8_t *exact = exactly(SERVICE_ANSWER_MAX);
  const service_reply_t before = *reply;
  const size_t n = service_answer(reply, exact);
  PROMISE(n <= SERVICE_ANSWER_MAX && memcmp(&before, reply, sizeof before) == 0);
  memcpy(into, exact, n);
  free(exact);
  return n;
}

/* Runs one request; its answer's length, 0 when it gets none. */
static size_t ask(const uint8_t *bytes, size_t length, bool whole, uint8_t *answer) {
  uint8_t *request = exactly(length);
  if (length > 0) memcpy(request, bytes, length);
  service_reply_t reply;
  const unsigned blinks = s_blinks, asks = s_asks;
  const bool answered = service_run(request, length, whole, &reply);
  PROMISE(answered == (length >= 4));
  free(request); /* the answer is made anew for each transmission, from the reply alone */
  if (!answered) return 0;
  const size_t n = answer_of(&reply, answer);
  uint8_t again[SERVICE_ANSWER_MAX];
  PROMISE(answer_of(&reply, again) == n && memcmp(answer, again, n) == 0);
  PROMISE(n >= 5 && answer[0] == (bytes[0] | 0x80u) && answer[1] == bytes[1] && n == 4u + answer[2] + 256u * answer[3]);
  const int due = data_of(bytes[0]);
  const unsigned status = answer[4];
  if (due < 0) PROMISE(status == SERVICE_STATUS_UNKNOWN);
  else if (!whole || length != 4u + (unsigned)due || (bytes[2] | bytes[3] << 8) != due) PROMISE(status == SERVICE_STATUS_BAD_LENGTH);
  else if (bytes[0] == 0x05 && bytes[4] > 1) PROMISE(status == SERVICE_STATUS_REFUSED);
  else if (bytes[0] == 0x04) PROMISE(status == s_verdict && s_asks == asks + 1 && s_policy == bytes[4]);
  else PROMISE(status == SERVICE_STATUS_OK);
  PROMISE(s_asks == asks || bytes[0] == 0x04); /* nothing else, and nothing malformed, touches a policy */
  if (bytes[0] == 0x04 && (status == SERVICE_STATUS_BAD_LENGTH || status == SERVICE_STATUS_UNKNOWN)) PROMISE(s_asks == asks);
  if (status != SERVICE_STATUS_OK) PROMISE(n == 5); /* a refusal says nothing more */
  PROMISE(s_blinks == blinks + (status == SERVICE_STATUS_OK && bytes[0] == 0x02)); /* carried out once, however often it is answered */
  if (status == SERVICE_STATUS_OK && bytes[0] == 0x01) {
    const size_t product = answer[5], version = answer[6 + product];
    PROMISE(product == sizeof PRODUCT_NAME - 1 && n == 5 + 1 + product + 1 + version + 8 + 8 + 1);
  }
  if (status == SERVICE_STATUS_OK && bytes[0] == 0x03) PROMISE(n == 5 + sizeof(wire_policies_t));
  if (status == SERVICE_STATUS_OK && bytes[0] == 0x06) PROMISE(n == 5 + sizeof(wire_health_t));
  if (status == SERVICE_STATUS_OK && bytes[0] == 0x05) {
    PROMISE(n >= 8 && answer[7] <= BLACKBOX_LIMIT_PAGE_RECORDS && n == 8 + answer[7] * sizeof(record_t));
    PROMISE((answer[5] | answer[6] << 8) > (bytes[5] | bytes[6] << 8) || (answer[5] & answer[6]) == 0xff);
    for (size_t i = 0; i < answer[7]; i++) {
      record_t record;
      memcpy(&record, answer + 8 + i * sizeof record, sizeof record);
      PROMISE(record_good(&record));
    }
  }
  return n;
}

static void door(void) {
  host_reset();
  g_flash = (host_flash_t){.bits_left = UINT64_MAX};
  memset(host_flash() + FLASH_BLACK_BOX_AT, 0xff, FLASH_BLACK_BOX_SIZE);
  ring_erase();
  blackbox_start();
  uint8_t answer[SERVICE_ANSWER_MAX];
  for (unsigned turn = 0; turn < 40 && s_left > 0; turn++) {
    const unsigned what = take();
    static const uint8_t k_verdicts[3] = {SERVICE_STATUS_OK, SERVICE_STATUS_REFUSED, SERVICE_STATUS_BUSY};
    s_verdict = k_verdicts[turn % 3u];
    uint8_t request[SERVICE_REQUEST_MAX];
    switch (what & 7u) {
    case 0: { /* anything */
      const size_t n = (what & 8u) != 0 ? what >> 4 : take() % sizeof request;
      take_bytes(request, n);
      (void)ask(request, n, (what & 0x80u) == 0, answer);
      break;
    }
    case 1: case 2: { /* one that there is, its length right or nearly */
      static const uint8_t k_ids[8] = {1, 2, 5, 6, 5, 3, 4, 0x85};
      request[0] = k_ids[what >> 4 & 7u], request[1] = take();
      const int due = data_of(request[0]) < 0 ? 2 : data_of(request[0]);
      request[2] = (uint8_t)due, request[3] = 0;
      take_bytes(request + 4, 8);
      if ((what & 8u) != 0) request[2 + (what >> 7)] = take();
      (void)ask(request, 4u + (unsigned)due + ((what & 0x88u) == 0x80u), true, answer);
      break;
    }
    case 3: /* all pages, as a host follows them */
      for (unsigned page = 0, pages = 0; page != BLACKBOX_LIMIT_LAST_PAGE; pages++) {
        const uint8_t next[7] = {5, (uint8_t)pages, 3, 0, (uint8_t)(what >> 4 & 1u), (uint8_t)page, (uint8_t)(page >> 8)};
        PROMISE(pages <= 2048 && ask(next, 7, true, answer) >= 8);
        page = answer[5] | (unsigned)answer[6] << 8;
      }
      break;
    case 4: for (unsigned n = 1u + (what >> 3); n > 0; n--) blackbox_event((uint8_t)(1u + take() % 15u), (uint8_t)n, (uint16_t)what); break;
    case 5: for (unsigned n = 0; n < 20; n++) g_host.now += 100000, (void)blackbox_step(g_host.now, true); break;
    case 6: host_flash()[FLASH_BLACK_BOX_AT + take16() * 3u % FLASH_BLACK_BOX_SIZE] ^= take(); break;
    default: g_host.now += 3600000000u; break;
    }
  }
}
