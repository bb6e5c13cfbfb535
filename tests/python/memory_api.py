"""The memory's API through a client that its OpenAPI document drives: every operation is called, and every answer is held against
the document.

It reads {"server": ..., "key": ..., "admin": ...} from standard input, has a chat, calls everything, and prints one JSON object: what
each operation answered. An operation of the document that has no line in CALLS is an error, and so is a line without an operation.
It must not know paths or methods: the document says them.
"""

import json
import re
import sys
from urllib.parse import quote

import httpx2
from openai import OpenAI
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from proxy import until_searchable

DOCUMENT = "/mainpoint/v1/openapi.json"
TOLD = "Grandmother's recipe box stands in the blue cupboard, behind the jar with 31 marbles."
QUESTION = "Where does grandmother's recipe box stand?"

# Every operation, in the order of the calls, with its parameters (and "body") made of what was answered before.
CALLS = {
    "getDocument": lambda told: {},
    "getStats": lambda told: {},
    "listConversations": lambda told: {"limit": 10},
    "listTurns": lambda told: {"conversation": told["listConversations"]["data"][0]["id"], "limit": 1},
    "getTurn": lambda told: {"id": told["listTurns"]["data"][0]["id"]},
    "readAround": lambda told: {"id": told["getTurn"]["id"], "before": 1, "after": 2},
    "listTopics": lambda told: {"topics": 2, "nearest": 1},
    "search": lambda told: {"body": {"question": QUESTION, "limit": 3}},
    "exportMemory": lambda told: {},
    "importMemory": lambda told: {"body": told["exportMemory"]},
    "listScopes": lambda told: {},
    "deleteTurn": lambda told: {"id": told["getTurn"]["id"]},
    "deleteConversation": lambda told: {"id": told["listConversations"]["data"][0]["id"]},
    "deleteMemory": lambda told: {"before": "2100-01-01T00:00:00Z"},
}


class Api:
    """Calls operations by their names, as an OpenAPI document describes them."""

    def __init__(self, server: str, keys: dict) -> None:
        self.http = httpx2.Client(base_url=server, timeout=120.0, trust_env=False)
        self.keys = keys
        self.document = self.http.get(DOCUMENT).raise_for_status().json()
        validate(self.document, cls=OpenAPIV31SpecValidator)
        self.base = self.document["servers"][0]["url"]
        self.closed = closed(self.document)
        self.operations = {
            operation["operationId"]: (method, path, operation)
            for path, operations in self.document["paths"].items()
            for method, operation in operations.items()
        }

    def call(self, name: str, arguments: dict) -> object:
        """Calls an operation that is to succeed; what it answers is what the document says."""
        answer = self.send(name, arguments)
        assert answer.status_code == 200, f"{name}: {answer.status_code} {answer.text}"
        return self.read(name, "200", answer)

    def refuse(self, name: str) -> None:
        """Calls an operation with a parameter that it has not got: the answer is the error that the document describes."""
        method, path, _ = self.operations[name]
        url = self.base + re.sub(r"\{.+?\}", "0" * 32, path)
        answer = self.http.request(method, url, params={"no-such-parameter": "1"}, headers=self.headers(name))
        assert answer.status_code == 400, f"{name}: {answer.status_code} {answer.text}"
        self.read(name, "default", answer)

    def send(self, name: str, arguments: dict) -> httpx2.Response:
        method, path, operation = self.operations[name]
        query, headers, content = {}, self.headers(name), None
        for argument, value in arguments.items():
            if argument == "body":
                ((kind, media),) = operation["requestBody"]["content"].items()
                content = self.written(kind, value, media["schema"])
                headers["content-type"] = kind
                continue
            parameter = self.parameter(operation, argument)
            self.check(value, parameter["schema"], f"{name}: {argument}")
            if parameter["in"] == "path":
                path = path.replace(f"{{{argument}}}", quote(str(value), safe=""))
            else:
                query[argument] = value
        return self.http.request(method, self.base + path, params=query, headers=headers, content=content)

    def headers(self, name: str) -> dict:
        """The key of whoever may call the operation."""
        schemes = [scheme for one in self.operations[name][2].get("security", self.document["security"]) for scheme in one]
        return {"authorization": f"Bearer {self.keys[schemes[0]]}"} if schemes else {}

    def parameter(self, operation: dict, name: str) -> dict:
        (found,) = [one for one in map(self.resolved, operation.get("parameters", [])) if one["name"] == name]
        return found

    def resolved(self, value: dict) -> dict:
        if "$ref" not in value:
            return value
        found = self.document
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return found

    def written(self, kind: str, value: object, schema: dict) -> str:
        for one in value if kind == "application/x-ndjson" else [value]:
            self.check(one, schema, "what is sent")
        return "\n".join(map(json.dumps, value)) if kind == "application/x-ndjson" else json.dumps(value)

    def read(self, name: str, status: str, answer: httpx2.Response) -> object:
        """The body of an answer, which is as the document says: one value, or one for each line."""
        content = self.resolved(self.operations[name][2]["responses"][status])["content"]
        kind = answer.headers["content-type"].split(";")[0]
        assert kind in content, f"{name}: {kind} is not described"
        is_lines = kind == "application/x-ndjson"
        values = [json.loads(line) for line in answer.text.splitlines()] if is_lines else [answer.json()]
        for value in values:
            self.check(value, content[kind]["schema"], name)
        return values if is_lines else values[0]

    def check(self, value: object, schema: dict, what: str) -> None:
        schema = {**closed(schema), "components": self.closed["components"]}
        errors = [error.message for error in OAS31Validator(schema, format_checker=oas31_format_checker).iter_errors(value)]
        assert not errors, f"{what}: {errors} in {value}"


def closed(schema: object) -> object:
    """The same schemas, whose objects have no properties but those that are described."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        inner.setdefault("additionalProperties", False)
    return inner


def chat(server: str, key: str) -> None:
    client = OpenAI(base_url=f"{server}/v1", api_key=key, max_retries=0, timeout=120.0)
    for text in (TOLD, "The sea is blue today."):
        client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": text}])
    until_searchable(server)


def main() -> None:
    told = json.load(sys.stdin)
    server, keys = told["server"], {"key": told["key"], "admin": told["admin"]}
    api = Api(server, keys)
    assert set(api.operations) == set(CALLS), f"without a call, or not described: {set(api.operations) ^ set(CALLS)}"
    chat(server, keys["key"])
    for name in CALLS.keys() - {"getDocument"}:
        api.refuse(name)
    answers = {}
    for name, arguments in CALLS.items():
        answers[name] = api.call(name, arguments(answers))
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
