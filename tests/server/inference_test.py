"""The native protocol of the running server: inference_test.py <server>."""

import sys

import server_fixture


def test_greedy_text_comes_back(program: str) -> None:
    with server_fixture.Server(program) as server:
        answer = server.post("/v1/inference", {"prompt": "Once upon a time", "max_tokens": 5, "temperature": 0})
        assert answer.status == 200 and answer.json["text"] == ", there was a little", answer.body
        assert answer.json["tokens_generated"] == 5


if __name__ == "__main__":
    server_fixture.run_tests(globals(), sys.argv[1])
