"""Answers: from a request to the bytes of its response, by way of one statement.

Theory of operation: the document is read once and kept, and so is the plan of an operation for each shape of its
variables. What the database returns is passed on as it is, one piece of JSON for each root field. Only what is asked
about the schema itself is answered here.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import msgspec
from graphql import FieldNode, GraphQLError, OperationDefinitionNode, SelectionSetNode, execute_sync
from graphql.execution.values import get_variable_values
from graphql.language import DocumentNode

from stellwerk.api.graphql.compile import Compiler, is_introspection
from stellwerk.api.graphql.document import MOST_KEPT_CHARACTERS, Document, Refused, read
from stellwerk.api.graphql.schema import schema
from stellwerk.api.graphql.statement import EVERYTHING, Plan, Sight
from stellwerk.api.graphql.values import Given, shape_of
from stellwerk.store.port import Store

__all__ = ["Answers", "Refused"]

PLANS = 512
_NOTHING: Mapping[str, Any] = {}


class Answers:
    """Answer requests from one store. Safe to share between threads.

    Args:
        sight: what may be seen, unless a request is answered with another.
        clock: tells nanoseconds since the Unix epoch, up to which what runs has run.
    """

    def __init__(self, store: Store, sight: Sight = EVERYTHING, clock: Callable[[], int] = time.time_ns) -> None:
        self._store = store
        self._sight = sight
        self._clock = clock
        self._plans: OrderedDict[Hashable, tuple[Plan | None, dict[str, list[FieldNode]]]] = OrderedDict()
        self._lock = threading.Lock()

    def answer(
        self, query: str, given: Mapping[str, Any] = _NOTHING, name: str | None = None, sight: Sight | None = None
    ) -> bytes:
        """Answer a request.

        Args:
            query: the document.
            given: its variables, as JSON has them.
            name: of the operation, if the document has several.

        Returns: the response, `{"data": …}` in UTF-8.

        Raises:
            Refused: the request is at fault.
            UnavailableError: the database can't be asked just now.

        Cost: one statement; none if only the schema is asked about.
        """
        document = read(query)
        operation = document.operation(name)
        variables = self._variables(operation, given)
        try:
            key = (query, name, shape_of(variables), sight or self._sight)
            plan, fields = self._plan(key, document, operation, variables)
            found: dict[str, bytes] = {}
            if plan is not None:
                sql, parameters = plan.bind(Given(variables, self._clock() // 1_000))
                (row,) = self._store.read(sql, parameters)
                found = dict(zip(plan.names, row, strict=True))
        except GraphQLError as problem:
            raise Refused([problem]) from None
        except RecursionError:
            raise Refused([GraphQLError("The variables are nested too deep.")]) from None
        told = self._about_schema(document, operation, fields, given)
        pieces = [b'"%b":%b' % (name.encode(), found[name] if name in found else told[name]) for name in fields]
        return b'{"data":{' + b",".join(pieces) + b"}}"

    def _variables(self, operation: OperationDefinitionNode, given: Mapping[str, Any]) -> dict[str, Any]:
        values = get_variable_values(schema(), operation.variable_definitions or (), dict(given), max_errors=20)
        if isinstance(values, list):
            raise Refused(values)
        return values.coerced

    def _plan(
        self,
        key: tuple[str, str | None, Any, Sight],
        document: Document,
        operation: OperationDefinitionNode,
        variables: dict[str, Any],
    ) -> tuple[Plan | None, dict[str, list[FieldNode]]]:
        """Find or make the plan of an operation, and its root fields; none if only the schema is asked about."""
        with self._lock:
            kept = self._plans.get(key)
            if kept is not None:
                self._plans.move_to_end(key)
                return kept
        compiler = Compiler(self._store.dialect, key[-1], document.fragments, variables)
        fields = compiler.fields(operation)
        asked = {name: nodes for name, nodes in fields.items() if not is_introspection(nodes[0])}
        made = (compiler.plan(asked) if asked else None, fields)
        if len(key[0]) <= MOST_KEPT_CHARACTERS:
            with self._lock:
                self._plans[key] = made
                if len(self._plans) > PLANS:
                    self._plans.popitem(last=False)
        return made

    def _about_schema(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        fields: Mapping[str, Sequence[FieldNode]],
        given: Mapping[str, Any],
    ) -> dict[str, bytes]:
        """Answer the root fields that are about the schema."""
        asked = [node for nodes in fields.values() for node in nodes if is_introspection(node)]
        if not asked:
            return {}
        only = OperationDefinitionNode(
            operation=operation.operation,
            name=operation.name,
            variable_definitions=operation.variable_definitions,
            selection_set=SelectionSetNode(selections=tuple(asked)),
        )
        result = execute_sync(
            schema(), DocumentNode(definitions=(only, *document.fragments.values())), variable_values=dict(given)
        )
        if result.errors:
            raise Refused(result.errors)
        return {name: msgspec.json.encode(value) for name, value in (result.data or {}).items()}
