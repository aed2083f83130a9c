/* ccid.h - CCID messages in, CCID messages out, for every face. */
#ifndef CCID_H
#define CCID_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "iso7816/card.h"

/* The one APDU/message buffer: 10 bytes of CCID header and up to 65 546 of data, shared by all faces. */
#define MESSAGE_MAX 65556u
extern uint8_t g_message[MESSAGE_MAX];

typedef enum { FACE_USB, FACE_LINK, FACE_PCSCD, FACE_COUNT } face_t;

/* Who fills or reads g_message now. A face claims it before the first byte of a message and releases it after the last of the answer; claiming what is
 * one's own is true. A face that cannot have it answers by ccid_busy_answer and drops the data: nobody waits for another face's host. */
bool message_claim(face_t face);
void message_release(face_t face);
/* Another face was turned away since the buffer was claimed: who only waits for a host to read may have to give it up. */
bool message_wanted(void);

/* A whole message (header + dwLength bytes) stands in g_message: runs it, blocking (app_wait), and leaves the answer in g_message. Returns its length. */
size_t ccid_run(face_t face, size_t length);
/* A header that arrived while another command runs (its data is dropped): writes a 10-byte answer (busy, or slot status). */
void ccid_busy_answer(face_t face, const uint8_t header[10], uint8_t answer[10]);
/* The time-extension answer for the command that runs now, `multiplier` in bError. */
void ccid_time_extension(uint8_t answer[10], uint8_t multiplier);
/* Once per turn of the loop, also while a command runs: sends time extensions. Returns when it wants the next turn. */
uint64_t ccid_step(uint64_t now);
/* The running command is to end: aborted, its face vanished or the card was pulled. False when no command runs. */
bool ccid_stopped(void);
/* bSeq of the command that runs, or of the last. */
uint8_t ccid_last_sequence(void);
/* PC_to_RDR_Abort for the running command of this face. */
void ccid_abort(face_t face);
/* Where the data of this face's next message begins in g_message: 10, or behind what a chained APDU has brought so far. */
size_t ccid_data_at(face_t face);
bool ccid_chain_open(face_t face);
/* The chain ends unfinished; what it has brought is overwritten: it may be a secret that the host typed. */
void ccid_chain_break(face_t face);
/* The next message of the interrupt path for this face: RDR_to_PC_NotifySlotChange (2 bytes) or RDR_to_PC_HardwareError (4). Its length, 0 = no news. */
#define NOTICE_MAX 4u
size_t ccid_notify(face_t face, uint8_t notice[NOTICE_MAX]);
/* A host that begins, or has slept: the slot's state is news to it. */
void ccid_notify_again(face_t face);
/* A face with a table of its own (pcscd/): its command runs from here to ccid_end(), and answers with what ccid_answer() writes, 10 bytes. */
void ccid_begin(face_t face, const uint8_t header[10]);
void ccid_end(void);
bool ccid_running(void); /* any face's command */
void ccid_answer(uint8_t answer[10], const uint8_t command[10], uint32_t length, uint8_t outcome, uint8_t error);
/* bError for what became of the card. */
uint8_t ccid_error(card_result_t result);
/* abProtocolDataStructure in use (7 bytes of room at `at`); its length. */
size_t ccid_parameters(uint8_t *at);
/* The face is gone (port closed, USB reset, suspend): its card is powered off if it owned it. */
void ccid_face_lost(face_t face);
#endif
