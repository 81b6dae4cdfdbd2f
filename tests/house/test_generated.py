"""What is generated for the page and kept beside it is what the program would generate now."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLObjectType, GraphQLScalarType

from stellwerk.api.graphql.schema import schema
from stellwerk.api.page.looks import FAMILIES, LABEL_LOOKS, LOOKS
from stellwerk.cli.main import cli
from stellwerk.model.states import LABELS, RUN_STATES
from stellwerk.store.catalogue import SOURCES

UI = Path(__file__).parents[2] / "ui"


@pytest.mark.parametrize(
    ("command", "file"),
    [("schema", UI / "schema.graphql"), ("states --json", UI / "src" / "gql" / "states.json")],
    ids=["schema", "states"],
)
def test_files_are_what_the_command_prints(command: str, file: Path) -> None:
    done = CliRunner().invoke(cli, ["dev", *command.split()])
    assert done.exit_code == 0, done.output
    assert file.read_text(encoding="utf-8") == done.output, f"stellwerk dev {command} > {file.relative_to(UI.parent)}"


def test_every_state_and_label_has_a_look() -> None:
    assert tuple(LOOKS) == RUN_STATES
    assert set(LABEL_LOOKS) == set(LABELS)
    looks = [*LOOKS.values(), *LABEL_LOOKS.values()]
    assert {look.family for look in looks} == set(FAMILIES)
    assert all(look.word and look.glyph for look in looks)
    # Two states are never shown alike.
    assert len(set(LOOKS.values())) == len(LOOKS)
    told = json.loads((UI / "src" / "gql" / "states.json").read_text(encoding="utf-8"))
    assert [each["state"] for each in told["states"]] == list(RUN_STATES)


def test_every_part_of_the_schema_is_described() -> None:
    silent = []
    for name, kind in schema().type_map.items():
        if name.startswith("__") or (
            isinstance(kind, GraphQLScalarType) and name in ("String", "Int", "Float", "Boolean")
        ):
            continue
        if not kind.description:
            silent.append(name)
        if isinstance(kind, GraphQLEnumType):
            silent += [f"{name}.{value}" for value, each in kind.values.items() if not each.description]
        if isinstance(kind, GraphQLObjectType):
            silent += [
                f"{name}.{field}({argument})"
                for field, each in kind.fields.items()
                for argument, taken in each.args.items()
                if not taken.description
            ]
        if isinstance(kind, GraphQLObjectType | GraphQLInputObjectType):
            silent += [f"{name}.{field}" for field, each in kind.fields.items() if not each.description]
    assert not silent


def test_the_catalogue_is_sound() -> None:
    for source in SOURCES.values():
        names = [column.name for column in source.columns]
        assert len(set(names)) == len(names)
        for branch in source.branches:
            late = {column.name for column in source.columns if column.late}
            assert set(branch.columns) == set(names) - late, source.name
        for column, _ in (*source.newest, *source.natural):
            assert not source.column(column).is_null, f"{source.name}.{column}: an order by it would not be total"
        for relation in source.relations:
            assert relation.target in SOURCES
            assert set(relation.needs) <= set(names)
