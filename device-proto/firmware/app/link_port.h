/* link_port.h - carries the link's bytes to and from CDC and UART0. */
#ifndef LINK_PORT_H
#define LINK_PORT_H
#include <stdint.h>

/* Once per turn of the loop. Returns when the link wants the next turn. */
uint64_t link_port_step(void);
#endif
