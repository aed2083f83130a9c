/* The wire: CCID 1.1, USB descriptors, the link, the image. Printed by `npm run print` from the tables in device-proto/src; never edited. */
#ifndef WIRE_GEN_H
#define WIRE_GEN_H
#include <stdint.h>

/* CCID messages */
#define PC_TO_RDR_SETPARAMETERS 0x61u
#define PC_TO_RDR_ICCPOWERON 0x62u
#define PC_TO_RDR_ICCPOWEROFF 0x63u
#define PC_TO_RDR_GETSLOTSTATUS 0x65u
#define PC_TO_RDR_SECURE 0x69u
#define PC_TO_RDR_T0APDU 0x6Au
#define PC_TO_RDR_ESCAPE 0x6Bu
#define PC_TO_RDR_GETPARAMETERS 0x6Cu
#define PC_TO_RDR_RESETPARAMETERS 0x6Du
#define PC_TO_RDR_ICCCLOCK 0x6Eu
#define PC_TO_RDR_XFRBLOCK 0x6Fu
#define PC_TO_RDR_MECHANICAL 0x71u
#define PC_TO_RDR_ABORT 0x72u
#define PC_TO_RDR_SETDATARATEANDCLOCKFREQUENCY 0x73u
#define RDR_TO_PC_DATABLOCK 0x80u
#define RDR_TO_PC_SLOTSTATUS 0x81u
#define RDR_TO_PC_PARAMETERS 0x82u
#define RDR_TO_PC_ESCAPE 0x83u
#define RDR_TO_PC_DATARATEANDCLOCKFREQUENCY 0x84u
#define RDR_TO_PC_NOTIFYSLOTCHANGE 0x50u
#define RDR_TO_PC_HARDWAREERROR 0x51u
/* which answer each command has: X(command, answer) */
#define WIRE_ANSWERS(X) \
  X(PC_TO_RDR_SETPARAMETERS, RDR_TO_PC_PARAMETERS) \
  X(PC_TO_RDR_ICCPOWERON, RDR_TO_PC_DATABLOCK) \
  X(PC_TO_RDR_ICCPOWEROFF, RDR_TO_PC_SLOTSTATUS) \
  X(PC_TO_RDR_GETSLOTSTATUS, RDR_TO_PC_SLOTSTATUS) \
  X(PC_TO_RDR_SECURE, RDR_TO_PC_DATABLOCK) \
  X(PC_TO_RDR_T0APDU, RDR_TO_PC_SLOTSTATUS) \
  X(PC_TO_RDR_ESCAPE, RDR_TO_PC_ESCAPE) \
  X(PC_TO_RDR_GETPARAMETERS, RDR_TO_PC_PARAMETERS) \
  X(PC_TO_RDR_RESETPARAMETERS, RDR_TO_PC_PARAMETERS) \
  X(PC_TO_RDR_ICCCLOCK, RDR_TO_PC_SLOTSTATUS) \
  X(PC_TO_RDR_XFRBLOCK, RDR_TO_PC_DATABLOCK) \
  X(PC_TO_RDR_MECHANICAL, RDR_TO_PC_SLOTSTATUS) \
  X(PC_TO_RDR_ABORT, RDR_TO_PC_SLOTSTATUS) \
  X(PC_TO_RDR_SETDATARATEANDCLOCKFREQUENCY, RDR_TO_PC_DATARATEANDCLOCKFREQUENCY)
/* the secure path: which commands may carry a secret from the pad: X(ins, p1, modify, ask_current, only where the product allows it) */
#define WIRE_SECURE_PATH(X) \
  X(0x20, 0x00, false, false, false) \
  X(0x24, 0x00, true, true, false) \
  X(0x24, 0x01, true, false, false) \
  X(0x2c, 0x00, true, true, true) \
  X(0x2c, 0x01, false, false, true) \
  X(0x2c, 0x02, true, false, true)
