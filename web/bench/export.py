"""The benchmark's model for the peers: `export.py MODEL_DIR OUT`.

MODEL_DIR holds the synthetic ViT-B/32; OUT gets the ONNX files as transformers.js lays them out, in
f32, and the text tower also in int8. Versions: tests/reference/requirements-peers.txt.
"""

import json
import shutil
import sys
from pathlib import Path

model, out = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/reference"))
sys.argv = ["peers.py", "onnxruntime", str(model), "2"]
import peers  # noqa: E402
from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: E402

vision, text = peers.export()
(out / "onnx").mkdir(parents=True, exist_ok=True)
shutil.copy(vision, out / "onnx/vision_model.onnx")
shutil.copy(text, out / "onnx/text_model.onnx")
quantize_dynamic(text, out / "onnx/text_model_quantized.onnx", weight_type=QuantType.QUInt8)
shutil.copy(model / "config.json", out / "config.json")
(out / "preprocessor_config.json").write_text(json.dumps({
    "image_processor_type": "CLIPFeatureExtractor", "do_resize": True, "size": 224, "resample": 3,
    "do_center_crop": True, "crop_size": 224, "do_normalize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}))
