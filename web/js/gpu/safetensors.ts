// A packed part as its bytes arrive: tensors one by one, as f32.

interface Entry {
  name: string;
  dtype: string;
  shape: number[];
  bytes: number;
}

export interface Tensor {
  shape: number[];
  values: Float32Array<ArrayBuffer>;
}

const PREFIX = 8;

/** Calls `use` for each tensor of a file of f32 and f16 (what `scraper model pack` writes). */
export class Tensors {
  private buffer = new Uint8Array(PREFIX);
  private filled = 0;
  private coming: Entry[] | undefined;
  private headerComes = false;

  constructor(private readonly use: (name: string, tensor: Tensor) => void) {}

  push(bytes: Uint8Array): void {
    while (bytes.length > 0) {
      const now = bytes.subarray(0, this.buffer.length - this.filled);
      this.buffer.set(now, this.filled);
      this.filled += now.length;
      bytes = bytes.subarray(now.length);
      if (this.filled === this.buffer.length) this.complete();
    }
  }

  private complete(): void {
    const bytes = this.buffer;
    this.filled = 0;
    if (this.coming) {
      const { name, dtype, shape } = this.coming.shift()!;
      this.use(name, { shape, values: dtype === "F16" ? widened(bytes) : new Float32Array(bytes.buffer) });
    } else if (this.headerComes) {
      this.coming = entries(new TextDecoder().decode(bytes));
    } else {
      this.headerComes = true;
      this.buffer = new Uint8Array(Number(new DataView(bytes.buffer).getBigUint64(0, true)));
      return;
    }
    this.buffer = new Uint8Array(this.coming[0]?.bytes ?? PREFIX);
  }
}

function entries(header: string): Entry[] {
  type Line = { dtype: string; shape: number[]; data_offsets: [number, number] };
  const { __metadata__: _, ...lines } = JSON.parse(header) as Record<string, Line>;
  return Object.entries(lines)
    .sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0])
    .map(([name, { dtype, shape, data_offsets: [start, end] }]) => ({ name, dtype, shape, bytes: end - start }));
}

/** f16 to f32, exactly. */
function widened(bytes: Uint8Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const narrow = new Uint16Array(bytes.buffer);
  const wide = new Float32Array(narrow.length);
  const bits = new Uint32Array(wide.buffer);
  // The exponents' biases differ by 112; a subnormal f16 becomes a normal float.
  narrow.forEach((half, i) => (bits[i] = (half & 0x7fff) << 13));
  for (let i = 0; i < wide.length; i++) wide[i]! *= 2 ** 112;
  narrow.forEach((half, i) => (bits[i]! |= (half & 0x8000) << 16));
  return wide;
}
