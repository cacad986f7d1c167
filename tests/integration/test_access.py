"""Access entries, and the tokens that AWS principals get by them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freehold.adapters.access import AccessEntries
from freehold.adapters.aws_tokens import LIFETIME_SECONDS, AwsTokens
from freehold.adapters.table import Table
from freehold.errors import Conflict, Denied, Invalid, NotFound
from freehold.values.access import AccessEntry, EntryKind, Identity, aws_principal
from freehold.values.run import Principal
from memory_table import MemoryTable

NOW = 1_800_000_000
ROLE = "arn:aws:iam::123456789012:role/support"
SESSION = "arn:aws:sts::123456789012:assumed-role/support/ann@example.com"
USER = "arn:aws:iam::123456789012:user/ann"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:orders.fifo"
RULE = "arn:aws:events:us-east-1:123456789012:rule/orders/new"


class World:
    """One agents table."""

    def __init__(self) -> None:
        self.client: Any = MemoryTable()
        table = Table(self.client, "agents")
        self.entries = AccessEntries(table)
        self.tokens = AwsTokens(table, self.entries)

    def grant(
        self, name: str = ROLE, tenant: str = "acme", *scopes: str, kind: EntryKind = "iam"
    ) -> AccessEntry:
        given = scopes or (("run", "read") if kind == "iam" else ())
        entry = AccessEntry(kind, name, tenant, NOW, given)
        return self.entries.grant(entry)

    def grant_without_id(self, tenant: str = "acme") -> AccessEntry:
        """As entries were once written."""
        entry, table = self.grant(ROLE, tenant), self.client.scan(TableName="agents")
        (written,) = (item for item in table["Items"] if item["kind"]["S"] == "access")
        self.client.put_item(
            TableName="agents",
            Item={name: value for name, value in written.items() if name != "entry_id"},
            ConditionExpression="attribute_exists(pk)",
        )
        return entry

    def token(self, arn: str = SESSION) -> str:
        return self.tokens.create(arn, now=NOW).text


@pytest.fixture
def world() -> World:
    return World()


# -- names of AWS principals


@pytest.mark.parametrize(
    ("arn", "known"),
    [
        (ROLE, ROLE),
        ("arn:aws:iam::123456789012:role/team/eu/support", ROLE),
        (SESSION, ROLE),
        (
            "arn:aws-cn:sts::123456789012:assumed-role/support/i-0abc",
            "arn:aws-cn:iam::123456789012:role/support",
        ),
        (USER, USER),
        ("arn:aws:iam::123456789012:user/staff/ann", USER),
        ("arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:root"),
    ],
)
def test_a_principal_is_known_without_path_and_session(arn: str, known: str):
    assert aws_principal(arn) == known


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "support",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:group/staff",
        "arn:aws:iam::12345678901:role/support",
        "arn:aws:iam::123456789012:role/*",
        "arn:aws:iam::123456789012:role/support\n",
        "arn:aws:sts::123456789012:assumed-role/support",
        "arn:aws:sts::123456789012:assumed-role/a/b/c",
        "arn:aws:sts::123456789012:federated-user/ann",
        "arn:evil:iam::123456789012:role/support",
        "arn:aws:iam::１２３４５６７８９０１２:role/support",
    ],
)
def test_what_is_no_role_and_no_user_is_nobody(arn: str):
    assert aws_principal(arn) is None


# -- entries


@pytest.mark.parametrize(
    ("kind", "name"), [("iam", ROLE), ("queue", QUEUE), ("rule", RULE), ("source", "com.example.*")]
)
def test_an_entry_that_was_granted_is_listed_and_revoked(world: World, kind: EntryKind, name: str):
    entry = world.grant(name, kind=kind)

    assert list(world.entries.list(kind)) == [entry]
    world.entries.revoke(kind, name, "acme")
    assert list(world.entries.list(kind)) == []
    with pytest.raises(NotFound):
        world.entries.revoke(kind, name, "acme")


@pytest.mark.parametrize(("kind", "name"), [("iam", ROLE), ("queue", QUEUE), ("rule", RULE)])
def test_a_door_leads_to_one_tenant_and_is_not_moved_by_accident(world: World, kind: EntryKind, name: str):
    entry = world.grant(name, kind=kind)

    with pytest.raises(Conflict, match="another tenant"):
        world.grant(name, "globex", kind=kind)

    assert world.entries.find(kind, name) == entry
    world.entries.revoke(kind, name)
    world.grant(name, "globex", kind=kind)


def test_the_paths_of_a_role_are_one_door(world: World):
    world.grant("arn:aws:iam::123456789012:role/team/support")

    with pytest.raises(Conflict):
        world.grant(ROLE, "globex")
    assert world.entries.find("iam", SESSION) is not None


def test_several_tenants_may_hear_the_same_source(world: World):
    ours, theirs = (world.grant("com.example.*", tenant, kind="source") for tenant in ("acme", "globex"))

    assert list(world.entries.list("source")) == [ours, theirs]
    assert list(world.entries.sources("acme")) == ["com.example.*"]
    world.entries.revoke("source", "com.example.*", "acme")
    assert list(world.entries.sources("acme")) == []
    assert list(world.entries.list("source")) == [theirs]


def test_a_tenant_may_be_given_other_scopes(world: World):
    world.grant()

    entry = world.grant(ROLE, "acme", "approve")

    assert world.entries.find("iam", ROLE) == entry


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("iam", "arn:aws:iam::123456789012:group/staff"),
        ("iam", "*"),
        ("queue", ROLE),
        ("queue", "arn:aws:sqs:us-east-1:123456789012:*"),
        ("queue", f"{QUEUE}\n"),
        ("rule", QUEUE),
        ("rule", "arn:aws:events:us-east-1:123456789012:event-bus/orders"),
        ("source", ""),
        ("source", "com.*.orders"),
        ("source", "a b"),
    ],
)
def test_a_name_that_nothing_can_have_is_refused(world: World, kind: EntryKind, name: str):
    with pytest.raises(Invalid) as refused:
        world.grant(name, kind=kind)

    assert refused.value.problems[0].path == "name"


@pytest.mark.parametrize("tenant", ["", "Acme", "a#b", "a" * 41, "acme\n"])
def test_a_tenant_that_can_be_none_is_refused(world: World, tenant: str):
    with pytest.raises(Invalid):
        world.grant(tenant=tenant)


def test_scopes_are_for_aws_principals_alone_and_ours(world: World):
    wrong = (("root",), (), ("run", "run"))
    for kind, name, scopes in (("queue", QUEUE, ("run",)), *(("iam", ROLE, each) for each in wrong)):
        with pytest.raises(Invalid):
            world.entries.grant(AccessEntry(kind, name, "acme", NOW, scopes))  # pyright: ignore[reportArgumentType]


# -- tokens


@pytest.mark.parametrize(("granted", "arn"), [(ROLE, SESSION), (USER, USER), (ROLE, ROLE)])
def test_a_token_stands_for_who_signed(world: World, granted: str, arn: str):
    world.grant(granted)

    assert world.tokens.verify(world.token(arn), now=NOW) == Identity(
        "acme", Principal("iam", arn), ("run", "read")
    )


@pytest.mark.parametrize(
    "arn",
    [
        SESSION.replace("123456789012", "210987654321"),
        SESSION.replace("/support/", "/support2/"),
        SESSION.replace("/support/", "/Support/"),
        SESSION.replace("arn:aws:", "arn:aws-cn:"),
        USER,
        "arn:aws:iam::123456789012:user/support",
        "arn:aws:iam::123456789012:root",
        "nonsense",
    ],
)
def test_without_an_entry_there_is_no_token(world: World, arn: str):
    world.grant()

    with pytest.raises(Denied, match="no access entry"):
        world.token(arn)


def test_a_token_may_have_fewer_scopes_and_never_more(world: World):
    world.grant()

    narrow = world.tokens.create(SESSION, now=NOW, scopes=["read"])

    found = world.tokens.verify(narrow.text, now=NOW)
    assert found is not None
    assert found.scopes == narrow.identity.scopes == ("read",)
    with pytest.raises(Denied, match="run, read"):
        world.tokens.create(SESSION, now=NOW, scopes=["read", "admin"])
    for wrong in ([], ["read", "read"], ["root"]):
        with pytest.raises(Invalid):
            world.tokens.create(SESSION, now=NOW, scopes=wrong)


def test_a_token_ends_after_an_hour(world: World):
    world.grant()
    made = world.tokens.create(SESSION, now=NOW)

    assert made.expires_at == NOW + LIFETIME_SECONDS
    assert world.tokens.verify(made.text, now=made.expires_at - 1) is not None
    assert world.tokens.verify(made.text, now=made.expires_at) is None


def test_a_token_opens_nothing_once_its_entry_is_revoked(world: World):
    world.grant()
    text = world.token()

    world.entries.revoke("iam", ROLE)
    assert world.tokens.verify(text, now=NOW) is None
    world.grant(ROLE, "globex")
    assert world.tokens.verify(text, now=NOW) is None


def test_a_token_stays_shut_where_its_access_was_revoked_and_granted_again(world: World):
    world.grant()
    text = world.token()
    world.entries.revoke("iam", ROLE)

    world.grant()

    assert world.tokens.verify(text, now=NOW) is None
    assert world.tokens.verify(world.token(), now=NOW) is not None


def test_an_entry_without_an_id_opens_to_its_tokens_until_it_is_revoked(world: World):
    entry = world.grant_without_id()
    text = world.token()

    assert world.entries.grant(entry).entry_id == ""
    assert world.tokens.verify(text, now=NOW) is not None
    world.entries.revoke("iam", ROLE)
    world.grant()
    assert world.tokens.verify(text, now=NOW) is None


def test_a_token_by_an_entry_without_an_id_opens_nothing_where_that_leads_to_another_tenant(world: World):
    world.grant_without_id()
    text = world.token()
    world.entries.revoke("iam", ROLE)

    world.grant_without_id("globex")

    assert world.tokens.verify(text, now=NOW) is None


def test_the_sources_of_one_tenant_are_read_without_those_of_others(world: World):
    for tenant in ("acme", "acme-2", "ac"):
        world.grant(f"{tenant}.*", tenant, kind="source")
    asked: list[dict[str, Any]] = []
    query = world.client.query
    world.client.query = lambda **given: asked.append(query(**given)) or asked[-1]

    assert list(world.entries.sources("acme")) == ["acme.*"]
    assert [len(page["Items"]) for page in asked] == [1]


def test_a_scope_that_the_entry_lost_the_token_loses_as_well(world: World):
    world.grant()
    text = world.token()

    world.grant(ROLE, "acme", "read", "admin")
    found = world.tokens.verify(text, now=NOW)
    assert found is not None
    assert found.scopes == ("read",)
    world.grant(ROLE, "acme", "admin")
    assert world.tokens.verify(text, now=NOW) is None


def test_the_table_holds_a_digest_and_no_secret(world: World):
    world.grant()
    secret = world.token().rpartition("_")[2]

    stored = json.dumps(world.client.scan(TableName="agents"))

    assert SESSION in stored
    assert secret not in stored


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"),
        lambda text: text.replace("_acme_", "_globex_"),
        lambda text: text.replace("fht_", "fh_"),
        lambda text: f"{text}\n",
        lambda text: text.upper(),
        lambda text: "fht_" + "a" * 100_000,
    ],
)
def test_another_text_opens_nothing(world: World, change: Any):
    world.grant()

    assert world.tokens.verify(change(world.token()), now=NOW) is None


def test_who_could_not_be_written_down_gets_no_token(world: World):
    long = f"arn:aws:iam::123456789012:user/{'p' * 240}/ann"
    world.grant(USER)

    with pytest.raises(Denied, match="256 characters"):
        world.token(long)
