"""Query parameters, read and checked the way Amazon does: lists are comma-separated, unknown names are refused."""

from collections.abc import Mapping

from invbi_pipeline.sandbox.amazon.refusals import bad_input

__all__ = ["Params"]


class Params:
    """A request's query. Every method raises `AmazonRefusal` (400 InvalidInput) for what it cannot accept."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self._query = query

    def only(self, *known: str) -> None:
        """Refuse names that the operation does not have."""
        unknown = sorted(set(self._query) - set(known))
        if unknown:
            raise bad_input(f"{unknown[0]} is not a parameter of this operation.")

    def text(self, name: str) -> str:
        """Return the text, "" where it is not given."""
        return self._query.get(name, "")

    def list(self, name: str) -> list[str]:
        """Return the members of a comma-separated list."""
        return [member for member in self.text(name).split(",") if member]

    def choice(self, name: str, allowed: frozenset[str]) -> set[str]:
        """Return the members of a list, each of which must be allowed."""
        given = set(self.list(name))
        if given - allowed:
            raise bad_input(f"{name} does not know {min(given - allowed)}.")
        return given

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """Return a whole number within its bounds."""
        text = self.text(name)
        if not text:
            return default
        if not text.isdecimal() or not least <= int(text) <= most:
            raise bad_input(f"{name} must be a whole number from {least} to {most}.")
        return int(text)

    def flag(self, name: str) -> bool:
        """Return whether it says true."""
        if self.text(name) not in ("", "true", "false"):
            raise bad_input(f"{name} must be true or false.")
        return self.text(name) == "true"
