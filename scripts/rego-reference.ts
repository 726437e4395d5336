/** Rego's built-in functions as a page for people and as OPA's capabilities document, both made from the table. */
import { type Builtin, builtins, capabilities, type TypeDecl, WORLDLY_BUILTINS } from '@bailiwick/rego';

/** A type as OPA's documentation writes it. */
function typeText(type: TypeDecl): string {
  switch (type.type) {
    case 'any':
      return type.of === undefined || type.of.length === 0 ? 'any' : `any<${type.of.map(typeText).join(', ')}>`;
    case 'array': {
      const members = [...(type.static ?? []).map(typeText)];
      if (type.static === undefined) return `array[${type.dynamic === undefined ? '' : typeText(type.dynamic)}]`;
      return `array<${members.join(', ')}>${type.dynamic === undefined ? '' : `[${typeText(type.dynamic)}]`}`;
    }
    case 'object': {
      const known = (type.static ?? []).map(({ key, value }) => `${key}: ${typeText(value)}`);
      const rest = type.dynamic;
      const open = rest === undefined ? '' : `[${typeText(rest.key)}: ${typeText(rest.value)}]`;
      return known.length === 0 ? `object${open}` : `object<${known.join(', ')}>${open}`;
    }
    case 'set':
      return `set[${type.of === undefined ? 'any' : typeText(type.of)}]`;
    case 'function':
      return 'function';
    default:
      return type.type;
  }
}

function signature({ name, infix, docs, variadic }: Builtin): string {
  const names = docs.args.map((arg) => arg.name);
  if (variadic !== undefined) names.push('…');
  if (infix !== undefined) {
    const [left = 'x', right = 'y'] = names;
    return `${left} ${infix} ${right}`;
  }
  return `${name}(${names.join(', ')})`;
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function row(builtin: Builtin): string {
  const { name, docs } = builtin;
  const types = docs.args.map((arg) => `\`${arg.name}: ${typeText(arg.type)}\``).join('<br>');
  const result = docs.result === undefined ? '' : `\`${typeText(docs.result.type)}\``;
  const marks = [
    ...(builtin.deprecated ? ['deprecated'] : []),
    ...(builtin.nondeterministic ? ['may differ between calls'] : []),
    ...(builtin.relation ? ['a relation'] : []),
    ...(WORLDLY_BUILTINS.includes(name) ? ['off unless allowed by name'] : []),
  ];
  const about = marks.length === 0 ? docs.description : `${docs.description} *(${marks.join('; ')})*`;
  return `| \`${cell(name)}\` | \`${cell(signature(builtin))}\` | ${cell(types)} | ${cell(result)} | ${cell(about)} |`;
}

const HEADER = '| name | use | arguments | result | what it is |\n|---|---|---|---|---|';

export function builtinsPage(): string {
  const byCategory = new Map<string, Builtin[]>();
  for (const builtin of builtins.values()) {
    const category = builtin.docs.categories[0] ?? 'other';
    byCategory.set(category, [...(byCategory.get(category) ?? []), builtin]);
  }
  const sections = [...byCategory.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([category, entries]) => {
      const rows = entries.sort((a, b) => (a.name < b.name ? -1 : 1)).map(row);
      return `## ${category}\n\n${HEADER}\n${rows.join('\n')}\n`;
    });
  const intro = `Generated from \`packages/rego/src/builtins\`: the ${builtins.size} built-in functions of OPA 1.22. The same table makes\n\`packages/rego/capabilities.json\`, in the form that \`opa check --capabilities\` reads.`;
  return `# Rego’s built-in functions\n\n${intro}\n\n${sections.join('\n')}`;
}

export const capabilitiesDocument = (): string => `${JSON.stringify(capabilities(), null, 2)}\n`;
