/* link.h - the framed serial protocol on CDC and UART0: bytes in, CCID messages to ccid_run, bytes out. See docs/reference/link.md. */
#ifndef LINK_H
#define LINK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Forgets everything: another port, or the port is gone. The caller tells ccid (ccid_face_lost). */
void link_reset(void);
/* Bytes as they came; keeps what is not yet a frame. While a command runs only session frames, services and busy answers are produced. */
void link_receive(const uint8_t *bytes, size_t length);
/* One byte of a port that speaks another framing now: nothing but a hello in a version of ours is looked for. True when it ended one;
 * link_take_hello() begins its session. */
bool link_listen(uint8_t byte);
void link_take_hello(void);
/* A whole message is in g_message for ccid_run(FACE_LINK, *length). True once per message; link_answer() must follow. */
bool link_message_ready(size_t *length);
/* The answer stands in g_message (length bytes) and stays there until acknowledged; a bare header is kept elsewhere, and g_message given back. */
void link_answer(size_t length);
/* Copies up to `capacity` bytes to send next; 0 = nothing now. */
size_t link_transmit(uint8_t *bytes, size_t capacity);
/* Once per turn of the loop, whether the port takes bytes or not: ends a session whose host is silent or takes no answers, and a message that
 * stays half. Returns when it wants the next turn. */
uint64_t link_step(void);
/* When link_transmit may have something by time alone (acknowledgement, retransmission); UINT64_MAX = never. */
uint64_t link_next_deadline(void);
bool link_holds_buffer(void);   /* an unacknowledged answer, or a half-received message, is kept */
bool link_session_open(void);
void link_time_extension(const uint8_t answer[10]);
/* The bytes come over a line with a rate (UART0), or over one without (USB). Said once per port, before its bytes. */
void link_line(bool has_rate);
/* The rate the line shall have, bit/s. When it is not the one it has, and the port has sent everything it was given, the caller sets it and says so. */
uint32_t link_rate(void);
void link_rate_is_set(void);
/* Characters that came damaged or found no room: they count as discarded, and many of them are the mark of a host with another rate. */
void link_lost(uint32_t characters);
/* Bytes since reset that were no good frame. */
uint32_t link_discarded(void);
#endif
