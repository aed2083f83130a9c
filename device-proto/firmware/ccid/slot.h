/* slot.h - the one slot: is there a card, is it powered, whose is it, and who has to hear of it. */
#ifndef SLOT_H
#define SLOT_H
#include "ccid/ccid.h"
#include "iso7816/card.h"

/* bmICCStatus: ICC_ACTIVE, ICC_INACTIVE or ICC_ABSENT. */
uint8_t slot_status(void);
/* True when another face powered the card on. */
bool slot_taken(face_t face);
/* Powers on (cold reset) for this face, which owns the slot from now on if the card answers. */
card_result_t slot_power_on(face_t face, uint8_t voltage_class);
void slot_power_off(void);
/* The owner is gone. The card goes off at the next slot_settle(): a command may still be running on it. */
void slot_abandon(face_t face);
/* Between commands: carries out what an interrupt, a lost face or a failed exchange asked for. */
void slot_settle(void);
/* True when the card that the running command talks to is not there any more, or was switched off for its current. */
bool slot_lost(void);
/* RDR_to_PC_HardwareError for every face: the card drew too much. `sequence` = bSeq of the command it happened in, or of the last one. */
void slot_hardware_error(uint8_t sequence);
/* Debounces the switch. Returns when it wants the next turn. */
uint64_t slot_step(uint64_t now);
#endif
