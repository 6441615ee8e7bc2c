// Conversations: chat templates, and the reply to a list of messages.

package bitnet

// #include "bitnet.h"
import "C"

import (
	"context"
	"encoding/json"
	"unsafe"
)

// Message is one of a conversation.
type Message struct {
	Role    string `json:"role"` // "system", "user", "assistant"
	Content string `json:"content"`
}

// Conversation is what a chat template writes. Variables are whatever else the template reads ("enable_thinking", "now").
type Conversation struct {
	Messages  []Message
	Tools     any  // what encoding/json makes a list of tools; nil: none
	NoReply   bool // do not end with what the reply follows
	Variables map[string]any
}

func (c Conversation) json() (string, error) {
	all := map[string]any{}
	for name, value := range c.Variables {
		all[name] = value
	}
	messages := c.Messages
	if messages == nil {
		messages = []Message{}
	}
	all["messages"] = messages
	all["add_generation_prompt"] = !c.NoReply
	if c.Tools != nil {
		all["tools"] = c.Tools
	}
	text, err := json.Marshal(all)
	if err != nil {
		return "", argumentError("the conversation cannot be written as JSON: " + err.Error())
	}
	return string(text), nil
}

// ChatTemplate says how conversations are written for a model. It never changes and serves all goroutines. What a message
// says can never become a control token.
type ChatTemplate struct{ h *handle }

// NewChatTemplate makes a built-in format ("bitnet", "llama3", "chatml", "falcon", "gemma") or, with format "", a Jinja
// template from source. With both "" it is the model's own.
func (t *Tokenizer) NewChatTemplate(format, source string) (*ChatTemplate, error) {
	var template *C.bitnet_chat_template
	err := t.with(func(tokenizer *C.bitnet_tokenizer) error {
		var a arena
		defer a.free()
		name, err := a.optionalText("the format", format)
		if err != nil {
			return err
		}
		var text *C.char
		if source != "" {
			text = textBytes(source)
		}
		return call(func() C.bitnet_status {
			return C.bitnet_chat_template_create(tokenizer, name, text, C.size_t(len(source)), &template)
		})
	})
	if err != nil {
		return nil, err
	}
	return &ChatTemplate{newHandle("chat template", unsafe.Pointer(template), func(p unsafe.Pointer) {
		C.bitnet_chat_template_free((*C.bitnet_chat_template)(p))
	})}, nil
}

// Close gives the template back. Closing twice is fine.
func (t *ChatTemplate) Close() error { return t.h.close() }

func (t *ChatTemplate) with(f func(template *C.bitnet_chat_template) error) error {
	p, err := t.h.acquire()
	if err != nil {
		return err
	}
	defer t.h.release()
	return f((*C.bitnet_chat_template)(p))
}

// Name is the built-in format's, or "jinja".
func (t *ChatTemplate) Name() (name string, err error) {
	err = t.with(func(template *C.bitnet_chat_template) error {
		name = C.GoString(C.bitnet_chat_template_get_name(template))
		return nil
	})
	return name, err
}

// Source is the Jinja text; "" for a built-in format.
func (t *ChatTemplate) Source() (source string, err error) {
	err = t.with(func(template *C.bitnet_chat_template) error {
		source = C.GoString(C.bitnet_chat_template_get_source(template))
		return nil
	})
	return source, err
}

// Encode gives a conversation's tokens.
func (t *ChatTemplate) Encode(conversation Conversation) (tokens []Token, err error) {
	text, err := conversation.json()
	if err != nil {
		return nil, err
	}
	err = t.with(func(template *C.bitnet_chat_template) error {
		bytes := textBytes(text)
		tokens, err = sizedTokens(len(text)/2, func(out *C.bitnet_token, capacity C.size_t, n *C.size_t) C.bitnet_status {
			return C.bitnet_chat_template_encode(template, bytes, C.size_t(len(text)), out, capacity, n)
		})
		return err
	})
	return tokens, err
}

// Render gives the same as text, to look at.
func (t *ChatTemplate) Render(conversation Conversation) (rendered string, err error) {
	text, err := conversation.json()
	if err != nil {
		return "", err
	}
	err = t.with(func(template *C.bitnet_chat_template) error {
		bytes := textBytes(text)
		rendered, err = sizedText(func(buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status {
			return C.bitnet_chat_template_render(template, bytes, C.size_t(len(text)), buffer, capacity, size)
		})
		return err
	})
	return rendered, err
}

// EncodeChat encodes messages in a built-in format, "" for the model's own, ready for the assistant's reply.
func (t *Tokenizer) EncodeChat(format string, messages []Message) (tokens []Token, err error) {
	var a arena
	defer a.free()
	name, err := a.optionalText("the format", format)
	if err != nil {
		return nil, err
	}
	list := make([]C.bitnet_chat_message, len(messages)+1)
	size := 0
	for i, message := range messages {
		if list[i].role, err = a.text("a role", message.Role); err != nil {
			return nil, err
		}
		if list[i].content, err = a.text("a message", message.Content); err != nil {
			return nil, err
		}
		size += len(message.Content)
	}
	err = t.with(func(tokenizer *C.bitnet_tokenizer) error {
		tokens, err = sizedTokens(size/2+32, func(out *C.bitnet_token, capacity C.size_t, n *C.size_t) C.bitnet_status {
			return C.bitnet_tokenizer_encode_chat(tokenizer, name, &list[0], C.size_t(len(messages)), 1, out, capacity, n)
		})
		return err
	})
	return tokens, err
}

// Chat answers a conversation. params and onStep may be nil, as in Stream.
func (c *Context) Chat(ctx context.Context, template *ChatTemplate, conversation Conversation, params *GenerateParams, onStep func(Step) error) (*Result, error) {
	tokens, err := template.Encode(conversation)
	if err != nil {
		return nil, err
	}
	return c.StreamTokens(ctx, tokens, params, onStep)
}
