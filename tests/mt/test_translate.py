"""What a caller of mt gets, over gRPC from a real process."""

from __future__ import annotations

import grpc
import pytest

from glossa.mt.v1 import mt_pb2
from glossa.types.v1 import models_pb2, models_pb2_grpc, types_pb2
from services.errors import error_info, reason_of
from tests.mt.conftest import MtProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def reason(call: grpc.aio.UnaryUnaryCall) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    return reason_of(failure.value)


async def test_a_sentence_is_translated_with_its_facts(shared_mt: MtProcess) -> None:
    answer = await shared_mt.translate("the house of the quux is red")
    assert answer.text.startswith("La casa")
    assert answer.model == "apertium/eng-spa"
    assert answer.unknown_word_count == 1
    assert answer.engine_ms > 0


async def test_the_other_direction_is_translated_too(shared_mt: MtProcess) -> None:
    answer = await shared_mt.translate("la casa es roja", "es", "en")
    assert answer.text == "The house is red"
    assert answer.model == "apertium/spa-eng"


@pytest.mark.parametrize(("source", "target"), [("en-US", "es-419"), ("EN", "es_MX")])
async def test_regions_are_left_aside(shared_mt: MtProcess, source: str, target: str) -> None:
    answer = await shared_mt.translate("the house is red", source, target)
    assert answer.text == "La casa es roja"


async def test_recogniser_text_becomes_a_sentence_with_one_capital(shared_mt: MtProcess) -> None:
    assert (await shared_mt.translate("hello world")).text == "Hola mundo"
    assert (await shared_mt.translate("the ark is here")).text.startswith("El arca")


async def test_the_services_own_glossary_repairs_terms(shared_mt: MtProcess) -> None:
    for text in ("the holy spirit came upon them", "The Holy Spirit came upon them."):
        answer = await shared_mt.translate(text)
        assert "El Espíritu Santo vino" in answer.text
        assert [(term.source, term.target) for term in answer.glossary_terms] == [
            ("Holy Spirit", "Espíritu Santo")
        ]


async def test_the_glossary_works_in_the_other_direction(shared_mt: MtProcess) -> None:
    answer = await shared_mt.translate("el Espíritu Santo es Dios", "es", "en")
    assert answer.text.startswith("The Holy Spirit is God")


async def test_a_requests_glossary_comes_before_the_services(shared_mt: MtProcess) -> None:
    answer = await shared_mt.translate(
        "the holy spirit came",
        glossary=[types_pb2.GlossaryTerm(source="holy spirit", target="Santo Espíritu")],
    )
    assert answer.text.startswith("El Santo Espíritu vino")
    assert answer.glossary_terms[0].target == "Santo Espíritu"
    # ... and stays with that request.
    assert "Espíritu Santo" in (await shared_mt.translate("the holy spirit came")).text


async def test_a_word_that_the_glossary_knows_is_not_unknown(shared_mt: MtProcess) -> None:
    answer = await shared_mt.translate("repentance and quuxes")
    assert answer.text.startswith("Arrepentimiento")
    assert answer.unknown_word_count == 1


async def test_a_stream_ends_with_the_whole_text(shared_mt: MtProcess) -> None:
    request = mt_pb2.TranslateRequest(
        text="the house is red", source_language="en", target_language="es"
    )
    stream = shared_mt.stub.StreamTranslate(
        mt_pb2.StreamTranslateRequest(request=request), timeout=10
    )
    messages = [message async for message in stream]
    assert messages[-1].is_final
    assert messages[-1].translation.text == "La casa es roja"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", "EMPTY_TEXT"), (" \n\t", "EMPTY_TEXT"), ("a" * 2001, "TEXT_TOO_LONG")],
)
async def test_texts_outside_the_limits_are_refused(
    shared_mt: MtProcess, text: str, expected: str
) -> None:
    assert await reason(shared_mt.translate(text)) == expected
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        async for _ in shared_mt.stub.StreamTranslate(
            mt_pb2.StreamTranslateRequest(
                request=mt_pb2.TranslateRequest(
                    text=text, source_language="en", target_language="es"
                )
            ),
            timeout=10,
        ):
            pass
    assert reason_of(failure.value) == expected


