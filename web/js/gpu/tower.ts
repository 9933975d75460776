// The vision tower on the device, for one image at a time: the dispatches of crates/clip-gpu/src/tower/plan.rs.

import { type Call, Gpu } from "./kernels.js";
import { type Tensor, Tensors } from "./safetensors.js";

/** The part of Hugging Face's `config.json` that counts here. */
export interface Config {
  projection_dim: number;
  vision_config: {
    hidden_size: number;
    intermediate_size: number;
    num_hidden_layers: number;
    num_attention_heads: number;
    image_size: number;
    patch_size: number;
    hidden_act: string;
    layer_norm_eps?: number;
  };
}

/** What the shaders have room for. */
const MOST_TOKENS = 768;
const MOST_HEAD_DIM = 128;
/** After a linear layer; the numbers are those of linear.wgsl. */
const STORE = 0;
const QUICK_GELU = 1;
const GELU = 2;
const ADD = 3;

/** What a buffer holds after so many calls. */
interface Point {
  name: string;
  shape: [number, number];
  buffer: GPUBuffer;
  after: number;
}

/** Values after a stage, named as the native program's traces name it. */
export interface StageValues {
  name: string;
  shape: number[];
  values: Float32Array<ArrayBuffer>;
}

const groups = (count: number, perGroup: number): number => Math.ceil(count / perGroup);

export class Tower {
  private readonly tensors = new Tensors((name, tensor) => this.take(name, tensor));
  private readonly weights = new Map<string, GPUBuffer>();
  private readonly calls: Call[] = [];
  private readonly points: Point[] = [];
  private readonly nothing: GPUBuffer;
  private pixels!: GPUBuffer;
  private out!: GPUBuffer;
  private steps!: (pass: GPUComputePassEncoder) => void;

  constructor(
    private readonly gpu: Gpu,
    private readonly config: Config,
  ) {
    this.nothing = gpu.storage(4);
  }

  /** Why the shaders cannot run this shape. */
  static refuses({ projection_dim, vision_config: v }: Config): string | undefined {
    const tokens = (v.image_size / v.patch_size) ** 2 + 1;
    const widths = [projection_dim, v.hidden_size, v.intermediate_size, 3 * v.patch_size ** 2];
    const fits = tokens <= MOST_TOKENS && v.hidden_size / v.num_attention_heads <= MOST_HEAD_DIM;
    return fits && widths.every((width) => width % 4 === 0) ? undefined : "the model has a shape that the shaders cannot run";
  }

  /** The next bytes of the vision part. */
  push(bytes: Uint8Array): void {
    this.tensors.push(bytes);
  }

  /** Matrices are turned from [n][k] to [k][n]. */
  private take(name: string, { shape, values }: Tensor): void {
    const [n = 1] = shape;
    const matrix = shape.length > 1 && !name.includes("position_embedding");
    this.weights.set(name, this.gpu.filled(matrix ? turned(values, n) : values));
  }

