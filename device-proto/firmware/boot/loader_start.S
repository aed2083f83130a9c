@ loader_start.S - the loader's vector table, at 0x10000100, and its first instructions.
@ Those wipe RAM: whatever the last life left there (a secret, if the watchdog bit during its entry) ends here, before anything else runs.
@ Kept is only the no-init block NOINIT at 0x2003f000..0x20040000 (boot count, crash record, black box: never secrets).
  .syntax unified
  .cpu cortex-m0plus
  .thumb
  .section .vectors, "a"
  .word 0x20042000          @ stack top, end of SCRATCH_Y
  .word loader_reset + 1
  .word loader_stop + 1     @ NMI
  .word loader_stop + 1     @ HardFault
  .word loader_fill + 1     @ reserved for the core; here for the deliberately wrong images: a function in flash, at a place they know
  .fill 11, 4, 0
  .section .text.loader_reset, "ax"
  .global loader_reset
  .thumb_func
loader_reset:
  cpsid i                   @ nothing is enabled; a bootrom that left something pending must not find our empty table
#ifndef NEGATIVE_NO_LOADER_WIPE
  ldr  r0, =0x20000000
  ldr  r1, =0x2003f000
  bl   wipe
  ldr  r0, =0x20040000
  ldr  r1, =0x20042000
  bl   wipe
#endif
  bl   loader_main          @ returns the image's vector table, or 0
  cmp  r0, #0
  beq  loader_stop
  ldr  r1, =0xe000ed08
  str  r0, [r1]             @ VTOR
  ldmia r0!, {r1, r2}
  msr  msp, r1
  bx   r2
  .global loader_stop
  .thumb_func
loader_stop:                @ no image: a defined place to be. Recovery over USB arrives with the update.
  wfi
  b    loader_stop

  .thumb_func
wipe:                       @ [r0, r1) := 0, 32 bytes a turn; no stack
  movs r2, #0
  movs r3, #0
  movs r4, #0
  movs r5, #0
  movs r6, #0
  movs r7, #0
1:stmia r0!, {r2-r7}
  stmia r0!, {r2-r3}
  cmp  r0, r1
  blo  1b
  bx   lr
