"""`python -m services.collector`"""

from services.collector.server import CollectorApp
from services.collector.settings import CollectorSettings
from services.serving import run
from services.settings import load

if __name__ == "__main__":
    settings = load(CollectorSettings)
    app = CollectorApp(settings)
    run(app, settings, app.conditions)
