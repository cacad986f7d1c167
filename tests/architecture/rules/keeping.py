"""How data is kept: encrypted, private, restorable, and for no longer than meant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rendering import ARN, HERE

from .reading import PASSING, Rule, Template, listed, resources, statements

KEY = f"{ARN}:kms:{HERE}:key/freehold-Key"
# Where each kind of store names its key.
KEY_OF: dict[str, Callable[[dict[str, Any]], Any]] = {
    "AWS::DynamoDB::Table": lambda table: table.get("SSESpecification", {}).get("KMSMasterKeyId"),
    "AWS::S3::Bucket": lambda bucket: _default_encryption(bucket).get("KMSMasterKeyID"),
    "AWS::SecretsManager::Secret": lambda secret: secret.get("KmsKeyId"),
    "AWS::SQS::Queue": lambda queue: queue.get("KmsMasterKeyId"),
    "AWS::SNS::Topic": lambda topic: topic.get("KmsMasterKeyId"),
    "AWS::Events::EventBus": lambda bus: bus.get("KmsKeyIdentifier"),
    "AWS::Logs::LogGroup": lambda group: group.get("KmsKeyId"),
}
KEPT = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key")
# Both keep what was in use; the second takes back what a failed creation leaves, which nobody ever used.
RETAINED = {"DeletionPolicy": ("Retain", "RetainExceptOnCreate"), "UpdateReplacePolicy": ("Retain",)}


def _default_encryption(bucket: dict[str, Any]) -> dict[str, Any]:
    rules = bucket.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [{}])
    return rules[0].get("ServerSideEncryptionByDefault", {})


def stores_are_encrypted_with_the_key(template: Template) -> Iterator[str]:
    for kind, key_of in KEY_OF.items():
        yield from (
            f"{name} is not encrypted with the customer's key"
            for name, store in resources(template, kind).items()
            if key_of(store) != KEY
        )
    for name, table in resources(template, "AWS::DynamoDB::Table").items():
        sse = table.get("SSESpecification", {})
        if (sse.get("SSEEnabled"), sse.get("SSEType")) != (True, "KMS"):
            yield f"{name} does not use its key"


def data_outlives_the_stack(template: Template) -> Iterator[str]:
    for name, resource in template["Resources"].items():
        if resource["Type"] in KEPT and name not in PASSING:
            for policy, retained in RETAINED.items():
                if resource.get(policy) not in retained:
                    yield f"{name} has no {policy}: {' or '.join(retained)}"


def data_can_be_restored(template: Template) -> Iterator[str]:
    """Tables and buckets for the same number of days, so that what was erased is gone from both at once."""
    days: set[Any] = set()
    for name, table in resources(template, "AWS::DynamoDB::Table").items():
        if name in PASSING:
            continue
        recovery = table.get("PointInTimeRecoverySpecification", {})
        if recovery.get("PointInTimeRecoveryEnabled") is not True:
            yield f"{name} has no point-in-time recovery"
        days.add(recovery.get("RecoveryPeriodInDays"))
    for name, bucket in resources(template, "AWS::S3::Bucket").items():
        if bucket.get("VersioningConfiguration") != {"Status": "Enabled"}:
            yield f"{name} keeps no versions"
        ends = [
            rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
            for rule in bucket.get("LifecycleConfiguration", {}).get("Rules", [])
            if "NoncurrentVersionExpiration" in rule and "Prefix" not in rule
        ]
        if len(ends) != 1:
            yield f"{name} keeps old versions for ever"
        days |= set(ends)
    if len(days) != 1:
        yield f"tables and buckets can be restored for different times: {days}"


def data_ends(template: Template) -> Iterator[str]:
    for name, table in resources(template, "AWS::DynamoDB::Table").items():
        if table.get("TimeToLiveSpecification") != {"AttributeName": "expires_at", "Enabled": True}:
            yield f"{name} keeps its items for ever"
    for name, bucket in resources(template, "AWS::S3::Bucket").items():
        rules = bucket.get("LifecycleConfiguration", {}).get("Rules", [])
        ends = {rule.get("Prefix"): rule.get("ExpirationInDays") or 0 for rule in rules}
        if not ends.get("conversations/"):
            yield f"{name} keeps conversations for ever"


def buckets_are_private(template: Template) -> Iterator[str]:
    for name, bucket in resources(template, "AWS::S3::Bucket").items():
        blocked = bucket.get("PublicAccessBlockConfiguration", {})
        if len(blocked) != 4 or set(blocked.values()) != {True}:
            yield f"{name} could be public"
        owners = [rule["ObjectOwnership"] for rule in bucket.get("OwnershipControls", {}).get("Rules", [])]
        if owners != ["BucketOwnerEnforced"]:
            yield f"{name} takes access lists"


def data_travels_over_tls(template: Template) -> Iterator[str]:
    """The policy of each bucket, queue and topic refuses what does not."""
    policies = {
        "AWS::S3::Bucket": ("AWS::S3::BucketPolicy", "Bucket"),
        "AWS::SQS::Queue": ("AWS::SQS::QueuePolicy", "Queues"),
        "AWS::SNS::Topic": ("AWS::SNS::TopicPolicy", "Topics"),
    }
    for kind, (policy_kind, target) in policies.items():
        guarded: set[str] = set()
        for name, policy in resources(template, policy_kind).items():
            only = {"Resources": {name: template["Resources"][name]}}
            for each in statements(only, kinds=(policy_kind,)):
                plain = each.given.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
                if plain and not each.allows and each.given["Principal"] == "*":
                    guarded |= {
                        place.rpartition(":")[2].rpartition("/")[2] for place in listed(policy[target])
                    }
        yield from (
            f"{name} may be reached without TLS"
            for name in resources(template, kind)
            if f"freehold-{name}" not in guarded
        )


RULES: tuple[Rule, ...] = (
    stores_are_encrypted_with_the_key,
    data_outlives_the_stack,
    data_can_be_restored,
    data_ends,
    buckets_are_private,
    data_travels_over_tls,
)