  /** All bytes have come. */
  finish(): void {
    const { gpu, config, calls } = this;
    const v = config.vision_config;
    const { hidden_size: d, patch_size: patch, image_size: size, num_attention_heads: heads } = v;
    const grid = Math.floor(size / patch);
    const patches = grid * grid;
    const tokens = patches + 1;
    const width = 3 * patch * patch;
    const inner = gpu.storage(tokens * v.intermediate_size);
    const flat = gpu.storage(3 * size * size);
    const hidden = () => gpu.storage(tokens * d);
    const [normed, q, k, values, context] = [hidden(), hidden(), hidden(), hidden(), hidden()];
    let [x, next] = [hidden(), hidden()];
    this.pixels = gpu.storage(3 * size * size);
    this.out = gpu.storage(config.projection_dim);

    const vision = (name: string) => `vision_model.${name}`;
    calls.push({ kernel: "gather", params: [size, patch, grid], buffers: [this.pixels, flat], groups: [groups(width, 64), patches, 1] });
    this.linear(vision("embeddings.patch_embedding"), flat, [patches, d, width], context);
    calls.push({
      kernel: "embed", params: [tokens, d],
      buffers: [context, this.of(vision("embeddings.class_embedding")), this.of(vision("embeddings.position_embedding.weight")), next],
      groups: [groups(d, 64), tokens, 1],
    });
    const point = (name: string, rows: number, buffer: GPUBuffer) =>
      this.points.push({ name, shape: [rows, d], buffer, after: calls.length });
    this.norm(vision("pre_layrnorm"), next, tokens, x);
    point("embeddings", tokens, x);
    const activation = v.hidden_act === "quick_gelu" ? QUICK_GELU : GELU;
    for (let i = 0; i < v.num_hidden_layers; i++) {
      const block = (name: string) => vision(`encoder.layers.${i}.${name}`);
      // After the last block only the class token is read, which is the first row.
      const kept = i + 1 === v.num_hidden_layers ? 1 : tokens;
      this.norm(block("layer_norm1"), x, tokens, normed);
      this.linear(block("self_attn.k_proj"), normed, [tokens, d, d], k);
      this.linear(block("self_attn.v_proj"), normed, [tokens, d, d], values);
      this.linear(block("self_attn.q_proj"), normed, [kept, d, d], q);
      const scale = { float: 1 / Math.sqrt(d / heads) };
      calls.push({
        kernel: "attention", params: [kept, tokens, heads, d / heads, scale],
        buffers: [q, k, values, context], groups: [groups(kept, 4), heads, 1],
      });
      this.linear(block("self_attn.out_proj"), context, [kept, d, d], next, ADD, x);
      [x, next] = [next, x];
      this.norm(block("layer_norm2"), x, kept, normed);
      this.linear(block("mlp.fc1"), normed, [kept, v.intermediate_size, d], inner, activation);
      this.linear(block("mlp.fc2"), inner, [kept, d, v.intermediate_size], next, ADD, x);
      [x, next] = [next, x];
      point(`block.${i}`, kept, x);
    }
    this.norm(vision("post_layernorm"), x, 1, normed);
    this.linear("visual_projection", normed, [1, config.projection_dim, d], this.out);
    this.steps = gpu.prepare(calls);
  }

  /** Pixel values f32 `[3, size, size]` to the raw vector. */
  embed(pixels: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    this.gpu.write(this.pixels, pixels);
    return this.gpu.run(this.steps, this.out, this.config.projection_dim);
  }

  /** The raw vector, and what each stage before it gives. */
  async trace(pixels: Float32Array): Promise<{ stages: StageValues[]; vector: Float32Array<ArrayBuffer> }> {
    this.gpu.write(this.pixels, pixels);
    const stages: StageValues[] = [];
    let done = 0;
    for (const { name, shape, buffer, after } of this.points) {
      const steps = this.gpu.prepare(this.calls.slice(done, after));
      done = after;
      stages.push({ name, shape, values: await this.gpu.run(steps, buffer, shape[0] * shape[1]) });
    }
    const rest = this.gpu.prepare(this.calls.slice(done));
    return { stages, vector: await this.gpu.run(rest, this.out, this.config.projection_dim) };
  }

  private of(name: string): GPUBuffer {
    const found = this.weights.get(name);
    if (!found) throw new Error(`the vision part has no ${name}`);
    return found;
  }

  private norm(name: string, x: GPUBuffer, rows: number, out: GPUBuffer): void {
    const { hidden_size: d, layer_norm_eps: eps = 1e-5 } = this.config.vision_config;
    const buffers = [x, this.of(`${name}.weight`), this.of(`${name}.bias`), out];
    this.calls.push({ kernel: "norm", params: [rows, d, d, { float: eps }], buffers, groups: [groups(rows, 4), 1, 1] });
  }

  private linear(
    name: string, x: GPUBuffer, [m, n, k]: [number, number, number], out: GPUBuffer, epilogue = STORE, residual = this.nothing,
  ): void {
    const bias = this.weights.get(`${name}.bias`);
    const params = [m, n / 4, k / 4, epilogue, bias ? 1 : 0, n / 4];
    const buffers = [x, this.of(`${name}.weight`), bias ?? this.nothing, residual, out];
    this.calls.push({ kernel: "linear", params, buffers, groups: [groups(n, 64), groups(m, 64), 1] });
  }
}

/** `[n][k]` to `[k][n]`. */
function turned(values: Float32Array<ArrayBuffer>, n: number): Float32Array<ArrayBuffer> {
  const k = values.length / n;
  const out = new Float32Array(values.length);
  for (let row = 0; row < n; row++) {
    for (let i = 0; i < k; i++) out[i * n + row] = values[row * k + i]!;
  }
  return out;
}
