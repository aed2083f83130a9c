/** One sentence in both languages. */
export interface Words {
  readonly ja: string;
  readonly en: string;
}
const words = (ja: string, en: string): Words => ({ ja, en });

/** A moment as people in Japan read it: certificates end at 23:59:59 there, which is 14:59:59Z. */
export function japanTime(date: Date): Words {
  // from year 10000 on, which a certificate without an end reaches in Japan, the year has a sign and six digits
  const [day, time] = new Date(date.getTime() + 9 * 3_600_000).toISOString().replace(/^\+0*/, "").split("T") as [string, string];
  const [year, month, date_] = day.split("-").map(Number);
  const clock = time.slice(0, 8);
  return words(`${year}年${month}月${date_}日 ${clock}（日本時間）`, `${day} ${clock} Japan time`);
}

/** Every sentence of a report. `{…}` parts come from the certificate or the caller, never from a secret. */
export const sentences = {
  formatOk: words("CMS 署名として正しい形式です（DER）。", "It is a well-formed CMS signature (DER)."),
  formatBad: (why: string) => words(`形式が壊れています: ${why}`, `It is not well formed: ${why}`),
  oneSigner: words("署名者は一人です。", "There is one signer."),
  signerCount: (count: number) =>
    words(`署名者が ${count} 人です。一人の署名だけを判定します。`, `There are ${count} signers; only a signature by one is judged.`),
  noSignedAttributes: words("署名属性がありません。", "There are no signed attributes."),
  algorithmsOk: (hash: string) =>
    words(`ハッシュと署名のアルゴリズムは認められたものです（${hash}）。`, `Hash and signature algorithms are accepted ones (${hash}).`),
  algorithmBad: (what: string) => words(`認められないアルゴリズムです: ${what}`, `An algorithm is not accepted: ${what}`),
  contentTypeOk: words("署名された内容の種類が一致します。", "The signed content type agrees."),
  contentTypeBad: words("署名された内容の種類が一致しません。", "The signed content type does not agree."),
  digestOk: (hash: string) =>
    words(`文書は署名されたときのままです（${hash} が一致）。`, `The document is the one that was signed (${hash} agrees).`),
  digestBad: words("文書が署名されたものと違います。", "The document is not the one that was signed."),
  digestMissing: words("署名属性に文書のハッシュがありません。", "The signed attributes have no document digest."),
  documentMissing: words("文書が渡されていないので照合できません。", "The document was not given, so it cannot be compared."),
  certificateOk: (name: string) => words(`署名者の証明書があります: ${name}`, `The signer's certificate is here: ${name}`),
  certificateMissing: words("署名者の証明書が入っていません。", "The signer's certificate is not included."),
  certificateBad: (why: string) => words(`署名者の証明書を読めません: ${why}`, `The signer's certificate cannot be read: ${why}`),
  essOk: words(
    "署名はこの証明書に結び付けられています（signing-certificate-v2）。",
    "The signature is bound to this certificate (signing-certificate-v2).",
  ),
  essBad: words("署名が結び付けられた証明書と違います。", "The signature is bound to another certificate."),
  essMissing: words(
    "証明書への結び付け（signing-certificate-v2）がありません。",
    "There is no binding to the certificate (signing-certificate-v2).",
  ),
  essWaived: words(
    "証明書への結び付けはありません。呼び出し側がなくてよいと指定しました。",
    "There is no binding to the certificate; the caller chose to do without.",
  ),
  signatureOk: words("署名値は証明書の公開鍵で検証できました。", "The signature value verifies with the certificate's key."),
  signatureBad: words("署名値が正しくありません。", "The signature value is wrong."),
  pathOk: (root: string) =>
    words(`指定された認証局の証明書までつながります: ${root}`, `The certificate leads to a given authority: ${root}`),
  noRoots: words("信頼する認証局の証明書が指定されていません。", "No trusted authority certificate was given."),
  noIssuer: (name: string, nameMatched: boolean) =>
    nameMatched
      ? words(
          `同じ名前の認証局はありますが、その鍵では署名されていません: ${name}`,
          `An authority of that name was given, but its key did not sign: ${name}`,
        )
      : words(`発行した認証局の証明書が指定されていません: ${name}`, `The issuing authority was not given: ${name}`),
  tooLong: words("証明書の連なりが長すぎます。", "The chain of certificates is too long."),
  validityOk: (at: Words, until: Words) =>
    words(`${at.ja}の時点で有効期間内です（${until.ja}まで）。`, `Within its validity at ${at.en} (until ${until.en}).`),
  expired: (name: string, end: Words, at: Words) =>
    words(`${end.ja}で期限が切れています（判定時刻 ${at.ja}）: ${name}`, `Expired at ${end.en} (judged at ${at.en}): ${name}`),
  notYetValid: (name: string, start: Words, at: Words) =>
    words(
      `${start.ja}までは有効ではありません（判定時刻 ${at.ja}）: ${name}`,
      `Not valid before ${start.en} (judged at ${at.en}): ${name}`,
    ),
  authorityOk: words("認証局の証明書は証明書を発行できるものです。", "The authority's certificate may issue certificates."),
  authorityBad: (why: string) =>
    words(`認証局の証明書が発行用ではありません: ${why}`, `The authority's certificate may not issue this: ${why}`),
  criticalOk: words("理解できない重要拡張はありません。", "There is no critical extension that is not understood."),
  criticalBad: (oids: string) =>
    words(`理解できない重要拡張があります: ${oids}`, `There are critical extensions that are not understood: ${oids}`),
  keyUsageOk: (uses: string) => words(`鍵の用途が合っています（${uses}）。`, `The key may be used for this (${uses}).`),
  keyUsageBad: (uses: string) => words(`この用途の鍵ではありません（${uses}）。`, `The key is not for this use (${uses}).`),
  policyOk: (oid: string) => words(`証明書ポリシーが合っています（${oid}）。`, `The certificate policy is an expected one (${oid}).`),
  policyBad: (oids: string) =>
    words(`証明書ポリシーが想定と違います（${oids}）。`, `The certificate policy is not an expected one (${oids}).`),
  purposeWaived: words(
    "呼び出し側の指定により、用途とポリシーは問いません。",
    "By the caller's choice, key use and policy are not asked for.",
  ),
  revocationNotChecked: words(
    "失効していないかは、呼び出し側の指定により確認していません。",
    "Whether it was revoked was not checked, by the caller's choice.",
  ),
  revocationMissing: words(
    "失効していないかを確認できません。公的個人認証の失効情報は、法律で認められた検証者だけが利用できます。",
    "Whether it was revoked cannot be checked: JPKI's revocation data is only for verifiers approved by law.",
  ),
  skipped: words("前の検査が通らなかったため、確認していません。", "Not checked, because an earlier check did not pass."),
} as const;
