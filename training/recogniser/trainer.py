"""A transformers Trainer for Whisper in which some tokens count for more, judged by its texts.

The loss of a step is the sum of the tokens' losses, each by its weight, over the sum of the weights
of all batches that make up the step, on all devices: how they are shared out does not change it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from transformers import Trainer
from transformers.models.whisper.modeling_whisper import shift_tokens_right

from training.recogniser.examples import IGNORED


class WhisperTrainer(Trainer):
    """
    Args:
        languages: by their tokens, for a model that is told which is spoken; empty for others.
        max_new_tokens: of a text, when the model is judged.
    """

    def __init__(
        self, *, languages: Mapping[int, str], max_new_tokens: int, **arguments: Any
    ) -> None:
        super().__init__(**arguments)
        self._languages = languages
        self._max_new_tokens = max_new_tokens
        self.loss_is_scaled_for_ga = True

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> Any:
        total = sum(batch["label_weights"].sum() for batch in batch_samples)
        return self.accelerator.gather(torch.as_tensor(total, device=device)).sum()

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        labels, weights = inputs["labels"], inputs["label_weights"]
        config = self.accelerator.unwrap_model(model).config
        outputs = model(
            input_features=inputs["input_features"],
            decoder_input_ids=shift_tokens_right(
                labels, config.pad_token_id, config.decoder_start_token_id
            ),
            use_cache=False,
        )
        losses = nn.functional.cross_entropy(
            outputs.logits.flatten(0, 1).float(),
            labels.flatten(),
            ignore_index=IGNORED,
            reduction="none",
        )
        # Devices average their gradients, and the sum of weights is of all of them.
        total, devices = num_items_in_batch, self.accelerator.num_processes
        if total is None:
            total, devices = weights.sum(), 1
        loss = (losses * weights.flatten()).sum() / total * devices
        return (loss, outputs) if return_outputs else loss

    def prediction_step(
        self,
        model: Any,
        inputs: dict[str, Any],
        prediction_loss_only: bool,
        ignore_keys: Any = None,
    ) -> tuple[Any, Any, Any]:
        """The loss, and the tokens that the model says by itself of each clip."""
        inputs = self._prepare_inputs(inputs)
        labels = inputs["labels"]
        told: dict[str, Any] = {}
        if self._languages:
            spoken = [self._languages[int(token)] for token in labels[:, 0]]
            told = {"language": spoken, "task": "transcribe"}
        with torch.no_grad(), self.compute_loss_context_manager():
            loss = self.compute_loss(model, inputs).detach()
            said = self.accelerator.unwrap_model(self.model).generate(
                input_features=inputs["input_features"],
                max_new_tokens=self._max_new_tokens,
                **told,
            )
        return loss, said, labels
