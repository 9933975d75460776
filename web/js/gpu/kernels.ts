// The shaders that the native program runs (crates/clip-gpu/wgsl), compiled for the browser's device.

import attention from "../../../crates/clip-gpu/wgsl/attention.wgsl";
import contract from "../../../crates/clip-gpu/wgsl/contract.wgsl";
import embed from "../../../crates/clip-gpu/wgsl/embed.wgsl";
import fused from "../../../crates/clip-gpu/wgsl/fused_device.wgsl";
import gather from "../../../crates/clip-gpu/wgsl/gather.wgsl";
import linear from "../../../crates/clip-gpu/wgsl/linear.wgsl";
import norm from "../../../crates/clip-gpu/wgsl/norm.wgsl";
import probe from "../../../crates/clip-gpu/wgsl/probe.wgsl";
import tree from "../../../crates/clip-gpu/wgsl/tree.wgsl";

/** Source, and buffers that are read; one that is written follows. */
const KERNELS = {
  gather: [gather, 1],
  embed: [embed, 3],
  norm: [tree + norm, 3],
  linear: [linear, 4],
  attention: [tree + attention, 3],
  probe: [probe, 3],
} as const satisfies Record<string, readonly [string, number]>;

export type Kernel = keyof typeof KERNELS;

/** Parameters: whole numbers, and floats as `{ float }`. */
type Parameter = number | { float: number };

/** One dispatch; the last buffer is the one that is written. */
export interface Call {
  kernel: Kernel;
  params: Parameter[];
  buffers: GPUBuffer[];
  groups: [number, number, number];
}

/** A device with the shaders compiled for it. */
export class Gpu {
  private readonly pipelines = new Map<Kernel, GPUComputePipeline>();
  private readonly opaque: GPUBuffer;

  private constructor(
    readonly name: string,
    private readonly device: GPUDevice,
  ) {
    this.opaque = this.filled(new Float32Array([1, -1, -0, -3.4028234663852886e38]), GPUBufferUsage.UNIFORM);
  }

  /** The browser's device; `undefined` where it has none. */
  static async open(): Promise<Gpu | undefined> {
    // Node 20 has no navigator.
    const adapter = await globalThis.navigator?.gpu?.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) return undefined;
    const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
    const device = await adapter.requestDevice({ requiredLimits: { maxBufferSize, maxStorageBufferBindingSize } });
    const { vendor, architecture, description } = adapter.info;
    const gpu = new Gpu(description || [vendor, architecture].filter(Boolean).join(" ") || "GPU", device);
    await Promise.all((Object.keys(KERNELS) as Kernel[]).map((kernel) => gpu.compile(kernel)));
    return gpu;
  }

  private async compile(kernel: Kernel): Promise<void> {
    const [source, inputs] = KERNELS[kernel];
    const { device } = this;
    const entry = (binding: number): GPUBindGroupLayoutEntry => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: binding < 2 ? "uniform" : binding < 2 + inputs ? "read-only-storage" : "storage" },
    });
    const entries = Array.from({ length: inputs + 3 }, (_, binding) => entry(binding));
    // Explicit: derived layouts leave out what a shader does not use.
    const layout = device.createPipelineLayout({ bindGroupLayouts: [device.createBindGroupLayout({ entries })] });
    const module = device.createShaderModule({ code: fused + contract + source });
    const { messages } = await module.getCompilationInfo();
    const wrong = messages.find(({ type }) => type === "error");
    if (wrong) throw new Error(`the shader ${kernel} does not compile here: ${wrong.message} (line ${wrong.lineNum})`);
    this.pipelines.set(kernel, await device.createComputePipelineAsync({ layout, compute: { module, entryPoint: "main" } }));
  }

  /** Room for so many floats. */
  storage(floats: number): GPUBuffer {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    return this.device.createBuffer({ size: Math.max(16, 4 * floats), usage });
  }

  filled(values: Float32Array | Uint32Array, usage: number = GPUBufferUsage.STORAGE): GPUBuffer {
    const size = Math.max(16, values.byteLength);
    const buffer = this.device.createBuffer({ size, usage: usage | GPUBufferUsage.COPY_DST });
    this.write(buffer, values);
    return buffer;
  }

  write(buffer: GPUBuffer, values: Float32Array | Uint32Array): void {
    this.device.queue.writeBuffer(buffer, 0, values);
  }

  /** The calls, ready to run again and again. */
  prepare(calls: Call[]): (pass: GPUComputePassEncoder) => void {
    const steps = calls.map(({ kernel, params, buffers, groups }) => {
      const words = new Uint32Array(8);
      const floats = new Float32Array(words.buffer);
      params.forEach((value, i) => {
        if (typeof value === "number") words[i] = value;
        else floats[i] = value.float;
      });
      const pipeline = this.pipelines.get(kernel)!;
      const bound = [this.opaque, this.filled(words, GPUBufferUsage.UNIFORM), ...buffers];
      const group = this.device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: bound.map((buffer, binding) => ({ binding, resource: { buffer } })),
      });
      return { pipeline, group, groups };
    });
    return (pass) => {
      for (const { pipeline, group, groups } of steps) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(...groups);
      }
    };
  }

  /** Runs, and reads so many floats of `out`. @throws where the device fails */
  async run(steps: (pass: GPUComputePassEncoder) => void, out: GPUBuffer, floats: number): Promise<Float32Array<ArrayBuffer>> {
    const { device } = this;
    device.pushErrorScope("validation");
    device.pushErrorScope("out-of-memory");
    const staging = device.createBuffer({ size: 4 * floats, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    steps(pass);
    pass.end();
    encoder.copyBufferToBuffer(out, 0, staging, 0, 4 * floats);
    device.queue.submit([encoder.finish()]);
    const failed = [await device.popErrorScope(), await device.popErrorScope()].find((error) => error);
    if (failed) throw new Error(failed.message);
    await staging.mapAsync(GPUMapMode.READ);
    const values = new Float32Array(staging.getMappedRange().slice(0));
    staging.destroy();
    return values;
  }

  /** Gives the device's memory back. */
  close(): void {
    this.device.destroy();
  }
}
