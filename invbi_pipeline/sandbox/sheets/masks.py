"""Google's field masks: "a.b,c(d,e)" and "*", for partial updates and partial answers."""

from collections.abc import Mapping
from typing import Any

__all__ = ["Mask", "merged", "parse_mask", "projected"]

Mask = dict[str, "Mask"]  # an empty mask means all of it


def parse_mask(text: str) -> Mask:
    """Parse a mask into a tree. Raises ValueError where brackets do not match."""
    root: Mask = {}
    stack: list[Mask] = []
    base, node, word = root, root, ""
    for character in text.replace("/", ".") + ",":
        if character not in ".,()":
            word += character.strip()
            continue
        if word and word != "*":
            node = node.setdefault(word, {})
        word = ""
        if character == "(":
            stack.append(base)
            base = node
        elif character == ")":
            if not stack:
                raise ValueError(text)
            base = stack.pop()
        if character in ",(":
            node = base
    if stack:
        raise ValueError(text)
    return root


def merged(old: Any, new: Any, mask: Mask) -> Any:
    """Return `old` with the masked fields taken from `new`; a masked field that `new` lacks is cleared."""
    if not mask:
        return new
    result = dict(old or {})
    given = new if isinstance(new, Mapping) else {}
    for name, below in mask.items():
        value = merged(result.get(name), given.get(name), below)
        if value is None or value == {}:
            result.pop(name, None)
        else:
            result[name] = value
    return result


def projected(answer: Any, mask: Mask) -> Any:
    """Return only the masked part of an answer, through lists."""
    if not mask:
        return answer
    if isinstance(answer, list):
        return [projected(entry, mask) for entry in answer]
    if not isinstance(answer, Mapping):
        return answer
    return {name: projected(answer[name], below) for name, below in mask.items() if name in answer}