/* bStatus */
#define ICC_ACTIVE 0x00u
#define ICC_INACTIVE 0x01u
#define ICC_ABSENT 0x02u
#define COMMAND_OK 0x00u
#define COMMAND_FAILED 0x01u
#define COMMAND_TIME_EXTENSION 0x02u
/* bError */
#define CCID_ERROR_CMD_ABORTED 0xFFu
#define CCID_ERROR_ICC_MUTE 0xFEu
#define CCID_ERROR_XFR_PARITY_ERROR 0xFDu
#define CCID_ERROR_XFR_OVERRUN 0xFCu
#define CCID_ERROR_HW_ERROR 0xFBu
#define CCID_ERROR_BAD_ATR_TS 0xF8u
#define CCID_ERROR_BAD_ATR_TCK 0xF7u
#define CCID_ERROR_ICC_PROTOCOL_NOT_SUPPORTED 0xF6u
#define CCID_ERROR_ICC_CLASS_NOT_SUPPORTED 0xF5u
#define CCID_ERROR_PROCEDURE_BYTE_CONFLICT 0xF4u
#define CCID_ERROR_DEACTIVATED_PROTOCOL 0xF3u
#define CCID_ERROR_BUSY_WITH_AUTO_SEQUENCE 0xF2u
#define CCID_ERROR_PIN_TIMEOUT 0xF0u
#define CCID_ERROR_PIN_CANCELLED 0xEFu
#define CCID_ERROR_CMD_SLOT_BUSY 0xE0u
#define CCID_ERROR_NO_ENVELOPE 0xC0u
#define CCID_ERROR_CMD_NOT_SUPPORTED 0x00u

typedef struct __attribute__((packed)) {
  uint8_t bMessageType; /* 0 */
  uint32_t dwLength; /* 1 */
  uint8_t bSlot; /* 5 */
  uint8_t bSeq; /* 6 */
  uint8_t abSpecific[3]; /* 7 */
} wire_command_t;
_Static_assert(sizeof(wire_command_t) == 10, "wire_command_t");

typedef struct __attribute__((packed)) {
  uint8_t bMessageType; /* 0 */
  uint32_t dwLength; /* 1 */
  uint8_t bSlot; /* 5 */
  uint8_t bSeq; /* 6 */
  uint8_t bStatus; /* 7 */
  uint8_t bError; /* 8 */
  uint8_t bSpecific; /* 9 */
} wire_answer_t;
_Static_assert(sizeof(wire_answer_t) == 10, "wire_answer_t");

typedef struct __attribute__((packed)) {
  uint8_t bPINOperation; /* 0 */
  uint8_t bTimeOut; /* 1 */
  uint8_t bmFormatString; /* 2 */
  uint8_t bmPINBlockString; /* 3 */
  uint8_t bmPINLengthFormat; /* 4 */
  uint16_t wPINMaxExtraDigit; /* 5 */
  uint8_t bEntryValidationCondition; /* 7 */
  uint8_t bNumberMessage; /* 8 */
  uint16_t wLangId; /* 9 */
  uint8_t bMsgIndex; /* 11 */
  uint8_t bTeoPrologue[3]; /* 12 */
} wire_pin_verify_t;
_Static_assert(sizeof(wire_pin_verify_t) == 15, "wire_pin_verify_t");

typedef struct __attribute__((packed)) {
  uint8_t bPINOperation; /* 0 */
  uint8_t bTimeOut; /* 1 */
  uint8_t bmFormatString; /* 2 */
  uint8_t bmPINBlockString; /* 3 */
  uint8_t bmPINLengthFormat; /* 4 */
  uint8_t bInsertionOffsetOld; /* 5 */
  uint8_t bInsertionOffsetNew; /* 6 */
  uint16_t wPINMaxExtraDigit; /* 7 */
  uint8_t bConfirmPIN; /* 9 */
  uint8_t bEntryValidationCondition; /* 10 */
  uint8_t bNumberMessage; /* 11 */
  uint16_t wLangId; /* 12 */
  uint8_t bMsgIndex1; /* 14 */
} wire_pin_modify_t;
_Static_assert(sizeof(wire_pin_modify_t) == 15, "wire_pin_modify_t");

