/**
 * The vectors of one project and model in memory, 8 bits a component with a scale each, and the exact best of any selection of them:
 * every allowed vector is compared, so a filter never returns too few and nothing is approximate but the rounding (nDCG@10 on the
 * public sets is the same to three places). The loop is WebAssembly with SIMD (`int8-scores.wat`): about 4 ms for 100,000 of 384.
 */
import { Best, type Scored } from './best.js';
import { int8Scores } from './int8-scores.generated.js';
import type { AllowedChunks } from './text-index.js';

const pageBytes = 65_536;
/** Ordinals and scores of one call lie in the memory's first pages. */
const batch = 16_384;
const ordinalsAt = 16_384;
const scoresAt = ordinalsAt + batch * 4;
const vectorsAt = scoresAt + batch * 4;

interface Scanner {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  scores(query: number, vectors: number, stride: number, ordinals: number, count: number, out: number): void;
}

/** What Node has, and its types leave out. */
const { Module, Instance } = (
  globalThis as unknown as {
    readonly WebAssembly: {
      readonly Module: new (bytes: Uint8Array) => object;
      readonly Instance: new (module: object) => { readonly exports: unknown };
    };
  }
).WebAssembly;
const scannerModule = new Module(Buffer.from(int8Scores, 'base64'));

export class VectorMemory {
  readonly dimensions: number;
  readonly #stride: number;
  readonly #scanner: Scanner;
  /** By ordinal: what a unit is worth; 0: no vector. */
  #scales = new Float32Array(1024);
  /** One more than the highest ordinal ever set. */
  #end = 0;

  constructor(dimensions: number) {
    this.dimensions = dimensions;
    this.#stride = Math.ceil(dimensions / 16) * 16;
    if (this.#stride > ordinalsAt) throw new RangeError(`vectors of ${dimensions} components are not supported`);
    this.#scanner = new Instance(scannerModule).exports as Scanner;
  }

  has(ordinal: number): boolean {
    return (this.#scales[ordinal] ?? 0) > 0;
  }

  set(ordinal: number, vector: Float32Array): void {
    if (vector.length !== this.dimensions)
      throw new RangeError(`a vector of ${vector.length} components among those of ${this.dimensions}`);
    this.#makeRoom(ordinal);
    this.#scales[ordinal] = this.#write(vectorsAt + ordinal * this.#stride, vector);
    this.#end = Math.max(this.#end, ordinal + 1);
  }

  remove(ordinal: number): void {
    if (!this.has(ordinal)) return;
    this.#scales[ordinal] = 0;
    new Int8Array(this.#scanner.memory.buffer, vectorsAt + ordinal * this.#stride, this.#stride).fill(0);
  }

  /** Best first by cosine similarity. */
  search(question: Float32Array, allowed: AllowedChunks, limit: number): Scored[] {
    const scale = this.#write(0, question);
    const best = new Best(limit);
    const { memory } = this.#scanner;
    const places = new Uint32Array(memory.buffer, ordinalsAt, batch);
    const dots = new Int32Array(memory.buffer, scoresAt, batch);
    const scales = this.#scales;
    const { isEverything, rows, rowOf } = allowed;
    const { words } = rows;
    let count = 0;
    const scan = (): void => {
      this.#scanner.scores(0, vectorsAt, this.#stride, ordinalsAt, count, scoresAt);
      let bar = best.bar;
      for (let at = 0; at < count; at += 1) {
        const ordinal = places[at] as number;
        const score = (dots[at] as number) * scale * (scales[ordinal] as number);
        if (score < bar) continue;
        best.offer(ordinal, score);
        bar = best.bar;
      }
      count = 0;
    };
    for (let ordinal = 0; ordinal < this.#end; ordinal += 1) {
      if ((scales[ordinal] as number) === 0) continue;
      if (!isEverything) {
        const row = rowOf[ordinal] as number;
        if (((words[row >>> 5] as number) & (1 << (row & 31))) === 0) continue;
      }
      places[count] = ordinal;
      count += 1;
      if (count === batch) scan();
    }
    scan();
    return best.sorted();
  }

  /** Of chunks that are known already; those without a vector are left out. */
  scoresOf(question: Float32Array, ordinals: readonly number[]): Scored[] {
    const some = ordinals.filter((ordinal) => this.has(ordinal)).slice(0, batch);
    const scale = this.#write(0, question);
    const { memory } = this.#scanner;
    new Uint32Array(memory.buffer, ordinalsAt, batch).set(some);
    this.#scanner.scores(0, vectorsAt, this.#stride, ordinalsAt, some.length, scoresAt);
    const dots = new Int32Array(memory.buffer, scoresAt, some.length);
    return some.map((ordinal, at) => ({ ordinal, score: (dots[at] ?? 0) * scale * (this.#scales[ordinal] ?? 0) }));
  }

  /** Writes a vector as 8-bit integers; returns what a unit is worth. */
  #write(at: number, vector: Float32Array): number {
    let largest = 0;
    for (const component of vector) largest = Math.max(largest, Math.abs(component));
    const unit = largest === 0 ? 1 : largest / 127;
    const target = new Int8Array(this.#scanner.memory.buffer, at, this.#stride);
    target.fill(0);
    for (let place = 0; place < vector.length; place += 1) target[place] = Math.round((vector[place] ?? 0) / unit);
    return unit;
  }

  #makeRoom(ordinal: number): void {
    const wanted = vectorsAt + (ordinal + 1) * this.#stride;
    const { memory } = this.#scanner;
    if (wanted > memory.buffer.byteLength) {
      const half = Math.ceil(memory.buffer.byteLength / 2 / pageBytes);
      memory.grow(Math.max(half, Math.ceil((wanted - memory.buffer.byteLength) / pageBytes)));
    }
    if (ordinal >= this.#scales.length) {
      const larger = new Float32Array(Math.max(ordinal + 1, this.#scales.length * 2));
      larger.set(this.#scales);
      this.#scales = larger;
    }
  }
}
