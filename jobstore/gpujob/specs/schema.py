"""JSON Schema (draft 2020-12) and tables for the docs, both made from the models.

Invariant: what these say follows from the models alone; nothing about a field is written down twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gpujob.errors import NotFound
from gpujob.specs.envelope import Spec
from gpujob.specs.fields import Strict
from gpujob.specs.inputs.narrate import Narration
from gpujob.specs.nearest import did_you_mean
from gpujob.specs.older import TOOLS
from gpujob.specs.quantities import format_duration
from gpujob.specs.registry import input_model, kinds
from gpujob.specs.sentences import models_in

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def json_schema(kind: str | None = None) -> Schema:
    """The schema of a spec of this kind; without one, of any spec, the older shapes included. Raises NotFound."""
    chosen = kinds() if kind is None else (kind,)
    models = {name: _model(name) for name in chosen}
    definitions = _definitions(models)
    spec = _spec(models, open_ended=kind is None)
    if kind is not None:
        return {"$schema": DIALECT, "title": f"gpujob spec: {kind}", **spec, "$defs": definitions}
    definitions["spec"] = spec
    definitions["queueRequest"] = _queue_request(models)
    return {"$schema": DIALECT, "title": "gpujob spec", **_by_shape(models), "$defs": definitions}


def _model(kind: str) -> type[BaseModel]:
    model = input_model(kind)
    if model is None:
        known = kinds()
        raise NotFound(f"no kind {kind}", hint=did_you_mean(kind, known) or "one of " + ", ".join(known))
    return model


def _definitions(models: Mapping[str, type[BaseModel]]) -> dict[str, Schema]:
    """Every model's schema by its name, with aliases added."""
    everything: list[type[BaseModel]] = [*models.values(), Spec]
    _, generated = models_json_schema([(model, "validation") for model in everything], by_alias=True)
    definitions: dict[str, Schema] = generated["$defs"]
    for model in _with_inner(everything):
        if model.__name__ in definitions:
            _add_aliases(definitions[model.__name__], model)
    return definitions