/* USB */
static const uint8_t WIRE_DEVICE_DESCRIPTOR[18] = {
  0x12, 0x01, 0x00, 0x02, 0xef, 0x02, 0x01, 0x40, 0x09, 0x12, 0x01, 0x00, 0x10, 0x00, 0x01, 0x02,
  0x03, 0x01,
};
static const uint8_t WIRE_CONFIGURATION_DESCRIPTOR[159] = {
  0x09, 0x02, 0x9f, 0x00, 0x03, 0x01, 0x00, 0x80, 0x64, 0x09, 0x04, 0x00, 0x00, 0x03, 0x0b, 0x00,
  0x00, 0x04, 0x36, 0x21, 0x10, 0x01, 0x00, 0x07, 0x03, 0x00, 0x00, 0x00, 0xf3, 0x0d, 0x00, 0x00,
  0xf3, 0x0d, 0x00, 0x00, 0x01, 0x80, 0x25, 0x00, 0x00, 0xdc, 0xcf, 0x06, 0x00, 0x2c, 0xfe, 0x00,
  0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x7a, 0x05, 0x04, 0x00, 0x12, 0x00,
  0x01, 0x00, 0xff, 0xff, 0x10, 0x04, 0x03, 0x01, 0x07, 0x05, 0x01, 0x02, 0x40, 0x00, 0x00, 0x07,
  0x05, 0x81, 0x02, 0x40, 0x00, 0x00, 0x07, 0x05, 0x82, 0x03, 0x08, 0x00, 0x10, 0x08, 0x0b, 0x01,
  0x02, 0x02, 0x02, 0x00, 0x05, 0x09, 0x04, 0x01, 0x00, 0x01, 0x02, 0x02, 0x00, 0x05, 0x05, 0x24,
  0x00, 0x10, 0x01, 0x05, 0x24, 0x01, 0x00, 0x02, 0x04, 0x24, 0x02, 0x02, 0x05, 0x24, 0x06, 0x01,
  0x02, 0x07, 0x05, 0x83, 0x03, 0x10, 0x00, 0x20, 0x09, 0x04, 0x02, 0x00, 0x02, 0x0a, 0x00, 0x00,
  0x00, 0x07, 0x05, 0x04, 0x02, 0x40, 0x00, 0x00, 0x07, 0x05, 0x84, 0x02, 0x40, 0x00, 0x00,
};
static const uint8_t WIRE_STRING_1[12] = {
  0x0c, 0x03, 0x49, 0x00, 0x6e, 0x00, 0x6b, 0x00, 0x61, 0x00, 0x6e, 0x00,
};
static const uint8_t WIRE_STRING_2[46] = {
  0x2e, 0x03, 0x49, 0x00, 0x6e, 0x00, 0x6b, 0x00, 0x61, 0x00, 0x6e, 0x00, 0x20, 0x00, 0x72, 0x00,
  0x65, 0x00, 0x66, 0x00, 0x65, 0x00, 0x72, 0x00, 0x65, 0x00, 0x6e, 0x00, 0x63, 0x00, 0x65, 0x00,
  0x20, 0x00, 0x72, 0x00, 0x65, 0x00, 0x61, 0x00, 0x64, 0x00, 0x65, 0x00, 0x72, 0x00,
};
static const uint8_t WIRE_STRING_4[22] = {
  0x16, 0x03, 0x49, 0x00, 0x6e, 0x00, 0x6b, 0x00, 0x61, 0x00, 0x6e, 0x00, 0x20, 0x00, 0x43, 0x00,
  0x43, 0x00, 0x49, 0x00, 0x44, 0x00,
};
static const uint8_t WIRE_STRING_5[22] = {
  0x16, 0x03, 0x49, 0x00, 0x6e, 0x00, 0x6b, 0x00, 0x61, 0x00, 0x6e, 0x00, 0x20, 0x00, 0x6c, 0x00,
  0x69, 0x00, 0x6e, 0x00, 0x6b, 0x00,
};
static const uint8_t WIRE_STRING_0[4] = {
  0x04, 0x03, 0x09, 0x04,
};
#define WIRE_STRING_INDEX_VENDOR 0x01u
#define WIRE_STRING_INDEX_PRODUCT 0x02u
#define WIRE_STRING_INDEX_SERIAL 0x03u
#define WIRE_STRING_INDEX_CCID 0x04u
#define WIRE_STRING_INDEX_LINK 0x05u
#define WIRE_EP_CCID_OUT 0x01u
#define WIRE_EP_CCID_IN 0x81u
#define WIRE_EP_CCID_INTERRUPT 0x82u
#define WIRE_EP_CDC_NOTIFY 0x83u
#define WIRE_EP_CDC_OUT 0x04u
#define WIRE_EP_CDC_IN 0x84u
#define WIRE_INTERFACE_CCID 0x00u
#define WIRE_INTERFACE_CDC_CONTROL 0x01u
#define WIRE_INTERFACE_CDC_DATA 0x02u
#define WIRE_MAX_CCID_MESSAGE 65554u
#define WIRE_CLOCK_KHZ 3571u
#define WIRE_LCD_LAYOUT 0x0410u
#define WIRE_ID_VENDOR 0x1209u
#define WIRE_ID_PRODUCT 0x0001u
#define WIRE_DATA_RATES_COUNT 44u
static const uint32_t WIRE_DATA_RATES[44] = { 9600, 12800, 13950, 15360, 18601, 19201, 20926, 23041, 25601, 27901, 28801, 30721, 34877, 37202, 38402, 41852, 46502, 48003, 51203, 55803, 57603, 61443, 64004, 69754, 74404, 76804, 83705, 93005, 96006, 102406, 111607, 115207, 122887, 128008, 139508, 148809, 153609, 192012, 204813, 223214, 297619, 307219, 409626, 446428 };

