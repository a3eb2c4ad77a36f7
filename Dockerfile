# One image a service: docker build --build-arg SERVICE=stt .
# docker-compose.yml builds all of them and says how they find each other.
ARG BASE=python:3.11-slim-bookworm

# The Python packages of one service, in a virtual environment without pip. Made again only when the list of packages
# changes, not when the code does.
FROM ${BASE} AS packages
ARG SERVICE
WORKDIR /build
RUN python -m venv --without-pip /opt/venv
COPY pyproject.toml constraints.txt ./
RUN --mount=type=cache,target=/root/.cache/pip <<EOF
set -eu
python - >requirements.txt <<PYTHON
import tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
print(*project["dependencies"], *project["optional-dependencies"]["${SERVICE}"], sep="\n")
PYTHON
into_venv="python -m pip --python /opt/venv/bin/python --disable-pip-version-check install --root-user-action ignore"
$into_venv -r requirements.txt -c constraints.txt
# Wanted for the model file in it, not for the torch that it declares.
if [ "$SERVICE" = stt ]; then $into_venv --no-deps silero-vad -c constraints.txt; fi
EOF

FROM ${BASE}
ARG SERVICE
RUN <<EOF
set -eu
case $SERVICE in
  mt | qe)
    apt-get update -q
    apt-get install -y -q --no-install-recommends apertium apertium-eng-spa
    rm -rf /var/lib/apt/lists/*
    ;;
esac
useradd --system --uid 10001 --home-dir /var/lib/glossa --shell /usr/sbin/nologin glossa
# A named volume takes over the owner of the folder that it is mounted on.
install -d -o glossa -g glossa /var/lib/glossa /var/lib/glossa/models /var/lib/glossa/gateway \
  /var/lib/glossa/gateway/audio
EOF
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY protos protos
COPY services/*.py services/
COPY services/${SERVICE} services/${SERVICE}
# The ports of /readyz are the defaults of services/settings.py, said here so that the health check need not load them.
ENV SERVICE=${SERVICE} \
  PATH=/opt/venv/bin:$PATH \
  PYTHONPATH=/app:/app/protos \
  PYTHONUNBUFFERED=1 \
  PYTHONDONTWRITEBYTECODE=1 \
  ORT_DISABLE_TELEMETRY=1 \
  GLOSSA_GATEWAY_STATE_DIR=/var/lib/glossa/gateway \
  GLOSSA_GATEWAY_HTTP_PORT=7301 \
  GLOSSA_STT_HTTP_PORT=7303 \
  GLOSSA_MT_HTTP_PORT=7305 \
  GLOSSA_QE_HTTP_PORT=7307 \
  GLOSSA_CAPTIONS_HTTP_PORT=7309 \
  GLOSSA_COLLECTOR_HTTP_PORT=7312
RUN python -m compileall -q services protos
USER glossa
HEALTHCHECK --interval=5s --timeout=4s --start-period=90s --retries=3 CMD ["python", "-S", "-c", \
  "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['GLOSSA_' + os.environ['SERVICE'].upper() + '_HTTP_PORT'] + '/readyz', timeout=3)"]
STOPSIGNAL SIGTERM
CMD exec python -m services.${SERVICE}
