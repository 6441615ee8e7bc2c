// Grammars: what a text must obey, as GBNF or as a JSON schema.
use crate::error::Result;
use crate::ffi::{c_text, pointer_of, sized_text, Handle};
use crate::tokenizer::Tokenizer;
use bitnet_sys as sys;
use std::sync::Arc;

struct Compiled {
    handle: Handle<sys::bitnet_grammar>,
    _tokenizer: Tokenizer, // and with it the bytes of a model from memory
}

// SAFETY: bitnet.h, section 15: a grammar never changes, share it freely, also between threads.
unsafe impl Send for Compiled {}
unsafe impl Sync for Compiled {}

/// A compiled grammar. It never changes; clones share it, from any thread.
#[derive(Clone)]
pub struct Grammar {
    inner: Arc<Compiled>,
}

impl Grammar {
    fn of(handle: Handle<sys::bitnet_grammar>, tokenizer: &Tokenizer) -> Grammar {
        Grammar { inner: Arc::new(Compiled { handle, _tokenizer: tokenizer.clone() }) }
    }

    /// Compiles GBNF, whose rule `root` (None: "root") is the whole text.
    pub fn from_gbnf(tokenizer: &Tokenizer, gbnf: &str, root: Option<&str>) -> Result<Grammar> {
        let root = root.map(|root| c_text("the rule's name", root)).transpose()?;
        // SAFETY: tokenizer and texts live during the call; the tokenizer is counted.
        let handle = Handle::create(sys::bitnet_grammar_free, |out| unsafe {
            let (text, size) = (gbnf.as_ptr().cast(), gbnf.len());
            sys::bitnet_grammar_create_from_gbnf(tokenizer.raw(), text, size, pointer_of(&root), out)
        })?;
        Ok(Grammar::of(handle, tokenizer))
    }

    /// Compiles a JSON schema; `{}` allows any JSON.
    pub fn from_json_schema(tokenizer: &Tokenizer, schema: &str) -> Result<Grammar> {
        // SAFETY: as above.
        let handle = Handle::create(sys::bitnet_grammar_free, |out| unsafe {
            sys::bitnet_grammar_create_from_json_schema(tokenizer.raw(), schema.as_ptr().cast(), schema.len(), out)
        })?;
        Ok(Grammar::of(handle, tokenizer))
    }

    pub(crate) fn raw(&self) -> *const sys::bitnet_grammar {
        self.inner.handle.raw()
    }
}

/// The grammar of a JSON schema as GBNF.
pub fn json_schema_to_gbnf(schema: &str) -> Result<String> {
    // SAFETY: the text lives during the call.
    sized_text(|out, capacity, size| unsafe {
        sys::bitnet_json_schema_to_gbnf(schema.as_ptr().cast(), schema.len(), out, capacity, size)
    })
}
