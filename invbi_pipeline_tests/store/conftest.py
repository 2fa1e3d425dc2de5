"""The state store on each database that it is run on: every test of it is told twice, once where PostgreSQL is not installed."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine

from invbi_pipeline.store.outbox import Outbox
from invbi_pipeline.store.state import State, open_state
from invbi_pipeline_tests.store.postgres import cluster


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with cluster() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def state_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return "sqlite:///state.db"
    server = str(request.getfixturevalue("postgres"))
    name = f"t{uuid4().hex}"
    engine = create_engine(f"{server}postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return server + name


@pytest.fixture
def state(state_url: str, tmp_path: Path) -> Iterator[State]:
    opened = open_state(state_url, tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def outbox(state: State) -> Outbox:
    return state.outbox
