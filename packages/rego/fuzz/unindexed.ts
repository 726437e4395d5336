/**
 * Programs that OPA evaluates without its index of comprehensions, which no option leaves out. Of two values for one key of an object
 * comprehension the index takes the later one; without it they are an error, here as in OPA.
 */

/** `[from, to)` of every object comprehension: its brace and after its body. */
function objectComprehensions(text: string): (readonly [number, number])[] {
  const found: [number, number][] = [];
  const open: { readonly at: number; hasKey: boolean; hasBody: boolean }[] = [];
  const tokens = /"(?:[^"\\\n]|\\.)*"|`[^`]*`|:=|[([{}\])|:]/g;
  for (const { 0: token, index } of text.matchAll(tokens)) {
    const inner = open.at(-1);
    if ('([{'.includes(token)) open.push({ at: index, hasKey: false, hasBody: false });
    else if (token === ':' && inner !== undefined && !inner.hasBody) inner.hasKey = true;
    else if (token === '|' && inner !== undefined) inner.hasBody = true;
    else if (')]}'.includes(token)) {
      const closed = open.pop();
      if (token === '}' && closed?.hasKey && closed.hasBody) found.push([closed.at, index]);
    }
  }
  return found;
}

/**
 * The module with each object comprehension reading the variables around it in a closure of its own, for which OPA does not index it.
 * Variables have names of their own throughout a generated module.
 */
export function withoutComprehensionIndex(text: string): string {
  let result = text;
  for (const [from, to] of objectComprehensions(text).sort((a, b) => b[1] - a[1])) {
    const names = (part: string): Set<string> => new Set(part.match(/\b[kvxyz]\d+\b/g));
    const outside = names(`${text.slice(0, from)} ${text.slice(to)}`);
    const around = [...names(text.slice(from, to))].filter((name) => outside.has(name));
    const closures = around.map((name) => `; count([1 | ${name} == ${name}]) == 1`);
    result = `${result.slice(0, to)}${closures.join('')}${result.slice(to)}`;
  }
  return result;
}
