"""python -m services.stt"""

from services.serving import run
from services.settings import load
from services.stt.server import SttApp
from services.stt.settings import SttSettings

if __name__ == "__main__":
    settings = load(SttSettings)
    run(SttApp(settings), settings)