/* ISO 7816-3 tables 7 and 8, and the pairs the line makes (TA1 values, ascending) */
static const uint16_t WIRE_F[16] = { 372, 372, 558, 744, 1116, 1488, 1860, 0, 0, 512, 768, 1024, 1536, 2048, 0, 0 };
static const uint8_t WIRE_D[16] = { 0, 1, 2, 4, 8, 16, 32, 64, 12, 20, 0, 0, 0, 0, 0, 0 };
#define WIRE_RATE_PAIRS_COUNT 106u
static const uint8_t WIRE_RATE_PAIRS[106] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x08, 0x09, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x18, 0x19, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9 };

/* the link */
#define LINK_CHANNEL_SESSION 0x00u
#define LINK_CHANNEL_CCID 0x01u
#define LINK_CHANNEL_SERVICE 0x02u
#define LINK_CHANNEL_UPDATE 0x03u
#define LINK_HELLO 0x01u
#define LINK_HELLO_ACK 0x02u
#define LINK_ACK 0x03u
#define LINK_REFUSE 0x04u
#define LINK_PING 0x05u
#define LINK_PONG 0x06u
#define LINK_BYE 0x07u
#define LINK_NOTICE 0x08u
#define LINK_RATE 0x09u
#define LINK_RATE_ACK 0x0Au
#define LINK_MORE 0x20u
#define LINK_LIMIT_VERSION_MIN 1u
#define LINK_LIMIT_VERSION 2u
#define LINK_LIMIT_WINDOW 8u
#define LINK_LIMIT_MAX_PAYLOAD 1024u
#define LINK_LIMIT_RETRANSMIT_MS 200u
#define LINK_LIMIT_RETRANSMISSIONS 8u
#define LINK_LIMIT_PING_MS 5000u
#define LINK_LIMIT_LOST_PINGS 3u
#define LINK_LIMIT_DEFAULT_BAUD 115200u
#define LINK_LIMIT_LEAST_BAUD 9600u
#define LINK_LIMIT_MOST_BAUD 3000000u
#define LINK_LIMIT_RATE_TRIAL_MS 300u
#define LINK_LIMIT_RATE_MARKS 8u

typedef struct __attribute__((packed)) {
  uint8_t kind; /* 0 */
  uint8_t seq; /* 1 */
  uint8_t ack; /* 2 */
  uint8_t tag; /* 3 */
} wire_link_header_t;
_Static_assert(sizeof(wire_link_header_t) == 4, "wire_link_header_t");

