"""The running server under OpenAI's own client: openai_test.py <server>.

The embedded model writes stories only, which is enough to see that every field does what it says; under a grammar it must
write JSON all the same. A golden model with the vocabulary of BitNet 2B-4T shows a real chat format."""

# needs: openai jsonschema

from __future__ import annotations

import base64
import concurrent.futures
import json
import math
import struct
import sys
import time
from pathlib import Path

import jsonschema
import openai

import server_fixture

GOLDEN = Path(__file__).resolve().parents[1] / "golden/b158-i2s.gguf"
ONCE = [{"role": "user", "content": "Once upon a time"}]
WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather of a city",
    "parameters": {"type": "object", "required": ["city", "days"], "additionalProperties": False, "properties": {
        "city": {"$ref": "#/$defs/city"}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
        "$defs": {"city": {"type": "string", "enum": ["Paris", "Rome"]}}}}}
NOW = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {
    "utc": {"type": "boolean"}}, "required": ["utc"]}}}
PERSON = {"type": "object", "required": ["name", "age", "pets"], "additionalProperties": False, "properties": {
    "name": {"type": "string", "maxLength": 12}, "age": {"type": "integer", "minimum": 0, "maximum": 120},
    "pets": {"type": "array", "maxItems": 2, "items": {"enum": ["cat", "dog"]}}}}


def client_of(server: server_fixture.Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0, timeout=120)


def refusal(call, kind: type[openai.APIStatusError]) -> openai.APIStatusError:
    try:
        call()
    except kind as error:
        assert error.message and error.type, error
        return error
    raise AssertionError(f"no {kind.__name__}")


def check_models(client: openai.OpenAI) -> None:
    [model] = client.models.list().data
    assert model.id == "stories" and model.object == "model" and model.created > 1.7e9 and model.owned_by
    assert client.models.retrieve("stories").id == "stories"
    try:
        client.models.retrieve("gpt-4o")
    except openai.NotFoundError:
        return
    raise AssertionError("a model that is not there was found")


def check_chat(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="", messages=ONCE, temperature=0, max_tokens=5)
    assert answer.object == "chat.completion" and answer.id.startswith("chatcmpl-") and answer.created > 1.7e9
    assert answer.model == "stories" and answer.system_fingerprint.startswith("bitnet-")
    [choice] = answer.choices
    assert choice.message.role == "assistant" and choice.message.content == ", there was a little"
    assert choice.finish_reason == "length" and choice.index == 0 and choice.logprobs is None
    assert answer.usage.completion_tokens == 5 and answer.usage.prompt_tokens == 5, answer.usage
    assert answer.usage.total_tokens == 10
    again = client.chat.completions.create(model="stories", messages=ONCE, temperature=0, max_completion_tokens=5)
    assert again.choices[0].message.content == choice.message.content
    assert again.usage.prompt_tokens_details.cached_tokens >= 4, again.usage
    assert again.timings["predicted_n"] == 5 and again.timings["predicted_ms"] > 0
    whole = client.chat.completions.create(model="", messages=ONCE, temperature=0, seed=1)
    assert whole.choices[0].finish_reason in ("stop", "length") and whole.usage.completion_tokens > 16


