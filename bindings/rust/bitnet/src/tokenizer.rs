// Tokenizers: text to tokens and back, those of models and those loaded alone.
use crate::chat::Message;
use crate::enums::TokenAttribute;
use crate::error::{check, Error, Result};
use crate::ffi::{c_text, filled, sized, Handle};
use crate::infos::TokenizerInfo;
use crate::model::{path_text, Model, ModelHandle};
use bitnet_sys as sys;
use std::path::Path;
use std::sync::Arc;

/// An index into the vocabulary.
pub type Token = i32;

/// What [`Tokenizer::encode_with`] does besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Begin with the BOS token, where the model has one.
    pub add_bos: bool,
    /// Read `<|eot_id|>` as one control token; without it, it is plain text.
    pub parse_special: bool,
    /// BOS and EOS just as the model file says.
    pub add_default: bool,
}

/// What [`Tokenizer::decode_with`] does besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Write control tokens as their text; without it they give nothing.
    pub special: bool,
    /// The tokens begin a text: drop the space that a SentencePiece encoder put in front.
    pub start: bool,
}

enum Shared {
    Model { raw: *const sys::bitnet_tokenizer, _model: Arc<ModelHandle> },
    Own(Handle<sys::bitnet_tokenizer>),
}

// SAFETY: bitnet.h, "Threads": tokenizers never change, share them freely.
unsafe impl Send for Shared {}
unsafe impl Sync for Shared {}

/// A tokenizer. It never changes; clones share it, from any thread.
#[derive(Clone)]
pub struct Tokenizer {
    shared: Arc<Shared>,
}

impl Tokenizer {
    pub(crate) fn of_model(model: &Model) -> Result<Tokenizer> {
        // SAFETY: the handle lives; the tokenizer lives as long as the model, which is kept beside it.
        let raw = unsafe { sys::bitnet_model_get_tokenizer(model.raw()) };
        if raw.is_null() {
            return Err(Error::last_of_null());
        }
        Ok(Tokenizer { shared: Arc::new(Shared::Model { raw, _model: Arc::clone(&model.inner) }) })
    }

    /// Loads a tokenizer alone: a .gguf file, a tokenizer.json, a SentencePiece tokenizer.model, or a folder with one.
    pub fn load(path: impl AsRef<Path>) -> Result<Tokenizer> {
        crate::check_version()?;
        let path = path_text(path.as_ref())?;
        // SAFETY: the path lives during the call.
        let handle = Handle::create(sys::bitnet_tokenizer_free, |out| unsafe {
            sys::bitnet_tokenizer_load(path.as_ptr(), out)
        })?;
        Ok(Tokenizer { shared: Arc::new(Shared::Own(handle)) })
    }

    pub(crate) fn raw(&self) -> *const sys::bitnet_tokenizer {
        match &*self.shared {
            Shared::Model { raw, .. } => *raw,
            Shared::Own(handle) => handle.raw(),
        }
    }

    /// What kind it is, and its special tokens (-1 where there is none).
    pub fn info(&self) -> Result<TokenizerInfo> {
        // SAFETY: here and below, the handle lives as long as self, and texts and tokens are read during the call.
        unsafe { Ok(TokenizerInfo::from_raw(&filled(|out| sys::bitnet_tokenizer_get_info(self.raw(), out))?)) }
    }

    /// The tokens of a text, and nothing else.
    pub fn encode(&self, text: &str) -> Result<Vec<Token>> {
        self.encode_with(text, EncodeOptions::default())
    }

    /// The tokens of a text. Bytes that are no UTF-8 are encoded byte by byte.
    pub fn encode_with(&self, text: impl AsRef<[u8]>, options: EncodeOptions) -> Result<Vec<Token>> {
        let text = text.as_ref();
        let flags = [
            (options.add_bos, sys::BITNET_ENCODE_ADD_BOS),
            (options.parse_special, sys::BITNET_ENCODE_PARSE_SPECIAL),
            (options.add_default, sys::BITNET_ENCODE_ADD_DEFAULT),
        ];
        let flags = flags.iter().filter(|flag| flag.0).fold(0, |all, flag| all | flag.1);
        sized(0, 0, |out, capacity, n| unsafe {
            sys::bitnet_tokenizer_encode(self.raw(), text.as_ptr().cast(), text.len(), flags, out, capacity, n)
        })
    }

