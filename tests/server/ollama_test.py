"""Ollama's own client against the running server: ollama_test.py <server>.
# needs: ollama
"""

import json
import sys

import ollama
import server_fixture

GREEDY = {"temperature": 0, "num_predict": 8, "num_ctx": 4096}
ASK = [{"role": "user", "content": "Once upon a time"}]
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "The weather of a city", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}


def expect(status: int, function, word: str = "") -> None:
    try:
        function()
    except ollama.ResponseError as error:
        assert error.status_code == status and word in error.error, (error.status_code, error.error)
        return
    raise AssertionError(f"no error {status}")


def test_generate_whole_and_streamed_is_the_same(program: str) -> None:
    with server_fixture.Server(program) as server:
        client = ollama.Client(host=server.url)
        whole = client.generate(model="stories", prompt="Once upon a time", options=GREEDY)
        assert whole.done and whole.done_reason == "length" and whole.eval_count == 8 and whole.response
        assert whole.total_duration > 0 and whole.prompt_eval_count > 1 and whole.eval_duration > 0
        assert whole.load_duration is not None and len(whole.context) == whole.prompt_eval_count + 8
        parts = list(client.generate(model="stories:latest", prompt="Once upon a time", options=GREEDY, stream=True))
        assert "".join(part.response for part in parts) == whole.response
        assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
        assert parts[-1].context == whole.context and parts[-1].eval_count == 8
        raw = client.generate(model="stories", prompt="Once upon a time", raw=True, options=GREEDY)
        assert raw.response and raw.context is None
        more = client.generate(model="stories", prompt=" and", context=whole.context, options=GREEDY)
        assert more.prompt_eval_count > len(whole.context)
        stopped = client.generate(model="stories", prompt="Once upon a time",
                                  options={**GREEDY, "stop": [whole.response.split()[-1]]})
        assert stopped.done_reason == "stop" and whole.response.startswith(stopped.response)
        answer = server.post("/api/generate", {"model": "stories", "prompt": "Once", "options": GREEDY})
        assert answer.headers["Content-Type"] == "application/x-ndjson"
        assert all(json.loads(line)["model"] == "stories" for line in answer.text.splitlines())
        loaded = client.generate(model="stories", keep_alive="5m")
        assert loaded.done and loaded.done_reason == "load" and loaded.response == ""
        # The same seed gives the same text.
        seeded = {**GREEDY, "temperature": 1, "seed": 5}
        texts = {client.generate(model="stories", prompt="Once", options=seeded).response for _ in range(2)}
        assert len(texts) == 1


def test_chat_formats_and_tools(program: str) -> None:
    with server_fixture.Server(program) as server:
        client = ollama.Client(host=server.url)
        whole = client.chat(model="stories", messages=ASK, options=GREEDY)
        assert whole.message.role == "assistant" and whole.message.content and whole.done_reason == "length"
        parts = list(client.chat(model="stories", messages=ASK, options=GREEDY, stream=True))
        assert "".join(part.message.content for part in parts) == whole.message.content
        assert parts[-1].done and parts[-1].eval_count == 8
        schema = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0, "maximum": 9}},
                  "required": ["age"], "additionalProperties": False}
        told = client.chat(model="stories", messages=ASK, format=schema, options={"num_predict": 60})
        assert 0 <= json.loads(told.message.content)["age"] <= 9
        told = client.generate(model="stories", prompt="Once", format=schema, options={"num_predict": 60})
        assert 0 <= json.loads(told.response)["age"] <= 9
        turns = ASK + [{"role": "assistant", "content": "", "thinking": "Hm.", "tool_calls": [
            {"function": {"name": "get_weather", "arguments": {"city": "Rome"}}}]},
            {"role": "tool", "tool_name": "get_weather", "content": "Sun"}]
        answered = client.chat(model="stories", messages=turns, tools=[TOOL], think=False, options=GREEDY)
        assert answered.message.role == "assistant"
        assert answered.prompt_eval_count > whole.prompt_eval_count


def test_models_and_embeddings(program: str) -> None:
    with server_fixture.Server(program) as server:
        client = ollama.Client(host=server.url)
        listed = client.list().models
        assert [model.model for model in listed] == ["stories:latest"]
        assert len(listed[0].digest) == 64 and listed[0].size > 0 and listed[0].details.format == "gguf"
        assert [model.name for model in client.ps().models] == ["stories:latest"]
        shown = client.show("stories:latest")
        assert shown.modelinfo["general.architecture"] == shown.details.family
        assert shown.modelinfo["general.parameter_count"] > 1000 and "completion" in shown.capabilities
        assert server.get("/api/version").json["version"]
        both = client.embed(model="stories", input=["A cat.", "A dog."])
        one = client.embed(model="stories", input="A cat.")
        assert len(both.embeddings) == 2 and both.embeddings[0] == one.embeddings[0]
        assert abs(sum(x * x for x in one.embeddings[0]) - 1) < 1e-3 and one.prompt_eval_count > 0
        old = client.embeddings(model="stories", prompt="A cat.").embedding
        assert len(old) == len(one.embeddings[0])
        assert client.embed(model="stories", input="cat " * 5000).embeddings
        expect(400, lambda: client.embed(model="stories", input="cat " * 5000, truncate=False), "input.0")


def test_errors_are_the_clients_class(program: str) -> None:
    with server_fixture.Server(program) as server:
        client = ollama.Client(host=server.url)
        expect(404, lambda: client.generate(model="llama3", prompt="x"), "llama3")
        expect(404, lambda: list(client.chat(model="llama3:8b", messages=ASK, stream=True)), "llama3:8b")
        expect(400, lambda: client.generate(model="stories", prompt="x", template="{{ .Prompt }}"), "template")
        expect(400, lambda: client.generate(model="stories", prompt="x", suffix="y"), "suffix")
        expect(400, lambda: client.generate(model="stories", prompt="x", options={"temperature": -1}), "temperature")
        expect(400, lambda: client.generate(model="stories", prompt="story " * 5000), "tokens")
        expect(400, lambda: client.chat(model="stories", messages=[{"role": "king", "content": "x"}]), "role")
        expect(400, lambda: client.chat(model="stories", messages=ASK, keep_alive="soon"), "keep_alive")
        for call in (lambda: client.pull("llama3"), lambda: client.push("llama3"), lambda: client.copy("a", "b"),
                     lambda: client.delete("stories"), lambda: client.create("x", from_="stories")):
            expect(501, call, "not available")
        image = server.post("/api/chat", {"model": "stories", "messages": [{**ASK[0], "images": ["aGk="]}]})
        assert image.status == 400 and "text only" in image.json["error"]
        tool = {"type": "function", "function": {"name": "f", "strict": {}}}
        assert server.post("/api/chat", {"model": "stories", "messages": [], "tools": [tool]}).status == 400
        assert server.get("/api/nothing").json["error"]


if __name__ == "__main__":
    server_fixture.run_tests(globals(), sys.argv[1])
