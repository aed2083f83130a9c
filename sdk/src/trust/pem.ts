import { DerError } from "../der/index.js";

/**
 * Reads PEM text (RFC 7468, strict form): every block with this label, in order. Text between blocks is allowed, as OpenSSL
 * writes it; a damaged block is not.
 */
export function readPem(text: string, label = "CERTIFICATE"): Uint8Array<ArrayBuffer>[] {
  const out: Uint8Array<ArrayBuffer>[] = [];
  let open: { label: string; body: string } | undefined;
  for (const line of text.split(/\r?\n/)) {
    const mark = /^-----(BEGIN|END) ([A-Z0-9 ]+)-----\s*$/.exec(line);
    if (mark?.[1] === "BEGIN") {
      if (open !== undefined) throw new DerError(0, `PEM: ${open.label} has no end`);
      open = { label: mark[2]!, body: "" };
    } else if (mark?.[1] === "END") {
      if (open === undefined || open.label !== mark[2]) throw new DerError(0, `PEM: an end of ${mark[2]} without its beginning`);
      if (open.label === label) out.push(base64(open.body));
      open = undefined;
    } else if (open !== undefined) open.body += line.trim();
  }
  if (open !== undefined) throw new DerError(0, `PEM: ${open.label} has no end`);
  return out;
}

function base64(body: string): Uint8Array<ArrayBuffer> {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(body) || body === "")
    throw new DerError(0, "PEM: the body is not base64");
  return Uint8Array.from(atob(body), (character) => character.charCodeAt(0));
}

/** Writes one PEM block, 64 characters a line, with a final newline. */
export function writePem(der: Uint8Array, label = "CERTIFICATE"): string {
  let binary = "";
  for (const octet of der) binary += String.fromCharCode(octet);
  const lines = btoa(binary).match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}
