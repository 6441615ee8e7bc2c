"""OpenAI's own client and its Responses API against the running server: responses_test.py <server>.
# needs: openai
"""

import json
import sys

import openai
import server_fixture

TOOL = {"type": "function", "name": "get_weather", "description": "The weather of a city", "strict": True,
        "parameters": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 8}},
                       "required": ["city"], "additionalProperties": False}}


def connect(server: server_fixture.Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url + "/v1", api_key="any", max_retries=0)


def ask(client: openai.OpenAI, **more):
    return client.responses.create(**{"model": "stories", "input": "Once upon a time", "max_output_tokens": 8,
                                      "temperature": 0, **more})


def refused(function, *words: str) -> None:
    try:
        function()
    except openai.BadRequestError as error:
        for word in words:
            assert word in str(error), (word, str(error))
        return
    raise AssertionError("was not refused")


def test_a_response_whole_and_streamed_is_the_same(program: str) -> None:
    with server_fixture.Server(program) as server:
        client = connect(server)
        whole = ask(client, metadata={"a": "b"}, instructions=None)
        assert whole.object == "response" and whole.output_text and whole.metadata == {"a": "b"}
        assert whole.status == "incomplete" and whole.incomplete_details.reason == "max_output_tokens"
        assert whole.usage.output_tokens == 8
        assert whole.usage.total_tokens == whole.usage.input_tokens + 8 and whole.usage.input_tokens > 1
        items = ask(client, input=[{"role": "user", "content": [{"type": "input_text", "text": "Once upon a time"}]}])
        assert items.output_text == whole.output_text
        events = list(ask(client, stream=True))
        kinds = [event.type for event in events]
        assert kinds[:4] == ["response.created", "response.in_progress", "response.output_item.added",
                             "response.content_part.added"], kinds
        assert kinds[-4:] == ["response.output_text.done", "response.content_part.done", "response.output_item.done",
                              "response.incomplete"], kinds
        assert [event.sequence_number for event in events] == list(range(len(events)))
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        assert text == whole.output_text == events[-1].response.output_text
        # Without a limit the story comes to its own end, as this helper of the client wants it.
        with client.responses.stream(model="stories", input="Once upon a time", temperature=0) as stream:
            for _ in stream:
                pass
            final = stream.get_final_response()
        assert final.output_text.startswith(whole.output_text)
        more = ask(client, instructions="You tell stories.")
        assert more.usage.input_tokens > whole.usage.input_tokens and more.instructions == "You tell stories."


def test_tools_and_formats(program: str) -> None:
    with server_fixture.Server(program) as server:
        client = connect(server)
        forced = {"tools": [TOOL], "tool_choice": "required", "max_output_tokens": 400}
        called = ask(client, **forced)
        call = called.output[-1]
        assert call.type == "function_call" and call.name == "get_weather" and called.status == "completed"
        assert set(json.loads(call.arguments)) == {"city"}
        events = list(ask(client, stream=True, **forced))
        done = [event for event in events if event.type == "response.function_call_arguments.done"]
        assert [event.arguments for event in done] == [call.arguments]
        assert events[-1].type == "response.completed"
        turns = [{"role": "user", "content": "Weather?"}, call.model_dump(exclude_none=True),
                 {"type": "function_call_output", "call_id": call.call_id, "output": "Sun"}]
        assert ask(client, input=turns, tools=[TOOL]).output
        schema = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0, "maximum": 9}},
                  "required": ["age"], "additionalProperties": False}
        told = ask(client, max_output_tokens=60, temperature=1,
                   text={"format": {"type": "json_schema", "name": "age", "schema": schema}})
        assert 0 <= json.loads(told.output_text)["age"] <= 9


def test_what_would_have_to_be_kept_is_refused(program: str) -> None:
    with server_fixture.Server(program) as server:
        client = connect(server)
        refused(lambda: ask(client, store=True), "store")
        refused(lambda: ask(client, previous_response_id="resp_1"), "previous_response_id", "does not keep")
        refused(lambda: ask(client, background=True), "background")
        refused(lambda: ask(client, conversation="conv_1"), "conversation")
        refused(lambda: ask(client, input=[]), "input")
        refused(lambda: ask(client, input=[{"type": "item_reference", "id": "x"}]), "item_reference")
        refused(lambda: ask(client, tools=[{"type": "web_search"}]), "web_search")
        refused(lambda: ask(client, max_output_tokens=0), "max_output_tokens")
        refused(lambda: ask(client, input="story " * 5000), "tokens")
        refused(lambda: ask(client, input=[{"role": "user", "content": [
            {"type": "input_image", "image_url": "http://x"}]}]), "input_image")
        try:
            ask(client, model="gpt-5")
        except openai.NotFoundError as error:
            assert error.code == "MODEL_NOT_FOUND"
        else:
            raise AssertionError("no NotFoundError")


if __name__ == "__main__":
    server_fixture.run_tests(globals(), sys.argv[1])
