/**
 * HTML, and Markdown by way of it: parse5's tree (what a browser would build, scripts never run), walked once. Hidden elements are left out
 * (`html-hidden.ts`). Depth is bounded while parsing, so the walk may recurse.
 */
import { type DefaultTreeAdapterTypes, defaultTreeAdapter, parse, type TreeAdapter } from 'parse5';
import type { DocumentBuilder } from './document-builder.js';
import { hiddenAs, hidingSelectors } from './html-hidden.js';

type Node = DefaultTreeAdapterTypes.Node;
type Element = DefaultTreeAdapterTypes.Element;

const inlineTags = new Set(
  'a abbr acronym b bdi bdo big button cite code data del dfn em font i img ins kbd label mark meter output picture progress q rp rt ruby s samp small span strike strong sub sup time tt u var wbr'.split(
    ' ',
  ),
);
const structureTags = new Set(['table', 'pre', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6']);
/** Line ends of the source mean nothing in HTML; those of `<br>` do, and are kept apart until the end. */
const hardBreak = '\u0001';

const isElement = (node: Node): node is Element => 'tagName' in node;
const childrenOf = (node: Node): readonly Node[] => ('childNodes' in node ? node.childNodes : []);
const collapse = (text: string): string =>
  text
    .replace(/[ \t\n\f\r]+/g, ' ')
    .replaceAll(hardBreak, '\n')
    .replace(/ *\n */g, '\n')
    .trim();

class HtmlWalk {
  readonly #builder: DocumentBuilder;
  readonly #selectors: ReadonlySet<string>;
  #inline: string[] = [];

  constructor(builder: DocumentBuilder, selectors: ReadonlySet<string>) {
    this.#builder = builder;
    this.#selectors = selectors;
  }

  /** Blocks of everything below the node, in order. */
  blocks(node: Node): void {
    for (const child of childrenOf(node)) {
      if (child.nodeName === '#comment') this.#builder.leftOut('comments');
      else if (child.nodeName === '#text')
        this.#inline.push((child as DefaultTreeAdapterTypes.TextNode).value.replaceAll(hardBreak, ''));
      else if (isElement(child) && this.#isSeen(child)) this.#element(child);
    }
  }

  flush(): void {
    const text = collapse(this.#inline.join(''));
    this.#inline = [];
    if (text !== '') this.#builder.add('paragraph', text);
  }

  #element(element: Element): void {
    const { tagName } = element;
    if (tagName === 'br') this.#inline.push(hardBreak);
    else if (inlineTags.has(tagName) && !this.#has(element, structureTags)) this.blocks(element);
    else {
      this.flush();
      this.#block(element);
      this.flush();
    }
  }

  #block(element: Element): void {
    const { tagName } = element;
    if (/^h[1-6]$/.test(tagName)) this.#builder.addHeading(this.#textOf(element), Number(tagName[1]));
    else if (tagName === 'pre') this.#builder.add('code', this.#textOf(element, true));
    else if (tagName === 'table' && this.#isData(element)) this.#table(element);
    else if ((tagName === 'ul' || tagName === 'ol') && !this.#has(element, structureTags))
      this.#builder.add('list', this.#listLines(element, '').join('\n'));
    else this.blocks(element);
  }

  #isSeen(element: Element): boolean {
    const hidden = hiddenAs(element, this.#selectors);
    if (hidden === undefined) return true;
    if (hidden !== '') this.#builder.leftOut(hidden);
    return false;
  }

  /** Whether a tag of the set is somewhere below. */
  #has(node: Node, tags: ReadonlySet<string>): boolean {
    return childrenOf(node).some((child) => isElement(child) && (tags.has(child.tagName) || this.#has(child, tags)));
  }

  /** A table for the page's layout has headings, lists or tables inside its cells. */
  #isData(table: Element): boolean {
    return !this.#has(table, new Set([...structureTags, 'ul', 'ol'].filter((tag) => tag !== 'pre')));
  }

  #textOf(node: Node, isPre = false): string {
    const parts: string[] = [];
    const visit = (one: Node): void => {
      for (const child of childrenOf(one)) {
        if (child.nodeName === '#text')
          parts.push((child as DefaultTreeAdapterTypes.TextNode).value.replaceAll(hardBreak, ''));
        else if (child.nodeName === '#comment') this.#builder.leftOut('comments');
        else if (isElement(child) && this.#isSeen(child)) {
          if (child.tagName === 'br') parts.push(hardBreak);
          const isApart = !inlineTags.has(child.tagName);
          if (isApart) parts.push(isPre ? '' : ' ');
          visit(child);
          if (isApart) parts.push(isPre ? '' : ' ');
        }
      }
    };
    visit(node);
    return isPre ? parts.join('').replaceAll(hardBreak, '\n') : collapse(parts.join(''));
  }

  #listLines(list: Element, indent: string): string[] {
    const lines: string[] = [];
    let number = Number(list.attrs.find(({ name }) => name === 'start')?.value ?? 1) || 1;
    for (const item of childrenOf(list)) {
      if (!isElement(item) || !this.#isSeen(item)) continue;
      const own: Node[] = [];
      const nested: Element[] = [];
      for (const child of childrenOf(item)) {
        if (isElement(child) && (child.tagName === 'ul' || child.tagName === 'ol')) nested.push(child);
        else own.push(child);
      }
      const text = this.#textOf({ ...item, childNodes: own } as Element);
      const mark = list.tagName === 'ol' ? `${number++}.` : '-';
      if (text !== '') lines.push(`${indent}${mark} ${text.replaceAll('\n', ' ')}`);
      // Elements between the items are not allowed, but written: their lists count as nested.
      for (const one of item.tagName === 'ul' || item.tagName === 'ol' ? [item] : nested)
        if (one !== item || text === '') lines.push(...this.#listLines(one, `${indent}  `));
    }
    return lines;
  }

  #table(table: Element): void {
    const rows: string[][] = [];
    const visit = (node: Node): void => {
      for (const child of childrenOf(node)) {
        if (!isElement(child) || !this.#isSeen(child)) continue;
        if (child.tagName === 'tr') rows.push(this.#cells(child));
        else if (child.tagName === 'caption') this.#builder.add('paragraph', this.#textOf(child));
        else visit(child);
      }
    };
    visit(table);
    this.#builder.addTable(rows);
  }

  #cells(row: Element): string[] {
    const cells = childrenOf(row).filter((cell): cell is Element => isElement(cell) && this.#isSeen(cell));
    this.#builder.countCells(cells.length);
    return cells.map((cell) => this.#textOf(cell));
  }
}

/** parse5's own tree, refusing depth while it grows: many of its steps walk the stack of open elements. */
function boundedAdapter(builder: DocumentBuilder): TreeAdapter<DefaultTreeAdapterTypes.DefaultTreeAdapterMap> {
  let depth = 0;
  return {
    ...defaultTreeAdapter,
    onItemPush: () => builder.checkDepth(++depth),
    onItemPop: () => {
      depth--;
    },
  };
}

function findAll(node: Node, tagName: string, found: Element[] = []): Element[] {
  for (const child of childrenOf(node)) {
    if (isElement(child) && child.tagName === tagName) found.push(child);
    findAll(child, tagName, found);
  }
  return found;
}

const rawText = (element: Element): string =>
  childrenOf(element)
    .map((child) => (child.nodeName === '#text' ? (child as DefaultTreeAdapterTypes.TextNode).value : ''))
    .join('');

/** Adds a page's blocks and title. Errors: `document.nested_too_deeply` and the builder's. */
export function readHtml(html: string, builder: DocumentBuilder): void {
  const document = parse(html, { scriptingEnabled: true, treeAdapter: boundedAdapter(builder) });
  const head = findAll(document, 'title').find((title) => title.namespaceURI === 'http://www.w3.org/1999/xhtml');
  if (head) builder.setTitle(rawText(head));
  const selectors = new Set(findAll(document, 'style').flatMap((style) => [...hidingSelectors(rawText(style))]));
  const walk = new HtmlWalk(builder, selectors);
  walk.blocks(document);
  walk.flush();
}
