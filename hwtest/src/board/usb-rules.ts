/** The rules of the USB controller and its host; part of `rules`. */
export const usbRules = {
  "usb/no-clock": "The controller was enabled without a running 48 MHz clk_usb from a locked PLL.",
  "usb/dpram-garbage":
    "The controller was enabled although control words of the dual-port RAM were never written (silicon: random after power-on).",
  "usb/used-unmuxed":
    "The pull-up was switched on while the controller is not enabled, not muxed to the PHY, powered down, or has no VBUS.",
  "usb/host-mode": "The controller was put into host mode; this board is a device.",
  "usb/write-clear-alias": "A write-1-to-clear register was written through the SET or XOR alias.",
  "usb/available-with-length":
    "AVAILABLE was set in the same write that changed length, PID, FULL, LAST or buffer select (clk_sys and clk_usb differ: the controller may take the old ones).",
  "usb/available-too-soon": "AVAILABLE was set less than 3 clk_usb cycles (62.5 ns) after the rest of the buffer control word.",
  "usb/no-full-bit": "An IN buffer was armed without FULL: it would never be sent.",
  "usb/out-armed-full": "An OUT buffer was armed with FULL still set: it would never receive.",
  "usb/babble": "A packet longer than the endpoint's maximum was armed or sent.",
  "usb/wrong-half":
    "A token found the half of a double buffer whose turn it is not armed, and the other armed: the halves go in turn, so that one would never go (datasheet §4.1.2.5.6).",
  "usb/bad-buffer": "An armed endpoint's buffer lies outside the dual-port RAM's data area.",
  "usb/buffer-overlap": "Two armed endpoints share a buffer.",
  "usb/buffer-touched-while-armed": "A buffer, or its control word, was touched while the controller owns it (armed and not aborted).",
  "usb/wrong-toggle": "A packet came, or was awaited, with the wrong data toggle although no handshake was lost: data would be dropped.",
  "usb/control-overrun": "The device sent more in a control transfer's data stage than wLength.",
  "usb/status-stage": "A control transfer's status stage carried data.",
  "usb/no-answer": "A control transfer was not finished within 5 s.",
  "usb/no-handshake": "A token to an endpoint of the configuration found nobody (wrong address or endpoint not enabled).",
  "usb/bad-descriptor": "A descriptor read during enumeration is malformed.",
} as const satisfies Record<string, string>;
