"""No regular expression needs long for a text, not even for one that was made for that."""

from __future__ import annotations

import ast
import functools
import importlib
import pkgutil
import re
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest

import utils
from tests.project import ROOT
from utils.annotations import voc_xml
from utils.catalog import cell_edits

_NEW_NAMES = sys.version_info >= (3, 11)
parser: Any = importlib.import_module("re._parser" if _NEW_NAMES else "sre_parse")
compiler: Any = importlib.import_module("re._compiler" if _NEW_NAMES else "sre_compile")
op: Any = importlib.import_module("re._constants" if _NEW_NAMES else "sre_constants")
REPEATS = {getattr(op, name, None) for name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")}
Pattern = re.Pattern[Any]
Tokens = Sequence[tuple[Any, Any]]
Text = tuple[int, ...]

LENGTH = 12_000
"""Characters of a text; an expression whose time grows linearly needs a millisecond for it."""
CPU_SECONDS = 0.2
VARIANTS = 6
MATCH, SEARCH = ("match", "fullmatch"), ("match", "fullmatch", "search")
SEARCHING = r"\.(?:search|subn?|findall|finditer)\("
COMPUTED = {
    "utils/annotations/voc_xml.py": list(voc_xml._layout_patterns()),
    "utils/catalog/cell_edits.py": [re.compile(cell_edits._CELL.format(separator)) for separator in ",;\t"],
    "utils/catalog/named_sets.py": [],  # the letters of a flag's value
    "utils/fetch/credentials.py": [],  # a list of words
}
"""Expressions that functions compute, by file: add yours."""
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for folder in ("utils", "demo", "benchmarks", "tools")
    for path in (ROOT / folder).rglob("*.py")
    if "result" not in path.parts and not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
}


def patterns_of_modules() -> Iterator[tuple[str, Pattern, Sequence[str]]]:
    """Yield the expressions in variables: where, and how they are used."""
    searched = {name for source in SOURCES.values() for name in re.findall(rf"(\w+){SEARCHING}", source)}
    for info in pkgutil.walk_packages(utils.__path__, "utils."):
        source = SOURCES.get(info.name.replace(".", "/") + ".py", "")
        for name, value in vars(importlib.import_module(info.name)).items():
            found = [*patterns_in(value)]
            if not found:
                continue
            in_loop = not isinstance(value, re.Pattern)
            is_searched = re.search(rf"\b[a-z_.]+{SEARCHING}", source) if in_loop else name in searched
            for pattern in found:
                yield f"{info.name}.{name}", pattern, SEARCH if is_searched else MATCH


def patterns_in(value: object) -> Iterator[Pattern]:
    """Yield the expressions in a value."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        yield from patterns_in([*value, *value.values()])
    elif isinstance(value, (list, tuple, set, frozenset)):
        for one in value:
            yield from patterns_in(one)
    elif hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        yield from patterns_in([getattr(value, name) for name in value.__dataclass_fields__])


@functools.cache
def calls_of_re(source: str) -> list[ast.Call]:
    """Return the calls of functions of `re` with an expression, in functions."""
    if not re.search(r"\bre\.", source):
        return []
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    return [node for function in functions for node in ast.walk(function) if is_call_of_re(node)]


def is_call_of_re(node: ast.AST) -> bool:
    """Whether a node calls a function of `re` other than `escape`."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=name)):
            return name != "escape"
    return False


def patterns_of_functions() -> Iterator[tuple[str, Pattern, Sequence[str]]]:
    """Yield the expressions that are written or computed in functions."""
    for file, source in SOURCES.items():
        for call in calls_of_re(source):
            if isinstance(call.args[0], ast.Constant):
                flags = [getattr(re, one.attr) for one in call.args[1:] if isinstance(one, ast.Attribute)]
                is_search = "match" not in ast.unparse(call.func)
                yield file, re.compile(call.args[0].value, sum(flags)), SEARCH if is_search else MATCH
    for file, patterns in COMPUTED.items():
        for pattern in patterns:
            yield file, pattern, ("match",) if "cell_edits" in file else MATCH


