/** AMQP's topic patterns: words joined by dots, `*` for one word, `#` for any number of them. */

const compiled = new Map<string, RegExp>();

export function isTopicMatch(pattern: string, topic: string): boolean {
  let expression = compiled.get(pattern);
  if (expression === undefined) {
    const words = pattern.split('.').map((word) => {
      if (word === '#') return '(?:\\.[^.]+)*';
      return `\\.${word === '*' ? '[^.]+' : word.replace(/[^A-Za-z0-9_]/g, '\\$&')}`;
    });
    expression = new RegExp(`^${words.join('')}$`);
    if (compiled.size > 1_000) compiled.clear();
    compiled.set(pattern, expression);
  }
  return expression.test(`.${topic}`);
}
