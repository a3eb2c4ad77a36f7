#!/usr/bin/env bash
# Regenerates the stubs beside the .proto files. Stubs from grpcio-tools 1.62.3 import on protobuf runtimes
# 4.25 to 7.x; later generators bind them to one major version. That generator needs its own environment
# (protobuf < 5) and Python <= 3.12, so it never shares one with the services.
set -euo pipefail
cd "$(dirname "$0")"
venv=${GLOSSA_STUBS_VENV:-../.venv-stubs}
if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import grpc_tools.protoc' 2>/dev/null; then
  "${PYTHON:-python3}" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check 'grpcio-tools==1.62.3' 'setuptools<81'
fi
out=${1:-.}
mkdir -p "$out"
find glossa -name '*.proto' | LC_ALL=C sort | xargs "$venv/bin/python" -W ignore -m grpc_tools.protoc \
  -I. --python_out="$out" --pyi_out="$out" --grpc_python_out="$out"
