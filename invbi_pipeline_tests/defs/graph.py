"""The asset graph as plain data, for the snapshot."""

import json
from pathlib import Path
from typing import TypedDict

import dagster as dg

__all__ = ["SNAPSHOT", "Node", "described", "snapshot"]

SNAPSHOT = Path(__file__).with_name("graph.json")


class Node(TypedDict):
    """One asset: its group, what it is made from, its checks (! before one that blocks what is below)."""

    group: str
    deps: list[str]
    checks: list[str]


def described(definitions: dg.Definitions) -> dict[str, Node]:
    """Return every asset by key."""
    graph = definitions.resolve_asset_graph()
    return {
        node.key.to_user_string(): {
            "group": node.group_name,
            "deps": sorted(key.to_user_string() for key in node.parent_keys),
            "checks": sorted(("!" if graph.get(key).blocking else "") + key.name for key in node.check_keys),
        }
        for node in sorted(graph.asset_nodes, key=lambda node: node.key)
    }


def snapshot() -> dict[str, Node]:
    """Return the graph that was agreed on. To write it anew: `python -m invbi_pipeline_tests.defs.graph`."""
    return dict(json.loads(SNAPSHOT.read_text(encoding="utf-8")))


if __name__ == "__main__":
    from invbi_pipeline.definitions import SAMPLE, build

    SNAPSHOT.write_text(json.dumps(described(build(SAMPLE)), indent=1) + "\n", encoding="utf-8")
