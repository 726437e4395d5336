/** What a text could be meant to say: without accents, look-alike letters and invisible characters, and decoded where it hides text. */

/** Cyrillic and Greek letters that look like Latin ones, and digits that stand for letters. */
const lookAlikes: Readonly<Record<string, string>> = Object.fromEntries(
  [...'аaеeоoрpсcуyхxіiјjѕsԁdԛqԝwһhνvοoαaιiκkρpτtυu'].flatMap((character, index, all) =>
    index % 2 === 0 ? [[character, all[index + 1] ?? '']] : [],
  ),
);
const leet: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '@': 'a',
  $: 's',
  '!': 'i',
};

/** Longer texts are not decoded: an attack that must be long is not hidden by being short of room. In characters. */
const maxEncoded = 20_000;

/** The text itself in its plain form first; others only where the text looks like it. Lower case throughout. */
export function plainForms(text: string): readonly string[] {
  const plain = plainForm(text);
  const forms = [plain];
  const add = (form: string | undefined): void => {
    if (form !== undefined && !forms.includes(form)) forms.push(form);
  };
  if (/[а-яͰ-Ͽ]/.test(plain) && /[a-z]/.test(plain)) add(plain.replace(/[Ͱ-ӿԀ-ԯ]/g, (one) => lookAlikes[one] ?? one));
  if (/[a-z][013457@$!][a-z]|\b[013457@$!][a-z]/.test(plain))
    add(plain.replace(/[013457@$!]/g, (one) => leet[one] ?? one));
  const lower = text.toLowerCase();
  if (/(?:\b[a-z][ .*_-]){5}/.test(lower)) add(joinedLetters(lower));
  for (const decoded of decodings(text)) add(plainForm(decoded));
  return forms;
}

function plainForm(text: string): string {
  return (
    text
      .normalize('NFKD')
      // Accents are ornaments on Latin letters; elsewhere they make another letter.
      .replace(/([A-Za-z])\p{Mn}+/gu, '$1')
      // Zero-width and direction characters, soft hyphens, tags.
      .replace(/[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]|[\u{e0000}-\u{e007f}]/gu, tagLetter)
      .normalize('NFC')
      .toLowerCase()
      .replace(/\s+/g, ' ')
  );
}

/** The invisible tag characters spell out ASCII. */
const tagLetter = (character: string): string => {
  const code = character.codePointAt(0) ?? 0;
  return code >= 0xe0020 && code < 0xe007f ? String.fromCharCode(code - 0xe0000) : '';
};

/** `i g n o r e`: one separator between letters falls, more of them part words. */
const joinedLetters = (text: string): string =>
  text.replace(/\b([a-z])[ .*_-](?=[a-z]\b)/g, '$1').replace(/ {2,}/g, ' ');

function* decodings(text: string): Generator<string> {
  for (const [found] of text.slice(0, maxEncoded).matchAll(/[A-Za-z0-9+/_-]{16,}={0,2}/g)) {
    const decoded = Buffer.from(found, 'base64').toString('utf8');
    if (isReadable(decoded)) yield decoded;
  }
  for (const [found] of text.slice(0, maxEncoded).matchAll(/(?:[0-9a-fA-F]{2}[ :]?){12,}/g)) {
    const decoded = Buffer.from(found.replace(/[^0-9a-fA-F]/g, ''), 'hex').toString('utf8');
    if (isReadable(decoded)) yield decoded;
  }
  if (/%[0-9a-fA-F]{2}/.test(text))
    yield text
      .slice(0, maxEncoded)
      .replace(/%([0-9a-fA-F]{2})/g, (_one, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
  if (/&#x?[0-9a-fA-F]+;/.test(text))
    yield text.slice(0, maxEncoded).replace(/&#(x?)([0-9a-fA-F]+);/g, (_one, isHex: string, code: string) => {
      const point = Number.parseInt(code, isHex === '' ? 10 : 16);
      return point <= 0x10ffff ? String.fromCodePoint(point) : '';
    });
  if (/\\u[0-9a-fA-F]{4}/.test(text))
    yield text
      .slice(0, maxEncoded)
      .replace(/\\u([0-9a-fA-F]{4})/g, (_one, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
  if (/[a-zA-Z]{4}/.test(text) && text.length <= 2_000) {
    const turned = text.replace(/[a-z]/gi, (one) =>
      String.fromCharCode(one.charCodeAt(0) + (one.toLowerCase() < 'n' ? 13 : -13)),
    );
    for (const form of [turned, [...text].reverse().join('')]) if (everyday.test(form)) yield form;
  }
}

/** Words of which a text in a western language has one: an ordinary text that is turned or reversed has none, and need not be looked at. */
const everyday =
  /\b(?:the|you|your|all|me|my|this|that|now|system|prompts?|rules?|instructions?|previous|mode|print|show|der|die|das|und|mir|les|vos|tes|que|los|las|tus|le|gli)\b/i;

/** Mostly letters and spaces: what is no text decodes to anything. */
const isReadable = (text: string): boolean =>
  text.length >= 8 && (text.match(/[\p{L}\p{N}\s.,:;!?'"-]/gu)?.length ?? 0) / text.length > 0.9;
