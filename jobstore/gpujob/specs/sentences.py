"""Turns what pydantic found wrong into findings that a person can act on.

Invariant: no value is repeated except short numbers and words that stand where no secret can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from gpujob.specs.nearest import Refused, did_you_mean
from gpujob.specs.problems import Finding, Path

Error = Mapping[str, Any]


def findings_of(error: ValidationError, model: type[BaseModel], given: object) -> Iterator[Finding]:
    """One finding for each thing that pydantic refused in `given`, which was to become a `model`."""
    for detail in error.errors(include_url=False):
        if _is_echo_of_another(detail):
            continue
        path = _without_tags(detail["loc"], given)
        yield _finding(detail, path, model)


def _finding(detail: Mapping[str, Any], path: Path, model: type[BaseModel]) -> Finding:
    name = detail["type"]
    if name == "extra_forbidden":
        return Finding(
            path, "unknown field", did_you_mean(str(path[-1]), _fields_at(model, detail["loc"])), at_key=True
        )
    if name in ("value_error", "assertion_error"):
        return _refusal(detail, path)
    if name == "literal_error":
        return _not_a_choice(detail, path)
    if name in ("union_tag_invalid", "union_tag_not_found"):
        return _not_a_tag(detail, path)
    sentence = _SENTENCES.get(name)
    return Finding(path, sentence(detail) if sentence else str(detail["msg"]))


def _is_echo_of_another(detail: Mapping[str, Any]) -> bool:
    """A list that is "too short" only because its items were refused, each with a finding of its own."""
    return detail["type"] == "too_short" and bool(len(detail["input"]) >= detail["ctx"]["min_length"])


def _refusal(detail: Error, path: Path) -> Finding:
    cause = detail["ctx"]["error"]
    if isinstance(cause, Refused):
        return Finding(path, cause.message, cause.suggestion)
    return Finding(path, str(cause))


def _not_a_choice(detail: Error, path: Path) -> Finding:
    expected = detail["ctx"]["expected"]
    words = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    given = detail["input"]
    suggestion = did_you_mean(given, words) if isinstance(given, str) else ""
    return Finding(path, "one of " + ", ".join(words) if len(words) > 1 else f"only {words[0]}", suggestion)


def _not_a_tag(detail: Error, path: Path) -> Finding:
    context = detail["ctx"]
    field = context["discriminator"].strip("'")
    if detail["type"] == "union_tag_not_found":
        return Finding((*path, field), "missing")
    words = [word.strip("'") for word in context["expected_tags"].split(", ")]
    return Finding((*path, field), "one of " + ", ".join(words), did_you_mean(str(context["tag"]), words))


def _without_tags(location: Path, given: object) -> Path:
    """The path without the names that pydantic adds for a branch of a union."""
    path: list[str | int] = []
    value = given
    for number, part in enumerate(location):
        if isinstance(value, Mapping) and isinstance(part, str) and part not in value:
            last = number == len(location) - 1
            if not last or part == value.get("type"):
                continue
        path.append(part)
        value = _child(value, part)
    return tuple(path)


def _child(value: object, part: str | int) -> object:
    if isinstance(value, Mapping):
        return value.get(part)
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return value[part]
    return None


def _fields_at(model: type[BaseModel], location: Path) -> list[str]:
    """The fields, aliases included, of the models that could have taken the last part of `location`."""
    here = [model]
    for part in location[:-1]:
        if isinstance(part, str):
            here = _tagged(here, part) or [found for each in here for found in _models_of(each, part)]
    return [name for each in here for name in accepted_names(each)]


def accepted_names(model: type[BaseModel]) -> list[str]:
    """The names of a model's fields, aliases and short forms included."""
    return [*model.model_fields, *getattr(model, "aliases", {}), *getattr(model, "short_forms", {})]


def _tagged(models: list[type[BaseModel]], tag: str) -> list[type[BaseModel]]:
    """Those of a union's models whose `type` is this one."""
    return [
        model
        for model in models
        if "type" in model.model_fields and tag in get_args(model.model_fields["type"].annotation)
    ]


def _models_of(model: type[BaseModel], name: str) -> list[type[BaseModel]]:
    return models_in(model.model_fields[name]) if name in model.model_fields else []


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models named inside a field or its annotation, such as `Step` in `tuple[Step, ...]`."""
    if isinstance(annotation, FieldInfo):
        return models_in(annotation.annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]


def noun(value: object) -> str:
    """What a value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    for kinds, word in ((str, "text"), ((int, float), "a number"), (Mapping, "a mapping"), ((list, tuple), "a list")):
        if isinstance(value, kinds):
            return word
    return "something else"


def _wanted(what: str) -> Callable[[Error], str]:
    return lambda detail: f"must be {what}, not {noun(detail['input'])}"


def _bound(words: str, limit: str) -> Callable[[Error], str]:
    return lambda detail: f"{words} {detail['ctx'][limit]}"


def _too_few(detail: Error) -> str:
    least = detail["ctx"]["min_length"]
    return "at least one is needed" if least == 1 else f"at least {least} are needed"


_SENTENCES: dict[str, Callable[[Error], str]] = {
    "missing": lambda detail: "missing",
    "string_type": _wanted("text"),
    "int_type": _wanted("a whole number"),
    "int_from_float": _wanted("a whole number"),
    "float_type": _wanted("a number"),
    "bool_type": _wanted("true or false"),
    "tuple_type": _wanted("a list"),
    "list_type": _wanted("a list"),
    "dict_type": _wanted("a mapping"),
    "model_type": _wanted("a mapping"),
    "model_attributes_type": _wanted("a mapping"),
    "finite_number": lambda detail: "must be a finite number",
    "string_too_short": lambda detail: "empty",
    "string_too_long": _bound("too long: characters at most", "max_length"),
    "too_short": _too_few,
    "too_long": _bound("too many: at most", "max_length"),
    "less_than_equal": _bound("at most", "le"),
    "less_than": _bound("below", "lt"),
    "greater_than_equal": _bound("at least", "ge"),
    "greater_than": _bound("above", "gt"),
}
