// What the kernel may say aloud while the reader is tried. `dmesg -r` puts the level in front: 4 is a warning, lower is worse.

/** Lines at level warning or worse that are allowed, each with its reason. Empty: there is none. */
export const allowed = [];

/** Lines of `dmesg -r` that are louder than a notice and not allowed. A log without the line that the guest began with is no log. */
export function loudLines(lines) {
  if (lines.length === 0) return ["the kernel's log is empty"];
  return lines.filter((line) => {
    const level = /^<(\d+)>/.exec(line);
    if (!level) return true;
    return Number(level[1]) % 8 <= 4 && !allowed.some(({ pattern }) => pattern.test(line));
  });
}
