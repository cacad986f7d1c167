"""Images in a request: taken where a model can see them, and refused before anything is stored."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from .deployed import Deployed, agent
from .lambdas import forget

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
OTHERS = (b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\0\0\0\0WEBP")


def told(*contents: bytes) -> list[dict[str, str]]:
    return [{"data": b64encode(content).decode()} for content in contents]


@pytest.fixture
def seeing(product: Deployed) -> Deployed:
    product.admin.call("PUT", "/agents/helper", agent(foundationModel="global.anthropic.claude-opus-4-8"))
    return product


def test_images_of_every_format_are_taken_and_listed_without_their_bytes(seeing: Deployed):
    sent = told(PNG, *OTHERS)

    seeing.start("what is it?", sessionId="s1", images=sent)

    (item,) = seeing.admin.call("GET", "/sessions/s1/items").body["items"]
    assert item["images"] == ["png", "jpeg", "gif", "webp"]
    assert not any(image["data"] in str(seeing.items("sessions")) for image in sent)


def test_a_repeated_request_must_show_the_same_images(seeing: Deployed):
    headers, body = {"Idempotency-Key": "k1"}, {"input": "look", "images": told(PNG)}
    first = seeing.admin.call("POST", "/agents/helper/runs", body, headers=headers)

    again = seeing.admin.call("POST", "/agents/helper/runs", body, headers=headers)
    other = seeing.admin.call(
        "POST", "/agents/helper/runs", body | {"images": told(PNG + b"2")}, headers=headers
    )

    assert again.body["runId"] == first.body["runId"]
    assert other.status == 422


@pytest.mark.parametrize(
    ("images", "where", "why"),
    [
        ([{"data": "no base64!"}], "images[0].data", "no base64"),
        (told(PNG, b"%PDF-1.7"), "images[1].data", "png, jpeg, gif, webp"),
        (told(b"RIFF\0\0\0\0WAVE"), "images[0].data", "png, jpeg, gif, webp"),
        (told(PNG + b"\0" * 3_750_000), "images", "at most 3,750,000"),
        (told(*[PNG] * 21), "images", "20"),
        ([{"data": "", "format": "png"}], "images[0].format", "not a field"),
    ],
)
def test_what_no_model_could_see_is_refused_and_nothing_is_stored(
    seeing: Deployed, images: Any, where: str, why: str
):
    answer = seeing.admin.call("POST", "/agents/helper/runs", {"input": "look", "images": images})

    assert answer.status == 400
    assert any(
        problem["path"] == where and why in problem["message"] for problem in answer.body["problems"]
    ), answer.text
    assert seeing.items("sessions") == []


def test_an_agent_whose_model_takes_no_images_says_so(product: Deployed):
    product.admin.call("PUT", "/agents/helper", agent(foundationModel="rehearsal"))
    forget()

    answer = product.admin.call("POST", "/agents/helper/runs", {"input": "look", "images": told(PNG)})

    assert answer.status == 400
    assert "rehearsal" in answer.text
    assert product.items("sessions") == []
