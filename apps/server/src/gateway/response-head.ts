/**
 * A response's status and headers on their way to the client, as header filters see and change them. Names keep the case in which they
 * came; look-ups ignore it. Kept as one flat list, because that is what arrives and what Node sends: nothing is rebuilt in between.
 */
export class ResponseHead {
  status: number;
  /** name, value, name, value … */
  readonly raw: string[];

  constructor(status: number, raw: string[]) {
    this.status = status;
    this.raw = raw;
  }

  /** The first value; names are compared without case. */
  get(name: string): string | undefined {
    const at = this.#find(name, 0);
    return at < 0 ? undefined : this.raw[at + 1];
  }

  has(name: string): boolean {
    return this.#find(name, 0) >= 0;
  }

  /** One value, whatever stood there. */
  set(name: string, value: string): void {
    const at = this.#find(name, 0);
    if (at < 0) {
      this.raw.push(name, value);
      return;
    }
    this.raw[at + 1] = value;
    this.#removeFrom(name, at + 2);
  }

  add(name: string, value: string): void {
    this.raw.push(name, value);
  }

  remove(name: string): void {
    this.#removeFrom(name, 0);
  }

  /** With lower-case names; a header that comes twice is joined with `, `. */
  toObject(): Record<string, string> {
    const result: Record<string, string> = {};
    for (let at = 0; at < this.raw.length; at += 2) {
      const name = (this.raw[at] ?? '').toLowerCase();
      const value = this.raw[at + 1] ?? '';
      result[name] = result[name] === undefined ? value : `${result[name]}, ${value}`;
    }
    return result;
  }

  #find(name: string, from: number): number {
    const { raw } = this;
    for (let at = from; at < raw.length; at += 2) {
      const candidate = raw[at] ?? '';
      if (candidate.length === name.length && (candidate === name || candidate.toLowerCase() === name.toLowerCase()))
        return at;
    }
    return -1;
  }

  #removeFrom(name: string, from: number): void {
    for (let at = this.#find(name, from); at >= 0; at = this.#find(name, at)) this.raw.splice(at, 2);
  }
}
