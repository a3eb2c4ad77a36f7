"""`python -m services.captions`"""

from services.captions.app import CaptionsApp
from services.captions.event_loop import new_event_loop
from services.captions.settings import CaptionsSettings
from services.serving import run
from services.settings import load

if __name__ == "__main__":
    settings = load(CaptionsSettings)
    run(CaptionsApp(settings), settings, loop_factory=new_event_loop)
