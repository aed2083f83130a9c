// What the guest must have said yes to, part by part, in its order. A check that it does not mention has failed.
export const checks = {
  "": { enumerated: "the kernel enumerates the reader" },
  usb: {
    "full-speed": "at full speed",
    strings: "with the product's strings and the board's serial number",
    ttyACM0: "cdc_acm binds ttyACM0",
    "udev-rule": "the product's udev rule gives both device nodes to the person and keeps ModemManager off",
    "lsusb-runs": "lsusb -v reads everything",
    lsusb: "every value lsusb -v shows is device-proto's, and it complains of none",
    "npm-usb": "npm usb: GetSlotStatus, a read that times out, cleared halts",
    interrupt: "the interrupt endpoint tells of the card's going and coming",
    "usb-reset": "a reset from the guest switches the card off, and the reader goes on",
    "npm-events": "npm usb is told of unplugging and plugging in",
    "cdc-link": "the SDK's link over the kernel's ttyACM0",
  },
  suspend: {
    "card-on": "the card is switched on and stays so",
    suspend: "the kernel suspends the reader by itself and resumes it",
    "suspend-card-off": "the suspended reader has switched the card off",
    "resume-card-on": "the resumed one switches it on again",
  },
  pcsc: {
    "pcscd-lists": "pcscd with libccid lists exactly this reader",
    "power-on": "it powers the card up",
    apdu: "an APDU is exchanged",
    apdus: "and many more, with answers of every length",
    "apdu-refused": "an application the card does not have is refused by the card",
    "pin-on-pad": "FEATURE_VERIFY_PIN_DIRECT: the PIN is typed on the reader",
    "pin-wrong": "a wrong one is 63C2: two tries are left",
    "pin-cancel": "the cancel key is 6401",
    "pin-timeout": "nobody at the keys is 6400",
    "pin-again": "and after all of it the right PIN is taken",
    "apdu-64k": "65 535 bytes go to a card and come back in one APDU",
    "card-goes-and-comes": "pcscd sees the card go and come, and uses it again",
    replug: "pcscd sees each unplugging and plugging in, and uses the card each time",
  },
  opensc: {
    "opensc-name": "opensc-tool -n: jpki",
    "opensc-lists": "pkcs15-tool lists four certificates and two keys",
    "opensc-reads": "and reads the certificates that are in the card",
    "opensc-private": "the signer's only after the password",
    "opensc-sign-auth": "pkcs11-tool signs with the authentication key, openssl verifies",
    "opensc-sign-sign": "and with the signature key, approved on the pad",
    "opensc-wrong": "a wrong PIN is OpenSC's CKR_PIN_INCORRECT",
    "opensc-right-again": "and the right one is taken after it",
    "opensc-cancel": "a signature refused on the pad is OpenSC's error",
    "opensc-after": "and the next one is made",
  },
};

/** With `--all` only: it waits for a person who does not come. */
export const patientChecks = { "opensc-timeout": "a signature nobody approves is OpenSC's error" };

/** What the guest's run says at its end, whatever its parts. */
export const lastChecks = { "kernel-log": "no warning in the kernel's log" };

/**
 * Deliberately wrong images (firmware/negative.h) that this tier must catch, each with the part it plays and the check that names it. Each
 * costs a boot: the first is always played, the others with `--all`.
 */
export const wrongImages = {
  DESCRIPTOR_LIES: { parts: ["usb"], caughtBy: "lsusb" },
  INTERRUPT_SILENT: { parts: ["usb"], caughtBy: "interrupt" },
  STATUS_STALLED: { parts: ["usb"], caughtBy: "lsusb" },
};
