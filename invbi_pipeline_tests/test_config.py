"""The configuration: every mistake at once, named so that a person can mend it, and every key on the page."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from invbi_pipeline.channels.files.rows import COLUMNS, NAMED
from invbi_pipeline.config import GuardConfig, Guards, Secret, load_config
from invbi_pipeline.config.sections import Section
from invbi_pipeline.domain.words import Dataset
from invbi_pipeline.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]


def write(folder: Path, text: str) -> Path:
    path = folder / "invbi.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_sample_configuration_is_valid() -> None:
    assert set(load_config(ROOT / "data/sample/invbi.toml").systems) == {"till", "shop", "amazon", "wms"}


def test_every_mistake_is_named_at_once_with_its_key(tmp_path: Path) -> None:
    path = write(
        tmp_path, '[business]\nname = "x"\ncurency = "GBP"\n[systems.a]\nplatform = "square"\nroles = ["sels"]\nmode = "now"\n'
    )
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    wheres = " ".join(where for where, _, _ in caught.value.problems)
    assert len(caught.value.problems) == 3
    assert all(key in wheres for key in ("business.curency", "systems.a.roles.0", "systems.a.mode"))
    assert all(mend for _, _, mend in caught.value.problems)


def test_a_location_counted_by_nobody_is_refused(tmp_path: Path) -> None:
    system = '[systems.a]\nplatform = "square"\nroles = ["sells"]\n'
    text = f'[business]\nname = "x"\n{system}[locations.l]\nkind = "store"\ncounted_by = "a"\n'
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    assert "has not the role 'counts'" in caught.value.problems[0][1]


def test_two_numbers_for_one_shelf_are_refused(tmp_path: Path) -> None:
    system = '[systems.a]\nplatform = "square"\nroles = ["counts"]\nlocations = { L1 = "soho", L2 = "soho" }\n'
    text = f'[business]\nname = "x"\n{system}[locations.soho]\nkind = "store"\ncounted_by = "a"\n'
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    where, what, _ = caught.value.problems[0]
    assert (where.endswith("systems.a.locations.'L2'"), what) == (True, "'L1' is 'soho' already")


def test_one_account_under_two_names_is_refused_and_two_marketplaces_of_it_are_not(tmp_path: Path) -> None:
    def shop(name: str, platform: str, more: str) -> str:
        return f'[systems.{name}]\nplatform = "{platform}"\nroles = ["sells"]\n{more}\n'

    text = '[business]\nname = "x"\n' + shop("uk", "amazon", 'account = "A1"\nmarketplace = "M1"')
    text += shop("de", "amazon", 'account = "A1"\nmarketplace = "M2"') + shop("a", "shopify", 'account = "a.myshopify.com"')
    assert set(load_config(write(tmp_path, text)).systems) == {"uk", "de", "a"}
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text + shop("b", "shopify", 'account = "A.myshopify.com"')))
    ((where, what, _),) = caught.value.problems
    assert (where.rsplit(" ", 1)[1], what) == ("systems.b", "it is the account of systems.a once more")


MISFITS = """
[business]
name = "x"
[systems.a]
platform = "shopfy"
roles = ["sells"]
sells_from = ["mars"]
[systems.b]
platform = "amazon"
roles = []
[systems.c]
platform = "shopify"
roles = ["counts"]
[locations.soho]
kind = "store"
counted_by = "nobody"
[guards.channels.shpo]
max_change_units = 5
"""


def test_names_that_do_not_fit_together_are_one_error_each_with_file_and_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has 8 errors") as caught:
        load_config(write(tmp_path, MISFITS))
    assert [where.removeprefix(f"{tmp_path / 'invbi.toml'}: ") for where, _, _ in caught.value.problems] == [
        "locations.soho.counted_by",
        "systems.a.platform",
        "systems.a.sells_from",
        "systems.b.account",
        "systems.b.marketplace",
        "systems.b.roles",
        "systems.c.account",
        "guards.channels.shpo",
    ]
    assert all(what and mend for _, what, mend in caught.value.problems)


@pytest.mark.parametrize("address", ["", "not a url", "ftp://x.test", "https://", "https://x:y", "x.myshopify.com", "http://a b"])
def test_an_address_that_is_none_is_refused_and_not_repeated(tmp_path: Path, address: str) -> None:
    text = f'[business]\nname = "x"\n[systems.a]\nplatform = "square"\nroles = ["sells"]\nbase_url = "{address}"\n'
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    ((where, what, mend),) = caught.value.problems
    assert where.endswith("systems.a.base_url")
    assert "https://" in what
    assert len(address) < 9 or address not in what + mend


@pytest.mark.parametrize(
    "address", ["https://user:hush@host", "https://user@host", "https://host/?key=hush", "https://host/?", "https://host/#hush"]
)
def test_a_web_address_with_a_password_or_a_query_is_refused_and_not_repeated(tmp_path: Path, address: str) -> None:
    text = '[business]\nname = "x"\n[systems.a]\nplatform = "square"\nroles = ["sells"]\n'
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, f'{text}[serve]\npublic_url = "{address}"\n'))
    ((where, what, mend),) = caught.value.problems
    assert where.endswith("serve.public_url")
    assert "without ? and #, a user or a password" in what
    assert "hush" not in f"{caught.value}{what}{mend}"


@pytest.mark.parametrize("account", ["my shop", "https://x.myshopify.com", "x"])
def test_a_shop_called_by_its_account_needs_a_host_name(tmp_path: Path, account: str) -> None:
    text = f'[business]\nname = "x"\n[systems.a]\nplatform = "shopify"\nroles = ["sells"]\naccount = "{account}"\n'
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    assert caught.value.problems[0][0].endswith("systems.a.account")


@pytest.mark.parametrize("said", ['"4am"', '"25:00"', '"04:00:30"', "4", '"04:00+01:00"', '""'])
def test_a_business_day_ends_at_a_time_of_day(tmp_path: Path, said: str) -> None:
    system = '[systems.a]\nplatform = "square"\nroles = ["counts"]\n'
    place = f'[locations.l]\nkind = "store"\ncounted_by = "a"\nday_ends = {said}\n'
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, f'[business]\nname = "x"\n{system}{place}'))
    ((where, what, _),) = caught.value.problems
    assert where.endswith("locations.l.day_ends")
    assert "expected hours and minutes such as 04:00" in what


@pytest.mark.parametrize("said", ['"04:00"', "04:00:00"])
def test_a_place_has_its_own_day_and_time_zone_or_the_businesss(tmp_path: Path, said: str) -> None:
    system = '[systems.a]\nplatform = "square"\nroles = ["counts"]\n'
    soho = f'[locations.soho]\nkind = "store"\ncounted_by = "a"\nday_ends = {said}\n'
    rome = '[locations.rome]\nkind = "store"\ncounted_by = "a"\ntimezone = "Europe/Rome"\n'
    found = load_config(write(tmp_path, f'[business]\nname = "x"\ntimezone = "Europe/London"\n{system}{soho}{rome}'))
    assert (str(found.zone_of("soho")), found.locations["soho"].day_ends.hour) == ("Europe/London", 4)
    assert (str(found.zone_of("rome")), found.locations["rome"].day_ends.hour) == ("Europe/Rome", 0)


def test_a_places_time_zone_is_one(tmp_path: Path) -> None:
    system = '[systems.a]\nplatform = "square"\nroles = ["counts"]\n'
    text = f'[business]\nname = "x"\n{system}[locations.l]\nkind = "store"\ncounted_by = "a"\ntimezone = "Europe/Lundon"\n'
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    assert caught.value.problems[0][0].endswith("locations.l.timezone")


@pytest.mark.parametrize(
    "line",
    [
        "[alerts]\nremind_s = inf",
        "[alerts]\nsettled_s = 1e20",
        "[guards]\nmax_change_units = 99999999999999999999",
        "[store]\nkeep_raw_days = 999999999999",
    ],
)
def test_a_limit_beyond_every_calendar_and_shelf_is_refused_before_anything_is_sent(tmp_path: Path, line: str) -> None:
    system = '[systems.a]\nplatform = "square"\nroles = ["counts"]\nlocations = { L1 = "soho" }\n'
    place = '[locations.soho]\nkind = "store"\ncounted_by = "a"\n'
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, f'[business]\nname = "x"\n{system}{place}{line}\n'))
    assert "less than or equal" in caught.value.problems[0][1]


@pytest.mark.parametrize("value", ["true", '"500"', "5.0"])
def test_a_count_of_units_is_a_whole_number_and_nothing_like_one(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, f'[business]\nname = "x"\n[guards]\nmax_change_units = {value}\n'))
    assert any("valid integer" in expected for _, expected, _ in caught.value.problems)


@pytest.mark.parametrize("text", ["[business\n", "\x00"])
def test_a_file_that_is_no_toml_is_refused_with_the_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_config(write(tmp_path, text))


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "none.toml")
    assert "invbi init" in caught.value.problems[0][2]


def test_a_missing_secret_is_named_and_a_present_one_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = Secret(env="SOME_TOKEN")
    with pytest.raises(ConfigError, match="SOME_TOKEN"):
        secret.read()
    monkeypatch.setenv("SOME_TOKEN", "hush")
    assert secret.read() == "hush"
    assert "hush" not in repr(secret)


def models(of: type[Section] = Section) -> Iterator[type[Section]]:
    for model in of.__subclasses__():
        yield from (model, *models(model))


def test_the_page_of_configuration_names_every_key() -> None:
    page = (ROOT / "data/CONFIGURATION.md").read_text(encoding="utf-8")
    keys = {name for model in models() for name in model.model_fields} - {"path", "env", "channels", "policies", "store"}
    assert keys >= {"systems", "order_lag_s", "max_change_units", "sheet_s"}
    assert {key for key in keys if key not in page} == set()


@pytest.mark.parametrize("dataset", COLUMNS)
def test_the_page_of_configuration_lists_every_column_a_mapping_may_name(dataset: Dataset) -> None:
    page = (ROOT / "data/CONFIGURATION.md").read_text(encoding="utf-8")
    table = page.partition(f"\n| `{dataset}` |")[2].partition("\n\n")[0]
    first = "".join(row.split("|")[1] for row in table.splitlines()[2:])
    assert set(re.findall(r"`(\w+)`", first)) == COLUMNS[dataset]
    assert set(re.findall(r"\*\*`(\w+)`\*\*", first)) == set(NAMED[dataset])


def test_a_channel_keeps_the_guards_of_all_where_it_names_none_of_its_own() -> None:
    guards = Guards(max_change_units=7, min_points_for_share=3, channels={"shop": GuardConfig(min_points_for_share=9)})
    mine, other = guards.for_channel("shop"), guards.for_channel("till")
    assert (mine.max_change_units, mine.min_points_for_share) == (7, 9)
    assert (other.max_change_units, other.min_points_for_share) == (7, 3)
