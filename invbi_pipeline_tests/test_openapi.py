import json
from pathlib import Path

import pytest

from invbi_pipeline_tests.openapi import OpenApi
from invbi_pipeline_tests.shared import shared


@pytest.fixture(scope="module")
def square() -> OpenApi:
    return OpenApi(shared("specs/square/api.json"))


@pytest.fixture(scope="module")
def amazon() -> OpenApi:
    return OpenApi(shared("specs/amazon-sp-api/models"))


def test_a_field_that_the_model_does_not_list_is_a_failure(square: OpenApi) -> None:
    with pytest.raises(AssertionError, match="colour"):
        square.validate_response("GET", "/v2/locations", 200, {"locations": [{"id": "L1", "colour": "red"}]})


def test_a_read_only_field_may_be_answered_and_not_sent(square: OpenApi) -> None:
    change = {"type": "PHYSICAL_COUNT", "physical_count": {"catalog_object_id": "A", "created_at": "2026-01-01T00:00:00Z"}}
    square.validate_response("POST", "/v2/inventory/changes/batch-create", 200, {"changes": [change]})
    with pytest.raises(AssertionError, match="created_at"):
        square.validate_request("POST", "/v2/inventory/changes/batch-create", None, {"idempotency_key": "k", "changes": [change]})


def test_square_errors_are_judged_though_its_model_states_only_the_success(square: OpenApi) -> None:
    good = {"errors": [{"category": "RATE_LIMIT_ERROR", "code": "RATE_LIMITED"}]}
    square.validate_response("GET", "/v2/locations", 429, good)
    with pytest.raises(AssertionError, match="NO_SUCH_CODE"):
        square.validate_response("GET", "/v2/locations", 429, {"errors": [{**good["errors"][0], "code": "NO_SUCH_CODE"}]})


def test_query_parameters_are_typed_counted_and_known(amazon: OpenApi) -> None:
    path = "/listings/2021-08-01/items/A2SELLER/A%2F1"
    amazon.validate_request("GET", path, {"marketplaceIds": "A1", "includedData": "summaries,fulfillmentAvailability"})
    with pytest.raises(AssertionError, match="marketplaceIds is required"):
        amazon.validate_request("GET", path, {"includedData": "summaries"})
    with pytest.raises(AssertionError, match="stock"):
        amazon.validate_request("GET", path, {"marketplaceIds": "A1", "includedData": "stock"})
    with pytest.raises(AssertionError, match="fast is not in the model"):
        amazon.validate_request("GET", path, {"marketplaceIds": "A1", "fast": "true"})


def test_lists_in_a_swagger_query_are_comma_separated_not_repeated(amazon: OpenApi) -> None:
    with pytest.raises(AssertionError, match="repeated"):
        amazon.validate_request("GET", "/orders/2026-01-01/orders", [("includedData", "BUYER"), ("includedData", "TAX")])


def test_the_published_samples_of_square_pass(square: OpenApi) -> None:
    for name in ("BatchRetrieveInventoryCountsResponse", "BatchRetrieveInventoryChangesResponse", "SearchOrdersResponse"):
        sample: Path = shared(f"data/payloads/square/{name}.example.json")
        square.validate_schema(name, json.loads(sample.read_text(encoding="utf-8")))
