/** Server-sent events read from pieces of text, as the HTML standard says (section 9.2.6); `retry` is not used. */
export interface Frame {
  /** `message` when the sender named none. */
  readonly event: string;
  readonly id: string | undefined;
  readonly data: string;
}

/** A frame longer than this is not waited for: 64 Mi characters. */
const maxFrameChars = 64 * 1024 * 1024;

export class FrameReader {
  #rest = '';
  #wasCarriageReturn = false;
  #event = '';
  #id: string | undefined;
  #data: string[] = [];
  #chars = 0;

  /** The frames that are complete with this piece. Throws when one grows out of bounds. */
  push(piece: string): Frame[] {
    const frames: Frame[] = [];
    // A line may end in CR LF with the piece's border between them.
    const text = this.#wasCarriageReturn && piece.startsWith('\n') ? piece.slice(1) : piece;
    if (piece !== '') this.#wasCarriageReturn = piece.endsWith('\r');
    let from = 0;
    for (const { index, 0: end } of text.matchAll(/\r\n|\r|\n/g)) {
      this.#line(this.#rest + text.slice(from, index), frames);
      this.#rest = '';
      from = index + end.length;
    }
    this.#rest += text.slice(from);
    this.#chars += text.length;
    if (frames.length > 0) this.#chars = 0;
    if (this.#chars > maxFrameChars) throw new Error(`a frame is longer than ${maxFrameChars} characters`);
    return frames;
  }

  #line(line: string, frames: Frame[]): void {
    if (line === '') {
      if (this.#data.length > 0)
        frames.push({
          event: this.#event === '' ? 'message' : this.#event,
          id: this.#id,
          data: this.#data.join('\n'),
        });
      this.#event = '';
      this.#id = undefined;
      this.#data = [];
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (name === 'event') this.#event = value;
    else if (name === 'data') this.#data.push(value);
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
  }
}