def check_stream(client: openai.OpenAI) -> None:
    plain = client.chat.completions.create(model="", messages=ONCE, temperature=0, max_tokens=30)
    chunks = list(client.chat.completions.create(model="", messages=ONCE, temperature=0, max_tokens=30, stream=True,
                                                 stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant" and chunks[0].choices[0].delta.content == ""
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"} and len({chunk.id for chunk in chunks}) == 1
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == plain.choices[0].message.content, (text, plain)
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 30
    assert all(chunk.usage is None for chunk in chunks[:-1]) and len(chunks) > 10
    without = list(client.chat.completions.create(model="", messages=ONCE, max_tokens=3, stream=True))
    assert all(chunk.choices for chunk in without) and without[-1].choices[0].finish_reason == "length"


def check_stream_bytes(server: server_fixture.Server) -> None:
    answer = server.post("/v1/chat/completions", {"messages": ONCE, "max_tokens": 3, "stream": True})
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.text.endswith("data: [DONE]\n\n") and answer.events()[-1] == "[DONE]"
    assert all(line == "" or line.startswith(("data: ", ": ")) for line in answer.text.split("\n"))


def check_choices(client: openai.OpenAI) -> None:
    def ask(**more):
        return client.chat.completions.create(model="", messages=ONCE, max_tokens=12, **more)
    three = ask(n=3, seed=7)
    assert [choice.index for choice in three.choices] == [0, 1, 2]
    texts = [choice.message.content for choice in three.choices]
    assert len(set(texts)) > 1, texts
    assert three.usage.completion_tokens == 36 and three.usage.prompt_tokens == 5
    # Choice i is what seed + i alone gives.
    assert [ask(seed=7 + i).choices[0].message.content for i in range(3)] == texts
    chunks = list(ask(n=3, seed=7, stream=True))
    streamed = ["".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices[0].index == i)
                for i in range(3)]
    assert streamed == texts


def check_seed_among_others(client: openai.OpenAI) -> None:
    def ask(seed):
        return client.chat.completions.create(model="", messages=ONCE, max_tokens=24, seed=seed,
                                              temperature=1.3).choices[0].message.content
    alone = ask(5)
    with concurrent.futures.ThreadPoolExecutor(9) as pool:
        others = [pool.submit(ask, 100 + i) for i in range(8)]
        same = [pool.submit(ask, 5) for _ in range(3)]
        assert [future.result() for future in same] == [alone] * 3
        assert len({future.result() for future in others} | {alone}) > 5


def check_stop(client: openai.OpenAI) -> None:
    for stop in ("little", ["girl", " little"]):
        for stream in (False, True):
            answer = client.chat.completions.create(model="", messages=ONCE, temperature=0, max_tokens=20, stop=stop,
                                                    stream=stream)
            if stream:
                chunks = list(answer)
                text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
                reason = chunks[-1].choices[0].finish_reason
            else:
                text, reason = answer.choices[0].message.content, answer.choices[0].finish_reason
            assert reason == "stop" and text == (", there was a " if stop == "little" else ", there was a"), text


def check_logprobs(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="", messages=ONCE, temperature=0, max_tokens=6, logprobs=True,
                                            top_logprobs=3)
    entries = answer.choices[0].logprobs.content
    assert len(entries) == 6 and "".join(entry.token for entry in entries) == answer.choices[0].message.content
    for entry in entries:
        assert entry.logprob <= 0 and bytes(entry.bytes).decode() == entry.token
        assert len(entry.top_logprobs) == 3 and entry.top_logprobs[0].token == entry.token  # greedy
        assert math.isclose(entry.top_logprobs[0].logprob, entry.logprob, abs_tol=1e-5)
        best = [top.logprob for top in entry.top_logprobs]
        assert best == sorted(best, reverse=True) and sum(math.exp(value) for value in best) <= 1.00001
    bare = client.chat.completions.create(model="", messages=ONCE, temperature=0, max_tokens=2, logprobs=True)
    assert [entry.top_logprobs for entry in bare.choices[0].logprobs.content] == [[], []]
    streamed = [entry for chunk in client.chat.completions.create(model="", messages=ONCE, temperature=0, max_tokens=6,
                                                                  logprobs=True, top_logprobs=3, stream=True)
                if chunk.choices[0].logprobs for entry in chunk.choices[0].logprobs.content]
    assert streamed == entries


def check_logit_bias(client: openai.OpenAI, server: server_fixture.Server) -> None:
    comma = server.post("/tokenize", {"content": ","}).json["tokens"][0]
    answer = client.chat.completions.create(model="", messages=ONCE, temperature=0, max_tokens=3,
                                            logit_bias={str(comma): -100})
    assert not answer.choices[0].message.content.startswith(",")
    forced = client.chat.completions.create(model="", messages=ONCE, temperature=0, max_tokens=3,
                                            logit_bias={str(comma): 100})
    assert forced.choices[0].message.content == ",,,"


def check_json(client: openai.OpenAI, server: server_fixture.Server) -> None:
    # Left alone the model tells a story inside of the first string; it is led towards the ends of strings and objects.
    ends = {str(server.post("/tokenize", {"content": text}).json["tokens"][0]): 12 for text in ('"', "}")}
    for seed in range(4):
        answer = client.chat.completions.create(model="", messages=ONCE, seed=seed, max_tokens=200, logit_bias=ends,
                                                response_format={"type": "json_object"})
        assert answer.choices[0].finish_reason == "stop", answer
        assert isinstance(json.loads(answer.choices[0].message.content), dict)
    for stream in (False, True):
        answer = client.chat.completions.create(
            model="", messages=ONCE, max_tokens=300, seed=1, stream=stream,
            response_format={"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}})
        text = "".join(chunk.choices[0].delta.content or "" for chunk in answer) if stream else \
            answer.choices[0].message.content
        jsonschema.validate(json.loads(text), PERSON)
    answer = client.chat.completions.create(model="", messages=ONCE, max_tokens=30,
                                            extra_body={"grammar": 'root ::= ("yes" | "no") "!"'})
    assert answer.choices[0].message.content in ("yes!", "no!") and answer.choices[0].finish_reason == "stop"


def check_tools(client: openai.OpenAI) -> None:
    def arguments_of(name, text):
        tool = {"get_weather": WEATHER, "get_time": NOW}[name]
        arguments = json.loads(text)
        jsonschema.validate(arguments, tool["function"]["parameters"])
        return arguments
    ask = [{"role": "user", "content": "What is the weather in Rome?"}]
    answer = client.chat.completions.create(model="", messages=ask, tools=[WEATHER, NOW], tool_choice="required",
                                            max_tokens=200)
    [choice] = answer.choices
    assert choice.finish_reason == "tool_calls" and choice.message.content is None
    [call] = choice.message.tool_calls
    assert call.type == "function" and call.id.startswith("call_")
    arguments_of(call.function.name, call.function.arguments)
    named = client.chat.completions.create(model="", messages=ask, tools=[WEATHER, NOW], max_tokens=200,
                                           tool_choice={"type": "function", "function": {"name": "get_time"}})
    assert named.choices[0].message.tool_calls[0].function.name == "get_time"
    chunks = list(client.chat.completions.create(model="", messages=ask, tools=[WEATHER], tool_choice="required",
                                                 max_tokens=200, stream=True))
    [streamed] = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
    assert streamed.index == 0 and streamed.id and streamed.function.name == "get_weather"
    arguments_of("get_weather", streamed.function.arguments)
    assert chunks[-1].choices[0].finish_reason == "tool_calls"
    follow = ask + [choice.message.model_dump(exclude_none=True),
                    {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    text = client.chat.completions.create(model="", messages=follow, tools=[NOW], max_tokens=8)
    assert text.choices[0].message.content and not text.choices[0].message.tool_calls


def check_completions(client: openai.OpenAI, server: server_fixture.Server) -> None:
    def ask(prompt, **more):
        return client.completions.create(model="", prompt=prompt, temperature=0, **more)
    answer = ask("Once upon a time", max_tokens=5)
    assert answer.object == "text_completion" and answer.choices[0].text == ", there was a little"
    assert answer.choices[0].finish_reason == "length" and answer.usage.completion_tokens == 5
    assert ask("Once upon a time").usage.completion_tokens == 16
    tokens = server.post("/tokenize", {"content": "Once upon a time", "add_special": True}).json["tokens"]
    assert ask(tokens, max_tokens=5).choices[0].text == answer.choices[0].text
    several = ask(["Once upon a time", "The cat"], max_tokens=5, n=2)
    assert [choice.index for choice in several.choices] == [0, 1, 2, 3]
    assert several.choices[0].text == several.choices[1].text == answer.choices[0].text
    assert several.choices[2].text == several.choices[3].text == ask("The cat", max_tokens=5).choices[0].text
    assert several.usage.completion_tokens == 20
    assert ask([tokens, tokens], max_tokens=5).choices[1].text == answer.choices[0].text
    assert ask("Once upon a time", max_tokens=5, echo=True).choices[0].text == "Once upon a time, there was a little"
    assert ask("", max_tokens=2).choices[0].text
    logprobs = ask("Once upon a time", max_tokens=5, logprobs=2).choices[0].logprobs
    assert "".join(logprobs.tokens) == answer.choices[0].text and logprobs.text_offset == [0, 1, 7, 11, 13]
    assert all(value <= 0 for value in logprobs.token_logprobs)
    assert all(len(top) == 2 and token in top for token, top in zip(logprobs.tokens, logprobs.top_logprobs))
    # What evaluation tools ask for: the prompt's own log-probabilities. They are those of the text when it was written.
    whole = "Once upon a time, there was a little"
    scored = ask(whole, max_tokens=0, echo=True, logprobs=2).choices[0]
    assert scored.text == whole and "".join(scored.logprobs.tokens) == whole and scored.finish_reason == "length"
    for mine, theirs in zip(scored.logprobs.token_logprobs[-5:], logprobs.token_logprobs):
        assert abs(mine - theirs) < 1e-4, (scored.logprobs, logprobs)
    assert scored.logprobs.top_logprobs[-5:] == logprobs.top_logprobs
    by_tokens = ask(tokens, max_tokens=1, echo=True, logprobs=0).choices[0].logprobs
    assert by_tokens.token_logprobs[0] is None and len(by_tokens.tokens) == len(tokens) + 1
    chunks = list(ask("Once upon a time", max_tokens=5, echo=True, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)
    assert text == "Once upon a time, there was a little" and chunks[-1].usage.completion_tokens == 5
    answer = client.completions.create(model="", prompt="x", max_tokens=30, extra_body={"grammar": "root ::= [0-9]{3}"})
    assert len(answer.choices[0].text) == 3 and answer.choices[0].text.isdigit()


def check_embeddings(client: openai.OpenAI, server: server_fixture.Server) -> None:
    texts = ["a cat", "a dog", "Once upon a time there was a girl."]
    answer = client.embeddings.create(model="", input=texts, encoding_format="float")
    assert [item.index for item in answer.data] == [0, 1, 2] and answer.usage.prompt_tokens > 10
    for item in answer.data:
        assert abs(math.sqrt(sum(value * value for value in item.embedding)) - 1) < 1e-3
    coded = server.post("/v1/embeddings", {"input": texts, "encoding_format": "base64"}).json["data"]
    for item, plain in zip(coded, answer.data):
        bytes_ = base64.b64decode(item["embedding"], validate=True)
        values = struct.unpack(f"<{len(bytes_) // 4}f", bytes_)
        assert len(values) == len(plain.embedding)
        assert all(abs(a - b) < 1e-6 for a, b in zip(values, plain.embedding))
    assert client.embeddings.create(model="", input=texts[0]).data[0].embedding == \
        list(struct.unpack(f"<{len(answer.data[0].embedding)}f", base64.b64decode(coded[0]["embedding"])))
    tokens = server.post("/tokenize", {"content": texts[0], "add_special": True}).json["tokens"]
    assert client.embeddings.create(model="", input=[tokens], encoding_format="float").data[0].embedding == \
        answer.data[0].embedding
    last = server.post("/v1/embeddings", {"input": texts[0], "pooling": "last"}).json["data"][0]["embedding"]
    assert last != answer.data[0].embedding
    long = server.post("/v1/embeddings", {"input": texts[0], "normalize": False}).json["data"][0]["embedding"]
    scale = long[0] / answer.data[0].embedding[0]
    assert all(abs(a - scale * b) < 1e-3 * scale for a, b in zip(long, answer.data[0].embedding))
    ranked = server.post("/v1/rerank", {"query": "a cat", "documents": ["The dog ran.", {"text": "a cat"}, "Rain"],
                                        "top_n": 2, "return_documents": True}).json["results"]
    assert [item["index"] for item in ranked][0] == 1 and abs(ranked[0]["relevance_score"] - 1) < 1e-3
    assert len(ranked) == 2 and ranked[0]["document"] == {"text": "a cat"}


def check_tokens(server: server_fixture.Server) -> None:
    answer = server.post("/tokenize", {"content": "Once upon a tim\u00e9", "with_pieces": True}).json
    pieces = b"".join(piece["piece"].encode() if isinstance(piece["piece"], str) else bytes(piece["piece"])
                      for piece in answer["tokens"])
    assert pieces.decode() == "Once upon a tim\u00e9" and answer["count"] == len(answer["tokens"])
    ids = [piece["id"] for piece in answer["tokens"]]
    assert server.post("/detokenize", {"tokens": ids}).json["content"] == "Once upon a tim\u00e9"
    assert server.post("/tokenize", {"messages": ONCE}).json["count"] == 5
    assert server.post("/apply-template", {"messages": ONCE}).json["prompt"].endswith("Once upon a time")
    props = server.get("/props").json
    assert props["default_generation_settings"]["params"]["temperature"] == 1 and props["total_slots"] > 0
    slots = server.get("/slots").json
    assert len(slots) == props["total_slots"] and not any(slot["is_processing"] for slot in slots)
    refused = server.post("/infill", {"input_prefix": "a", "input_suffix": "b"})
    assert refused.status == 400 and "fim_prefix" in refused.json["error"]["message"]


def check_errors(client: openai.OpenAI, server: server_fixture.Server) -> None:
    error = refusal(lambda: client.chat.completions.create(model="gpt-4o", messages=ONCE), openai.NotFoundError)
    assert error.code == "MODEL_NOT_FOUND" and error.param == "model"
    error = refusal(lambda: client.chat.completions.create(model="", messages=[]), openai.BadRequestError)
    assert error.code == "VALIDATION_FAILED" and error.param == "messages"
    long = [{"role": "user", "content": "word " * 5000}]
    error = refusal(lambda: client.chat.completions.create(model="", messages=long, stream=True), openai.BadRequestError)
    assert error.code == "PROMPT_TOO_LONG" and error.status_code == 400
    error = refusal(lambda: client.chat.completions.create(model="", messages=ONCE, max_tokens=10**7),
                    openai.BadRequestError)
    assert error.code == "TOO_MANY_TOKENS"
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]
    error = refusal(lambda: client.chat.completions.create(model="", messages=image), openai.BadRequestError)
    assert error.param == "messages.0.content.0"
    chat = {"messages": ONCE, "max_tokens": 1}
    table = [
        ("/v1/chat/completions", b"{", None), ("/v1/chat/completions", b"", None), ("/v1/chat/completions", b"[]", None),
        ("/v1/chat/completions", b'{"messages":' + b"[" * 5000, None),
        ("/v1/chat/completions", b'{"messages":[{"role":"user","content":"\xff"}]}', None),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "a\0b"}]}, "messages.0.content"),
        ("/v1/chat/completions", {**chat, "temperature": 3}, "temperature"),
        ("/v1/chat/completions", {**chat, "temperature": "hot"}, "temperature"),
        ("/v1/chat/completions", {**chat, "top_p": -1}, "top_p"), ("/v1/chat/completions", {**chat, "n": 0}, "n"),
        ("/v1/chat/completions", {**chat, "n": 1000}, "n"), ("/v1/chat/completions", {**chat, "best_of": 4}, "best_of"),
        ("/v1/chat/completions", {**chat, "seed": 1.5}, "seed"), ("/v1/chat/completions", {**chat, "stop": [""]}, "stop"),
        ("/v1/chat/completions", {**chat, "stop": ["a"] * 17}, "stop"),
        ("/v1/chat/completions", {**chat, "stop": 7}, "stop"), ("/v1/chat/completions", {**chat, "stream": "yes"}, "stream"),
        ("/v1/chat/completions", {**chat, "stream_options": 1}, "stream_options"),
        ("/v1/chat/completions", {**chat, "logit_bias": {"x": 1}}, "logit_bias"),
        ("/v1/chat/completions", {**chat, "logit_bias": {"99999999": 1}}, None),
        ("/v1/chat/completions", {**chat, "top_logprobs": 3}, "top_logprobs"),
        ("/v1/chat/completions", {**chat, "logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ("/v1/chat/completions", {**chat, "max_tokens": -5}, "max_tokens"),
        ("/v1/chat/completions", {**chat, "max_tokens": 1e300}, "max_tokens"),
        ("/v1/chat/completions", {**chat, "tools": [{}]}, "tools.0.name"),
        ("/v1/chat/completions", {**chat, "response_format": {"type": "xml"}}, "response_format.type"),
        ("/v1/chat/completions", {**chat, "grammar": "root ::= ("}, "grammar"),
        ("/v1/completions", {}, "prompt"), ("/v1/completions", {"prompt": 7}, "prompt"),
        ("/v1/completions", {"prompt": []}, "prompt"), ("/v1/completions", {"prompt": [[]]}, "prompt.0"),
        ("/v1/completions", {"prompt": [1, "a"]}, "prompt"), ("/v1/completions", {"prompt": [-1]}, "prompt"),
        ("/v1/completions", {"prompt": [10**9]}, "prompt"), ("/v1/completions", {"prompt": ["a"] * 65}, "prompt"),
        ("/v1/completions", {"prompt": "a", "suffix": "b"}, "suffix"),
        ("/v1/completions", {"prompt": "a", "logprobs": 30}, "logprobs"),
        ("/v1/embeddings", {}, "input"), ("/v1/embeddings", {"input": []}, "input"),
        ("/v1/embeddings", {"input": [{}]}, "input.0"), ("/v1/embeddings", {"input": "a", "dimensions": 7}, "dimensions"),
        ("/v1/embeddings", {"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ("/v1/embeddings", {"input": "word " * 5000}, "input"),
        ("/v1/rerank", {"query": "a"}, "documents"), ("/v1/rerank", {"documents": ["a"]}, "query"),
        ("/tokenize", {"content": 7}, "content"), ("/detokenize", {"tokens": [-1]}, "tokens"),
        ("/detokenize", {"tokens": [10**12]}, "tokens"), ("/detokenize", {}, "tokens"),
        ("/apply-template", {}, "messages"), ("/infill", {}, "input_prefix"),
    ]
    for path, body, param in table:
        answer = server.post(path, body)
        assert answer.status == 400, (path, str(body)[:80], answer.status, answer.body[:200])
        inner = answer.json["error"]
        assert set(inner) == {"message", "type", "param", "code"} and inner["type"] == "invalid_request_error", inner
        assert param is None or inner["param"] == param, (path, str(body)[:80], inner)
    assert server.request("GET", "/v1/chat/completions").status == 405
    late = refusal(lambda: client.chat.completions.create(model="", messages=ONCE, extra_body={"timeout_ms": 1}),
                   openai.InternalServerError)
    assert late.status_code == 504 and late.code == "TIMEOUT"


def check_disconnect(server: server_fixture.Server, client: openai.OpenAI) -> None:
    """A client that leaves ends its text: the slot is free again long before the text would have ended."""
    end = server.post("/tokenize", {"content": server.get("/props").json["eos_token"]}).json["tokens"][0]
    stream = client.chat.completions.create(model="", messages=ONCE, stream=True, logit_bias={str(end): -100})
    chunks = iter(stream)
    for _ in range(4):  # until the text is at work
        next(chunks)
    assert any(slot["is_processing"] for slot in server.get("/slots").json)
    stream.close()
    began = time.monotonic()
    while time.monotonic() < began + 60:
        if not any(slot["is_processing"] for slot in server.get("/slots").json):
            return
    raise AssertionError("the text goes on although its client is gone")


def test_embedded_model(program: str) -> None:
    with server_fixture.Server(program) as server, client_of(server) as client:
        check_models(client)
        check_chat(client)
        check_stream(client)
        check_stream_bytes(server)
        check_choices(client)
        check_seed_among_others(client)
        check_stop(client)
        check_logprobs(client)
        check_logit_bias(client, server)
        check_json(client, server)
        check_tools(client)
        check_completions(client, server)
        check_embeddings(client, server)
        check_tokens(server)
        check_errors(client, server)
        check_disconnect(server, client)


def test_chat_format_of_a_real_vocabulary(program: str) -> None:
    with server_fixture.Server(program, "-m", str(GOLDEN)) as server, client_of(server) as client:
        messages = [{"role": "user", "content": "<|eot_id|>"}]
        prompt = server.post("/apply-template", {"messages": messages}).json["prompt"]
        assert prompt == "<|begin_of_text|>User: <|eot_id|><|eot_id|>Assistant: ", prompt
        count = server.post("/tokenize", {"messages": messages}).json["count"]
        answer = client.chat.completions.create(model="", messages=messages, max_tokens=4, seed=1)
        assert answer.usage.prompt_tokens == count
        # Read as control tokens the smuggled one would be one token; in the chat it was the tokens of a plain text.
        assert len(server.post("/tokenize", {"content": prompt}).json["tokens"]) < count


if __name__ == "__main__":
    server_fixture.run_tests(globals(), sys.argv[1])
