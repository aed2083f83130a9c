/* service.h - our own messages on channel 2 of the link: id, sequence, u16le length, data. See docs/reference/link.md. */
#ifndef LINK_SERVICE_H
#define LINK_SERVICE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Requests are short; a longer one is answered with SERVICE_STATUS_BAD_LENGTH. */
#define SERVICE_REQUEST_MAX 64u
#define SERVICE_ANSWER_MAX 192u

/* What remains of a request until its answer is acknowledged: the answer is made anew for each transmission. */
typedef struct {
  uint8_t id;
  uint8_t sequence;
  uint8_t status;
  uint8_t store; /* of a page of the black box */
  uint16_t page;
} service_reply_t;

/* Carries a request out, once. `whole` is false when it was longer than SERVICE_REQUEST_MAX. False: too short to answer. */
bool service_run(const uint8_t *request, size_t length, bool whole, service_reply_t *reply);
/* Writes the answer. Returns its length. */
size_t service_answer(const service_reply_t *reply, uint8_t answer[SERVICE_ANSWER_MAX]);
#endif
