"""./glossa installs what the chosen engines need, once, and takes nothing away.

The script is the real one; python and pip are stand-ins that write down what they are asked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.processes import REPOSITORY

# Knows a module from when it was told to install it; a wheel that is asked for is there afterwards.
PYTHON = """#!/bin/bash
folder=$(dirname "$0")
case "$*" in
  "-m pip --version" | *"import ensurepip"*) exit 0 ;;
  "-m pip check") echo "$*" >>"$folder/asked"; [ ! -e "$folder/disagree" ] ;;
  "-c import torch") grep -q "install.* torch==" "$folder/asked" ;;
  *"-P -m cli"*) echo "ran: ${*#*cli}" ;;
  *)
    echo "$*" >>"$folder/asked"
    if [ -n "$CMAKE_ARGS" ]; then echo "flags: $CMAKE_ARGS" >>"$folder/asked"; fi
    # -d or -w, a folder, and what goes into it.
    shift $(($# > 3 ? $# - 3 : 0))
    case $1 in
      -d)
        source=llama_cpp_python-${3#*==}
        inside=$source/vendor/llama.cpp
        mkdir -p "$2" "$folder/$inside/conversion" "$folder/$inside/gguf-py/gguf"
        touch "$folder/$inside/LICENSE" "$folder/$inside/convert_hf_to_gguf.py"
        tar -czf "$2/$source.tar.gz" -C "$folder" "$source"
        ;;
      -w) touch "$2/$(basename "$3" .tar.gz)-py3.whl" ;;
    esac
    ;;
esac
"""


class Checkout:
    """What the script needs of this repository, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkout"
        shutil.copytree(REPOSITORY / "profiles", self.folder / "profiles")
        for name in ("glossa", "pyproject.toml", "constraints.txt", "constraints-qe.txt"):
            shutil.copy(REPOSITORY / name, self.folder)
        self._asked = self.folder / ".venv" / "bin" / "asked"
        self.add_tool(".venv/bin/python", PYTHON)
        self.add_tool(".venv-qe/bin/python", PYTHON)
        self._asked_of_qe = self.folder / ".venv-qe" / "bin" / "asked"
        self.qe_stamp = self.folder / ".venv-qe" / ".glossa-stamp"
        # A machine with a compiler and without a card, whatever this one has.
        for name in ("g++", "cmake"):
            self.add_tool(f"tools/{name}", "#!/bin/sh\n")
        self.add_tool("tools/nvidia-smi", "#!/bin/sh\nexit 9\n")
        # Nor somebody who is root, for whom packages are installed that others do without.
        self.add_tool("tools/id", "#!/bin/sh\necho 1000\n")

    def add_tool(self, path: str, script: str) -> None:
        tool = self.folder / path
        tool.parent.mkdir(parents=True, exist_ok=True)
        tool.write_text(script)
        tool.chmod(0o755)

    def run(self, *arguments: str, **environment: str) -> list[str]:
        """What python was asked during one call of the script."""
        done = self.call(*arguments, **environment)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("ran: ")
        return self._asked.read_text().splitlines()

    def asked_of_qe(self) -> list[str]:
        """What the Python of qe's environment was asked during the last call."""
        return self._asked_of_qe.read_text().splitlines()

    def call(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        self._asked.write_text("")
        self._asked_of_qe.write_text("")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("GLOSSA_", "CMAKE"))}
        path = f"{self.folder / 'tools'}:{os.environ['PATH']}"
        return subprocess.run(
            [self.folder / "glossa", *arguments],
            env={**inherited, "PATH": path, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def extras(self) -> set[str]:
        stamp = (self.folder / ".venv" / ".glossa-stamp").read_text()
        return set(stamp.split()[-1].split(","))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_embedded_profile_installs_no_engine_and_only_once(checkout: Checkout) -> None:
    asked = checkout.run("translate", "hello")
    assert checkout.extras() == {"embedded"}
    assert not [line for line in asked if "torch==" in line]
    assert checkout.run("translate", "hello") == []


def test_a_profiles_engines_are_added_to_what_is_there(checkout: Checkout) -> None:
    checkout.run("translate", "hello")
    checkout.run("transcribe", "--profile", "cpu", "a.wav")
    assert checkout.extras() == {"embedded", "faster-whisper", "marian"}
    checkout.run("translate", "--profile=bnb", "hello")
    assert checkout.extras() == {"embedded", "faster-whisper", "marian", "bitsandbytes"}
    assert checkout.run("transcribe", "a.wav", GLOSSA_PROFILE="cpu") == []


def test_an_engine_named_alone_is_installed(checkout: Checkout) -> None:
    checkout.run("translate", "--runtime", "marian", "hello")
    checkout.run("transcribe", "--engine=mlx_whisper", "a.wav")
    checkout.run("translate", "hello", GLOSSA_MT_RUNTIME="mlx")
    assert checkout.extras() == {"embedded", "marian", "mlx-whisper", "mlx"}
    # One that does not exist is the service's to refuse.
    assert checkout.run("translate", "--runtime", "abacus", "hello") == []


def test_torch_comes_first_and_alone(checkout: Checkout) -> None:
    asked = checkout.run("translate", "--runtime", "bitsandbytes", "hello")
    with_torch = [line for line in asked if "torch==" in line]
    assert with_torch == [asked[0]]
    assert asked[0].split()[-1].startswith("torch==")


def test_llama_is_built_for_this_processor_and_kept(checkout: Checkout) -> None:
    asked = checkout.run("translate", "--runtime", "gguf", "hello")
    (fetched,) = [line for line in asked if " download " in line]
    assert fetched.split()[-1].startswith("llama-cpp-python==")
    (built,) = [line for line in asked if " wheel " in line]
    assert built.endswith(".tar.gz")
    (flags,) = {line for line in asked if line.startswith("flags: ")}
    assert "GGML_CUDA" not in flags
    assert checkout.run("translate", "--runtime", "gguf", "hello") == []

    # Other flags are another build; coming back to the first takes the kept one.
    other = checkout.run("translate", "--runtime", "gguf", "hello", CMAKE_ARGS="-DGGML_BLAS=ON")
    assert "flags: -DGGML_BLAS=ON" in other
    back = checkout.run("translate", "--runtime", "gguf", "hello")
    assert not [line for line in back if " wheel " in line]
    assert [line for line in back if "--force-reinstall" in line]
    assert not list(checkout.folder.glob("var/wheels/*/*.tar.gz"))


def test_what_writes_gguf_files_comes_with_llama(checkout: Checkout) -> None:
    checkout.run("translate", "--runtime", "gguf", "hello")
    scripts = checkout.folder / ".venv" / "share" / "llama.cpp"
    assert {path.name for path in scripts.iterdir()} == {
        *("LICENSE", "convert_hf_to_gguf.py", "conversion", "gguf-py")
    }

    # Also to an environment that was made before; its llama.cpp is not built again.
    shutil.rmtree(scripts)
    for kept in checkout.folder.glob("var/wheels/*/llama.cpp-*"):
        shutil.rmtree(kept)
    again = checkout.run("translate", "--runtime", "gguf", "hello")
    assert [line for line in again if " download " in line]
    assert not [line for line in again if " wheel " in line]
    assert (scripts / "convert_hf_to_gguf.py").exists()


def test_a_card_with_a_compiler_gets_cuda(checkout: Checkout) -> None:
    checkout.add_tool("tools/nvidia-smi", "#!/bin/sh\necho 'GPU 0: one'\n")
    checkout.add_tool("tools/nvcc", "#!/bin/sh\n")
    asked = checkout.run("translate", "--profile", "rtx2070", "hello")
    assert [line for line in asked if line.startswith("flags: ") and "-DGGML_CUDA=on" in line]
    assert "cuda" in checkout.extras()


def test_a_ready_made_library_spares_the_compiler(checkout: Checkout) -> None:
    asked = checkout.run("translate", "--runtime", "gguf", "hello", GLOSSA_EXTRAS="xllamacpp")
    assert not [line for line in asked if " wheel " in line]
    assert checkout.extras() == {"embedded", "xllamacpp"}


def test_an_endpoint_for_traces_wants_their_libraries(checkout: Checkout) -> None:
    checkout.run("up", GLOSSA_TRACES_ENDPOINT="")
    assert checkout.extras() == {"embedded"}
    checkout.run("up", GLOSSA_TRACES_ENDPOINT="http://127.0.0.1:4317")
    assert checkout.extras() == {"embedded", "traces"}


def test_a_service_of_systemd_is_installed_with_what_its_own_settings_want(
    checkout: Checkout, tmp_path: Path
) -> None:
    settings = tmp_path / "glossa.env"
    settings.write_text(
        '# a church\'s\nGLOSSA_TRACES_ENDPOINT="http://127.0.0.1:4317"\nOTHER=1\nGLOSSA_LOG-LEVEL=info\n'
    )
    script = checkout.folder / "glossa"
    script.write_text(script.read_text().replace("/etc/glossa.env", str(settings)))
    checkout.run("up")
    assert checkout.extras() == {"embedded"}
    checkout.run("service", "install")
    assert checkout.extras() == {"embedded", "traces"}
    settings.write_text("GLOSSA_MT_RUNTIME=marian")
    checkout.run("service", "install")
    assert checkout.extras() == {"embedded", "marian", "traces"}


def test_a_service_that_trains_is_installed_with_the_libraries_of_training(
    checkout: Checkout,
) -> None:
    checkout.run("service", "install")
    assert checkout.extras() == {"embedded"}
    asked = checkout.run("service", "install", "--training")
    assert checkout.extras() == {"embedded", "training"}
    assert asked[0].split()[-1].startswith("torch==")


def test_the_tests_of_training_have_the_library_that_cycles_may_log_with(
    checkout: Checkout,
) -> None:
    for name in ("chromium", "chromedriver", "promtool"):
        checkout.add_tool(f"tools/{name}", "#!/bin/sh\n")
    checkout.run("test", "--training")
    assert checkout.extras() == {"embedded", "test", "training", "mlflow"}


def test_help_and_doctor_install_no_engine(checkout: Checkout) -> None:
    checkout.run("translate", "hello")
    for arguments in (("up", "--profile", "mac", "--help"), ("doctor", "--profile", "mac")):
        assert checkout.run(*arguments) == []


def test_pulling_wants_the_hubs_library_and_bringing_in_does_not(checkout: Checkout) -> None:
    checkout.run("models", "pull", "small.en", "--from", "/media")
    assert checkout.extras() == {"embedded"}
    checkout.run("models", "pull", "--profile", "rtx2070")
    assert checkout.extras() == {"embedded", "models"}


def test_qe_has_an_environment_of_its_own_where_its_learned_engine_runs(
    checkout: Checkout,
) -> None:
    asked = checkout.run("up", "--profile", "cpu")
    assert not [line for line in asked if "cometkiwi" in line]
    first, second, last = checkout.asked_of_qe()
    assert first.split()[-1].startswith("torch==")
    assert second.endswith("[qe,cometkiwi,traces]")
    assert all("-c " in line and "constraints-qe.txt" in line for line in (first, second))
    assert last == "-m pip check"
    assert checkout.qe_stamp.exists()
    checkout.run("up", "--profile", "cpu")
    assert checkout.asked_of_qe() == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("up",),
        ("translate", "--profile", "cpu", "hello"),
        ("doctor", "--profile", "cpu"),
        ("up", "--profile", "cpu", "--help"),
        ("bench", "mt", "--profile", "cpu"),
        ("bench", "qe"),
        ("test",),
    ],
    ids=" ".join,
)
def test_who_starts_no_learned_estimate_gets_no_environment_for_it(
    checkout: Checkout, arguments: tuple[str, ...]
) -> None:
    # The packages of Debian that `test` wants for its browser are here, whatever this machine has.
    for name in ("chromium", "chromedriver"):
        checkout.add_tool(f"tools/{name}", "#!/bin/sh\n")
    checkout.run(*arguments)
    assert checkout.asked_of_qe() == []


