//! Ternary (BitNet b1.58) language models in Rust: load, generate, stream, chat, embed. A safe layer over libbitnet.
//!
//! ```no_run
//! # fn main() -> bitnet::Result<()> {
//! use bitnet::{Context, GenerationParams, Model};
//! let model = Model::load("model.gguf")?;
//! let mut context = Context::new(&model)?;
//! for piece in context.stream("Once upon a time", &GenerationParams::new())? {
//!     print!("{}", piece?);
//! }
//! # Ok(()) }
//! ```
//!
//! - **Threads.** [`Model`], [`Tokenizer`], [`ChatTemplate`], [`Grammar`] and [`Adapter`] never change: share them. A
//!   [`Context`] or [`Sampler`] serves one thread at a time, which the compiler holds you to; a [`Canceller`] is for any.
//! - **Errors.** An [`Error`] has a [`Status`] to act on, a sentence to show, and suggestions.
//! - **Callbacks** may panic: the work stops, and the panic goes on from the call that started it.
//! - **Closing** is dropping, in any order.
//!
//! What the parameters mean in full is told in bitnet.h; names are the same.
#![warn(missing_docs)]
#![allow(clippy::missing_safety_doc)]

mod adapter;
mod chat;
mod context;
#[rustfmt::skip]
mod enums;
mod error;
mod ffi;
mod generation;
mod grammar;
#[rustfmt::skip]
mod infos;
mod model;
#[rustfmt::skip]
mod reports;
mod sampler;
mod sequences;
mod system;
mod tokenizer;
mod validation;

pub use adapter::Adapter;
pub use chat::{ChatTemplate, Message};
pub use context::{Batch, Canceller, Context, ContextParams, SeqId};
pub use enums::*;
pub use error::{Error, Result};
pub use generation::{Generation, GenerationParams, Output, Prompt, Step, TokenLogprob};
pub use grammar::{json_schema_to_gbnf, Grammar};
pub use infos::*;
pub use model::{memory_used, Model, ModelParams};
pub use reports::*;
pub use sampler::{argmax, softmax, Sampler, SamplerParams};
pub use system::*;
pub use tokenizer::{DecodeOptions, EncodeOptions, Token, Tokenizer};
pub use validation::{verify_receipt, ValidationReport};
