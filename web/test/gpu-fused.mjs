// node --import ./dawn.mjs gpu-fused.mjs FOLDER [NAME …]
//
// Images on WebGPU where the device fuses: the bits of wasm. On Dawn, Chromium's WebGPU, in Node, on whatever Vulkan device
// it finds; `cargo xtask web --test` brings one in software. FOLDER as for cross.mjs.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { root, web } from "./compare.mjs";
import { report } from "./report.mjs";

const [folderArgument, ...only] = process.argv.slice(2);
const folder = path.resolve(folderArgument);
const { Clip } = await import(pathToFileURL(path.join(web, "dist/index.js")).href);
const FILES = ["jpeg/photo-420-q75.jpg", "png/rgba8-gradient.png"];

/** Whether the device rounds `a * b + c` once, by arithmetic of this test's own. */
async function fuses() {
  const adapter = await navigator.gpu.requestAdapter();
  assert.ok(adapter, "Dawn finds no Vulkan device");
  const device = await adapter.requestDevice();
  const code = `
    @group(0) @binding(0) var<storage, read> x: array<f32, 2>;
    @group(0) @binding(1) var<storage, read_write> y: array<f32, 1>;
    @compute @workgroup_size(1) fn main() { y[0] = fma(x[0], x[0], x[1]); }`;
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module: device.createShaderModule({ code }) } });
  const buffer = (size, usage) => device.createBuffer({ size, usage });
  const x = buffer(8, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST);
  const y = buffer(4, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC);
  const read = buffer(4, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
  // The square is 1 + 2^-11 + 2^-24, whose last part an f32 has no room for.
  device.queue.writeBuffer(x, 0, new Float32Array([1 + 2 ** -12, -1 - 2 ** -11]));
  const entries = [x, y].map((buffer, binding) => ({ binding, resource: { buffer } }));
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(y, 0, read, 0, 4);
  device.queue.submit([encoder.finish()]);
  await read.mapAsync(GPUMapMode.READ);
  const [value] = new Float32Array(read.getMappedRange());
  device.destroy();
  return value === 2 ** -24;
}

/** Vectors and stages of the files, and what was told. */
async function embed(model, use) {
  const warnings = [];
  const onWarning = ({ kind, message }) => warnings.push(`${kind}: ${message}`);
  const clip = await Clip.load({ model: path.join(folder, "packed", model), towers: "vision", onWarning, ...use });
  try {
    const results = [];
    for (const name of FILES) {
      const file = await readFile(path.join(root, "tests/corpus", name));
      const { raw, normalized, exact, provenance } = await clip.embedImage(file);
      results.push({ raw, normalized, exact, device: provenance.device, trace: await clip.trace(file) });
    }
    return { gpu: clip.info.gpu, warnings, results };
  } finally {
    clip.dispose();
  }
}

const tests = {};
if (await fuses()) {
  // Patches of 32 and `quick_gelu`, patches of 16 and `gelu`.
  for (const model of ["tiny", "second_shape"]) {
    tests[`${model}: a device that fuses has wasm's bits, in every stage`] = async () => {
      const wasm = await embed(model, {});
      const gpu = await embed(model, { gpu: "auto" });
      assert.equal(wasm.gpu, null);
      assert.ok(gpu.gpu, `the GPU computed; ${gpu.warnings}`);
      assert.deepEqual(gpu.warnings, []);
      console.log(`${model} on ${gpu.gpu}`);
      assert.deepEqual(gpu.results, wasm.results);
      assert.deepEqual(gpu.results.map(({ exact, device }) => [exact, device]), FILES.map(() => [true, "exact"]));
      const stages = gpu.results[0].trace.stages.map(({ name }) => name);
      assert.ok(stages.includes("block.0") && stages.includes("normalized"), stages);
    };
    tests[`${model}: "auto" says exact where wasm's own bits are known to be`] = async () => {
      const wasm = await embed(model, { precision: "auto" });
      const gpu = await embed(model, { precision: "auto", gpu: "auto" });
      assert.ok(gpu.gpu, `the GPU computed; ${gpu.warnings}`);
      assert.deepEqual(gpu.results.map(({ exact }) => exact), wasm.results.map(({ exact }) => exact));
      const exact = await embed(model, {});
      assert.deepEqual(gpu.results.map(({ raw }) => raw), exact.results.map(({ raw }) => raw));
    };
  }
} else {
  console.log("skipped: this Vulkan device rounds a fused multiply-add twice");
}

await report(tests, only);