def _with_inner(models: list[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    for model in models:
        yield model
        for field in model.model_fields.values():
            yield from _with_inner(models_in(field))


def _add_aliases(schema: Schema, model: type[BaseModel]) -> None:
    """An alias is as good as the name; of a required field, one of the two is."""
    properties: dict[str, Schema] = schema.get("properties", {})
    required = schema.get("required", [])
    aliases: Mapping[str, str] = getattr(model, "aliases", {})
    for alias, name in aliases.items():
        properties[alias] = {**properties[name], "description": f"The same as {name}."}
        properties[alias].pop("default", None)
    for name in [name for name in required if name in aliases.values()]:
        others = [alias for alias, meant in aliases.items() if meant == name]
        required.remove(name)
        schema.setdefault("allOf", []).append({"anyOf": [{"required": [one]} for one in (name, *others)]})
    short_forms: Mapping[str, str] = getattr(model, "short_forms", {})
    for name, meaning in short_forms.items():
        properties[name] = {"type": "string", "minLength": 1, "description": meaning}
    if model is Narration:
        schema["anyOf"] = [{"required": [name]} for name in ("steps", "segments", "text")]


def _spec(models: Mapping[str, type[BaseModel]], *, open_ended: bool) -> Schema:
    """The envelope, with the input that belongs to the kind."""
    envelope = json.loads(json.dumps(Spec.model_json_schema()))
    spec: Schema = {name: part for name, part in envelope.items() if name not in ("$defs", "title")}
    spec["description"] = spec["description"].split("\n")[0]
    properties = spec["properties"]
    if not open_ended:
        (kind,) = models
        properties["kind"] = {"const": kind, "description": properties["kind"]["description"]}
        properties["input"] = {"$ref": _ref(models[kind])}
        return spec
    properties["kind"]["examples"] = list(models)
    spec["allOf"] = [
        {
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": {"properties": {"input": {"$ref": _ref(model)}}},
        }
        for kind, model in models.items()
    ]
    return spec


def _ref(model: type[BaseModel]) -> str:
    return f"#/$defs/{model.__name__}"


def _queue_request(models: Mapping[str, type[BaseModel]]) -> Schema:
    return {
        "type": "object",
        "description": "A request of an earlier queue.",
        "properties": {
            "tool": {"enum": list(TOOLS)},
            "payload": {"type": "object"},
            "priority": {"enum": ["high", "normal"]},
        },
        "required": ["tool", "payload"],
        "additionalProperties": False,
        "allOf": [
            {
                "if": {"properties": {"tool": {"const": tool}}},
                "then": {"properties": {"payload": {"$ref": _ref(models[kind])}}},
            }
            for tool, kind in TOOLS.items()
        ],
    }


def _by_shape(models: Mapping[str, type[BaseModel]]) -> Schema:
    """Today's shape unless the keys are those of an older one."""
    older = {"not": {"anyOf": [{"required": ["kind"]}, {"required": ["input"]}]}}
    narration = {"anyOf": [{"required": [name]} for name in ("steps", "segments", "voice")]}
    return {
        "type": "object",
        "if": {**older, "required": ["tool"]},
        "then": {"$ref": "#/$defs/queueRequest"},
        "else": {
            "if": {**older, **narration},
            "then": {"$ref": _ref(models["tts.narrate"])},
            "else": {"$ref": "#/$defs/spec"},
        },
    }


def docs_table(kind: str | None = None) -> str:
    """Markdown: the fields of a kind's input, or of the envelope, with type, default and meaning."""
    model = Spec if kind is None else _model(kind)
    rows = ["| field | type | default | meaning |", "|---|---|---|---|"]
    rows.extend(_rows(model, ""))
    return "\n".join(rows) + "\n"


def _rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    properties = model.model_json_schema(ref_template="{model}")["properties"]
    for name, field in model.model_fields.items():
        inner = models_in(field)
        others = [alias for alias, meant in getattr(model, "aliases", {}).items() if meant == name]
        meaning = (field.description or "") + (f" Also: `{'`, `'.join(others)}`." if others else "")
        default = (
            "required"
            if field.is_required()
            else _default(field.get_default(call_default_factory=True), properties[name])
        )
        yield f"| `{prefix}{name}` | {_type(properties[name])} | {default} | {_cell(meaning)} |"
        if len(inner) == 1:
            listed = "[]" if properties[name].get("type") == "array" or "items" in str(properties[name]) else ""
            yield from _rows(inner[0], f"{prefix}{name}{listed}.")
        for branch in inner if len(inner) > 1 else ():
            yield from _branch_rows(branch, f"{prefix}{name}[]")
    for name, meaning in getattr(model, "short_forms", {}).items():
        yield f"| `{prefix}{name}` | text |  | {_cell(meaning)} |"


def _branch_rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """One row for each branch of a union, with the fields it has."""
    (tag,) = model.model_fields["type"].annotation.__args__  # type: ignore[union-attr]
    fields = ", ".join(f"`{name}`" for name in model.model_fields if name != "type")
    yield f"| `{prefix}` | `type: {tag}` |  | {_cell((model.__doc__ or '').strip())} {fields} |"


def _default(value: object, schema: Mapping[str, Any]) -> str:
    if value is None or value in ((), {}) or isinstance(value, Strict):
        return ""
    if isinstance(value, float) and "30s" in schema.get("examples", ()):
        return f"`{format_duration(value, exact=True)}`"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _type(schema: Mapping[str, Any]) -> str:
    """A field's type in words short enough for a table."""
    if "enum" in schema:
        return " \\| ".join(f"`{word}`" for word in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "oneOf" in schema or "$ref" in schema:
        return "any JSON" if schema.get("$ref") == "JsonValue" else "mapping"
    if "anyOf" in schema:
        return _type_of_choice(schema)
    if schema.get("type") == "array":
        return "list of " + _type(schema.get("items", {}))
    return _bounded(_WORDS.get(str(schema.get("type")), "any JSON"), schema)


def _type_of_choice(schema: Mapping[str, Any]) -> str:
    examples = schema.get("examples")
    kinds_of = [branch for branch in schema["anyOf"] if branch.get("type") != "null"]
    if examples:
        return "text or number, such as " + ", ".join(f"`{example}`" for example in examples[:2])
    if len(kinds_of) > 1 and any(len(branch.get("enum", ())) > 12 for branch in kinds_of):
        return "text"
    return " or ".join(dict.fromkeys(_type(branch) for branch in kinds_of))


def _bounded(word: str, schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{word}, {low} to {high}"
    return word


_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "mapping",
}


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