typedef struct __attribute__((packed)) {
  uint8_t versionMin; /* 0 */
  uint8_t versionMax; /* 1 */
  uint8_t nonce[8]; /* 2 */
} wire_link_hello_t;
_Static_assert(sizeof(wire_link_hello_t) == 10, "wire_link_hello_t");

typedef struct __attribute__((packed)) {
  uint8_t version; /* 0 */
  uint8_t nonce[8]; /* 1 */
  uint8_t tag; /* 9 */
  uint8_t window; /* 10 */
  uint16_t maxPayload; /* 11 */
  uint32_t bootCount; /* 13 */
} wire_link_hello_ack_t;
_Static_assert(sizeof(wire_link_hello_ack_t) == 17, "wire_link_hello_ack_t");

typedef struct __attribute__((packed)) {
  uint8_t reason; /* 0 */
  uint8_t versionMin; /* 1 */
  uint8_t versionMax; /* 2 */
} wire_link_refuse_t;
_Static_assert(sizeof(wire_link_refuse_t) == 3, "wire_link_refuse_t");

typedef struct __attribute__((packed)) {
  uint32_t baud; /* 0 */
} wire_link_rate_t;
_Static_assert(sizeof(wire_link_rate_t) == 4, "wire_link_rate_t");

typedef struct __attribute__((packed)) {
  uint8_t id; /* 0 */
  uint8_t sequence; /* 1 */
  uint16_t length; /* 2 */
} wire_service_t;
_Static_assert(sizeof(wire_service_t) == 4, "wire_service_t");

#define SERVICE_IDENTIFY 0x01u
#define SERVICE_BLINK 0x02u
#define SERVICE_POLICIES 0x03u
#define SERVICE_POLICY_OFF 0x04u
#define SERVICE_BLACK_BOX 0x05u
#define SERVICE_HEALTH 0x06u
#define SERVICE_STATUS_OK 0x00u
#define SERVICE_STATUS_UNKNOWN 0x01u
#define SERVICE_STATUS_BAD_LENGTH 0x02u
#define SERVICE_STATUS_REFUSED 0x03u
#define SERVICE_STATUS_BUSY 0x04u
#define POLICY_CONSENT 0x01u
#define POLICY_PAD_ONLY 0x02u
#define SETTINGS_SOURCE_PRODUCT 0x00u
#define SETTINGS_SOURCE_SETTINGS 0x01u
#define SETTINGS_SOURCE_UNREADABLE 0x02u
#define POLICY_REQUEST_NONE 0x00u
#define POLICY_REQUEST_ASKING 0x01u
#define POLICY_REQUEST_DONE 0x02u
#define POLICY_REQUEST_REFUSED 0x03u
#define POLICY_REQUEST_TIMEOUT 0x04u
#define POLICY_REQUEST_FAILED 0x05u
typedef struct __attribute__((packed)) {
  uint8_t inForce; /* 0 */
  uint8_t product; /* 1 */
  uint8_t source; /* 2 */
  uint8_t request; /* 3 */
  uint8_t left; /* 4 */
} wire_policies_t;
_Static_assert(sizeof(wire_policies_t) == 5, "wire_policies_t");

typedef struct __attribute__((packed)) {
  uint8_t policy; /* 0 */
} wire_policy_off_t;
_Static_assert(sizeof(wire_policy_off_t) == 1, "wire_policy_off_t");

typedef struct __attribute__((packed)) {
  uint32_t sequence; /* 0 */
  uint8_t kind; /* 4 */
  uint8_t policies; /* 5 */
  uint16_t reserved; /* 6 */
  uint32_t more; /* 8 */
  uint32_t check; /* 12 */
} wire_settings_record_t;
_Static_assert(sizeof(wire_settings_record_t) == 16, "wire_settings_record_t");


/* pcscd's serial framing */
#define PCSCD_SYNC 0x03u
#define PCSCD_ACK 0x06u
#define PCSCD_NAK 0x15u
#define PCSCD_WORKING 0x80u
#define PCSCD_LIMIT_MAX_MESSAGE 271u
#define PCSCD_LIMIT_BYTE_MS 100u
#define PCSCD_LIMIT_SILENCE_MS 20000u
#define PCSCD_LIMIT_VERSION_TEXT 49u

