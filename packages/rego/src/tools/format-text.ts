/** `fmt`: a module's text in the one layout. */
import { type ParseOptions, parseModuleSource } from '../syntax/parser.js';
import { formatModule } from '../syntax/printer.js';

/** Formats and reads the result again, so that nothing unreadable is ever written. Errors: `RegoErrors`. */
export function formatText(name: string, text: string, options: ParseOptions = {}): string {
  const formatted = formatModule(text, { ...options, file: name });
  parseModuleSource(name, formatted, options);
  return formatted;
}
