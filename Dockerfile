# One image a service: docker build --build-arg SERVICE=stt --build-arg PROFILE=cpu .
# docker-compose.yml builds all of them and says how they find each other.
#
# SERVICE=training is no service but the jobs of training/, with all that they call; SERVICE=cli is the command line.
# The target `redis` is Redis as Glossa wants it: docker build --target redis .
#
# An image holds the libraries of the engines that profiles/<PROFILE>.env names for its service, of those in ENGINES
# (names as in GLOSSA_MT_RUNTIME), and the extras of pyproject.toml in EXTRAS. With TRACES=yes
# it has those of traces, too. For qe, ENGINES replaces the profile's.
#
# BASE and REDIS may name a digest, too (docs/docker.md says how); /app/sbom.cdx.json lists an image's packages (CycloneDX).
ARG BASE=python:3.11-slim-bookworm
ARG REDIS=redis:7-bookworm
# Where llama.cpp is compiled; the CUDA overlay takes an image that has nvcc.
ARG BUILD_BASE=${BASE}

# What is to be installed. A stage of its own: the packages are made again only when its answer changes, not whenever a
# profile, or the part of another service in pyproject.toml, does.
FROM ${BASE} AS choice
ARG SERVICE
ARG PROFILE=embedded
ARG ENGINES=
ARG EXTRAS=
ARG TRACES=
WORKDIR /choice
COPY pyproject.toml ./
COPY profiles profiles
RUN <<EOF
python - <<PYTHON
import re, tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
extras = project["optional-dependencies"]
profile = open("profiles/${PROFILE}.env").read()
variables = {
    "stt": r"STT_(?:PARTIAL_)?ENGINE",
    "mt": r"MT_(?:DRAFT_)?RUNTIME",
    "qe": "QE_ENGINE",
}.get("${SERVICE}")
engines = "${ENGINES}".split()
# qe has one learned engine or none, and what is named replaces the profile's: those are gigabytes.
if variables and not (engines and "${SERVICE}" == "qe"):
    engines += re.findall(rf"^GLOSSA_{variables}=(?:\\$\\{{\w+:-)?(\w+)", profile, re.MULTILINE)
# The extra "embedded" is a whole profile; the runtime of that name has what it needs in "mt".
chosen = {name.replace("_", "-") for name in engines} & (extras.keys() - {"embedded"})
chosen |= set("${EXTRAS}".replace(",", " ").split()) if variables else set()
chosen |= {"traces"} if "${TRACES}" else set()
if "xllamacpp" in chosen:
    chosen -= {"gguf"}  # it serves the same runtime and needs no compiler
print(*sorted(chosen), sep="\n", file=open("extras", "w"))
# The jobs judge recognisers, read what is collected, and use parts of the command line, which pulls models.
own = {"training": ["training", "stt", "collector", "cli"], "cli": ["cli", "models"]}.get("${SERVICE}", ["${SERVICE}"])
wanted = [line for name in (*own, *sorted(chosen)) for line in extras[name]]
print(*project["dependencies"], *wanted, sep="\n", file=open("requirements.txt", "w"))
PYTHON
EOF

# llama-cpp-python is published as source: its wheel is made here, so that no compiler comes into the image. Without
# GGML_NATIVE, because the machine that builds need not be the one that runs: AVX2, which x86 has had since 2013-2015. What
# writes GGUF files is in the source and in no package.
FROM ${BUILD_BASE} AS wheels
ARG LLAMA_FLAGS=
WORKDIR /wheels
COPY --from=choice /choice/requirements.txt ./
RUN --mount=type=cache,target=/root/.cache/pip <<EOF
set -eu
mkdir built
wanted=$(grep '^llama-cpp-python==' requirements.txt) || exit 0
apt-get update -q
apt-get install -y -q --no-install-recommends build-essential cmake python3 python3-pip python3-venv
flags="$LLAMA_FLAGS -DGGML_NATIVE=OFF"
if [ "$(uname -m)" = x86_64 ]; then flags="$flags -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON"; fi
python3 -m venv /tools
pip="/tools/bin/pip --disable-pip-version-check"
$pip download --no-deps --no-binary llama-cpp-python -d . "$wanted"
CMAKE_ARGS="$flags" $pip wheel --no-cache-dir --no-deps -w built llama_cpp_python-*.tar.gz
inside=$(basename llama_cpp_python-*.tar.gz .tar.gz)/vendor/llama.cpp
mkdir built/llama.cpp
tar -xzf llama_cpp_python-*.tar.gz -C built/llama.cpp --strip-components 3 \
  "$inside/LICENSE" "$inside/convert_hf_to_gguf.py" "$inside/conversion" "$inside/gguf-py/gguf"
EOF

# The Python packages of one service, in a virtual environment without pip.
FROM ${BASE} AS packages
ARG SERVICE
# Where torch comes from; PyPI when empty, whose torch brings gigabytes of CUDA with it.
ARG TORCH_INDEX=
WORKDIR /build
RUN python -m venv --without-pip /opt/venv
COPY constraints.txt constraints-qe.txt ./
COPY --from=choice /choice/extras /choice/requirements.txt ./
RUN --mount=type=cache,target=/root/.cache/pip --mount=from=wheels,source=/wheels/built,target=/wheels <<EOF
set -eu
into_venv="python -m pip --python /opt/venv/bin/python --disable-pip-version-check install --root-user-action ignore"
constraints=constraints.txt
# unbabel-comet wants older libraries than the other services.
if grep -qx cometkiwi extras; then constraints=constraints-qe.txt; fi
# First and alone: what asks for it later finds it there and does not choose another build.
if [ "$SERVICE" = training ] || grep -qxE 'bitsandbytes|cometkiwi|exl2|mlx-whisper' extras; then
  $into_venv ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$(grep -o '^torch==[0-9.]*' $constraints)"