/* the black box */
typedef struct __attribute__((packed)) {
  uint16_t sequence; /* 0 */
  uint16_t boot; /* 2 */
  uint32_t ms; /* 4 */
  uint8_t kind; /* 8 */
  uint8_t a; /* 9 */
  uint16_t b; /* 10 */
  uint32_t check; /* 12 */
} wire_blackbox_record_t;
_Static_assert(sizeof(wire_blackbox_record_t) == 16, "wire_blackbox_record_t");

typedef struct __attribute__((packed)) {
  uint8_t store; /* 0 */
  uint16_t page; /* 1 */
} wire_blackbox_request_t;
_Static_assert(sizeof(wire_blackbox_request_t) == 3, "wire_blackbox_request_t");

typedef struct __attribute__((packed)) {
  uint16_t next; /* 0 */
  uint8_t count; /* 2 */
} wire_blackbox_answer_t;
_Static_assert(sizeof(wire_blackbox_answer_t) == 3, "wire_blackbox_answer_t");

typedef struct __attribute__((packed)) {
  uint32_t uptimeMs; /* 0 */
  uint32_t bootCount; /* 4 */
  uint32_t poweredSeconds; /* 8 */
  uint32_t linkDiscarded; /* 12 */
  uint32_t retries; /* 16 */
  uint32_t parityErrors; /* 20 */
  uint16_t flashErrors; /* 24 */
  uint16_t sectors; /* 26 */
  uint16_t stackUsed; /* 28 */
  uint16_t stackSize; /* 30 */
} wire_health_t;
_Static_assert(sizeof(wire_health_t) == 32, "wire_health_t");

#define BLACKBOX_BOOT 1u
#define BLACKBOX_FAULT 2u
#define BLACKBOX_FAULT_PC 3u
#define BLACKBOX_FAULT_LR 4u
#define BLACKBOX_COMMAND 5u
#define BLACKBOX_APDU 6u
#define BLACKBOX_CARD_FAILED 7u
#define BLACKBOX_BLOCK_SENT 8u
#define BLACKBOX_BLOCK_RECEIVED 9u
#define BLACKBOX_ACTIVATED 10u
#define BLACKBOX_CARD 11u
#define BLACKBOX_USB 12u
#define BLACKBOX_LINK_NOISE 13u
#define BLACKBOX_FLASH_ERROR 14u
#define BLACKBOX_DIGEST 15u
#define BLACKBOX_ERASED 16u
#define BLACKBOX_FAULTS 0x1009eu /* bit = kind */
#define BLACKBOX_STORE_RING 0u
#define BLACKBOX_STORE_FLASH 1u
#define BLACKBOX_LIMIT_RING_RECORDS 128u
#define BLACKBOX_LIMIT_PAGE_RECORDS 8u
#define BLACKBOX_LIMIT_ERASES_PER_DAY 20u
#define BLACKBOX_LIMIT_LAST_PAGE 65535u

/* the image (MCUboot) */
typedef struct __attribute__((packed)) {
  uint32_t ih_magic; /* 0 */
  uint32_t ih_load_addr; /* 4 */
  uint16_t ih_hdr_size; /* 8 */
  uint16_t ih_protect_tlv_size; /* 10 */
  uint32_t ih_img_size; /* 12 */
  uint32_t ih_flags; /* 16 */
  uint8_t iv_major; /* 20 */
  uint8_t iv_minor; /* 21 */
  uint16_t iv_revision; /* 22 */
  uint32_t iv_build_num; /* 24 */
  uint32_t pad1; /* 28 */
} wire_image_header_t;
_Static_assert(sizeof(wire_image_header_t) == 32, "wire_image_header_t");

#define IMAGE_MAGIC 0x96f3b83du
#define IMAGE_F_RAM_LOAD 0x20u
#define IMAGE_TLV_INFO_MAGIC 0x6907u
#define IMAGE_TLV_SHA256 0x10u
#endif
