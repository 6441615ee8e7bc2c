"""A conversation through a chat template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterator, Optional

from ._generation import Result
from ._tokenizer import ChatTemplate

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._context import Context
    from ._generation import GenerateOptions


class Chat:
    """Keeps the messages and asks the model. What the context holds of the conversation is not computed again.

        chat = bitnet.Chat(context, system="You are brief.")
        print(chat.send("Hello!", max_new_tokens=50))
    """

    def __init__(self, context: "Context", *, system: Optional[str] = None, template: Optional[ChatTemplate] = None,
                 sequence: int = 0, **variables: Any) -> None:
        self.context = context
        self.sequence = sequence
        #: [{"role": ..., "content": ...}], yours to change.
        self.messages: list[dict[str, Any]] = [] if system is None else [{"role": "system", "content": system}]
        #: The result of the last answer, also of one that was left early.
        self.result: Optional[Result] = None
        self._variables = variables
        if template is None:
            with context.tokenizer as tokenizer:
                template = tokenizer.chat_template()
        self._template = template

    def send(self, text: str, **options: "Unpack[GenerateOptions]") -> str:
        """The answer to a message."""
        for _ in self.stream(text, **options):
            pass
        return "" if self.result is None else self.result.text

    def stream(self, text: str, **options: "Unpack[GenerateOptions]") -> Iterator[str]:
        """The pieces of the answer. Message and answer are kept, also where the loop is left early; not after a failure."""
        message = {"role": "user", "content": text}
        prompt = self._template.encode([*self.messages, message], **self._variables)
        with self.context.generation(prompt, sequence=self.sequence, **options) as generation:
            try:
                yield from generation
            except GeneratorExit:
                self._keep(message, generation.result)
                raise
            self._keep(message, generation.result)

    def _keep(self, message: dict[str, Any], result: Result) -> None:
        self.result = result
        self.messages += [message, {"role": "assistant", "content": result.text}]
