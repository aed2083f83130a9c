/* link.h - the framed serial protocol on CDC and UART0: bytes in, CCID messages to ccid_run, bytes out. See docs/reference/link.md. */
#ifndef LINK_H
#define LINK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void link_reset(void);
/* Bytes as they came; keeps what is not yet a frame. While a command runs only session frames and busy answers are produced. */
void link_receive(const uint8_t *bytes, size_t length);
/* A whole message is in g_message for ccid_run(FACE_LINK, *length). */
bool link_message_ready(size_t *length);
/* The answer stands in g_message (length bytes) and stays there until acknowledged. */
void link_answer(size_t length);
/* Copies up to `capacity` bytes to send next; 0 = nothing now. */
size_t link_transmit(uint8_t *bytes, size_t capacity);
/* When link_transmit may have something by time alone (retransmission); UINT64_MAX = never. */
uint64_t link_next_deadline(void);
bool link_holds_buffer(void);   /* an unacknowledged answer, or a half-received message, occupies g_message */
void link_time_extension(const uint8_t answer[10]);
#endif
