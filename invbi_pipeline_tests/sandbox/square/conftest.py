import pytest

from invbi_pipeline_tests.sandbox.square.till import Till, made_till


@pytest.fixture
def till() -> Till:
    return made_till()
