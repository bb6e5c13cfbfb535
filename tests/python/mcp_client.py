"""A client of the Model Context Protocol on the official package: it connects, lists the tools, calls some, and prints what it got.

It reads one JSON object from standard input: {"url": ..., "headers": {...}} or {"command": ..., "arguments": [...]}, with "mode" (how
the protocol's version is agreed on) and "calls", a list of {"tool": ..., "arguments": {...}}. Of each call it prints whether it
failed, the text and the structured answer, which the package compares with the tool's schema. It must not know what the tools do.
"""

import asyncio
import json
import os
import sys

import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

PATIENCE_SECONDS = 240.0


def server(job: dict) -> object:
    if "command" in job:
        return StdioServerParameters(command=job["command"], args=job["arguments"], env=dict(os.environ))
    http_client = httpx2.AsyncClient(headers=job["headers"], timeout=PATIENCE_SECONDS)
    return streamable_http_client(job["url"], http_client=http_client)


async def call(client: Client, tool: str, arguments: dict) -> dict:
    try:
        result = await client.call_tool(tool, arguments)
    except MCPError as error:
        return {"protocol_error": str(error)}
    text = "".join(block.text for block in result.content if block.type == "text")
    return {"failed": result.is_error, "text": text, "structured": result.structured_content}


async def run(job: dict) -> dict:
    async with Client(server(job), mode=job["mode"], read_timeout_seconds=PATIENCE_SECONDS) as client:
        listed = await client.list_tools()
        return {
            "name": client.server_info.name if client.server_info else None,
            "version": client.protocol_version,
            "instructions": client.instructions,
            "tools": [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in listed.tools],
            "answers": [await call(client, each["tool"], each["arguments"]) for each in job["calls"]],
        }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(json.load(sys.stdin)))))
