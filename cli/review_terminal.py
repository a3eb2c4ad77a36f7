"""Reviewing in a terminal: a pair, a key, the next pair."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cli.review_client import ReviewClient
from cli.review_input import Keyboard
from cli.review_player import PLAYERS, Player
from cli.review_screen import KEYS, Draft, ReviewScreen
from glossa.types.v1 import types_pb2
from services.errors import GlossaError

_LONGEST_RENEWAL_INTERVAL_S = 30.0
_SHORTEST_RENEWAL_INTERVAL_S = 0.2
_RENEWALS_A_LEASE = 3
_DECIDING_KEYS = frozenset("arsu")
_PAIR_IS_LOST = frozenset({"LEASE_LOST", "UNKNOWN_PAIR", "UNKNOWN_SESSION"})
_TEXTS_ARE_OLD = frozenset({"INVALID_DECISION"})


class TerminalReview:
    """One person's sitting, until they leave.

    A text that was changed outlives whatever fails: it is sent again on the next `a`, and a pair
    that was lost and comes back brings it along.
    """

    def __init__(self, client: ReviewClient, reviewer: str, session_id: str) -> None:
        self.done: Counter[str] = Counter()
        self._client = client
        self._reviewer = reviewer
        self._session_id = session_id
        self._screen = ReviewScreen()
        self._keyboard = Keyboard()
        self._player = Player()
        # Of what was edited: what was shown then, and what it became.
        self._drafts: dict[str, tuple[Draft, Draft]] = {}
        self._deciding = threading.Event()  # the lease ends now, and that is no loss

    def run(self) -> None:
        """Raises GlossaError when the collector fails before a pair is there."""
        self._screen.note(f"reviewing as {self._reviewer}; {KEYS}")
        try:
            with self._keyboard.reading():
                answer = self._next()
                while answer is not None:
                    if answer.HasField("item"):
                        with self._kept(answer.item):
                            answer = self._review(answer.item, answer.progress)
                    else:
                        answer = self._wait()
        finally:
            self._player.stop()

    def _wait(self) -> Any:
        """Asks what to do when nothing is left; new pairs come in while somebody speaks."""
        self._screen.note("nothing is left for you · u undo · q quit · any other key looks again")
        while True:
            key = self._keyboard.key()
            try:
                match key:
                    case "" | "q":
                        return None
                    case "u":
                        return self._undo()
                    case _:
                        return self._next()
            except GlossaError as error:
                self._screen.note(error.message, "red")

    def _review(self, item: Any, progress: Any) -> Any:
        """Asks about one pair; the answer with the next one, None at the end."""
        pair = item.pair
        shown = Draft(pair.source_text, pair.target_text)
        draft = self._recalled(pair, shown)
        self._screen.show(item, draft, progress)
        while True:
            key = self._keyboard.key()
            if key in _DECIDING_KEYS:
                self._deciding.set()
            try:
                match key:
                    case "" | "q":
                        return None
                    case "a":
                        return self._submit(item, draft)
                    case "r":
                        return self._send(item, types_pb2.DECISION_REJECTED, draft)
                    case "s":
                        self._client.release(item.lease_id, skip=True)
                        self.done["skipped"] += 1
                        return self._next()
                    case "u":
                        return self._undo()
                    case "e" | "o":
                        draft = self._edited(key, pair, draft)
                        self._drafts[pair.pair_id] = (shown, draft)
                        self._screen.show(item, draft, progress)
                    case "z":
                        self._drafts.pop(pair.pair_id, None)
                        draft = shown
                        self._screen.show(item, draft, progress)
                    case "p":
                        self._play(item)
                    case _:
                        self._screen.note(KEYS)
            except GlossaError as error:
                self._screen.note(error.message, "red")
                if error.reason in _PAIR_IS_LOST:
                    self._tell_kept(item, draft)
                if error.reason in _PAIR_IS_LOST | _TEXTS_ARE_OLD:
                    return self._next()
            finally:
                self._deciding.clear()

    def _submit(self, item: Any, draft: Draft) -> Any:
        is_changed = draft != Draft(item.pair.source_text, item.pair.target_text)
        decision = types_pb2.DECISION_FIXED if is_changed else types_pb2.DECISION_ACCEPTED
        return self._send(item, decision, draft)

    def _send(self, item: Any, decision: types_pb2.Decision, draft: Draft) -> Any:
        self._client.submit(
            item.lease_id,
            decision,
            draft.source_text,
            draft.target_text,
            shown_source_text=item.pair.source_text,
            shown_target_text=item.pair.target_text,
        )
        self._drafts.pop(item.pair.pair_id, None)
        self.done[types_pb2.Decision.Name(decision).removeprefix("DECISION_").lower()] += 1
        return self._next()

    def _undo(self) -> Any:
        answer = self._client.undo(self._reviewer)
        self._drafts.pop(answer.item.pair.pair_id, None)
        self.done["undone"] += 1
        return answer

    def _next(self) -> Any:
        self._player.stop()
        return self._client.lease(self._reviewer, self._session_id)

    def _recalled(self, pair: Any, shown: Draft) -> Draft:
        """What was edited before, on the texts that are shown now; says which somebody changed."""
        was, edited = self._drafts.get(pair.pair_id, (shown, shown))
        draft = Draft(
            edited.source_text if edited.source_text != was.source_text else shown.source_text,
            edited.target_text if edited.target_text != was.target_text else shown.target_text,
        )
        if shown.source_text != was.source_text:
            self._screen.note(f"changed meanwhile, {pair.source_language}: {shown.source_text}")
        if shown.target_text != was.target_text:
            self._screen.note(f"changed meanwhile, {pair.target_language}: {shown.target_text}")
        if pair.pair_id in self._drafts:
            self._drafts[pair.pair_id] = (shown, draft)
        return draft

    def _edited(self, key: str, pair: Any, draft: Draft) -> Draft:
        if key == "o":
            text = self._keyboard.edited(f"{pair.source_language}> ", draft.source_text)
            return replace(draft, source_text=text)
        text = self._keyboard.edited(f"{pair.target_language}> ", draft.target_text)
        return replace(draft, target_text=text)

    def _play(self, item: Any) -> None:
        if not item.has_audio:
            self._screen.note("the audio of this session was not kept")
            return
        command = self._player.command()
        if command is None:
            names = ", ".join(player[0] for player in PLAYERS)
            self._screen.note(
                f"no player here ({names}); install ffmpeg, or listen on the review page"
            )
            return
        try:
            self._player.play(command, self._client.audio(item.pair.pair_id))
        except OSError as error:
            self._screen.note(f"cannot play: {error.strerror or error}", "red")

    def _tell_kept(self, item: Any, draft: Draft) -> None:
        pair = item.pair
        if draft.source_text != pair.source_text:
            self._screen.note(f"your {pair.source_language}: {draft.source_text}")
        if draft.target_text != pair.target_text:
            self._screen.note(f"your {pair.target_language}: {draft.target_text}")

    @contextlib.contextmanager
    def _kept(self, item: Any) -> Iterator[None]:
        """Keeps a pair while it is open, and gives it back when it is left undecided."""
        stop = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(item, stop), daemon=True)
        renewing.start()
        try:
            yield
        finally:
            stop.set()
            renewing.join()
            # Of a pair that was decided or skipped nothing is left to give back.
            with contextlib.suppress(GlossaError):
                self._client.release(item.lease_id)

    def _renew(self, item: Any, stop: threading.Event) -> None:
        """Says once when the pair is lost; a collector that is away may come back."""
        left_s = item.lease_expire_time.ToNanoseconds() / 1e9 - time.time()
        interval_s = min(
            max(left_s / _RENEWALS_A_LEASE, _SHORTEST_RENEWAL_INTERVAL_S),
            _LONGEST_RENEWAL_INTERVAL_S,
        )
        while not stop.wait(interval_s):
            try:
                self._client.renew(item.lease_id)
            except GlossaError as error:
                if error.reason == "LEASE_LOST":
                    if not self._deciding.is_set() and not stop.is_set():
                        self._screen.note(error.message, "red")
                    return
