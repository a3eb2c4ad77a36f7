"""A transformers Trainer that ends its step and keeps a checkpoint when it is asked to stop."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback

from training.interruption import STOPPING


def train(trainer: Trainer, checkpoint: Path | None) -> None:
    """Trains, from a checkpoint on if there is one.

    Raises:
        KeyboardInterrupt: it was asked to stop, and a checkpoint of its last step is there; or it
            was asked twice, and there is none.
    """
    asked = _Asked(trainer)
    trainer.add_callback(asked)
    handlers = {number: signal.getsignal(number) for number in STOPPING}
    heard = {number: each for number, each in handlers.items() if each is not signal.SIG_IGN}

    def ask(number: int, _: Any) -> None:
        asked.by = number
        for each, handler in heard.items():
            signal.signal(each, handler)

    for number in heard:
        signal.signal(number, ask)
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    finally:
        for number, handler in heard.items():
            signal.signal(number, handler)
        trainer.remove_callback(asked)
    if asked.by:
        raise KeyboardInterrupt(asked.by)


class _Asked(TrainerCallback):
    """Args:
    by: the signal; 0 while nobody has.
    """

    def __init__(self, trainer: Trainer) -> None:
        self._accelerator = trainer.accelerator
        self.by = 0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._accelerator.num_processes > 1:
            # All stop behind the same step, or one would wait for the others' gradients.
            asked = torch.tensor(self.by, device=args.device)
            self.by = int(self._accelerator.gather(asked).max())
        if self.by:
            control.should_save = control.should_training_stop = True
