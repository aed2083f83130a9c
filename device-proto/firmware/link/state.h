/* state.h - what the three parts of the link share: session.c (who speaks), receive.c (frames in), send.c (frames out). */
#ifndef LINK_STATE_H
#define LINK_STATE_H
#include "ccid/ccid.h"
#include "link/frame.h"
#include "link/service.h"

#define CCID_HEADER 10u
#define MS 1000u /* microseconds */
#define PENDING_MAX 8u
/* An acknowledgement waits this long for a data frame to ride on; well below the 200 ms after which the host sends again. */
#define ACK_DELAY_US (20u * MS)
/* The host pings after LINK_LIMIT_PING_MS of silence; one that lost LINK_LIMIT_LOST_PINGS of them is gone, and its card goes off. */
#define SILENCE_US ((uint64_t)LINK_LIMIT_PING_MS * (LINK_LIMIT_LOST_PINGS + 1u) * MS)

/* rate and rate-ack are spoken from this version on */
#define RATE_SINCE 2u

/* Frames of one message follow each other; a lost one is said again within LINK_LIMIT_RETRANSMISSIONS × LINK_LIMIT_RETRANSMIT_MS. */
#define HALF_MESSAGE_US (3000u * MS)

/* The payload of a data frame, or where it stands: made anew for each transmission, so that nothing is kept twice. */
typedef struct {
  enum { ITEM_SMALL, ITEM_SERVICE, ITEM_PART } kind;
  union {
    uint8_t small[CCID_HEADER]; /* busy answer, slot status, time extension */
    service_reply_t service;
    struct {
      size_t at, length; /* in the answer */
    } part;
  } is;
  bool more;
} item_t;

typedef struct {
  bool open;
  uint8_t tag;
  uint8_t nonce[8];
  uint64_t heard; /* when the host's last good frame came */
  /* session frames to send */
  bool hello_ack, refuse, pong, rate_ack;
  uint8_t version; /* of this session */
  /* data from the host */
  uint8_t expected; /* number of the next frame */
  uint8_t owed;     /* frames taken and not acknowledged */
  bool ack_now;
  uint64_t ack_due;
  enum { RX_NONE, RX_STORE, RX_DROP } rx;
  size_t have;                 /* bytes of the current message */
  uint8_t head[CCID_HEADER];   /* of a dropped message, for its answer */
  uint8_t drop_error;          /* why it is dropped: bError, or 0 = the slot is busy */
  uint64_t progress;           /* when its last frame came */
  size_t ready;                /* length of a whole message in g_message */
  uint8_t request[SERVICE_REQUEST_MAX];
  size_t request_length;
  /* data to the host:  ring[0..next) on the wire, ring[next..count) to be sent (again); then the rest of the answer, then pending */
  item_t ring[LINK_LIMIT_WINDOW];
  uint8_t base, count, next, retries;
  uint64_t quiet_since; /* last progress: a frame left, or an acknowledgement came */
  item_t pending[PENDING_MAX];
  uint8_t pending_count;
  size_t answer, cut; /* length of the answer that is not acknowledged, and how much of it has been cut into frames */
  uint8_t short_answer[CCID_HEADER]; /* an answer of this length stands here, a longer one in g_message */
  bool abort_held;    /* PC_to_RDR_Abort is answered after the command it stopped */
  uint8_t abort_head[CCID_HEADER];
} session_t;

extern session_t g_link;
extern bool g_link_running;      /* ccid_run has our message, maybe */
extern bool g_link_stale;        /* … one of a session that is over */

/* session.c */
void link_end_session(void);
void link_forget_frame(void); /* what has come of the current frame came at another rate */
/* rate.c */
void link_rate_clear(void);
void link_on_rate(const frame_t *frame);
void link_rate_heard(void); /* a good frame of the session's host */
void link_rate_good(void);  /* a good frame of anybody's */
void link_rate_lost(uint32_t characters);
bool link_rate_answer(uint8_t payload[sizeof(wire_link_rate_t)]);
bool link_rate_holds(void);
uint64_t link_rate_step(uint64_t now);
/* receive.c */
void link_take_frame(const frame_t *frame, uint64_t now);
/* The message being stored is not wanted any more: gives the buffer back; what else comes of it is dropped, and answered with bError at its end. */
void link_drop_message(uint8_t error);
/* send.c */
void link_acknowledged(uint8_t ack, uint64_t now);
bool link_pend(const item_t *item);
void link_drop_wire(void);
bool link_wire_empty(void);
#endif
