/** Folds a–z to upper case in place, without making a string of the secret. True when something changed. */
export function foldSecret(pin: Uint8Array): boolean {
  let folded = false;
  pin.forEach((octet, i) => {
    if (octet < 0x61 || octet > 0x7a) return;
    pin[i] = octet - 0x20;
    folded = true;
  });
  return folded;
}
