"""Every parser that meets the network or a file, as one function of bytes.

The tests here and the runner for atheris drive the same list. A parser answers, or refuses with one
of the errors that its own description names; anything else is a bug.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from aiohttp.test_utils import make_mocked_request
from google.protobuf.message import DecodeError

from cli.stack import variables_of
from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services import bible_references, spoken_numbers
from services.audio import SampleClock
from services.captions.transcripts.export import offset_ms_of
from services.captions.web.live_query import live_query
from services.captions.web.operator_gateway import parsed
from services.collector import general, label_studio
from services.collector.calibration import read_calibration
from services.collector.entry import from_fields, reviewed_from_fields
from services.collector.pair_message import pair_message
from services.collector.verified import read_exported, read_verified
from services.gateway import requests
from services.marian import sentences
from services.mt import glossary_file, names, prompt
from services.mt.engine import Job, LanguagePair
from services.mt.prompt_family import MARKERS, checked_family
from services.stt.corrections import COLUMNS, Corrections
from services.token_file import read_tokens
from tests.fuzz import seeds
from tests.fuzz.answer_parsers import ANSWER_PARSERS
from tests.fuzz.caption_parsers import CAPTION_PARSERS
from tests.fuzz.file_request_parsers import FILE_REQUEST_PARSERS
from tests.fuzz.model_parsers import MODEL_PARSERS
from tests.fuzz.parser import Parser, of_file, of_text
from tests.fuzz.training_parsers import TRAINING_PARSERS
from training.cycling.plan import read_plan
from training.evaluation.thresholds import read_checks
from training.rollout.hosts import host_of, read_hosts
from training.rows import read_rows

_ROOT = Path(__file__).parents[2]


def _fields(data: bytes) -> dict[str, str]:
    """A Redis entry: "name<tab>value" a line."""
    lines = data.decode("utf-8", errors="replace").split("\n")
    return {name: value for name, _, value in (line.partition("\t") for line in lines)}


def _sample_clock(data: bytes) -> None:
    """24 bytes a frame: its first sample, then eight samples."""
    clock = SampleClock()
    for start in range(0, len(data), 24):
        frame = data[start : start + 24]
        clock.accept(int.from_bytes(frame[:8], "little", signed=True), frame[8:])


def _session_config(data: bytes) -> None:
    requests.check_new_session(gateway_pb2.SessionConfig.FromString(data))


def _review(data: bytes) -> None:
    requests.checked_review(gateway_pb2.ReviewPairRequest.FromString(data))


def _browser_config(data: bytes) -> None:
    body = json.loads(data)
    if isinstance(body, dict):
        parsed(body, gateway_pb2.SessionConfig())


def _live_query(text: str) -> None:
    # What aiohttp's own parser lets through in a request line.
    kept = "".join(sign for sign in text if sign.isprintable() and sign not in " #")
    live_query(make_mocked_request("GET", f"/live?{kept}"))


def _prompt(text: str) -> None:
    assert _markers(prompt.without_markers(text)).total() == 0
    pair = LanguagePair("en", "es")
    for family in prompt.FAMILIES:
        built = prompt.build(family, Job(text, pair, committed_text=text))
        assert _markers(built.text) == _markers(prompt.build(family, Job("Amen.", pair)).text)


def _markers(text: str) -> Counter[str]:
    return Counter({marker: text.count(marker) for marker in MARKERS})


def _label_studio(data: bytes) -> None:
    list(label_studio.read(json.loads(data)))


def _general(name: str) -> Callable[[bytes], object]:
    return of_file(lambda path: list(general.read(path, ("en", "es"))), name)


def _profile(data: bytes) -> None:
    def read(path: Path) -> None:
        # What a service's environment is: subprocess refuses what it cannot pass on.
        for name, value in variables_of(path).items():
            assert name
            assert "=" not in name
            assert not {"\0", "\n"} & {*name, *value}

    of_file(read)(data)


def _name_table(path: Path) -> None:
    table = names.Names.read(path)
    for text in ("Peter said it.", path.read_text(encoding="utf-8")):
        found = table.within(text)
        assert set(table.missing(text, "Pedro lo dijo.")) <= set(found)


_SESSION = gateway_pb2.SessionConfig(
    title="Sunday", source_language="en", target_languages=["es"], phrases=["Nehemiah"]
)
_REVIEW = gateway_pb2.ReviewPairRequest(
    session_id="s",
    segment_id=1,
    language="es",
    decision=types_pb2.DECISION_FIXED,
    source_text="Amen.",
    target_text="Amén.",
    reviewer="r",
    review_id="i",
    shown_source_text="A man.",
)
_ROW = (
    b'{"en": "Amen.", "es": "Am\xc3\xa9n.", "source_language": "en", "target_language": "es", '
    b'"kind": "bible", "origin": "WEB", "group": "RUT", "weight": 1.0}\n'
)

PARSERS = (
    *CAPTION_PARSERS,
    *FILE_REQUEST_PARSERS,
    *ANSWER_PARSERS,
    *MODEL_PARSERS,
    *TRAINING_PARSERS,
    Parser("audio frames", _sample_clock, seeds=(bytes(24) + b"\x0c" + bytes(23),)),
    Parser(
        "session config", _session_config, (DecodeError,), seeds=(_SESSION.SerializeToString(),)
    ),
    Parser("review", _review, (DecodeError,), seeds=(_REVIEW.SerializeToString(),)),
    Parser(
        "browser config",
        _browser_config,
        (ValueError, RecursionError),  # json.loads: microphone._json and web.json_object take both
        seeds=(b'{"sourceLanguage": "en", "target_languages": ["es"], "phrases": []}',),
    ),
    Parser(
        "live query",
        of_text(_live_query),
        seeds=(b"session=a&language=es,en&after=12&finals_only=1",),
    ),
    Parser("offset", of_text(offset_ms_of), seeds=(b"-1:02:03.4", b"90")),
    Parser("redis entry", lambda data: _scored(data), (ValueError,), seeds=(seeds.REDIS_ENTRY,)),
    Parser("redis review", lambda data: _reviewed(data), (ValueError,), seeds=(seeds.REDIS_ENTRY,)),
    Parser("calibration", of_file(read_calibration), (ValueError,), seeds=(seeds.CALIBRATION,)),
    Parser(
        "exported pairs",
        lambda data: (read_exported(data.split(b"\n")), read_verified(data.split(b"\n"))),
        (ValueError,),
        seeds=(seeds.EXPORTED_PAIRS,),
    ),
    Parser(
        "label studio",
        _label_studio,
        (ValueError, RecursionError),  # json.loads: cli.review_import takes both
        seeds=(
            b'[{"id": 1, "data": {"pair_id": "s/1/es"}, "annotations": [{"result": [{"from_name": '
            b'"decision", "value": {"choices": ["Accept"]}}]}]}]',
        ),
    ),
    Parser("general tsv", _general("pairs.tsv"), seeds=(b"Amen.\tAm\xc3\xa9n.\n",)),
    Parser("general jsonl", _general("pairs.jsonl"), seeds=(_ROW,)),
    Parser("training rows", of_file(lambda path: list(read_rows(path))), seeds=(_ROW * 2,)),
    Parser(
        "glossary",
        of_file(glossary_file.read),
        seeds=(b"source\ttarget\tcontext\nhost\thuesped\t\n",),
    ),
    Parser(
        "corrections",
        of_file(Corrections.read),
        seeds=(
            "\t".join(COLUMNS).encode() + b"\nnehemia\tNehemiah\tname\tno\t\n",
            b"".join(
                (_ROOT / "services/stt/corrections_en.tsv").read_bytes().splitlines(True)[:14]
            ),
        ),
    ),
    Parser("tokens", of_file(read_tokens), seeds=(seeds.TOKENS,)),
    Parser("profile", _profile, seeds=(b"# a\nGLOSSA_MT_MODEL=${GLOSSA_MT_MODEL:-a b}\nA=\n",)),
    Parser("cycle plan", of_file(read_plan), seeds=(seeds.PLAN,)),
    Parser("gate", of_file(read_checks), seeds=(seeds.CHECKS,)),
    Parser("hosts", of_file(read_hosts), seeds=(seeds.HOSTS,)),
    Parser("host", of_text(host_of), seeds=(b"glossa@booth.local:/srv/models@127.0.0.1:7304",)),
    Parser(
        "name table",
        of_file(_name_table),
        (ValueError,),  # it is the service's own file
        seeds=("name\tforms\npeter\tpedro\nhim\t-\njob\tjob jób\n".encode(),),
    ),
    Parser(
        "prompt",
        of_text(_prompt),
        seeds=(b"Amen. <start_of_turn>", b"<|turn>[INST]", b"<start_of<turn|>_turn>"),
    ),
    Parser(
        "chat template",
        of_text(lambda text: checked_family("auto", text, "a", MARKERS)),
        seeds=(
            b"<start_of_turn>{{ source_lang_code }}",
            rb"<|im_start|>{% if enable_thinking %}<think>\n\n</think>\n\n{% endif %}",
        ),
    ),
    Parser("sentences", of_text(lambda text: list(sentences(text))), seeds=(b"Mr. A. said. So!",)),
    Parser(
        "bible references",
        of_text(
            lambda text: [bible_references.places(text, language) for language in ("en", "es")]
        ),
        seeds=(b"First Corinthians thirteen, verses four through seven", b"Jn 3:16-18, 20"),
    ),
    Parser(
        "spoken numbers",
        of_text(
            lambda text: [list(spoken_numbers.numbers(text, language)) for language in ("en", "es")]
        ),
        seeds=(b"two thousand and twenty-six", b"1,000,000.5 mil"),
    ),
)


def _scored(data: bytes) -> None:
    pair_message(from_fields(_fields(data)))


def _reviewed(data: bytes) -> None:
    pair_message(reviewed_from_fields(_fields(data)))
