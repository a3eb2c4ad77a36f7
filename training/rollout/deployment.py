"""A version put on one host, and the one before put back: after every step a model works there.

The files are copied beside, verified and named; the service translates before, loads the version
beside the model in use and tries it (LoadModel), and translates after. Only then the name that its
profile uses leads to the version, so that a restart comes up with what was tried. Whatever fails,
the model before is in use again, and the name leads where it led.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from services.errors import GlossaError, WrongState
from services.mt.engine import LanguagePair
from training.formats import USED_BY
from training.rollout.deployments import DeploymentLog, Place
from training.rollout.hosts import Host
from training.rollout.running_service import InUse, RunningService, SmokeSentence, reached
from training.rollout.versions import NAME, Version

Report = Callable[[str], None]


@dataclass(frozen=True)
class Site:
    """One model's place on one host.

    Args:
        tier: of the service that uses it: final, draft ...
        name: what the service's profile calls its model; a link of that name leads to the version.
        service: "mt" or "stt".
        sentences: what must be translated before and after.
    """

    host: Host
    tier: str
    name: str
    service: str
    pair: LanguagePair
    sentences: tuple[SmokeSentence, ...]
    log: DeploymentLog
    report: Report

    @property
    def place(self) -> Place:
        return Place.of(self.host, self.tier, self.name)

    def plan(self, version: Version) -> None:
        """Says what `deploy` would do, and changes nothing. Raises what it would at its start."""
        with self._reached() as service:
            before, link = self._looked_at(service)
        self._check_engine(version, before)
        kept = version.manifest
        self._say(f"{self.service} {self.tier} is {before}; {self.name} leads to {link}")
        self._say(
            f"would copy {len(kept.files)} files, {kept.bytes / 1e6:.1f} MB, to "
            f"{self.host.models_dir}/{version.host_folder}, load and try it, and then have "
            f"{self.name} lead there"
        )

    def deploy(self, version: Version) -> None:
        """Takes a version into use.

        Raises:
            GlossaError: it could not, and the model before is in use; RESTORE_FAILED when not.
        """
        folder = version.host_folder
        with self._reached() as service:
            before, link = self._looked_at(service)
            is_of_engine = before.engine == version.engine
            if is_of_engine and before.speaks_with(folder) and link == folder:
                self._say(f"{self.service} {self.tier} is {folder} already")
                return
            self._check_engine(version, before)
            facts = {
                "version": version.name,
                "folder": folder,
                "engine": version.engine,
                "before": vars(before),
                "folder_before": link,
                "override": (version.gate or {}).get("override"),
            }
            try:
                self._bring(version)
                said_before = service.try_out(self.sentences, self.pair)
            except GlossaError as error:
                self._note("refused", **facts, why=error.message)
                raise
            with self._or_back(service, before, link, facts):
                self._say(f"loading {folder} beside {before}")
                load_ms = service.load(version.engine, folder)
                said_after = service.try_out(self.sentences, self.pair)
                self.host.call("point", self.name, folder)
            smoke = [
                {"source": sentence.source, "before": one, "after": other}
                for sentence, one, other in zip(
                    self.sentences, said_before, said_after, strict=False
                )
            ]
            self._note("deployed", **facts, load_ms=round(load_ms), smoke=smoke)
        self._say(f"{self.service} {self.tier} is {folder}, loaded in {load_ms / 1000:.1f} s")
        if not is_of_engine or (link is None and not before.speaks_with(self.name)):
            self._say(
                f"it began with {before}: set the engine of {self.tier} to {version.engine} and "
                f"its model to {self.name} in the profile, or a restart brings that back"
            )

    def restore(self, last: dict[str, Any], *, dry_run: bool) -> None:
        """Takes into use what was before the last change, `last` in the log; again: what came then.

        Raises:
            GlossaError: it could not, and the present model stays; RESTORE_FAILED when not.
        """
        folder, earlier = last["folder_before"], InUse(**last["before"])
        with self._reached() as service:
            present, link = self._looked_at(service)
            self._say(f"{self.service} {self.tier} is {present}, and goes back to {earlier}")
            if dry_run:
                return
            found = re.search(NAME, folder or "")
            facts = {
                "version": found[0] if found else None,
                "folder": folder,
                "engine": earlier.engine,
                "before": vars(present),
                "folder_before": link,
            }
            with self._or_back(service, present, link, facts):
                if folder is not None:
                    service.load(earlier.engine, folder)
                else:
                    if link is not None:
                        # What was there before may have this name: it must not lead elsewhere.
                        self.host.call("point", self.name, None)
                    _load_unregistered(service, earlier)
                service.try_out(self.sentences, self.pair)
                if folder is not None:
                    self.host.call("point", self.name, folder)
            self._note("restored", **facts)
        self._say(f"{self.service} {self.tier} is {earlier} again")
        if folder is None and not earlier.speaks_with(self.name):
            self._say(f"{self.name} leads nowhere now: see that no profile names it as its model")

    @contextmanager
    def _reached(self) -> Iterator[RunningService]:
        with (
            self.host.reached() as address,
            reached(self.service, address, self.tier) as service,
        ):
            yield service

    def _looked_at(self, service: RunningService) -> tuple[InUse, str | None]:
        """What is in use, and where the name leads."""
        state = self.host.call("state", self.name)
        if state["is_taken"]:
            raise WrongState(
                "NAME_TAKEN",
                f"{self.host.models_dir}/{self.name} on {self.host.name} is a model of its own and "
                "would be replaced; choose another --name, and set the service's model to it",
            )
        return service.in_use(), state["link"]

    def _check_engine(self, version: Version, before: InUse) -> None:
        """A model that was judged alone never takes the place of the pair that would check it.

        Raises:
            WrongState: WRONG_ENGINE.
        """
        if before.engine == USED_BY.get(version.engine):
            raise WrongState(
                "WRONG_ENGINE",
                f"{self.service} {self.tier} of {self.host.name} is {before}, and {version.name} "
                f"is for {version.engine} alone, where nothing checks its sentences; export it "
                f"with --engine {before.engine} (engine in [export] of a plan) and judge it so, or "
                f"have the service use {version.engine} first",
            )

    def _bring(self, version: Version) -> None:
        """Copies and verifies; what is there already is verified alone."""
        folder, host = version.host_folder, self.host
        expected = version.expected_files()
        if host.call("state", folder)["is_taken"]:
            problems = host.call("damages", folder, expected)
        else:
            self._say(f"copying {version.name}")
            host.copy(version.model, folder)
            problems = host.call("publish", folder, expected)
            if problems:
                host.call("discard", folder)
        if problems:
            raise WrongState(
                "COPY_DAMAGED",
                f"the copy of {version.name} on {host.name} is not what was registered: "
                f"{'; '.join(problems)}",
            )

    @contextmanager
    def _or_back(
        self, service: RunningService, before: InUse, link: str | None, facts: dict[str, Any]
    ) -> Iterator[None]:
        """What fails, also when somebody stops it, leaves or brings back the model before.

        Noted is what became of it: "refused" or "stopped" before the service took the new one,
        "rolled_back" after, "restore_failed".
        """
        try:
            yield
        except BaseException as error:
            outcome, why = "stopped", repr(error)
            if isinstance(error, GlossaError):
                outcome, why = "refused", error.message
            try:
                # The name first: the model before may be called by it.
                if self.host.call("state", self.name)["link"] != link:
                    self.host.call("point", self.name, link)
                if service.in_use() != before:
                    self._say(f"{why}; back to {before}")
                    service.roll_back()
                    outcome = "rolled_back"
            except GlossaError as failure:
                self._note("restore_failed", **facts, why=f"{why}; {failure.message}")
                raise WrongState(
                    "RESTORE_FAILED",
                    f"{self.host.name} could not go back to {before}: {failure.message}; restart "
                    "its service, or take a model with ./glossa models use",
                ) from error
            self._note(outcome, **facts, why=why)
            raise

    def _note(self, outcome: str, **facts: Any) -> None:
        self.log.add(
            self.place,
            outcome,
            address=self.host.address,
            service=self.service,
            pair=str(self.pair),
            **facts,
        )

    def _say(self, line: str) -> None:
        self.report(f"{self.host.name}: {line}")


def _load_unregistered(service: RunningService, earlier: InUse) -> None:
    """What was in use before the first deployment: by what the service remembers, or its name."""
    try:
        service.roll_back()
    except WrongState as error:
        if error.reason != "NOTHING_TO_ROLL_BACK":
            raise
        service.load(earlier.engine, _requested(earlier))


def _requested(earlier: InUse) -> str:
    """The model that LoadModel is told; "" where the engine has one of its own or none."""
    if earlier.engine in USED_BY.values():
        # "eng-cat, glossa-en-es+apertium/eng-spa": other directions are Apertium's alone, as all
        # are where the engine had no model of its own.
        pairs = (each.partition("+") for each in earlier.model.split(", "))
        return next((own for own, plus, _ in pairs if plus), "")
    return "" if "/" in earlier.model or earlier.engine == "apertium" else earlier.model