fi
if grep -qx gguf extras; then
  $into_venv --no-deps /wheels/*.whl
  if [ "$SERVICE" = training ]; then mkdir -p /opt/venv/share && cp -R /wheels/llama.cpp /opt/venv/share/; fi
fi
$into_venv -r requirements.txt -c $constraints
# One library of another version, and the estimate is wrong or qe does not start: better no image.
if grep -qx cometkiwi extras; then python -m pip --python /opt/venv/bin/python check; fi
# Wanted for the model file in it, not for the torch that it declares.
case $SERVICE in stt | training) $into_venv --no-deps silero-vad -c constraints.txt ;; esac
EOF

# What lists an image's packages, without being one of them.
FROM ${BASE} AS inventory
WORKDIR /build
COPY constraints.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
  python -m venv /opt/inventory && /opt/inventory/bin/pip install -q cyclonedx-bom -c constraints.txt

FROM packages AS listed
COPY pyproject.toml ./
RUN --mount=from=inventory,source=/opt/inventory,target=/opt/inventory /opt/inventory/bin/cyclonedx-py environment \
  --pyproject pyproject.toml --output-reproducible --output-format JSON --output-file /sbom.cdx.json /opt/venv/bin/python

# The code of one service; of all of them for the jobs of training/ and the command line, which call them.
FROM ${BASE} AS code
ARG SERVICE
WORKDIR /code
COPY protos protos
COPY services services
COPY cli cli
COPY profiles profiles
COPY training training
RUN <<EOF
set -eu
case $SERVICE in training) exit ;; cli) rm -r training && exit ;; esac
find services -mindepth 1 -maxdepth 1 -type d ! -name "$SERVICE" -exec rm -r {} +
rm -r cli profiles training
EOF

# Redis with the folders that it writes to, as its own user: the image that it is made from begins as root.
FROM ${REDIS} AS redis
COPY redis-server /glossa
RUN install -d -o redis -g redis /data /run/glossa/collector /run/glossa/trainer
USER redis
ENTRYPOINT ["sh", "/glossa/start", "/data"]

FROM ${BASE}
ARG SERVICE
RUN <<EOF
set -eu
packages=
case $SERVICE in
  # llama.cpp and torch compute on several cores with OpenMP.
  mt) packages="apertium apertium-eng-spa libgomp1" ;;
  qe) packages="apertium apertium-eng-spa libgomp1" ;;
  stt) packages=libgomp1 ;;
  # What is beaten by a first model, and how a version gets to other machines.
  training) packages="apertium apertium-eng-spa libgomp1 openssh-client rsync" ;;
esac
if [ -n "$packages" ]; then
  apt-get update -q
  apt-get install -y -q --no-install-recommends $packages
  rm -rf /var/lib/apt/lists/*
fi
useradd --system --uid 10001 --home-dir /var/lib/glossa --shell /usr/sbin/nologin glossa
# A named volume takes over the owner of the folder that it is mounted on.
install -d -o glossa -g glossa /var/lib/glossa /var/lib/glossa/models /var/lib/glossa/gateway \
  /var/lib/glossa/gateway/audio /var/lib/glossa/reports
EOF
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY --from=code /code ./
COPY --from=listed /sbom.cdx.json ./
# The ports are the defaults of services/settings.py, said here so that the health check need not load them.
ENV SERVICE=${SERVICE} \
  PATH=/opt/venv/bin:$PATH \
  PYTHONPATH=/app:/app/protos \
  PYTHONUNBUFFERED=1 \
  PYTHONDONTWRITEBYTECODE=1 \
  ORT_DISABLE_TELEMETRY=1 \
  LD_LIBRARY_PATH=/opt/venv/lib/python3.11/site-packages/nvidia/cublas/lib:/opt/venv/lib/python3.11/site-packages/nvidia/cuda_runtime/lib:/opt/venv/lib/python3.11/site-packages/nvidia/cudnn/lib \
  GLOSSA_STT_MODELS_DIR=/var/lib/glossa/models \
  GLOSSA_MT_MODELS_DIR=/var/lib/glossa/models \
  GLOSSA_QE_MODELS_DIR=/var/lib/glossa/models \
  GLOSSA_GATEWAY_STATE_DIR=/var/lib/glossa/gateway \
  GLOSSA_COLLECTOR_REPORTS_DIR=/var/lib/glossa/reports \
  GLOSSA_GATEWAY_GRPC_PORT=7300 \
  GLOSSA_STT_GRPC_PORT=7302 \
  GLOSSA_MT_GRPC_PORT=7304 \
  GLOSSA_QE_GRPC_PORT=7306 \
  GLOSSA_CAPTIONS_GRPC_PORT=7308 \
  GLOSSA_COLLECTOR_GRPC_PORT=7311
RUN python -m compileall -q . && ln -s /var/lib/glossa var
USER glossa
# A large model may take minutes to load from a slow disk.
# Often while it starts, for others wait for it; seldom afterwards, for each check is a process. A busy machine is no failure:
# the process has time to start.
HEALTHCHECK --interval=15s --start-interval=3s --timeout=20s --start-period=600s --retries=3 CMD ["python", "-m", "services.health_probe"]
STOPSIGNAL SIGTERM
CMD exec python -m services.${SERVICE}
