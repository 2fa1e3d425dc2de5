"""Law 9 on a whole run: no secret and no buyer's personal field in any table, store, page, log or error."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from invbi_pipeline_tests.rehearsal import Rehearsal, rehearsal

# What the emulated platforms plant in every order's buyer and recipient fields.
PERSONAL = (b"Private", b"@buyers.example", b"+44 7700 900", b"Sheffield", b"192.0.2.")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    with rehearsal(tmp_path_factory.mktemp("law9"), skus=30, history_days=3) as stage:
        stage.run(publishing=True)
        stage.run(publishing=True, wait_s=300)
        yield stage


def written(stage: Rehearsal) -> dict[Path, bytes]:
    """Everything the run left on disk, but for the exports that the emulated ERP wrote itself."""
    files = [path for path in stage.folder.rglob("*") if path.is_file() and "erp" not in path.relative_to(stage.folder).parts]
    return {path: path.read_bytes() for path in files}


def test_no_secret_is_written_anywhere(stage: Rehearsal) -> None:
    found = [
        (path.name, name)
        for path, body in written(stage).items()
        for name, value in stage.secrets.items()
        if value.encode() in body
    ]
    assert found == []


def test_no_buyers_field_is_written_anywhere(stage: Rehearsal) -> None:
    assert [(path.name, word) for path, body in written(stage).items() for word in PERSONAL if word in body] == []


def test_no_text_column_of_the_warehouse_holds_either(stage: Rehearsal) -> None:
    from invbi_pipeline.store.warehouse import Warehouse

    with Warehouse(stage.folder / "warehouse.duckdb").open() as db:
        columns = db.query(
            "SELECT table_schema || '.' || table_name AS name, column_name AS field FROM information_schema.columns "
            "WHERE data_type = 'VARCHAR' AND table_schema <> 'information_schema'"
        )
        words = [*stage.secrets.values(), *(word.decode() for word in PERSONAL)]
        found = [
            (name, field)
            for name, field in columns.iter_rows()
            if any(db.query(f'SELECT count(*) AS n FROM {name} WHERE contains("{field}", ?)', [word])["n"][0] for word in words)
        ]
    assert columns.height > 100
    assert found == []


def test_a_refused_secret_is_not_named_in_the_reason_nor_logged(stage: Rehearsal, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for system in stage.world.business.systems.values():
            if system.platform != "files":
                system.account.wire.refuse = True
        result = stage.run(wait_s=300)
    said = caplog.text + " ".join(one.reason for one in result.ingested.systems.values())
    assert len(result.ingested.not_reconciled) >= 3
    assert [name for name, value in stage.secrets.items() if value in said] == []
