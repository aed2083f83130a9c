/* client.c - COUNT times the same READ BINARY through PC/SC, each answer compared; the microseconds of each on a line. Declares what it uses of
 * libpcsclite itself (its ABI is PC/SC's): the headers need not be installed. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct { unsigned long protocol, length; } request_t;
extern const request_t g_rgSCardT1Pci;
long SCardEstablishContext(unsigned long scope, const void *, const void *, long *context);
long SCardListReaders(long context, const char *groups, char *readers, unsigned long *length);
long SCardConnect(long context, const char *reader, unsigned long share, unsigned long protocols, long *card, unsigned long *protocol);
long SCardTransmit(long card, const request_t *, const unsigned char *, unsigned long, request_t *, unsigned char *, unsigned long *);
long SCardDisconnect(long card, unsigned long disposition);
enum { SCOPE_SYSTEM = 2, SHARE_SHARED = 2, PROTOCOL_T1 = 2, UNPOWER_CARD = 2, WARM_UP = 300 };

static int refused(const char *what, long code) {
  fprintf(stderr, "%s: %08lx\n", what, (unsigned long)code & 0xffffffffu);
  return 1;
}
int main(int argc, char **argv) {
  const int count = argc == 2 ? atoi(argv[1]) : 0;
  long context, card, code;
  char readers[256];
  unsigned long length = sizeof readers, protocol;
  if (count <= 0) return 2;
  if ((code = SCardEstablishContext(SCOPE_SYSTEM, 0, 0, &context))) return refused("SCardEstablishContext", code);
  if ((code = SCardListReaders(context, 0, readers, &length))) return refused("SCardListReaders", code);
  if ((code = SCardConnect(context, readers, SHARE_SHARED, PROTOCOL_T1, &card, &protocol))) return refused("SCardConnect", code);
  const unsigned char command[] = {0x00, 0xb0, 0x00, 0x00, 62};
  unsigned char due[64];
  for (int i = 0; i < 62; i++) due[i] = (unsigned char)(i * 31);
  due[62] = 0x90, due[63] = 0x00;
  double *micros = calloc((size_t)count, sizeof *micros);
  if (!micros) return 1;
  for (int i = -WARM_UP; i < count; i++) {
    unsigned char answer[258];
    struct timespec from, to;
    length = sizeof answer;
    clock_gettime(CLOCK_MONOTONIC, &from);
    code = SCardTransmit(card, &g_rgSCardT1Pci, command, sizeof command, 0, answer, &length);
    clock_gettime(CLOCK_MONOTONIC, &to);
    if (code) return refused("SCardTransmit", code);
    if (length != sizeof due || memcmp(answer, due, sizeof due)) return refused("a wrong answer", 0);
    if (i >= 0) micros[i] = (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3;
  }
  SCardDisconnect(card, UNPOWER_CARD);
  for (int i = 0; i < count; i++) printf("%.3f\n", micros[i]);
  return 0;
}
