"""Anthropic's own client against the running server: anthropic_test.py <server>.
# needs: anthropic
"""

import sys
import tempfile

import anthropic
import server_fixture

ASK = [{"role": "user", "content": "Once upon a time"}]
GREEDY = {"temperature": 0}
TOOL = {"name": "get_weather", "description": "The weather of a city",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 8}},
                         "required": ["city"]}}


def connect(server: server_fixture.Server) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=server.url, api_key="any", max_retries=0)


def ask(client: anthropic.Anthropic, sampling: dict | None = None, **more):
    # The client's methods have no sampling fields of their own any more; the protocol still has.
    return client.messages.create(**{"model": "stories", "max_tokens": 8, "messages": ASK,
                                     "extra_body": sampling or GREEDY, **more})


def expect(kind: type, function, *words: str) -> anthropic.APIStatusError:
    try:
        function()
    except kind as error:
        for word in words:
            assert word in str(error), (word, str(error))
        return error
    raise AssertionError(f"no {kind.__name__}")


def test_a_message_whole_and_streamed_is_the_same(program: str) -> None:
    with server_fixture.Server(program) as server:
        client = connect(server)
        whole = ask(client)
        assert whole.type == "message" and whole.role == "assistant" and whole.model == "stories"
        assert whole.id.startswith("msg_") and whole._request_id
        assert [block.type for block in whole.content] == ["text"] and whole.content[0].text
        assert whole.stop_reason == "max_tokens" and whole.stop_sequence is None
        assert whole.usage.output_tokens == 8
        counted = client.messages.count_tokens(model="stories", messages=ASK).input_tokens
        assert whole.usage.input_tokens + whole.usage.cache_read_input_tokens == counted > 1
        with client.messages.stream(model="stories", max_tokens=8, messages=ASK, extra_body=GREEDY) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
        assert text == final.content[0].text == whole.content[0].text
        assert final.stop_reason == "max_tokens" and final.usage.output_tokens == 8
        assert final.usage.input_tokens + final.usage.cache_read_input_tokens == counted
        raw = list(ask(client, stream=True))
        kinds = [event.type for event in raw]
        assert kinds[:2] == ["message_start", "content_block_start"], kinds
        assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"], kinds
        assert set(kinds[2:-3]) == {"content_block_delta"}


def test_system_blocks_sampling_and_stops(program: str) -> None:
    with server_fixture.Server(program, "--ctx-size", "128") as server:
        client = connect(server)
        plain = ask(client).content[0].text
        stop = plain.split()[-1]
        stopped = ask(client, stop_sequences=["nowhere", stop])
        assert stopped.stop_reason == "stop_sequence" and stopped.stop_sequence == stop
        assert stop not in stopped.content[0].text
        blocks = [{"type": "text", "text": "Once upon", "cache_control": {"type": "ephemeral"}},
                  {"type": "text", "text": " a time"}]
        assert ask(client, messages=[{"role": "user", "content": blocks}]).content[0].text == plain
        as_text = client.messages.count_tokens(model="stories", messages=ASK, system="You tell stories.")
        as_blocks = client.messages.count_tokens(model="stories", messages=ASK,
                                                 system=[{"type": "text", "text": "You tell stories."}])
        alone = client.messages.count_tokens(model="stories", messages=ASK)
        assert as_text.input_tokens == as_blocks.input_tokens > alone.input_tokens
        ask(client, {"temperature": 0.7, "top_p": 0.5, "top_k": 3}, metadata={"user_id": "u"}, thinking={"type": "disabled"})
        # More than the context holds is a limit, not an error.
        long = ask(client, max_tokens=20000)
        assert long.stop_reason in ("end_turn", "model_context_window_exceeded")


def test_tools_are_called_and_answered(program: str) -> None:
    with server_fixture.Server(program) as server:
        client = connect(server)
        forced = {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "get_weather"}, "max_tokens": 400}
        called = ask(client, **forced)
        use = called.content[-1]
        assert use.type == "tool_use" and use.name == "get_weather" and set(use.input) == {"city"}, called
        assert called.stop_reason == "tool_use"
        with client.messages.stream(model="stories", messages=ASK, extra_body=GREEDY, **forced) as stream:
            streamed = stream.get_final_message()
        assert streamed.content[-1].input == use.input and streamed.stop_reason == "tool_use"
        turns = ASK + [{"role": "assistant", "content": [{"type": "text", "text": "Let me look."}, use.model_dump()]},
                       {"role": "user", "content": [
                           {"type": "tool_result", "tool_use_id": use.id, "content": [{"type": "text", "text": "Sun"}]},
                           {"type": "text", "text": "And now?"}]}]
        assert ask(client, messages=turns, tools=[TOOL]).content
        with_tools = client.messages.count_tokens(model="stories", messages=ASK, tools=[TOOL]).input_tokens
        assert with_tools > client.messages.count_tokens(model="stories", messages=ASK).input_tokens
        lost = [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "none", "content": "x"}]}]
        expect(anthropic.BadRequestError, lambda: ask(client, messages=lost), "messages.0.content.0.tool_use_id")


def test_errors_are_the_clients_classes(program: str) -> None:
    with server_fixture.Server(program) as server:
        client = connect(server)
        error = expect(anthropic.NotFoundError, lambda: ask(client, model="claude"), "not_found_error", "claude")
        assert error.body["type"] == "error" and error.body["request_id"]
        for more, word in ({"max_tokens": 0}, "max_tokens"), ({"sampling": {"temperature": 1.5}}, "temperature"), (
                {"messages": []}, "messages"), ({"messages": [{"role": "system", "content": "x"}]}, "messages.0.role"), (
                {"messages": ASK + [{"role": "assistant", "content": "There"}]}, "last one"), (
                {"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}, "image"), (
                {"messages": [{"role": "user", "content": "a\0b"}]}, "NUL"), (
                {"tools": [{"type": "bash_20250124", "name": "bash"}]}, "custom"), (
                {"tool_choice": {"type": "any"}}, "needs tools"), ({"stop_sequences": [""]}, "stop_sequences"):
            expect(anthropic.BadRequestError, lambda more=more: ask(client, **more), "invalid_request_error", word)
        expect(anthropic.BadRequestError,
               lambda: ask(client, messages=[{"role": "user", "content": "story " * 5000}]), "tokens")
        missing = server.post("/v1/messages", {"model": "stories", "messages": ASK})
        assert missing.status == 400 and missing.json["error"]["message"] == "max_tokens is required"
        assert server.get("/v1/messages").status == 405
        assert server.post("/v1/messages/batches", {}).json["error"]["type"] == "not_found_error"


def test_keys_come_in_x_api_key(program: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".keys") as keys:
        keys.write("alice-0123456789abc alice\n")
        keys.flush()
        with server_fixture.Server(program, "--api-key-file", keys.name) as server:
            check_keys(server)


def check_keys(server: server_fixture.Server) -> None:
    expect(anthropic.AuthenticationError, lambda: ask(connect(server)), "authentication_error")
    client = anthropic.Anthropic(base_url=server.url, api_key="alice-0123456789abc", max_retries=0)
    assert ask(client).content


if __name__ == "__main__":
    server_fixture.run_tests(globals(), sys.argv[1])
