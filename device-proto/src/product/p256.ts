// SEC 2 §2.4.2: y² = x³ − 3x + b over the field of p.
const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;

/** True for 04 X Y in hex (130 digits) when X, Y is a point of P-256: a mistyped digit is not. The curve's cofactor is 1: every point will do. */
export function isP256Point(text: string): boolean {
  if (!/^04[0-9a-fA-F]{128}$/.test(text)) return false;
  const x = BigInt(`0x${text.slice(2, 66)}`);
  const y = BigInt(`0x${text.slice(66)}`);
  return x < P && y < P && (y * y - (x * x * x - 3n * x + B)) % P === 0n;
}
