import { describe, expect, it } from 'vitest';
import { parseApisixFile } from './apisix-file.js';
import type { GatewayFileError } from './file-lines.js';
import { plugins } from './plugins/index.js';

const parse = (text: string, variables: Record<string, string> = {}) =>
  parseApisixFile(text, 'apisix.yaml', variables, plugins);
const upstream = '    upstream:\n      nodes: [{host: 127.0.0.1, port: 80, weight: 1}]\n';

/** The faults a text has, as `line: message`. */
function faultsOf(text: string): readonly string[] {
  try {
    parse(text);
    return [];
  } catch (error) {
    return (error as GatewayFileError).faults.map((fault) => `${fault.line}: ${fault.message}`);
  }
}

describe('apisix.yaml', () => {
  it('is read with its variables and their defaults, numbers included', () => {
    const file = parse(
      'routes:\n  - id: a\n    uri: /a\n    upstream:\n      nodes: [{host: "${{HOST}}", port: "${{PORT:=81}}", weight: 1}]\n#END\n',
      { HOST: 'h' },
    );
    expect(file.routes[0]?.upstream?.nodes).toEqual([{ host: 'h', port: 81, weight: 1 }]);
  });

  it.each([
    [
      'no #END',
      `routes:\n  - id: a\n    uri: /a\n${upstream}`,
      '0: the last line must be #END; without it the file may be half written',
    ],
    ['broken YAML', 'routes:\n  - id: [\n#END\n', 'Flow sequence'],
    [
      'a plugin that is not supported',
      `routes:\n  - id: a\n    uri: /a\n    plugins:\n      request-id: {}\n      lua-magic: {}\n${upstream}#END\n`,
      "6: the plugin 'lua-magic' is not supported",
    ],
    [
      'a field that is not supported',
      `routes:\n  - id: a\n    uri: /a\n    script: x\n${upstream}#END\n`,
      "4: routes.0 has 'script', which this gateway does not support",
    ],
    [
      'a plugin field that is not supported',
      `routes:\n  - id: a\n    uri: /a\n    plugins:\n      request-id:\n        nonsense: 1\n${upstream}#END\n`,
      "6: plugin request-id: request-id has 'nonsense'",
    ],
    [
      'an upstream that is not there',
      'routes:\n  - id: a\n    uri: /a\n    upstream_id: nowhere\n#END\n',
      "4: there is no upstream 'nowhere'",
    ],
    [
      'the same id twice',
      `routes:\n  - id: a\n    uri: /a\n${upstream}  - id: a\n    uri: /b\n${upstream}#END\n`,
      "6: the route id 'a' stands twice",
    ],
    [
      'a variable that is not set',
      `routes:\n  - id: a\n    uri: "/\${{MISSING}}"\n${upstream}#END\n`,
      '3: the environment variable MISSING is not set and has no default',
    ],
    ['neither uri nor uris', `routes:\n  - id: a\n${upstream}#END\n`, "2: route 'a' needs either uri or uris"],
  ])('with %s is refused, and the line is named', (_what, text, expected) => {
    expect(faultsOf(text).join('\n')).toContain(expected);
  });

  it('reports every fault at once', () => {
    expect(faultsOf(`routes:\n  - id: a\n    uri: /a\n    x: 1\n    y: 2\n${upstream}#END\n`)).toHaveLength(2);
  });
});