def test_measuring_the_learned_estimate_makes_its_environment(checkout: Checkout) -> None:
    checkout.run("bench", "qe", "cometkiwi:other", "--count", "8")
    assert checkout.asked_of_qe()


def test_the_rules_alone_and_an_environment_of_ones_own_need_none_either(
    checkout: Checkout,
) -> None:
    checkout.run("up", "--profile", "cpu", GLOSSA_QE_ENGINE="heuristic")
    assert checkout.asked_of_qe() == []
    checkout.run("up", "--profile", "cpu", GLOSSA_QE_PYTHON="/elsewhere/python")
    assert checkout.asked_of_qe() == []


def test_the_stack_starts_without_libraries_that_disagree_and_tests_do_not(
    checkout: Checkout,
) -> None:
    for name in ("chromium", "chromedriver"):
        checkout.add_tool(f"tools/{name}", "#!/bin/sh\n")
    checkout.add_tool(".venv-qe/bin/disagree", "")
    up = checkout.call("up", "--profile", "cpu")
    assert up.stdout.startswith("ran: ")
    assert "qe starts without its learned estimate" in up.stderr
    assert not checkout.qe_stamp.exists()
    test = checkout.call("test", "--engines")
    assert test.returncode == 1
    assert "checking that qe's libraries agree" in test.stderr
