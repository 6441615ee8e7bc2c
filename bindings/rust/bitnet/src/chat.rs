// Conversations: messages, and the templates that write them for a model.
use crate::error::Result;
use crate::ffi::{c_text, pointer_of, sized, sized_text, text, Handle};
use crate::tokenizer::{Token, Tokenizer};
use bitnet_sys as sys;

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// "system", "user", "assistant".
    pub role: String,
    /// Always plain text: it cannot smuggle in control tokens.
    pub content: String,
}

impl Message {
    /// A message of any role.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Message {
        Message { role: role.into(), content: content.into() }
    }

    /// How the assistant should behave.
    pub fn system(content: impl Into<String>) -> Message {
        Message::new("system", content)
    }

    /// What the person said.
    pub fn user(content: impl Into<String>) -> Message {
        Message::new("user", content)
    }

    /// What the model said.
    pub fn assistant(content: impl Into<String>) -> Message {
        Message::new("assistant", content)
    }
}

/// How conversations are written for a model. It never changes: share it between threads.
pub struct ChatTemplate {
    handle: Handle<sys::bitnet_chat_template>,
    _tokenizer: Tokenizer, // and with it the bytes of a model from memory
}

// SAFETY: bitnet.h, section 6: a chat template never changes, share it freely, also between threads.
unsafe impl Send for ChatTemplate {}
unsafe impl Sync for ChatTemplate {}

impl ChatTemplate {
    fn create(tokenizer: &Tokenizer, format: Option<&str>, source: Option<&str>) -> Result<ChatTemplate> {
        let format = format.map(|format| c_text("the format", format)).transpose()?;
        let (text, size) = source.map_or((std::ptr::null(), 0), |source| (source.as_ptr(), source.len()));
        // SAFETY: tokenizer and texts live during the call; what is kept of the tokenizer is counted.
        let handle = Handle::create(sys::bitnet_chat_template_free, |out| unsafe {
            sys::bitnet_chat_template_create(tokenizer.raw(), pointer_of(&format), text.cast(), size, out)
        })?;
        Ok(ChatTemplate { handle, _tokenizer: tokenizer.clone() })
    }

    /// The model's own.
    pub fn of(tokenizer: &Tokenizer) -> Result<ChatTemplate> {
        ChatTemplate::create(tokenizer, None, None)
    }

    /// A built-in format: "bitnet", "llama3", "chatml", "falcon", "gemma".
    pub fn built_in(tokenizer: &Tokenizer, format: &str) -> Result<ChatTemplate> {
        ChatTemplate::create(tokenizer, Some(format), None)
    }

    /// A Jinja template.
    pub fn jinja(tokenizer: &Tokenizer, source: &str) -> Result<ChatTemplate> {
        ChatTemplate::create(tokenizer, None, Some(source))
    }

    /// The built-in format's name, or "jinja".
    pub fn name(&self) -> String {
        // SAFETY: here and below, the handle lives as long as self.
        unsafe { text(sys::bitnet_chat_template_get_name(self.handle.raw())) }
    }

    /// The Jinja text; "" for a built-in format.
    pub fn source(&self) -> String {
        unsafe { text(sys::bitnet_chat_template_get_source(self.handle.raw())) }
    }

    /// The tokens of a conversation, up to where the reply begins.
    pub fn encode(&self, messages: &[Message]) -> Result<Vec<Token>> {
        self.encode_json(&conversation(messages))
    }

    /// The same as text, to look at.
    pub fn render(&self, messages: &[Message]) -> Result<String> {
        self.render_json(&conversation(messages))
    }

    /// The tokens of any object of the template's variables: messages, tools, add_generation_prompt, ...
    pub fn encode_json(&self, json: &str) -> Result<Vec<Token>> {
        sized(0, 0, |out, capacity, n| unsafe {
            sys::bitnet_chat_template_encode(self.handle.raw(), json.as_ptr().cast(), json.len(), out, capacity, n)
        })
    }

    /// The same as text.
    pub fn render_json(&self, json: &str) -> Result<String> {
        sized_text(|out, capacity, size| unsafe {
            sys::bitnet_chat_template_render(self.handle.raw(), json.as_ptr().cast(), json.len(), out, capacity, size)
        })
    }
}

fn conversation(messages: &[Message]) -> String {
    let mut json = String::from("{\"add_generation_prompt\": true, \"messages\": [");
    for (index, message) in messages.iter().enumerate() {
        if index > 0 {
            json += ", ";
        }
        json += "{\"role\": ";
        quote(&mut json, &message.role);
        json += ", \"content\": ";
        quote(&mut json, &message.content);
        json += "}";
    }
    json + "]}"
}

fn quote(json: &mut String, value: &str) {
    json.push('"');
    for character in value.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            control if control < ' ' => json.push_str(&format!("\\u{:04x}", control as u32)),
            other => json.push(other),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversations_are_json_whatever_they_say() {
        let json = conversation(&[Message::user("a \"b\"\\\n\u{1}é"), Message::assistant("")]);
        assert_eq!(
            json,
            "{\"add_generation_prompt\": true, \"messages\": [{\"role\": \"user\", \"content\": \
             \"a \\\"b\\\"\\\\\\u000a\\u0001é\"}, {\"role\": \"assistant\", \"content\": \"\"}]}"
        );
    }
}
