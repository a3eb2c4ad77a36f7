"""`python comet_child.py MODEL THREADS`: triples on stdin, scores on stdout, both as JSON.

Run by comet.py with the Python of another environment: imports nothing of this project.

The model's folder has hparams.yaml and checkpoints/model.ckpt, as Unbabel/wmt22-comet-da has; the
config and tokenizer of its encoder lie in encoder/, or in a folder of the encoder's name beside it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

_BATCH = 16


def main() -> None:
    model, threads = Path(sys.argv[1]), int(sys.argv[2])
    triples = json.load(sys.stdin)
    import torch
    import yaml
    from comet.models.regression.regression_metric import RegressionMetric

    torch.set_num_threads(threads)
    hparams = yaml.safe_load((model / "hparams.yaml").read_text(encoding="utf-8"))
    if hparams.get("class_identifier") != "regression_metric":
        sys.exit(f"{model} is a {hparams.get('class_identifier')}, not a regression_metric")
    encoder = model / "encoder"
    if not encoder.is_dir():
        encoder = model.parent / Path(hparams["pretrained_model"]).name
    checkpoint = model / "checkpoints/model.ckpt"
    metric = RegressionMetric.load_from_checkpoint(
        str(checkpoint),
        map_location="cpu",
        strict=False,  # released checkpoints hold buffers that no score depends on
        pretrained_model=str(encoder),
        load_pretrained_weights=False,
        local_files_only=True,
    )
    # What a checkpoint lacks would stay random, and its scores would look plausible.
    held = torch.load(checkpoint, map_location="cpu", mmap=True, weights_only=True)["state_dict"]
    if missing := metric.state_dict().keys() - held.keys():
        sys.exit(f"{checkpoint} lacks {len(missing)} weights, among them {min(missing)}")
    metric = metric.eval().to("cuda" if torch.cuda.is_available() else "cpu")
    scores: list[float] = []
    with torch.inference_mode():
        for first in range(0, len(triples), _BATCH):
            samples = [
                {"src": source, "mt": translation, "ref": reference}
                for source, translation, reference in triples[first : first + _BATCH]
            ]
            inputs = metric.prepare_sample(samples, stage="predict")
            on_device = {name: value.to(metric.device) for name, value in inputs.items()}
            scores += metric(**on_device).score.float().flatten().tolist()
    print(json.dumps(scores))


if __name__ == "__main__":
    main()
