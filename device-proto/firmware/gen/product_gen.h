/* The product definition. Printed by `npm run print` from the tables in device-proto/src; never edited. */
#ifndef PRODUCT_GEN_H
#define PRODUCT_GEN_H
#include <stdint.h>

#define PRODUCT_VENDOR "Inkan"
#define PRODUCT_NAME "Inkan reference reader"
#define PRODUCT_VERSION "0.1.0"
#define PRODUCT_VERSION_MAJOR 0u
#define PRODUCT_VERSION_MINOR 1u
#define PRODUCT_VERSION_REVISION 0u
#define PRODUCT_LANGUAGE 0 /* 0 ja, 1 en */
#define PRODUCT_CONSENT 1
#define PRODUCT_PAD_ONLY 0
#define PRODUCT_ALLOW_2C 0
#define PRODUCT_UNATTENDED_UPDATES 0
#define PRODUCT_TEST_IDS 1
#define PRODUCT_TEST_KEY 0
static const uint8_t PRODUCT_ID[16] = {
  0x69, 0x6e, 0x6b, 0x61, 0x6e, 0x2d, 0x72, 0x65, 0x66, 0x65, 0x72, 0x65, 0x6e, 0x63, 0x65, 0x30,
};
#define PRODUCT_KEY_COUNT 0u
#endif