class Pump:
    """Makes texts in which something that an expression may repeat occurs very often."""

    def __init__(self, pattern: Pattern) -> None:
        self._is_text = isinstance(pattern.pattern, str)
        self._tokens = parser.parse(pattern.pattern, pattern.flags)
        self._alphabet = (*sorted(set(literals(self._tokens))), *b"a0 \n\0")

    def texts(self) -> Iterator[Any]:
        """Yield the texts; nearly all of them do not match."""
        for start, piece in dict.fromkeys(self._repeats(list(self._tokens), ())):
            for end in ((), (0,), (33,), (10,)):
                times = LENGTH // len(piece)
                yield self._text(start) + self._text(piece) * times + self._text(end)

    def _text(self, codes: Text) -> Any:
        return "".join(map(chr, codes)) if self._is_text else bytes(codes)

    def _repeats(self, tokens: Tokens, start: Text) -> Iterator[tuple[Text, Text]]:
        """Yield examples of each repeated part, with an example of what precedes it."""
        for number, (code, value) in enumerate(tokens):
            before = start + self._examples(tokens[:number])[0]
            inner = parts(code, value)
            if code in REPEATS and value[1] > 1:
                yield from ((before, piece) for piece in self._examples(inner[0]) if piece)
                if before:
                    yield (), before  # a search begins at each of them
            for part in inner:
                yield from self._repeats(list(part), before)

    def _examples(self, tokens: Iterable[tuple[Any, Any]]) -> list[Text]:
        """Return some texts that match: what is optional is left out, and occurs once."""
        texts: list[Text] = [()]
        for code, value in tokens:
            if code in (op.ASSERT, op.ASSERT_NOT, op.AT):
                continue
            found = [example for part in parts(code, value) for example in self._examples(part)]
            if code in REPEATS:
                low, high, _ = value
                found = [example * count for count in {low, min(max(low, 1), high)} for example in found]
            elif not found:
                found = [(one,) for one in self._characters(code, value)]
            texts = [text + one for text in texts for one in found][:VARIANTS]
        return texts

    def _characters(self, code: Any, value: Any) -> list[int]:
        if code is op.LITERAL:
            return [value]
        single = compiler.compile(parser.SubPattern(self._tokens.state, [(code, value)]))
        return [one for one in self._alphabet if single.fullmatch(chr(one))] or [0]


def parts(code: Any, value: Any) -> Sequence[Any]:
    """Return the expressions in a token."""
    if code is op.BRANCH:
        return list(value[1])
    if code is op.SUBPATTERN:
        return [value[3]]
    if code in REPEATS:
        return [value[2]]
    return [value[1]] if code in (op.ASSERT, op.ASSERT_NOT) else []


def literals(tokens: Iterable[tuple[Any, Any]]) -> Iterator[int]:
    """Yield the characters in an expression."""
    for code, value in tokens:
        for kind, one in value if code is op.IN else [(code, value)]:
            if kind in (op.LITERAL, op.NOT_LITERAL):
                yield one
            elif kind is op.RANGE:
                yield one[0]
        for part in parts(code, value):
            yield from literals(part)


def slow_text(pattern: Pattern, methods: Sequence[str]) -> Any:
    """Return a text for which the expression needs long, if one is found."""

    def interrupt(_signal: int, _frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, interrupt)
    try:
        for text in Pump(pattern).texts():
            for method in methods:
                signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
                try:
                    getattr(pattern, method)(text)
                except TimeoutError:
                    return text
                finally:
                    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    finally:
        signal.signal(signal.SIGVTALRM, before)
    return None


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no timers")
def test_no_pattern_needs_long() -> None:
    """The time of every expression in the code grows about linearly with the text."""
    found = [*patterns_of_modules(), *patterns_of_functions()]
    uses: dict[Pattern, tuple[str, set[str]]] = {}
    for where, pattern, methods in found:
        uses.setdefault(pattern, (where, set()))[1].update(methods)
    assert len(uses) > 70
    for pattern, (where, methods) in uses.items():
        assert slow_text(pattern, sorted(methods)) is None, where


def test_computed_patterns_are_listed() -> None:
    """The test above knows every function that computes an expression."""
    computing = {
        file
        for file, source in SOURCES.items()
        for call in calls_of_re(source)
        if not isinstance(call.args[0], ast.Constant)
    }
    assert computing - {"utils/images/signatures.py"} == set(COMPUTED)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no timers")
@pytest.mark.parametrize(
    "slow", [r"(?:a*)*b", r"(?:<!--[\s\S]*?-->\s*)*<", r"(a|aa)+$", r"\s*x?\s*\n\s*y", rb"[ \t]*\t[ \t]*y"]
)
def test_slow_patterns_are_found(slow: str | bytes) -> None:
    """An expression of exponential or quadratic time needs long for one of the texts."""
    assert slow_text(re.compile(slow), MATCH)
