"""A Python peer of the benchmark: `peers.py onnxruntime|openvino|torch|torch-cuda MODEL_DIR THREADS`.

Speaks the protocol of crates/peers/src/protocol.rs on stdin and stdout. The ONNX files are exported
once from `transformers` into MODEL_DIR. Versions: requirements-peers.txt.
"""

import os
import resource
import sys
import time

peer, model_dir, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.environ.update(OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads), HF_HUB_OFFLINE="1")

import numpy as np  # noqa: E402


def torch_model():
    import torch
    from transformers import CLIPModel

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    return torch, CLIPModel.from_pretrained(model_dir).eval()


def features(output):
    """transformers 5 returns an object, 4 a tensor."""
    return getattr(output, "pooler_output", output)


def export():
    """Writes vision.onnx and text.onnx (dynamic batch and length) unless they are there."""
    paths = [os.path.join(model_dir, name) for name in ("vision.onnx", "text.onnx")]
    if all(os.path.exists(p) for p in paths):
        return paths
    torch, model = torch_model()

    class Vision(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, pixel_values):
            return features(self.model.get_image_features(pixel_values=pixel_values))

    class Text(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids):
            return features(self.model.get_text_features(input_ids=input_ids))

    batch, length = torch.export.Dim("batch"), torch.export.Dim("length", min=2, max=77)
    jobs = [
        (Vision(), torch.zeros(2, 3, 224, 224), {0: batch}, paths[0]),
        (Text(), torch.full((2, 7), 49407), {0: batch, 1: length}, paths[1]),
    ]
    with open(os.devnull, "w") as null:
        stdout, sys.stdout = sys.stdout, null
        try:
            for module, example, dynamic, path in jobs:
                torch.onnx.export(module, (example,), path + ".tmp", dynamo=True,
                                  dynamic_shapes=(dynamic,), external_data=False)
                os.rename(path + ".tmp", path)
        finally:
            sys.stdout = stdout
    return paths


def load():
    """Returns run(kind, array)."""
    if peer.startswith("torch"):
        torch, model = torch_model()
        device = "cuda" if peer == "torch-cuda" else "cpu"
        # Off by default for matrix products, and on for convolutions.
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        model.to(device)

        def run(kind, array):
            return answer(kind, array).cpu()

        def answer(kind, array):
            tensor = torch.from_numpy(array).to(device)
            if kind == "image":
                return features(model.get_image_features(pixel_values=tensor))
            return features(model.get_text_features(input_ids=tensor))

        return run
    paths = [os.path.join(model_dir, name) for name in ("vision.onnx", "text.onnx")]
    if peer == "onnxruntime":
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        sessions = [ort.InferenceSession(p, options, providers=["CPUExecutionProvider"]) for p in paths]
        names = [s.get_inputs()[0].name for s in sessions]
        return lambda kind, array: sessions[kind == "text"].run(None, {names[kind == "text"]: array})
    import openvino as ov

    core = ov.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32",
                "PERFORMANCE_HINT": "LATENCY"}
    models = [core.compile_model(p, "CPU", settings) for p in paths]
    return lambda kind, array: models[kind == "text"]([array])


def main():
    if not peer.startswith("torch") and not os.path.exists(os.path.join(model_dir, "text.onnx")):
        # In a process of its own: exporting must not count as this peer's memory or time.
        if os.fork() == 0:
            export()
            os._exit(0)
        if os.wait()[1] != 0:
            sys.exit("peers.py: the ONNX export failed")
    rng = np.random.default_rng(1)
    images = rng.standard_normal((256, 3, 224, 224), dtype=np.float32)
    ids = np.array([49406, *rng.integers(300, 40000, 75), 49407], dtype=np.int64)
    started = time.perf_counter()
    run = load()

    def request(kind, count):
        if kind == "image":
            run(kind, images[:count])
        else:
            run(kind, np.concatenate([ids[: count - 1], ids[-1:]])[None])

    request("image", 1)
    print("ready", (time.perf_counter() - started) * 1e3, flush=True)
    for line in sys.stdin:
        parts = line.split()
        if len(parts) == 1:
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
            continue
        start = time.perf_counter()
        request(parts[0], int(parts[1]))
        print((time.perf_counter() - start) * 1e3, flush=True)


if __name__ == "__main__":
    main()
