@ boot2.S - the second stage: the 256 bytes at flash offset 0. The boot ROM checks their CRC-32, copies them to SRAM and runs them there
@ (datasheet 2.8.1.3). Sets the SSI to execute in place with the plain serial read command 03h, which every flash understands, then enters
@ the loader through its vector table at 0x10000100. Position independent; the build puts the CRC into the last word.
  .syntax unified
  .cpu cortex-m0plus
  .thumb
  .section .text, "ax"
  .global boot2
  .thumb_func
boot2:
  ldr  r0, =0x18000000      @ SSI
  movs r1, #0
  str  r1, [r0, #0x08]      @ SSIENR = 0: the other registers may be written only while disabled
  movs r2, #4
  str  r2, [r0, #0x14]      @ BAUDR: clk / 4
  ldr  r2, =0x001f0300      @ CTRLR0: 32-bit frames, EEPROM read (command and address out, data in)
  str  r2, [r0, #0x00]
  str  r1, [r0, #0x04]      @ CTRLR1: NDF = 0, one word a read
  ldr  r2, =0x03000218      @ SPI_CTRLR0: command 03h, 8-bit instruction, 24-bit address, one bit wide
  adds r0, #0x80
  str  r2, [r0, #0x74]      @ SPI_CTRLR0 at 0xf4
  subs r0, #0x80
  movs r2, #1
  str  r2, [r0, #0x10]      @ SER: chip select of the flash
  str  r2, [r0, #0x08]      @ SSIENR = 1
  ldr  r0, =0x10000100      @ the loader's vector table
  ldr  r1, =0xe000ed08      @ VTOR
  str  r0, [r1]
  ldmia r0!, {r1, r2}
  msr  msp, r1
  bx   r2
  .ltorg
