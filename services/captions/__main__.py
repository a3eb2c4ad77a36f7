"""`python -m services.captions`"""

import gc

from services.captions.app import CaptionsApp
from services.captions.event_loop import new_event_loop
from services.captions.settings import CaptionsSettings
from services.serving import run
from services.settings import load

# What is held for a thousand displays lives long and has few cycles: looked through as often as
# Python does by default (700), that took a fifth of the time.
_NEW_OBJECTS_BETWEEN_COLLECTIONS = 20_000

if __name__ == "__main__":
    gc.set_threshold(_NEW_OBJECTS_BETWEEN_COLLECTIONS)
    settings = load(CaptionsSettings)
    run(CaptionsApp(settings), settings, loop_factory=new_event_loop)
