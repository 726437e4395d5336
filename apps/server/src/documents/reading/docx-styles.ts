/** The styles of a DOCX: which are headings, which hide their text, which belong to lists. Styles inherit from others. */
import type { OfficePackage } from './office-package.js';
import { attributeOf, isOn } from './xml-events.js';

interface OwnStyle {
  name: string;
  basedOn?: string;
  /** 0 is the outermost; 9 is body text. */
  outlineLevel?: number;
  isHidden?: boolean;
  isList?: boolean;
}

export interface DocxStyle {
  /** From 1; undefined for what is no heading. */
  readonly headingLevel: number | undefined;
  readonly isTitle: boolean;
  readonly isHidden: boolean;
  readonly isList: boolean;
}

const plain: DocxStyle = { headingLevel: undefined, isTitle: false, isHidden: false, isList: false };
const maxInheritance = 30;

function resolve(styles: ReadonlyMap<string, OwnStyle>, id: string): DocxStyle {
  const own = styles.get(id);
  let level: number | undefined;
  let isHidden: boolean | undefined;
  let isList: boolean | undefined;
  let at: OwnStyle | undefined = own;
  for (let step = 0; at && step < maxInheritance; step++) {
    const named = /^heading ([1-9])$/i.exec(at.name)?.[1];
    level ??= at.outlineLevel ?? (named === undefined ? undefined : Number(named) - 1);
    isHidden ??= at.isHidden;
    isList ??= at.isList;
    at = at.basedOn === undefined ? undefined : styles.get(at.basedOn);
  }
  const isTitle = /^title$/i.test(own?.name ?? '');
  return {
    headingLevel: isTitle ? 1 : level !== undefined && level < 9 ? level + 1 : undefined,
    isTitle,
    isHidden: isHidden ?? false,
    isList: isList ?? false,
  };
}

/** A function from a style's id to what it means; a heading's usual id counts where the file has no styles. */
export async function readDocxStyles(
  pack: OfficePackage,
  part: string | undefined,
): Promise<(id: string) => DocxStyle> {
  const styles = new Map<string, OwnStyle>();
  let current: OwnStyle | undefined;
  if (part !== undefined)
    await pack.read(part, {
      open(name, attributes, parent) {
        const value = attributeOf(attributes, 'val');
        if (name === 'style') {
          current = { name: '' };
          styles.set(attributeOf(attributes, 'styleId') ?? '', current);
        } else if (!current) return;
        else if (name === 'name' && parent === 'style') current.name = value ?? '';
        else if (name === 'basedOn' && value !== undefined) current.basedOn = value;
        else if (name === 'outlineLvl') current.outlineLevel = Number(value);
        else if (name === 'vanish' && parent === 'rPr') current.isHidden = isOn(value);
        else if (name === 'numPr') current.isList = true;
      },
      close(name) {
        if (name === 'style') current = undefined;
      },
    });
  const resolved = new Map<string, DocxStyle>();
  return (id) => {
    let style = resolved.get(id);
    if (!style) {
      const usual = /^Heading([1-9])$/.exec(id)?.[1];
      if (styles.has(id)) style = resolve(styles, id);
      else style = usual === undefined ? plain : { ...plain, headingLevel: Number(usual) };
      resolved.set(id, style);
    }
    return style;
  };
}
