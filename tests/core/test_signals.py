"""A signal is one of a closed set; what is wrong with one is named, field by field."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.core.errors import BadSignal
from lumbre.core.signals import (
    SIGNALS,
    TRIGGERS,
    GeneratePlan,
    JudgeAgreed,
    PersonaScored,
    SpeechBegan,
    Trigger,
    parse,
)
from lumbre.words import LANGUAGES


def test_texts_are_read_as_what_their_field_holds() -> None:
    assert parse("Judge.Agreed", {"agreed": "no"}) == JudgeAgreed(agreed=False)
    assert parse("Judge.Agreed", {"agreed": True}) == JudgeAgreed(agreed=True)
    assert parse("Persona.Scored", {"adherence": "0.7", "target": 1}) == PersonaScored(0.7, 1.0)
    planned = parse("Plan.Generate", {"text": "Move house.", "max_output_tokens": "64"})
    assert planned == GeneratePlan("Move house.", max_output_tokens=64)
    assert parse("Speech.Began", {}) == SpeechBegan("speech")


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("Plan.Genrate", {}, "did you mean Plan.Generate?"),
        ("", {}, "did you mean"),
        ("Speech.Began", {"sauce": "x"}, "no field 'sauce' (fields: source)"),
        ("Judge.Agreed", {}, "the field agreed must be given"),
        ("Judge.Agreed", {"agreed": "perhaps"}, "takes yes or no, not 'perhaps'"),
        ("Judge.Agreed", {"agreed": 1.5}, "takes yes or no"),
        ("Persona.Scored", {"adherence": "nan", "target": 1}, "from 0 to 1, not 'nan'"),
        ("Persona.Scored", {"adherence": 1.2, "target": 1}, "from 0 to 1, not '1.2'"),
        ("Persona.Scored", {"adherence": True, "target": 1}, "from 0 to 1, not 'True'"),
        ("Plan.Generate", {"text": " "}, "a text with something in it"),
        ("Plan.Generate", {"text": 7}, "a text with something in it, not '7'"),
        ("Plan.Generate", {"text": "a\udcff"}, "a text with something in it"),
        ("Plan.Generate", {"text": "x", "max_output_tokens": 0}, "from 1 to 2147483647, not '0'"),
        (
            "Plan.Generate",
            {"text": "x", "max_output_tokens": 2.5},
            "from 1 to 2147483647, not '2.5'",
        ),
        ("Plan.Generate", {"text": "x", "max_output_tokens": float("inf")}, "not 'inf'"),
        ("Plan.Generate", {"text": "x", "max_output_tokens": 2**31}, "from 1 to 2147483647, not"),
    ],
)
def test_what_is_wrong_is_named(name: str, values: dict[str, object], said: str) -> None:
    with pytest.raises(BadSignal) as refused:
        parse(name, values)
    assert said in str(refused.value)
    assert all(refused.value.message(language) for language in LANGUAGES)


def test_every_trigger_is_a_signal_with_a_result_of_its_own() -> None:
    triggers = [kind for kind in SIGNALS.values() if issubclass(kind, Trigger)]
    assert {kind.name for kind in triggers} == set(TRIGGERS)
    assert len({kind.result for kind in triggers}) == len(triggers)


@given(
    st.sampled_from(sorted(SIGNALS)),
    st.dictionaries(
        st.sampled_from(["text", "agreed", "source", "adherence", "target", "max_output_tokens"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()),
    ),
)
def test_anything_is_a_signal_or_refused_by_name(name: str, values: dict[str, object]) -> None:
    try:
        signal = parse(name, values)
    except BadSignal as refused:
        assert refused.facts["name"] == name
        return
    assert signal.name == name
    assert set(values) <= {field.name for field in fields(signal)}
