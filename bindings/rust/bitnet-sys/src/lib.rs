//! bitnet.h as Rust declarations: every constant, struct, callback and function, written from the header by
//! `bindings/abi/emit_rust.py`. What they do, who owns what and which thread may call is told in the header. Most
//! programs want the crate `bitnet`, the safe layer over this one.
//!
//! Handles that C takes as `NULL`-able pointers are raw pointers here, callbacks are `Option`s. Set `struct_size` of every
//! struct that has one, or use its `_init` function.
#![allow(non_camel_case_types)]

use std::marker::{PhantomData, PhantomPinned};
use std::os::raw::{c_char, c_int, c_void};

// Handles are made by the library only, may not be moved, and say nothing of which threads may use them.
type Opaque = PhantomData<(*mut u8, PhantomPinned)>;

#[rustfmt::skip]
mod constants;
#[rustfmt::skip]
mod functions;
#[rustfmt::skip]
mod structs_run;
#[rustfmt::skip]
mod structs_tools;

pub use constants::*;
pub use functions::*;
pub use structs_run::*;
pub use structs_tools::*;
