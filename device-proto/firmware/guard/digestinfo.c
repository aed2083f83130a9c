#include "guard/digestinfo.h"

/* SEQUENCE { SEQUENCE { OID, NULL }, OCTET STRING } up to the hash. DER has one way to say it, so comparing whole prefixes is a strict parser. */
static const struct {
  const char *name;
  uint8_t prefix_length, hash_length;
  uint8_t prefix[19];
} k_forms[] = {
    {"sha-256", 19, 32, {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}},
    {"sha-384", 19, 48, {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30}},
    {"sha-512", 19, 64, {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40}},
    /* old services still ask for it: the screen says so */
    {"sha-1", 15, 20, {0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14}},
};

bool digestinfo_parse(const uint8_t *data, size_t length, digest_t *digest) {
  for (size_t form = 0; form < sizeof k_forms / sizeof k_forms[0]; form++) {
    if (length != (size_t)k_forms[form].prefix_length + k_forms[form].hash_length) continue;
    bool same = true;
    for (size_t i = 0; i < k_forms[form].prefix_length; i++) same &= data[i] == k_forms[form].prefix[i];
    if (!same) continue;
    *digest = (digest_t){k_forms[form].name, data + k_forms[form].prefix_length, k_forms[form].hash_length};
    return true;
  }
  return false;
}
