"""What goes wrong on the way to a model on Bedrock, by name: stubbed, and over HTTP on 127.0.0.1."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError, NoRegionError

from freehold.adapters.converse import Converse
from freehold.errors import ContextTooLong, FreeholdError, ModelRejected, ModelThrottled, ModelUnavailable
from freehold.values.model import (
    ModelRequest,
    ToolSpec,
    UserMessage,
)
from stubbed_bedrock import OPUS, REQUEST, Bedrock, client


@pytest.fixture
def bedrock() -> Iterator[Bedrock]:
    with Bedrock() as stubbed:
        yield stubbed


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("ThrottlingException", 400, ModelThrottled),
        ("ServiceQuotaExceededException", 400, ModelThrottled),
        ("ModelNotReadyException", 429, ModelThrottled),
        ("429", 429, ModelThrottled),
        ("ServiceUnavailableException", 503, ModelUnavailable),
        ("InternalServerException", 500, ModelUnavailable),
        ("ModelTimeoutException", 408, ModelUnavailable),
        ("ModelErrorException", 424, ModelUnavailable),
        ("502", 502, ModelUnavailable),
        ("ValidationException", 400, ModelRejected),
        ("AccessDeniedException", 403, ModelRejected),
        ("ResourceNotFoundException", 404, ModelRejected),
        ("SomethingNewException", 400, ModelRejected),
        ("413", 413, ContextTooLong),
    ],
)
def test_a_failure_has_a_name_and_bedrocks_words(
    bedrock: Bedrock, code: str, status: int, error: type[FreeholdError]
):
    bedrock.fails(code, "because of this\n and  that", status)

    with pytest.raises(error, match=f"Bedrock answered {code} for {OPUS.id}") as raised:
        bedrock.reply()

    assert type(raised.value) is error
    assert raised.value.words == "because of this and that"


@pytest.mark.parametrize(
    "message",
    [
        "Input is too long for requested model.",
        "The model returned the following errors: prompt is too long: 903884 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 188059 + 20000 > 200000",
        "The model returned the following errors: too many total text bytes: 9132431 > 9000000",
        "Input Tokens Exceeded: Number of input tokens exceeds maximum length. Please update the input.",
        "This model's maximum context length is 131072 tokens. Please reduce the length of the messages.",
        "The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).",
        "Your input exceeds the context window of this model.",
    ],
)
def test_a_conversation_that_does_not_fit_is_told_apart(bedrock: Bedrock, message: str):
    bedrock.fails("ValidationException", message)

    with pytest.raises(ContextTooLong):
        bedrock.reply()


@pytest.mark.parametrize(
    "message",
    [
        "The maximum tokens you requested exceeds the model limit of 8192. Try again with a maximum tokens value"
        " that is lower than 8192.",
        "The provided model identifier is invalid.",
        "This model doesn't support the stopSequences field. Remove stopSequences and try again.",
        "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
    ],
)
def test_less_of_the_conversation_would_not_help_other_requests(bedrock: Bedrock, message: str):
    bedrock.fails("ValidationException", message)

    with pytest.raises(ModelRejected) as raised:
        bedrock.reply()

    assert type(raised.value) is ModelRejected


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("AccessDeniedException", "bedrock:InvokeModel.*Region.*15 minutes"),
        ("ResourceNotFoundException", "end of life.*Region"),
    ],
)
def test_what_can_be_done_about_it_is_said(bedrock: Bedrock, code: str, words: str):
    bedrock.fails(code, "no")

    with pytest.raises(ModelRejected, match=words):
        bedrock.reply()


@pytest.mark.parametrize(
    "code",
    [
        "ExpiredTokenException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "IncompleteSignature",
        "RequestExpired",
    ],
)
def test_credentials_that_are_refused_are_never_quoted(bedrock: Bedrock, code: str):
    bedrock.fails(code, "The Canonical String should have been 'x-amz-security-token:IQoJb3JpZ2luX2VjE'", 403)

    with pytest.raises(ModelRejected, match=f"{code}.*sign in again") as raised:
        bedrock.reply()

    assert "IQoJ" not in str(raised.value)


def test_a_message_without_end_is_cut(bedrock: Bedrock):
    bedrock.fails("ValidationException", "x" * 10_000)

    with pytest.raises(ModelRejected) as raised:
        bedrock.reply()

    assert len(str(raised.value)) < 700


def test_a_request_that_botocore_refuses_is_rejected_without_its_content(bedrock: Bedrock):
    secret = ToolSpec(7, "secret", {})  # type: ignore[arg-type]

    with pytest.raises(ModelRejected, match=r"does not fit Converse: Invalid type.*toolSpec\.name$"):
        Converse(lambda seconds: client(), OPUS).reply(
            ModelRequest(OPUS.id, "", (UserMessage("x"),), (secret,))
        )


@pytest.mark.parametrize(
    ("error", "words"),
    [(NoCredentialsError(), "no AWS credentials"), (NoRegionError(), "no Region is set")],
)
def test_a_machine_that_is_not_signed_in_is_told_so(error: Exception, words: str):
    def client_for(seconds: int) -> Any:
        raise error

    with pytest.raises(ModelRejected, match=words):
        Converse(client_for, OPUS).reply(REQUEST)


def test_the_names_of_roles_and_accounts_are_not_told(bedrock: Bedrock):
    bedrock.fails(
        "AccessDeniedException", "User: arn:aws:sts::123456789012:assumed-role/secret/x may not", 403
    )

    with pytest.raises(ModelRejected) as raised:
        bedrock.reply()

    assert raised.value.words == "User: arn:… may not"


def test_what_aws_says_of_a_signature_is_nowhere_in_the_error(bedrock: Bedrock):
    bedrock.fails("InvalidSignatureException", "the request was: x-amz-security-token:IQoJTOKEN", 403)

    with pytest.raises(ModelRejected) as raised:
        bedrock.reply()

    assert "IQoJTOKEN" not in "".join(traceback.format_exception(raised.value))
