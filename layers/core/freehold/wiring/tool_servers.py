"""HTTP and MCP servers that tools are on."""

from __future__ import annotations

import os
from functools import cache, partial
from typing import TYPE_CHECKING

import boto3

from .clients import client, setting

if TYPE_CHECKING:
    from ..adapters.egress import Pinned
    from ..adapters.http_tools import PinnedHttpTools
    from ..adapters.mcp_tools import McpClient
    from ..adapters.tool_auth import ToolAuth


def pinned() -> Pinned:
    """Where tools' servers may be connected to: the public Internet, and this machine in a local run that says so."""
    from ..adapters import egress

    return partial(egress.pinned, loopback=os.environ.get("TOOLS_MAY_USE_LOOPBACK") == "true")


@cache
def tool_auth() -> ToolAuth:
    """Who tools' servers are told asks them."""
    from ..adapters.http_exchange import Exchange
    from ..adapters.oauth_tokens import OAuthTokens
    from ..adapters.tool_auth import ToolAuth
    from ..adapters.tool_secrets import ToolSecrets

    secrets = ToolSecrets(client("secretsmanager"), setting("TOOL_SECRETS"))
    tokens = OAuthTokens(pinned(), Exchange())
    return ToolAuth(secrets.read, tokens, boto3.Session().get_credentials)


@cache
def http_tools() -> PinnedHttpTools:
    """For RunTool."""
    from ..adapters.http_exchange import Exchange
    from ..adapters.http_tools import PinnedHttpTools

    return PinnedHttpTools(pinned(), tool_auth(), Exchange())


@cache
def mcp_client() -> McpClient:
    """For RunMcpTool: no other function has what it needs."""
    from ..adapters.mcp_tools import McpClient

    return McpClient(pinned(), tool_auth())
