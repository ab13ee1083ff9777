"""What the fields of a dataclass are for, read from where they are declared.

The text under a field is written once, beside it; the manual and `models show --schema`
both show that.
"""

import ast
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """One field as a person reads of it."""

    name: str
    kind: str
    text: str
    """What stands below it, in one line; empty where nothing does."""


def fields_of(cls: type) -> list[Field]:
    """The public fields of a dataclass, in order."""
    module = inspect.getmodule(cls)
    assert module is not None
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__:
            return list(documented(node.body))
    raise ValueError(f"{cls} is not declared at the top of a module")


def documented(body: Sequence[ast.stmt]) -> Iterator[Field]:
    """The public fields in the body of a class."""
    for at, node in enumerate(body):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        if node.target.id.startswith("_"):
            continue
        text = ""
        match body[at + 1 : at + 2]:
            case [ast.Expr(value=ast.Constant(value=str(found)))]:
                text = " ".join(found.split())
        yield Field(node.target.id, _kind(node.annotation), text)


def _kind(annotation: ast.expr) -> str:
    """A type as a person says it."""
    match annotation:
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[item, _])):
            return f"list of {ast.unparse(item)}"
        case ast.Subscript(value=ast.Name(id="Mapping")):
            return "table"
        case ast.Subscript(value=ast.Name(id="Literal")):
            return "choice"
    text = ast.unparse(annotation).removesuffix(" | None")
    return {"LoadMode": "choice", "KvType": "choice"}.get(text, text)
