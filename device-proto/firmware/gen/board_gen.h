/* The board: pins, flash map, RAM map, clocks, keypad. Printed by `npm run print` from the tables in device-proto/src; never edited. */
#ifndef BOARD_GEN_H
#define BOARD_GEN_H
#include <stdint.h>

#define PIN_UART0TX 0u
#define PIN_UART0RX 1u
#define PIN_CARD_IO 2u
#define PIN_CARD_RST 3u
#define PIN_DISPLAY_SDA 4u
#define PIN_DISPLAY_SCL 5u
#define PIN_CARD_PRESENT 8u
#define PIN_CARD_OVER_CURRENT_N 9u
#define PIN_KEYPAD_ROW0 10u
#define PIN_KEYPAD_ROW1 11u
#define PIN_KEYPAD_ROW2 12u
#define PIN_KEYPAD_ROW3 13u
#define PIN_KEYPAD_COL0 14u
#define PIN_KEYPAD_COL1 15u
#define PIN_KEYPAD_COL2 16u
#define PIN_KEYPAD_COL3 17u
#define PIN_LAMP 19u
#define PIN_BUZZER 20u
#define PIN_CARD_CLK 21u
#define PIN_CARD_VCC 22u
#define PIN_CARD_VSEL0 26u
#define PIN_CARD_VSEL1 27u

#define FLASH_SIZE 0x200000u
#define FLASH_BOOT2_AT 0x0u
#define FLASH_BOOT2_SIZE 0x100u
#define FLASH_LOADER_AT 0x100u
#define FLASH_LOADER_SIZE 0x7f00u
#define FLASH_BOOT_STATE_AT 0x8000u
#define FLASH_BOOT_STATE_SIZE 0x2000u
#define FLASH_SLOT_A_AT 0x10000u
#define FLASH_SLOT_A_SIZE 0x80000u
#define FLASH_SLOT_B_AT 0x90000u
#define FLASH_SLOT_B_SIZE 0x80000u
#define FLASH_BLACK_BOX_AT 0x110000u
#define FLASH_BLACK_BOX_SIZE 0x40000u
#define FLASH_SETTINGS_AT 0x150000u
#define FLASH_SETTINGS_SIZE 0x2000u

#define RAM_IMAGE_LOAD 0x20000000u
#define RAM_IMAGE_HEADER 0x100u
#define RAM_IMAGE_MAX 0x1c000u
#define RAM_NO_INIT 0x2003f000u
#define RAM_NO_INIT_SIZE 0x1000u
#define RAM_END 0x20042000u
#define RAM_STACK_TOP 0x20042000u
#define RAM_STACK_SIZE 0x2000u

#define CLOCK_XOSC 12000000u
#define CLOCK_SYS 125000000u
#define CLOCK_USB 48000000u
#define CLOCK_CARD_DIVIDER 35u

/* key codes: digits are their ASCII, the others follow */
#define KEY_CORRECT 1u
#define KEY_CLEAR 2u
#define KEY_CANCEL 3u
#define KEY_MODE 4u
#define KEY_NEXT 5u
#define KEY_OK 6u
static const uint8_t KEYPAD[16] = { '1', '2', '3', KEY_CORRECT, '4', '5', '6', KEY_CLEAR, '7', '8', '9', KEY_CANCEL, KEY_MODE, '0', KEY_NEXT, KEY_OK };
#endif