    /// The text of tokens. Bytes that are no UTF-8 become U+FFFD; see [`Tokenizer::decode_with`] for the bytes.
    pub fn decode(&self, tokens: &[Token]) -> Result<String> {
        let bytes = self.decode_with(tokens, DecodeOptions { start: true, ..DecodeOptions::default() })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The bytes of tokens. Those of one token may be part of a character.
    pub fn decode_with(&self, tokens: &[Token], options: DecodeOptions) -> Result<Vec<u8>> {
        let flags = if options.special { sys::BITNET_DECODE_SPECIAL } else { 0 }
            | if options.start { sys::BITNET_DECODE_START } else { 0 };
        sized(0u8, 0, |out, capacity, n| unsafe {
            sys::bitnet_tokenizer_decode(self.raw(), tokens.as_ptr(), tokens.len(), flags, out.cast(), capacity, n)
        })
    }

    /// Tokens in the vocabulary.
    pub fn vocab_size(&self) -> i32 {
        unsafe { sys::bitnet_tokenizer_get_n_vocab(self.raw()) }
    }

    /// A token's text as the vocabulary stores it.
    pub fn piece(&self, token: Token) -> Result<&[u8]> {
        let (mut piece, mut size) = (std::ptr::null(), 0);
        // SAFETY: the piece lives as long as the tokenizer, so as long as self.
        unsafe {
            check(sys::bitnet_tokenizer_get_piece(self.raw(), token, &mut piece, &mut size))?;
            Ok(if size == 0 { &[] } else { std::slice::from_raw_parts(piece.cast(), size) })
        }
    }

    /// The token whose stored text is exactly this; `Status::NotFound` otherwise.
    pub fn token(&self, piece: impl AsRef<[u8]>) -> Result<Token> {
        let (piece, mut token) = (piece.as_ref(), 0);
        unsafe { check(sys::bitnet_tokenizer_get_token(self.raw(), piece.as_ptr().cast(), piece.len(), &mut token))? };
        Ok(token)
    }

    /// All tokens whose text contains this one.
    pub fn find_tokens(&self, text: &str) -> Result<Vec<Token>> {
        sized(0, 0, |out, capacity, n| unsafe {
            sys::bitnet_tokenizer_find_tokens(self.raw(), text.as_ptr().cast(), text.len(), out, capacity, n)
        })
    }

    /// What a token is; `TokenAttribute::Other(0)` for an id outside the vocabulary.
    pub fn attribute(&self, token: Token) -> TokenAttribute {
        TokenAttribute::from_raw(unsafe { sys::bitnet_tokenizer_get_attribute(self.raw(), token) })
    }

    /// Whether the token ends a generation.
    pub fn is_end(&self, token: Token) -> bool {
        unsafe { sys::bitnet_tokenizer_is_end(self.raw(), token) != 0 }
    }

    /// Encodes a conversation in a built-in format ("llama3", "chatml", ...), or the model's own with None, ready for the
    /// reply. See [`crate::ChatTemplate`] for templates.
    pub fn encode_chat(&self, format: Option<&str>, messages: &[Message]) -> Result<Vec<Token>> {
        let format = format.map(|format| c_text("the format", format)).transpose()?;
        let texts = messages
            .iter()
            .map(|message| Ok((c_text("a role", &message.role)?, c_text("a message", &message.content)?)))
            .collect::<Result<Vec<_>>>()?;
        let raw: Vec<sys::bitnet_chat_message> = texts
            .iter()
            .map(|(role, content)| sys::bitnet_chat_message { role: role.as_ptr(), content: content.as_ptr() })
            .collect();
        let format = crate::ffi::pointer_of(&format);
        sized(0, 0, |out, capacity, n| unsafe {
            sys::bitnet_tokenizer_encode_chat(self.raw(), format, raw.as_ptr(), raw.len(), 1, out, capacity, n)
        })
    }
}
