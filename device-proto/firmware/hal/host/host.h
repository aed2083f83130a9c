/* host.h - the board on a PC, for the real app/, ccid/ and link/: simulated time, a USB host that is a pair of queues, contacts that are recorded. */
#ifndef HOST_H
#define HOST_H
#include "hal/hal.h"

typedef struct {
  uint8_t bytes[64];
  size_t length;
} host_packet_t;

#define HOST_PACKETS 2048
typedef struct {
  host_packet_t packets[HOST_PACKETS];
  size_t in, out; /* free-running */
} host_pipe_t;

typedef struct {
  uint64_t now;
  void (*turn)(void); /* called each time the firmware sleeps: the world moves here */
  bool configured, suspended, dtr;
  uint32_t epoch;
  host_pipe_t to_device[2], from_device[2]; /* HAL_FACE_* */
  size_t unread[2];                         /* IN packets the host leaves lying before the endpoint is not ready any more; 0 = reads everything */
  bool abort;
  uint8_t abort_slot, abort_sequence;
  uint8_t notice[8];
  size_t notices;
  uint8_t uart_in[4096], uart_out[65536];
  size_t uart_in_length, uart_in_at, uart_out_length;
  uint32_t uart_baud, uart_lost;
  bool uart_sending; /* hal_uart_sent() says no */
  bool present, overcurrent;
  uint8_t voltage_class;
  bool clk, rst;
  unsigned emergencies;
  uint16_t keys;
  uint8_t frame[1024];
  bool lamp;
  size_t watchdog_fed;
} host_t;
extern host_t g_host;

void host_reset(void);
/* The host's controller: a bulk-OUT transfer, cut into packets; `zero` = with an empty packet at the end when it is a multiple of 64. */
void host_bulk_out(uint8_t face, const uint8_t *bytes, size_t length, bool zero);
/* A whole bulk-IN transfer (ends with a short packet). Its length, or SIZE_MAX when there is none. */
size_t host_bulk_in(uint8_t face, uint8_t *bytes, size_t capacity);
void host_bus_reset(void);
void host_pull_card(void);
#endif
