"""The loss of a batch of translations: label-smoothed cross entropy, weighted by row."""

from __future__ import annotations

from typing import Any

import torch

from training.small_model.token_batches import IGNORED, Batch

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
    is_token = batch.labels != IGNORED
    weights = batch.weights[:, None] * is_token
    target = batch.labels.masked_fill(~is_token, 0)
    loss, log_loss = _SmoothedLoss.apply(logits, target, weights, smoothing)
    return loss, float(log_loss)


class _SmoothedLoss(torch.autograd.Function):
    """Summed label-smoothed cross entropy with its gradient written out: over a whole vocabulary
    and on a CPU, half the time of the operators it is made of."""

    @staticmethod
    def forward(ctx: Any, logits: Any, target: Any, weights: Any, smoothing: float) -> Any:
        log_probabilities = torch.log_softmax(logits, dim=-1, dtype=torch.float32)
        log_loss = -log_probabilities.gather(-1, target[..., None])[..., 0]
        spread_loss = -log_probabilities.mean(dim=-1)
        ctx.save_for_backward(log_probabilities, target, weights)
        ctx.smoothing, ctx.logits_type = smoothing, logits.dtype
        loss = ((1 - smoothing) * log_loss + smoothing * spread_loss) * weights
        log_loss_sum = (log_loss * weights).sum()
        ctx.mark_non_differentiable(log_loss_sum)
        return loss.sum(), log_loss_sum

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        log_probabilities, target, weights = ctx.saved_tensors
        # Softmax less the smoothed target; not in place, for a graph may be walked twice.
        gradient = log_probabilities.exp().sub_(ctx.smoothing / log_probabilities.shape[-1])
        at_target = torch.full_like(target[..., None], ctx.smoothing - 1, dtype=torch.float32)
        gradient.scatter_add_(-1, target[..., None], at_target)
        gradient.mul_((weights * gradients[0])[..., None])
        return gradient.to(ctx.logits_type), None, None, None


def model_inputs(model: Any, labels: Any) -> Any:
    """What the decoder reads to predict `labels`: its start, then each token but the last."""
    config = model.module.config if hasattr(model, "module") else model.config
    start = torch.full_like(labels[:, :1], config.decoder_start_token_id)
    before = labels[:, :-1].masked_fill(labels[:, :-1] == IGNORED, config.pad_token_id)
    return torch.cat([start, before], dim=1)
