"""python -m services.stt"""

from services.card_memory import watch_cards
from services.serving import run
from services.settings import load
from services.stt.server import SttApp
from services.stt.settings import SttSettings

if __name__ == "__main__":
    watch_cards()
    settings = load(SttSettings)
    run(SttApp(settings), settings)
