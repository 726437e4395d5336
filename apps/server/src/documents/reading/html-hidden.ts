/** Which elements of a page people do not see: by tag, attribute, inline style, and the plain rules of its own style sheets. */
import type { DefaultTreeAdapterTypes } from 'parse5';

type Element = DefaultTreeAdapterTypes.Element;

/** Never text for people; with what the notes call it. */
const droppedTags: Readonly<Record<string, string>> = {
  script: 'scripts',
  style: 'style sheets',
  template: 'templates',
  noscript: 'noscript elements',
  iframe: 'embedded pages and objects',
  object: 'embedded pages and objects',
  embed: 'embedded pages and objects',
  applet: 'embedded pages and objects',
  frameset: 'embedded pages and objects',
  noframes: 'noscript elements',
  noembed: 'noscript elements',
  svg: 'drawings',
  canvas: 'drawings',
  audio: 'sound and video',
  video: 'sound and video',
  nav: 'navigation',
  select: 'form fields',
  datalist: 'form fields',
  textarea: 'form fields',
  input: 'form fields',
};
const quietlyDropped = new Set(['head', 'meta', 'link', 'base', 'title', 'param', 'source', 'track', 'area']);

export const attributeOf = (element: Element, name: string): string | undefined =>
  element.attrs.find((attribute) => attribute.name === name)?.value;

/** Declarations of one style, names and values in lower case, later ones winning. */
function declarations(style: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const part of style
    .toLowerCase()
    .replace(/\/\*[\s\S]*?(?:\*\/|$)/g, '')
    .split(';')) {
    const colon = part.indexOf(':');
    if (colon < 0) continue;
    found.set(
      part.slice(0, colon).trim(),
      part
        .slice(colon + 1)
        .replace('!important', '')
        .trim(),
    );
  }
  return found;
}

/** `#fff`, `white` and `rgb(255, 255, 255)` are one colour. */
function colour(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const word = { white: '#ffffff', black: '#000000' }[value];
  if (word) return word;
  const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/.exec(value);
  if (short)
    return `#${short
      .slice(1)
      .map((digit) => digit + digit)
      .join('')}`;
  const rgb = /^rgba?\(\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)\s*\)$/.exec(value);
  if (rgb)
    return `#${rgb
      .slice(1)
      .map((part) => Number(part).toString(16).padStart(2, '0'))
      .join('')}`;
  return value;
}

const isFarAway = (value: string | undefined): boolean =>
  /^-\d{3,}(?:\.\d+)?(?:px|pt|em|rem|vw|vh|%)?$/.test(value ?? '');
const isNothing = (value: string | undefined): boolean => /^[+-]?0*\.?0*(?:px|pt|em|rem|ex|%)?$/.test(value ?? 'x');

/** Whether a style makes its element invisible, whatever is around it. */
export function isHidingStyle(style: string): boolean {
  const of = declarations(style);
  const size = /^([\d.]+)(?:px|pt)$/.exec(of.get('font-size') ?? '');
  const background = of.get('background-color') ?? of.get('background')?.split(/\s+(?![^(]*\))/)[0];
  const text = colour(of.get('color'));
  return (
    of.get('display') === 'none' ||
    /^(?:hidden|collapse)$/.test(of.get('visibility') ?? '') ||
    of.get('content-visibility') === 'hidden' ||
    isNothing(of.get('opacity')) ||
    isNothing(of.get('font-size')) ||
    (size !== null && Number(size[1]) < 2) ||
    text === 'transparent' ||
    /^rgba\([^)]*,\s*0*\.?0+\)$/.test(text ?? '') ||
    (text !== undefined && text === colour(background)) ||
    isFarAway(of.get('text-indent')) ||
    (/^(?:absolute|fixed)$/.test(of.get('position') ?? '') &&
      ['left', 'top', 'right', 'bottom'].some((side) => isFarAway(of.get(side)))) ||
    ((isNothing(of.get('width')) || isNothing(of.get('height'))) && of.get('overflow') === 'hidden') ||
    /scale\(\s*0/.test(of.get('transform') ?? '')
  );
}

/**
 * The selectors of a style sheet that hide: `.name`, `#name`, `tag` and `tag.name`. Others, and whatever stands inside `@media` and the like,
 * depend on more than the element and are left alone.
 */
export function hidingSelectors(sheet: string): Set<string> {
  const hiding = new Set<string>();
  const plain = sheet.replace(/\/\*[\s\S]*?(?:\*\/|$)/g, '').replace(/<!--|-->/g, '');
  let depth = 0;
  let from = 0;
  let selector = '';
  for (let index = 0; index < plain.length; index++) {
    const char = plain[index];
    if (char === '{') {
      if (depth === 0) selector = plain.slice(from, index).trim();
      depth++;
      from = index + 1;
    } else if (char === '}') {
      depth = Math.max(0, depth - 1);
      if (depth === 0 && !selector.startsWith('@') && isHidingStyle(plain.slice(from, index)))
        for (const one of selector.split(','))
          if (/^[a-z0-9]*(?:[.#][\w-]+)?$/i.test(one.trim()) && one.trim() !== '') hiding.add(one.trim());
      from = index + 1;
    } else if (char === ';' && depth === 0) from = index + 1;
  }
  return hiding;
}

function isHiddenByRule(element: Element, selectors: ReadonlySet<string>): boolean {
  if (selectors.size === 0) return false;
  const tag = element.tagName;
  const id = attributeOf(element, 'id');
  const names = [
    tag,
    ...(id ? [`#${id}`, `${tag}#${id}`] : []),
    ...(attributeOf(element, 'class') ?? '').split(/\s+/).flatMap((name) => [`.${name}`, `${tag}.${name}`]),
  ];
  return names.some((name) => selectors.has(name));
}

const white = '#ffffff';

/** White text with no ground named for it or around it: a page is white where nothing is said. A class may say anything. */
function isWhiteOnPage(element: Element): boolean {
  const style = declarations(attributeOf(element, 'style') ?? '');
  const own = element.tagName === 'font' ? attributeOf(element, 'color')?.toLowerCase() : undefined;
  if (colour(style.get('color') ?? own) !== white) return false;
  for (let at: Element | null = element; at; at = at.parentNode && 'attrs' in at.parentNode ? at.parentNode : null) {
    const around = declarations(attributeOf(at, 'style') ?? '');
    const ground = colour(
      around.get('background-color') ?? around.get('background') ?? attributeOf(at, 'bgcolor')?.toLowerCase(),
    );
    if (ground !== undefined) return ground === white;
    if (attributeOf(at, 'class') !== undefined || attributeOf(at, 'id') !== undefined) return false;
  }
  return true;
}

/** What the notes call it, `''` for what is not worth a note; undefined: it is seen. */
export function hiddenAs(element: Element, selectors: ReadonlySet<string>): string | undefined {
  const { tagName } = element;
  if (quietlyDropped.has(tagName)) return '';
  const dropped = droppedTags[tagName];
  if (dropped !== undefined) return dropped;
  const hidden = attributeOf(element, 'hidden');
  const style = attributeOf(element, 'style');
  const isHidden =
    (hidden !== undefined && hidden !== 'until-found') ||
    attributeOf(element, 'aria-hidden')?.toLowerCase() === 'true' ||
    (tagName === 'dialog' && attributeOf(element, 'open') === undefined) ||
    (style !== undefined && isHidingStyle(style)) ||
    ((style !== undefined || tagName === 'font') && isWhiteOnPage(element)) ||
    isHiddenByRule(element, selectors);
  return isHidden ? 'hidden elements' : undefined;
}
