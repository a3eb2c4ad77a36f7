"""`python -m services.qe`: measures translations until SIGTERM."""

from __future__ import annotations

from services.card_memory import watch_cards
from services.qe.server import QeApp
from services.qe.settings import QeSettings
from services.serving import run
from services.settings import load

if __name__ == "__main__":
    watch_cards()
    settings = load(QeSettings)
    app = QeApp(settings)
    run(app, settings, app.conditions)
