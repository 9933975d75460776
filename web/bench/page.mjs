// One peer in one page: `start` loads it and gives the milliseconds, then `once` runs a workload once
// and gives the milliseconds.

/** `<bos> a red dress with blue flowers <eot>` has 7 tokens less one; the ids do not change the time. */
const IDS = [49406, 320, 736, 2595, 593, 1746, 49407];
const TEXT = "a red dress with blue";
const PICTURE = "/corpus/jpeg/large.jpg";
const run = {};

const timed = async (work) => {
  const start = performance.now();
  await work();
  return performance.now() - start;
};

const pixels = () => Float32Array.from({ length: 3 * 224 * 224 }, (_, i) => ((i * 7919) % 1000) / 300 - 1.6);

async function ours(tower, threads, precision) {
  const { Clip } = await import("clip-everywhere");
  const file = await (await fetch(PICTURE)).blob();
  const image = new ImageData(224, 224);
  image.data.set(image.data.map((_, i) => (i * 7919) % 256));
  return async () => {
    const clip = await Clip.load({
      model: "/models/vit_b_32/", towers: tower, threads, precision, tokens: "blocks", cache: false,
    });
    if (clip.info.threads !== threads) throw new Error(`${clip.info.threads} threads`);
    run.text = () => clip.embedText(TEXT);
    run.tower = () => clip.embedImage(image);
    run.image = () => clip.embedImage(file);
    if (tower === "text") await run.text();
  };
}

async function ort(tower, threads, file) {
  const ort = await import("onnxruntime-web/wasm");
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = "/peers/onnxruntime-web/dist/";
  return async () => {
    const session = await ort.InferenceSession.create(`/onnx/onnx/${file}.onnx`, { executionProviders: ["wasm"] });
    const [name] = session.inputNames;
    if (tower === "text") {
      const ids = new ort.Tensor("int64", BigInt64Array.from(IDS, BigInt), [1, IDS.length]);
      run.text = () => session.run({ [name]: ids });
      await run.text();
    } else {
      const values = new ort.Tensor("float32", pixels(), [1, 3, 224, 224]);
      run.tower = () => session.run({ [name]: values });
    }
  };
}

async function transformers(tower, threads) {
  const tf = await import("@huggingface/transformers");
  tf.env.allowRemoteModels = false;
  tf.env.allowLocalModels = true;
  tf.env.localModelPath = "/";
  tf.env.useBrowserCache = false;
  tf.env.backends.onnx.wasm.numThreads = threads;
  tf.env.backends.onnx.wasm.wasmPaths = "/tf-ort/dist/";
  const options = { dtype: "fp32", device: "wasm" };
  const file = await (await fetch(PICTURE)).blob();
  return async () => {
    if (tower === "text") {
      const model = await tf.CLIPTextModelWithProjection.from_pretrained("onnx", options);
      const ids = new tf.Tensor("int64", BigInt64Array.from(IDS, BigInt), [1, IDS.length]);
      run.text = () => model({ input_ids: ids });
      await run.text();
    } else {
      const model = await tf.CLIPVisionModelWithProjection.from_pretrained("onnx", options);
      const processor = await tf.AutoProcessor.from_pretrained("onnx");
      const values = new tf.Tensor("float32", pixels(), [1, 3, 224, 224]);
      run.tower = () => model({ pixel_values: values });
      run.image = async () => model(await processor(await tf.RawImage.fromBlob(file)));
    }
  };
}

const PEERS = {
  ours: (tower, threads) => ours(tower, threads, "auto"),
  "ours, exact": (tower, threads) => ours(tower, threads, "exact"),
  "onnxruntime-web": (tower, threads) => ort(tower, threads, tower === "text" ? "text_model" : "vision_model"),
  "onnxruntime-web int8": (tower, threads) => ort(tower, threads, "text_model_quantized"),
  "transformers.js": transformers,
};

const start = (peer, tower, threads) => PEERS[peer](tower, threads).then(timed);
const once = (kind) => (run[kind] ? timed(run[kind]) : null);
const WORK = { start, once };

// Asks `undriven.mjs` for work, and sends what came of it.
for (let result = null; ; ) {
  const turn = await fetch(location.search.slice(1), { method: "POST", body: JSON.stringify(result) });
  const [name, ...args] = await turn.json();
  try {
    result = { value: await WORK[name](...args) };
  } catch (error) {
    result = { error: error.stack ?? String(error) };
  }
}
