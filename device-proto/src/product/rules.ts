import type { Sentence } from "../status.js";

/** What a product definition can break: what is wrong, and what to do. `{placeholders}` are filled from the problem's details. */
export interface ProductRule {
  readonly message: Sentence;
  readonly try: Sentence;
}

const rule = ([ja, en]: readonly [string, string], [tryJa, tryEn]: readonly [string, string]): ProductRule => ({
  message: { ja, en },
  try: { ja: tryJa, en: tryEn },
});

/** Every rule of a product definition, by name. */
export const productRules = {
  "not-json": rule(
    ["製品定義を読めません: {detail}", "The definition cannot be read: {detail}"],
    ["JSON の書き方を確かめてください。", "Mend the JSON at that place."],
  ),
  missing: rule(
    ["この項目がありません。", "This field is missing."],
    ["docs/reference/products.md の例のように書いてください。", "Add it; docs/reference/products.md shows every field."],
  ),
  unknown: rule(
    ["知らない項目です。", "No field has this name."],
    ["綴りを確かめるか、取り除いてください。", "Check the spelling, or take it away."],
  ),
  type: rule(
    ["{expected} でなければなりません。", "It must be {expected}."],
    ["docs/reference/products.md の例のように書いてください。", "Write it as docs/reference/products.md shows."],
  ),
  schema: rule(
    ["この形式の版は知られていません: {found}", "This shape of definition is not known: {found}"],
    ['"schema": 1 と書いてください。', 'Write "schema": 1.'],
  ),
  name: rule(
    [
      "1〜{max} 文字（UTF-16）で、制御文字や前後の空白を含まないこと。",
      "It must have 1 to {max} UTF-16 units, no control characters, no blank at either end.",
    ],
    ["名前を直してください。", "Shorten or mend the name."],
  ),
  "display-name": rule(
    [
      "画面に出す名前は ASCII で、16 文字ずつ 2 行に収まること: {name}",
      "The display shows it: printable ASCII that breaks at a blank into two rows of 16: {name}",
    ],
    ["短くするか、16 文字までのところに空白を入れてください。", "Shorten it, or put a blank within the first 17 characters."],
  ),
  version: rule(
    ["版は 255.255.65535 までの「数.数.数」です: {found}", "A version is three numbers up to 255.255.65535: {found}"],
    ["例: 1.0.0", "For example 1.0.0."],
  ),
  "hex-id": rule(
    ["16 進 4 桁で、0000 と ffff 以外であること: {found}", "It must be four hex digits, and not 0000 or ffff: {found}"],
    ["USB-IF か pid.codes で得た番号を書いてください。", "Write the id that USB-IF or pid.codes gave you."],
  ),
  bcd: rule(
    ["10 進 4 桁でなければなりません: {found}", "It must be four decimal digits (binary coded decimal): {found}"],
    ["例: 1.2.3 は 0123", "For example 0123 for 1.2.3."],
  ),
  "product-id": rule(
    ["16 進 32 桁で、すべて同じ数字でないこと。", "It must be 32 hex digits, and not one digit throughout."],
    ["openssl rand -hex 16 で一度だけ作ってください。", "Draw it once: openssl rand -hex 16"],
  ),
  "borrowed-product-id": rule(
    ["見本の製品のものです。別の製品の更新を受け入れてしまいます。", "It is the reference product's: your reader would take its updates."],
    ["openssl rand -hex 16 で自分の番号を作ってください。", "Draw your own: openssl rand -hex 16"],
  ),
  choice: rule(
    ["次のどれかでなければなりません: {choices}", "It must be one of {choices}."],
    ["どれか一つを書いてください。", "Write one of them."],
  ),
  "too-many": rule(
    ["{max} 個までです: {found}", "At most {max} are possible: {found}"],
    ["使わないものを取り除いてください。", "Take away what is not used."],
  ),
  "public-key": rule(
    ["P-256 の公開鍵（04 X Y、16 進 130 桁）ではありません。", "It is no P-256 public key (04 X Y, 130 hex digits, a point of the curve)."],
    [
      "openssl ec -pubin -text で表示される 65 バイトを書いてください。秘密鍵は書かないでください。",
      "Write the 65 bytes that openssl ec -pubin -text shows. Never a private key.",
    ],
  ),
  twice: rule(["同じものがもう一つあります: {found}", "It is there twice: {found}"], ["片方を取り除いてください。", "Take one away."]),
  keypad: rule(
    ["キーは 4×4 で、{keys} を一つずつ並べること。", "The pad has 4 rows of 4 keys, each of these once: {keys}"],
    ["足りないキー、重なったキーを直してください: {found}", "Mend what is missing or double: {found}"],
  ),
  text: rule(["この名前の文はありません。", "The display has no text of this name."], ["名前の一覧: {names}", "The names: {names}"]),
  "text-places": rule(
    ["数の入る場所 は見本と同じでなければなりません: {wanted}", "Its places for numbers must be the reference's: {wanted}"],
    ["見本の文: {reference}", "The reference's text: {reference}"],
  ),
  "text-width": rule(
    ["幅が {width} ピクセルで、1 行（{max}）に収まりません。", "It is {width} pixels wide; a row has {max}."],
    ["かな漢字は 16、ASCII は 8 ピクセルです。短くしてください。", "Shorten it: a Japanese character takes 16, an ASCII one 8."],
  ),
  glyph: rule(
    ["字形がありません: {characters}", "There is no glyph for {characters}"],
    ['"glyphs" に GNU Unifont の 16×16 の字形を加えてください。', 'Add it under "glyphs" (16 x 16, GNU Unifont\'s form).'],
  ),
  "glyph-form": rule(
    ["字形は ASCII 以外の 1 文字と 16 進 64 桁です。", "A glyph is one printable character outside ASCII, and 64 hex digits."],
    ["unifont_jp.hex の行をそのまま使ってください。", "Take its line of unifont_jp.hex."],
  ),
} as const satisfies Record<string, ProductRule>;

/** Name of a rule of {@link productRules}. */
export type ProductRuleName = keyof typeof productRules;
