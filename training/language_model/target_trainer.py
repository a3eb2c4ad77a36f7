"""A transformers Trainer that learns answers alone, each row with its weight.

The loss of a step is the sum over its rows of weight times the answer's negative log-likelihood,
divided by the sum of the weights of all tokens in all of its batches, on all devices: one step of
eight rows is the same however they are shared out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.data import Sampler
from transformers import Trainer

from training.language_model.examples import IGNORED
from training.texts.curriculum import Order


class TargetTrainer(Trainer):
    """Args:
    registers: names of what batches number in `register`; dev loss is reported by them.
    order: in which the first pass takes the rows; later ones are shuffled.
    """

    def __init__(
        self, *, registers: Sequence[str], order: Order = "shuffled", **arguments: Any
    ) -> None:
        super().__init__(**arguments)
        self.registers = registers
        self.order = order
        self.loss_is_scaled_for_ga = True

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        if self.order == "shuffled":
            return super()._get_train_sampler(train_dataset)
        rows = self.train_dataset if train_dataset is None else train_dataset
        return _FirstInOrder(len(rows), self.args.seed, lambda: int(self.state.epoch or 0))

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> Any:
        total = sum(_answer_weights(batch).sum() for batch in batch_samples)
        return self.accelerator.gather(torch.as_tensor(total, device=device)).sum()

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        losses, outputs = _answer_losses(model, inputs)
        weights = _answer_weights(inputs)
        # Devices average their gradients, and the sum of weights is of all of them.
        total, devices = num_items_in_batch, self.accelerator.num_processes
        if total is None:
            total, devices = weights.sum(), 1
        loss = (losses * weights).sum() / total * devices
        return (loss, outputs) if return_outputs else loss

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: Any = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Mean loss of a token of the answers, over all rows and by register; weights left out."""
        self.model.eval()
        rows = []
        with torch.no_grad(), self.accelerator.autocast():
            for batch in self.get_eval_dataloader(eval_dataset):
                inputs = self._prepare_inputs(batch)
                losses, _ = _answer_losses(self.model, inputs)
                tokens = (inputs["labels"] != IGNORED).sum(1)
                each = torch.stack([losses.sum(1), tokens, inputs["register"]], dim=1)
                rows.append(self.accelerator.gather_for_metrics(each).double().cpu())
        losses, tokens, registers = torch.cat(rows).unbind(1)
        metrics = {f"{metric_key_prefix}_loss": (losses.sum() / tokens.sum()).item()}
        for index, name in enumerate(self.registers):
            of_it = registers == index
            if of_it.any():
                loss = losses[of_it].sum() / tokens[of_it].sum()
                metrics[f"{metric_key_prefix}_loss_{name}"] = loss.item()
        self.log(dict(metrics))  # which adds the epoch to what it is given
        self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def try_largest_batch(self, examples: Sequence[Any]) -> None:
        """One pass there and back over the batch that needs most; what it learned is dropped."""
        self.model.train()
        batch = self._prepare_inputs(self.data_collator(list(examples)))
        with self.accelerator.autocast():
            loss = self.compute_loss(self.model, batch)
        loss.backward()
        self.model.zero_grad(set_to_none=True)


class _FirstInOrder(Sampler[int]):
    """The rows in their order in the first pass, shuffled in each later one.

    Args:
        epoch: how many passes are behind it. The Trainer's own word: it reaches no sampler when a
            run on several devices goes on in the middle of a pass.
    """

    def __init__(self, count: int, seed: int, epoch: Callable[[], int]) -> None:
        self._count = count
        self._seed = seed
        self._epoch = epoch

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        if not (epoch := self._epoch()):
            return iter(range(self._count))
        generator = torch.Generator().manual_seed(self._seed + epoch)
        return iter(torch.randperm(self._count, generator=generator).tolist())


def _answer_losses(model: Any, inputs: dict[str, Any]) -> tuple[torch.Tensor, Any]:
    """Negative log-likelihoods, float32 [B, T - 1], 0 where nothing is to be learned.

    With 262,000 words, logits of all positions would be the largest thing in memory: only columns
    in which some row has its answer are asked for.
    """
    wanted = inputs["labels"][:, 1:]
    columns = (wanted != IGNORED).any(0).nonzero().flatten()
    outputs = model(
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        logits_to_keep=columns,
        use_cache=False,
    )
    labels = wanted[:, columns]
    kept = labels != IGNORED
    found = nn.functional.cross_entropy(
        outputs.logits[kept].float(), labels[kept], reduction="none"
    )
    losses = torch.zeros(wanted.shape, device=found.device)
    losses[wanted != IGNORED] = found
    return losses, outputs


def _answer_weights(inputs: dict[str, Any]) -> torch.Tensor:
    """Weights of the tokens in [B, T - 1], 0 where nothing is to be learned."""
    learned = inputs["labels"][:, 1:] != IGNORED
    return learned * inputs["weight"][:, None].to(learned.device)
