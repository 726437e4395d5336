/**
 * What PDF.js 5.6 asks of the runtime and Node 20 does not have yet; unpdf's build brings the rest itself. Without the first, fonts fail and
 * their text is lost in silence. Each is set only where it is missing, in a reading process, where nothing else runs.
 */

interface Missing {
  readonly owner: object;
  readonly name: string;
  readonly value: (...given: never[]) => unknown;
}

const missing: readonly Missing[] = [
  {
    owner: ArrayBuffer.prototype,
    name: 'transferToFixedLength',
    // Detaching the old one is left out: PDF.js drops it at once.
    value(this: ArrayBuffer, length: number = this.byteLength): ArrayBuffer {
      return this.slice(0, length);
    },
  },
  {
    owner: URL,
    name: 'parse',
    value: (url: string, base?: string): URL | null => (URL.canParse(url, base) ? new URL(url, base) : null),
  },
];

for (const { owner, name, value } of missing)
  if (!(name in owner)) Object.defineProperty(owner, name, { value, writable: true, configurable: true });
