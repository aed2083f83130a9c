/* pcscd.h - the face for pcscd's own serial driver: bytes in, commands at TPDU level, bytes out. See docs/reference/pcscd-serial.md. */
#ifndef PCSCD_H
#define PCSCD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Forgets everything: another port, another framing, or the port is gone. The caller tells ccid (ccid_face_lost). */
void pcscd_reset(void);
/* One byte as it came, in any mode. True: with it a frame became good, so that this framing is the one spoken here from now on. */
bool pcscd_receive(uint8_t byte);
/* This framing was chosen, and no other since. */
bool pcscd_chosen(void);
/* … and its host has been heard of within PCSCD_LIMIT_SILENCE_MS, or waits for a command that runs. */
bool pcscd_alive(void);
/* Bytes are there that may become a frame. */
bool pcscd_in_frame(void);
/* Outside of any command: runs the newest command that came, blocking (app_wait). True when there was one. */
bool pcscd_run(void);
/* Copies up to `capacity` bytes to send next; 0 = nothing now. */
size_t pcscd_transmit(uint8_t *bytes, size_t capacity);
/* Once per turn of the loop. *frame: as pcscd_receive(). Returns when it wants the next turn. */
uint64_t pcscd_step(bool *frame);
/* The command that runs takes longer: one byte between frames, which restarts the driver's wait. */
void pcscd_time_extension(void);
#endif
