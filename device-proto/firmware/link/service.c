/* service.c - identify, blink, policies, black box, health. Nothing here changes anything; policy-off only has the pad ask (guard/policy.c). */
#include "link/service.h"
#include "blackbox/blackbox.h"
#include "front/front.h"
#include "gen/product_gen.h"
#include "gen/wire_gen.h"
#include "guard/policy.h"
#include "guard/settings.h"
#include "hal/hal.h"

#define HEAD sizeof(wire_service_t)
#define ANSWER_BIT 0x80u

typedef struct {
  uint8_t *bytes;
  size_t length;
} writer_t;

static void put(writer_t *w, const void *data, size_t length) {
  const uint8_t *bytes = data;
  for (size_t i = 0; i < length; i++) w->bytes[w->length++] = bytes[i];
}
static void put_byte(writer_t *w, uint8_t byte) { put(w, &byte, 1); }
static void put_text(writer_t *w, const char *text, size_t length) {
  put_byte(w, (uint8_t)length);
  put(w, text, length);
}

_Static_assert(HEAD + 1 + BLACKBOX_PAGE_MAX <= SERVICE_ANSWER_MAX, "a page of the black box");

static void identify(writer_t *w) {
  static const char k_product[] = PRODUCT_NAME;
  static const char k_version[] = PRODUCT_VERSION;
  _Static_assert(HEAD + 1 + sizeof k_product + sizeof k_version + 8 + 8 + 1 <= SERVICE_ANSWER_MAX, "identify");
  uint8_t id[8];
  put_text(w, k_product, sizeof k_product - 1);
  put_text(w, k_version, sizeof k_version - 1);
  hal_unique_id(id);
  put(w, id, sizeof id);
  hal_image_hash(id);
  put(w, id, sizeof id);
  put_byte(w, (uint8_t)((PRODUCT_TEST_IDS ? 1u : 0u) | (PRODUCT_TEST_KEY ? 2u : 0u)));
}

/* How long a request's data must be. */
static size_t wanted(uint8_t id) {
  return id == SERVICE_BLACK_BOX ? sizeof(wire_blackbox_request_t) : id == SERVICE_POLICY_OFF ? sizeof(wire_policy_off_t) : 0;
}

static bool known(uint8_t id) {
  switch (id) {
  case SERVICE_IDENTIFY:
  case SERVICE_BLINK:
  case SERVICE_POLICIES:
  case SERVICE_POLICY_OFF:
  case SERVICE_BLACK_BOX:
  case SERVICE_HEALTH: return true;
  default: return false;
  }
}

bool service_run(const uint8_t *request, size_t length, bool whole, service_reply_t *reply) {
  if (length < HEAD) return false;
  const size_t said = request[2] | (size_t)request[3] << 8;
  *reply = (service_reply_t){.id = request[0], .sequence = request[1], .status = SERVICE_STATUS_OK};
  if (!known(reply->id)) {
    reply->status = SERVICE_STATUS_UNKNOWN;
  } else if (!whole || said != length - HEAD || said != wanted(reply->id)) {
    reply->status = SERVICE_STATUS_BAD_LENGTH;
  } else if (reply->id == SERVICE_BLINK) {
    front_blink();
  } else if (reply->id == SERVICE_POLICY_OFF) {
    reply->status = policy_ask(((const wire_policy_off_t *)(request + HEAD))->policy);
  } else if (reply->id == SERVICE_BLACK_BOX) {
    const wire_blackbox_request_t *asked = (const wire_blackbox_request_t *)(request + HEAD);
    reply->store = asked->store;
    reply->page = asked->page;
    if (asked->store > BLACKBOX_STORE_FLASH) reply->status = SERVICE_STATUS_REFUSED;
  }
  return true;
}

size_t service_answer(const service_reply_t *reply, uint8_t answer[SERVICE_ANSWER_MAX]) {
  writer_t w = {answer, HEAD};
  put_byte(&w, reply->status);
  if (reply->status == SERVICE_STATUS_OK && reply->id == SERVICE_IDENTIFY) identify(&w);
  if (reply->status == SERVICE_STATUS_OK && reply->id == SERVICE_BLACK_BOX) w.length += blackbox_page(reply->store, reply->page, w.bytes + w.length);
  if (reply->status == SERVICE_STATUS_OK && reply->id == SERVICE_POLICIES) {
    const wire_policies_t policies = {settings_policies(), settings_product(), settings_source(), policy_request(), policy_left()};
    put(&w, &policies, sizeof policies);
  }
  if (reply->status == SERVICE_STATUS_OK && reply->id == SERVICE_HEALTH) {
    wire_health_t health;
    blackbox_health(&health);
    put(&w, &health, sizeof health);
  }
  const size_t data = w.length - HEAD;
  answer[0] = (uint8_t)(reply->id | ANSWER_BIT);
  answer[1] = reply->sequence;
  answer[2] = (uint8_t)data;
  answer[3] = (uint8_t)(data >> 8);
  return w.length;
}
