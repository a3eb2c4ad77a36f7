"""`python -m services.mt`: translates until SIGTERM."""

from __future__ import annotations

from services.card_memory import watch_cards
from services.mt.server import MtApp
from services.mt.settings import MtSettings
from services.serving import run
from services.settings import load

if __name__ == "__main__":
    watch_cards()
    settings = load(MtSettings)
    app = MtApp(settings)
    run(app, settings, app.conditions)
