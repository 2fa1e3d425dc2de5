import pytest

from invbi_pipeline_tests.sandbox.amazon.seller import Seller, made_seller


@pytest.fixture
def seller() -> Seller:
    return made_seller()
