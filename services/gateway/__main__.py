"""python -m services.gateway"""

from services.gateway.server import GatewayApp
from services.gateway.settings import GatewaySettings
from services.serving import run
from services.settings import load

if __name__ == "__main__":
    settings = load(GatewaySettings)
    run(GatewayApp(settings), settings)
