/* usb_pipe.h - the CCID interface's pipes: 64-byte packets to and from whole messages. */
#ifndef USB_PIPE_H
#define USB_PIPE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Once per turn of the loop, also while a command runs. */
void usb_pipe_step(void);
/* A whole message stands in g_message for ccid_run(FACE_USB, *length). */
bool usb_pipe_message(size_t *length);
/* The answer stands in g_message. */
void usb_pipe_answer(size_t length);
/* A 10-byte message of its own, before the next whole answer: time extension, busy, aborted. Dropped when the host reads none of them. */
void usb_pipe_say(const uint8_t answer[10]);
#endif