@pytest.mark.parametrize(
    "text",
    ["a " * 1000, "love " * 400, "a\0b [x] {y} ^z$ /@\\<w> *star #tag\n\nend", "\N{MAN} ..."],
)
async def test_strange_and_long_texts_are_translated(shared_mt: MtProcess, text: str) -> None:
    assert (await shared_mt.translate(text)).text
    assert (await shared_mt.translate("the house is red")).text == "La casa es roja"


@pytest.mark.parametrize(
    ("source", "target"), [("en", "fr"), ("en", "en"), ("", "es"), ("en", ""), ("zz", "qq")]
)
async def test_an_unknown_pair_names_those_that_there_are(
    shared_mt: MtProcess, source: str, target: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await shared_mt.translate("hello", source, target)
    assert failure.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    info = error_info(failure.value)
    assert info is not None
    assert info.reason == "UNSUPPORTED_LANGUAGE_PAIR"
    assert "en>es" in info.metadata["supported"]
    assert "es>en" in info.metadata["supported"]


async def test_a_text_and_each_hint_has_at_most_2000_characters(shared_mt: MtProcess) -> None:
    def hints(length: int) -> list[dict[str, object]]:
        text = "a" * length
        return [
            {"committed_text": text},
            {"previous_text": text},
            {"context": [mt_pb2.ContextPair(source=text, target="a")]},
            {"context": [mt_pb2.ContextPair(source="a", target=text)]},
        ]

    assert (await shared_mt.translate("a" * 2000)).text
    for hint in hints(2000):
        assert (await shared_mt.translate("the house is red", **hint)).text
    for hint in hints(2001):
        assert await reason(shared_mt.translate("hi", **hint)) == "TEXT_TOO_LONG", hint


async def test_glossaries_outside_the_limits_are_refused(shared_mt: MtProcess) -> None:
    term = types_pb2.GlossaryTerm(source="grace", target="gracia")
    longest = types_pb2.GlossaryTerm(source="g" * 200, target="gracia")
    long = types_pb2.GlossaryTerm(source="g" * 201, target="gracia")
    blank = types_pb2.GlossaryTerm(source=" ", target="gracia")
    assert await reason(shared_mt.translate("hi", glossary=[term] * 501)) == "GLOSSARY_TOO_LARGE"
    assert (await shared_mt.translate("hi", glossary=[longest])).text
    assert await reason(shared_mt.translate("hi", glossary=[long])) == "GLOSSARY_TOO_LARGE"
    assert await reason(shared_mt.translate("hi", glossary=[blank])) == "EMPTY_TEXT"
    assert (await shared_mt.translate("grace", glossary=[term] * 500)).text == "Gracia"


async def test_the_model_service_names_engine_and_pairs(shared_mt: MtProcess) -> None:
    answer = await models_pb2_grpc.ModelServiceStub(shared_mt.channel).GetModel(
        models_pb2.GetModelRequest(), timeout=5
    )
    assert answer.engine == "apertium"
    assert "eng-spa" in answer.model
    assert set(answer.capabilities) >= {"en>es", "es>en"}


async def test_outcomes_are_counted(shared_mt: MtProcess) -> None:
    name = 'glossa_mt_requests_total{kind="draft",outcome="EMPTY_TEXT"}'
    before = await shared_mt.metric(name)
    assert await reason(shared_mt.translate("", draft=True)) == "EMPTY_TEXT"
    assert await shared_mt.metric(name) == before + 1


async def test_a_final_names_the_terms_of_its_source_each_once(shared_mt: MtProcess) -> None:
    sent = [
        types_pb2.GlossaryTerm(source="house", target="morada"),
        types_pb2.GlossaryTerm(source="water", target="agua"),
    ]
    answer = await shared_mt.translate("the house is red and the house is big", glossary=sent)
    assert [(term.source, term.target) for term in answer.required_terms] == [("house", "morada")]
    assert not answer.missing_terms
    assert "missing_term" not in answer.flags


async def test_a_draft_names_no_terms_and_says_how_much_it_holds_back(
    shared_mt: MtProcess,
) -> None:
    text = "the holy spirit came upon the house"
    final = await shared_mt.translate(text)
    draft = await shared_mt.translate(text, draft=True)
    assert final.required_terms
    assert not draft.required_terms
    assert not draft.missing_terms
    assert final.held_back_word_count == 0
    assert draft.held_back_word_count == 2
    assert len(draft.text.split()) + 2 == len(final.text.split())
    whole = await shared_mt.translate(f"{text}.", draft=True)
    assert whole.held_back_word_count == 0
