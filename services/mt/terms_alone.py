"""What an engine makes of a glossary's terms alone: it tells where they stand in a text."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

import structlog

from services.errors import GlossaError
from services.mt.engine import Job, LanguagePair

log = structlog.get_logger()

_KEPT = 4096


class TermsAlone:
    """A term is translated alone once, when a text first holds it.

    Args:
        translate: the engine's text for a job; raises GlossaError.
    """

    def __init__(self, translate: Callable[[Job], str]) -> None:
        self._translate = translate
        self._rendered: OrderedDict[tuple[str, LanguagePair], str] = OrderedDict()

    def renderer(self, pair: LanguagePair, allowed: float = math.inf) -> Callable[[str], str]:
        """What `Glossary.apply` asks; "" for a term that is not known.

        Args:
            allowed: terms that may be translated for it; further ones are answered if known.
        """

        def render_alone(term: str) -> str:
            nonlocal allowed
            known = self._rendered.get((term, pair))
            if known is not None:
                self._rendered.move_to_end((term, pair))
                return known
            if allowed <= 0:
                return ""
            allowed -= 1
            return self._render(term, pair)

        return render_alone

    def _render(self, term: str, pair: LanguagePair) -> str:
        try:
            text = self._translate(Job(term, pair))
        except GlossaError as error:  # the translation is there; only its term stays unchecked
            log.warning("term_not_rendered", reason=error.reason)
            return ""
        self._rendered[term, pair] = text
        if len(self._rendered) > _KEPT:
            self._rendered.popitem(last=False)
        return text
