"""python -m training.cycle --plan church.toml
   python -m training.cycle --plan church.toml --resume
   python -m training.cycle --plan church.toml --dry-run

The weekly loop as one command: what was collected becomes a model that is judged, gated and put
into use, each step by its own job in a process of its own, so that one's memory is gone before the
next begins and what is killed is killed alone. What is judged is the export, which will speak.

    <out>/cycle.json    which steps are done, with their commands, times and what came of them
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from services.errors import GlossaError, InvalidInput, WrongState
from training.collected.new_sermons import count_pairs, whole_snapshots
from training.cycling.gpu_lock import gpu_lock
from training.cycling.mlflow_log import check_mlflow, log_cycle
from training.cycling.plan import STEPS, Plan, read_plan
from training.cycling.record import CycleRecord, cycles_in, is_of, next_number, unfinished
from training.cycling.report import print_plan, print_result, say
from training.cycling.step_process import run_job
from training.cycling.steps import CycleSteps
from training.job import NOTHING_NEW, Job

_CYCLES = Path("var/cycles")
_EXAMPLE = Path(__file__).with_name("cycle.toml")


@click.command(cls=Job)
@click.option(
    "--plan",
    "plan_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=_EXAMPLE,
    show_default="training/cycle.toml",
    help="What is trained on what, and where it goes; the default one explains itself.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    show_default="a new one in var/cycles; with --resume the one to go on with, if any",
    help="The cycle's folder.",
)
@click.option("--resume", is_flag=True, help="Go on with a cycle that has not ended.")
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Check the plan, show the commands.")
@click.option("--until", type=click.Choice(STEPS), help="The last step to do.")
@click.option("--override", "why", help="Let a red gate pass, and say why; recorded.")
@click.option("--deploy/--no-deploy", "is_deploying", default=True, help="If [deploy] is planned.")
@click.option(
    "--wait",
    "wait_minutes",
    type=click.FloatRange(0),
    default=0.0,
    metavar="MINUTES",
    help="For a GPU that is in use.",
)
@click.option("--mlflow", "mlflow_uri", metavar="URI", help="Also log the cycle to MLflow there.")
def cycle(
    plan_path: Path,
    out: Path | None,
    resume: bool,
    is_dry_run: bool,
    until: str | None,
    why: str | None,
    is_deploying: bool,
    wait_minutes: float,
    mlflow_uri: str | None,
) -> None:
    """Train on what is new, judge what comes of it, and put it into use where it is better.

    Exit status 0: done, or nothing new to train on; 1: the gate is red, or a step failed; 2: wrong
    input. Nothing is put into use past a red gate but by --override.

    \b
    Every week, from a timer: go on with what was cut off, else begin anew
      python -m training.cycle --plan church.toml --resume --wait 600
    Red, but somebody read the page and takes it all the same:
      python -m training.cycle --plan church.toml --resume --out var/cycles/20261123-023000 \\
        --override "all that differs is the spelling of names"
    """
    plan = read_plan(plan_path)
    steps = _chosen(plan, until, is_deploying=is_deploying)
    if why is not None and not why.strip():
        raise InvalidInput("NO_REASON", "--override wants a reason")
    if mlflow_uri:
        check_mlflow()
    if is_dry_run:
        print_plan(CycleSteps(plan, out or _CYCLES / "NEW", 0, why), steps)
        return
    who = f"training.cycle of {plan.model_name}"
    with gpu_lock(plan.gpu_lock, who, wait_s=60 * wait_minutes, say=say) as lock:
        record = _record(plan, out, resume=resume)
        run = _Run(plan, record, steps, why, lock)
        try:
            run.go()
        except KeyboardInterrupt:
            record.end("interrupted")
            raise
        except GlossaError:
            record.end("failed")
            raise
        finally:
            if mlflow_uri and record.status not in ("running", "interrupted"):
                _log(record, mlflow_uri)
            print_result(record, run.steps_of, steps)
    if record.status == "red":
        raise SystemExit(1)


class _Run:
    """One run over the steps of a cycle that are not done."""

    def __init__(
        self, plan: Plan, record: CycleRecord, steps: tuple[str, ...], why: str | None, lock: int
    ) -> None:
        self.steps_of = CycleSteps(plan, record.folder, record.number, why)
        self._plan = plan
        self._record = record
        self._steps = steps
        self._lock = lock

    def go(self) -> None:
        """Raises WrongState: STEP_FAILED; KeyboardInterrupt."""
        for step in self._steps:
            if self._record.is_done(step):
                continue
            if step == "mix" and not self._is_enough():
                self._record.end("nothing_new")
                return
            if step == "evaluate":
                self.steps_of.make_judges()
            self._do(step)
            if self._record.status == "red":
                return
        is_whole = all(map(self._record.is_done, self._plan.steps))
        is_kept_back = self._steps == tuple(s for s in self._plan.steps if s != "deploy")
        self._record.end("done" if is_whole or is_kept_back else "stopped")

    def _do(self, step: str) -> None:
        record, steps_of = self._record, self.steps_of
        command = steps_of.command(step, record.content.get("sermons", ()))
        was_begun = record.begin_step(step, command)
        place = f"{self._steps.index(step) + 1} of {len(self._steps)}"
        say(f"step {place}, {step}: {self._plan.job(step)}")
        if step == "registry" and (version := steps_of.registered()):
            # Killed between the registering and the noting of it; or nothing came out otherwise.
            say(f"{version.name} is registered already")
            status = 0
        else:
            # A snapshot that is whole stays what it is, whatever the plan says by now; a run that
            # read what was forgotten since then is begun anew.
            goes_on = was_begun and not steps_of.has_lost(step)
            if self._plan.resumes(step) and (goes_on or step == "snapshot"):
                command.append("--resume")
            else:
                steps_of.clear(step)
            try:
                status = run_job(command, keeps_open=self._lock)
            except KeyboardInterrupt:
                record.end_step(step, "interrupted")
                raise
        if step == "gate" and status == 1 and steps_of.is_red():
            record.end_step(step, "red", exit_status=status)
            record.end("red")
            return
        if status and not (step == "snapshot" and status == NOTHING_NEW):
            record.end_step(step, "failed", exit_status=status)
            how = f"ended with status {status}" if status > 0 else f"was killed by signal {-status}"
            raise WrongState(
                "STEP_FAILED",
                f"the step {step} {how}; what it said is above. When that is put right, go on "
                f"with: python -m training.cycle --plan {self._plan.path} --resume --out "
                f"{record.folder}",
            )
        if step == "registry" and (version := steps_of.registered()):
            record.note(version=version.name)
        record.end_step(step, "done", exit_status=status)

    def _is_enough(self) -> bool:
        """Whether the pairs that no cycle has learned from are worth one; notes what it mixes."""
        steps_of, record = self.steps_of, self._record
        names = whole_snapshots(steps_of.snapshots)
        others = [
            each
            for each in cycles_in(record.folder.parent)
            if each.number != record.number and is_of(each, self._plan) and each.is_done("train")
        ]
        learned = {name for each in others for name in each.content.get("sermons", ())}
        new = [name for name in names if name not in learned]
        count = count_pairs(steps_of.snapshots, new)
        record.note(
            sermons=names,  # also those that only hold out: nothing of that is trained on
            new_pair_count=count,
            minimum_pairs=self._plan.minimum_pairs,
        )
        return count >= self._plan.minimum_pairs


def _chosen(plan: Plan, until: str | None, *, is_deploying: bool) -> tuple[str, ...]:
    if until is not None and until not in plan.steps:
        raise InvalidInput(
            "NO_SUCH_STEP", f"the plan has no step {until}; it has {', '.join(plan.steps)}"
        )
    steps = plan.steps[: plan.steps.index(until) + 1] if until else plan.steps
    return tuple(step for step in steps if step != "deploy" or is_deploying)


def _record(plan: Plan, out: Path | None, *, resume: bool) -> CycleRecord:
    """The cycle to go on with, or a new one."""
    if resume:
        found = CycleRecord.read(out) if out else unfinished(_CYCLES, plan)
        if found is not None:
            say(f"going on with {found.folder}")
            found.resume(plan)
            return found
    folder = out or _CYCLES / datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    registry = CycleSteps(plan, folder, 0).registry
    record = CycleRecord.begin(folder, plan, next_number(folder.parent, registry))
    say(f"cycle {record.number} of {plan.model_name}, in {folder}")
    return record


def _log(record: CycleRecord, uri: str) -> None:
    try:
        log_cycle(record, uri)
    except Exception as error:  # noqa: BLE001  MLflow raises what it likes; the cycle stands
        say(f"not logged to MLflow: {error}")


if __name__ == "__main__":
    cycle()
