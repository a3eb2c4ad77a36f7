"""The loss of a batch of translations: label-smoothed cross entropy, weighted by row."""

from __future__ import annotations

from typing import Any

import torch

from training.token_batches import IGNORED, Batch

LABEL_SMOOTHING = 0.1  # arXiv 1706.03762, section 5.4


def token_weight(batch: Batch) -> float:
    """The sum of the weights of its target tokens: what a sum of losses is divided by, over all
    batches of a step, so that accumulation changes nothing."""
    return float((batch.weights[:, None] * (batch.labels != IGNORED)).sum())


def summed_loss(
    model: Any, batch: Batch, *, smoothing: float = LABEL_SMOOTHING
) -> tuple[Any, float]:
    """The summed weighted loss of a batch, and the summed weighted log-loss without smoothing."""
    logits = model(
        input_ids=batch.source,
        attention_mask=batch.source_mask,
        decoder_input_ids=model_inputs(model, batch.labels),
        use_cache=False,
    ).logits
    log_probabilities = torch.log_softmax(logits.float(), dim=-1)
    is_token = batch.labels != IGNORED
    weights = batch.weights[:, None] * is_token
    target = batch.labels.masked_fill(~is_token, 0)
    log_loss = -log_probabilities.gather(-1, target[..., None])[..., 0]
    spread_loss = -log_probabilities.mean(dim=-1)
    loss = ((1 - smoothing) * log_loss + smoothing * spread_loss) * weights
    return loss.sum(), float((log_loss.detach() * weights).sum())


def model_inputs(model: Any, labels: Any) -> Any:
    """What the decoder reads to predict `labels`: its start, then each token but the last."""
    config = model.module.config if hasattr(model, "module") else model.config
    start = torch.full_like(labels[:, :1], config.decoder_start_token_id)
    before = labels[:, :-1].masked_fill(labels[:, :-1] == IGNORED, config.pad_token_id)
    return torch.cat([start, before], dim=1)
