"""YAML as people write it by hand, without its traps.

A field given twice is an error and not the last one's victory; references are refused (a
few lines of them can stand for gigabytes); a date stays the text it was written as.
"""

from typing import Any

import yaml

from lumbre.words import Sentence

_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class NotPlain(Exception):
    """Text that is not plain YAML; `reason` is a sentence."""

    def __init__(self, reason: Sentence) -> None:
        super().__init__(reason)
        self.reason = reason


def read_yaml(text: str) -> Any:
    """What a text holds: mappings with text keys, lists, texts, numbers, booleans, None.

    Raises:
        NotPlain: it is something else.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        why = error.problem or error.context or type(error).__name__
        if mark is None:
            raise NotPlain(Sentence("manifest.not_yaml", why=why)) from error
        raise NotPlain(Sentence("manifest.syntax", line=mark.line + 1, why=why)) from error
    except (yaml.YAMLError, ValueError) as error:
        raise NotPlain(Sentence("manifest.not_yaml", why=_first_line(error))) from error
    except RecursionError as error:
        raise NotPlain(Sentence("manifest.too_long")) from error


def write_yaml(fields: dict[str, Any]) -> str:
    """The text that `read_yaml` reads back, in the order given."""
    return yaml.dump(
        fields, None, _Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False
    )


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
            raise NotPlain(Sentence("manifest.alias", line=line))
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            line = key_node.start_mark.line + 1
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise NotPlain(Sentence("manifest.key_not_text", line=line))
            if key in seen:
                raise NotPlain(Sentence("manifest.twice", line=line, key=key))
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != _TIMESTAMP]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _Dumper(yaml.SafeDumper):
    pass


def _written(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # In every style but this one PyYAML reads U+0085 back as a space.
    style = '"' if any(not char.isprintable() for char in text.replace("\n", "")) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _written)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
