"""A chat template is a program of whoever made the model: it computes in a sandbox, and not for ever."""

from __future__ import annotations

import os
import time
from contextlib import suppress

import pytest

from assistant.engine import templates
from assistant.engine.protocol import Turn
from assistant.engine.templates import ChatTemplate
from assistant.engine.time_limit import TooLongError, at_most
from assistant.errors import EngineError

ASKED = [Turn("user", "How?")]
ESCAPES = (
    "{{ ''.__class__.__mro__ }}",
    "{{ messages.__class__.__base__.__subclasses__() }}",
    "{{ strftime_now.__globals__['__builtins__']['open']('/etc/passwd').read() }}",
    "{{ raise_exception.__globals__.os.environ }}",
    "{{ cycler.__init__.__globals__.os.system('true') }}",
    "{{ self.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ ''|attr('__class__') }}",
    "{{ '%s'|format(messages.__class__) }}",
    "{{ '{0.__class__.__init__.__globals__}'.format(messages) }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}{{ os }}",
)
ENDLESS = (
    "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    "{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}",
    "{{ x|trim" + "|join" * 180 + " }}" * 6,
)


def rendered(source: str) -> str:
    return "".join(part.text for part in ChatTemplate(source, "<s>", "</s>", ()).render(ASKED))


@pytest.mark.parametrize("source", ESCAPES)
def test_a_template_reaches_nothing_but_the_conversation(source: str):
    try:
        found = rendered(source)
    except EngineError:
        return
    assert not {"class", "root:", "module", "builtin", os.environ["PATH"]} & set(found.split())
    assert "<class" not in found
    assert "root:" not in found


def test_a_template_cannot_change_the_conversation():
    with pytest.raises(EngineError, match="refuses"):
        rendered("{{ messages.append(1) }}")


@pytest.mark.parametrize("source", ENDLESS)
def test_a_template_that_never_ends_is_ended(source: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(templates, "LONGEST_SECONDS", 0.2)
    with pytest.raises(EngineError, match="chat template"):
        rendered(source)


@pytest.mark.parametrize("source", ["{{ x" + "|tojson" * 300 + " }}", "{{ " + "[" * 600 + "]" * 600 + " }}"])
def test_a_template_nested_too_deep_is_refused(source: str):
    with pytest.raises(EngineError, match="chat template"):
        rendered(source)


def test_a_template_that_says_too_much_is_refused():
    with pytest.raises(EngineError, match="refuses"):
        rendered("{% for a in range(99999) %}{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' * 9 }}{% endfor %}")


def test_a_limit_that_comes_too_late_disturbs_nobody():
    for _ in range(300):
        start = time.perf_counter()
        try:
            with at_most(0.001):
                while time.perf_counter() - start < 0.001:
                    pass
        except TooLongError:
            pass
        sum(range(500))  # where one on its way would arrive


def test_code_that_catches_every_exception_is_ended_too():
    with pytest.raises(TooLongError), at_most(0.05):
        while True:
            with suppress(Exception):
                sum(range(100))
