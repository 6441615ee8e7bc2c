// What a context's sequences hold: forgotten, copied, moved, saved and restored.
use crate::context::{Context, SeqId};
use crate::error::{check, Result};
use crate::ffi::{on_progress, sized, Progress};
use crate::model::path_text;
use bitnet_sys as sys;
use std::ops::ControlFlow;
use std::os::raw::c_void;
use std::path::Path;

/// Ranges are positions from p0 up to p1; negative p0 is 0, negative p1 the end.
impl Context {
    /// Forgets a range of a sequence (negative: of every sequence).
    pub fn remove(&mut self, seq: SeqId, p0: i32, p1: i32) -> Result<()> {
        let _busy = self.enter()?;
        // SAFETY: here and below, the handle lives as long as self; what is read or filled lives during the call.
        unsafe { check(sys::bitnet_sequence_remove(self.raw(), seq, p0, p1)) }
    }

    /// Forgets the last tokens of a sequence.
    pub fn rewind(&mut self, seq: SeqId, n_tokens: usize) -> Result<()> {
        let _busy = self.enter()?;
        unsafe { check(sys::bitnet_sequence_rewind(self.raw(), seq, n_tokens)) }
    }

    /// Makes `to` a copy of a range of `from`, sharing its cells.
    pub fn copy_sequence(&mut self, from: SeqId, to: SeqId, p0: i32, p1: i32) -> Result<()> {
        let _busy = self.enter()?;
        unsafe { check(sys::bitnet_sequence_copy(self.raw(), from, to, p0, p1)) }
    }

    /// Makes `to` a copy of all of `from`, in the same time whatever its length.
    pub fn fork(&mut self, from: SeqId, to: SeqId) -> Result<()> {
        let _busy = self.enter()?;
        unsafe { check(sys::bitnet_sequence_fork(self.raw(), from, to)) }
    }

    /// Forgets every sequence but this one.
    pub fn keep(&mut self, seq: SeqId) -> Result<()> {
        let _busy = self.enter()?;
        unsafe { check(sys::bitnet_sequence_keep(self.raw(), seq)) }
    }

    /// The position that the next token will get; None for a sequence outside the context.
    pub fn end(&self, seq: SeqId) -> Option<i32> {
        let end = unsafe { sys::bitnet_sequence_get_end(self.raw(), seq) };
        (end >= 0).then_some(end)
    }

    /// Forgets a range, moves the later tokens down and computes them anew. Returns how many were computed.
    pub fn shift(&mut self, seq: SeqId, p0: i32, p1: i32) -> Result<usize> {
        let (_busy, mut computed) = (self.enter()?, 0);
        unsafe { check(sys::bitnet_sequence_shift(self.raw(), seq, p0, p1, &mut computed))? };
        Ok(computed)
    }

    /// A sequence as bytes.
    pub fn save_sequence(&self, seq: SeqId) -> Result<Vec<u8>> {
        self.save_sequence_from(seq, 0)
    }

    /// The same from a position on: a branch without its trunk.
    pub fn save_sequence_from(&self, seq: SeqId, from_pos: i32) -> Result<Vec<u8>> {
        let _busy = self.enter()?;
        sized(0u8, 0, |out, capacity, size| unsafe {
            sys::bitnet_sequence_save_delta(self.raw(), seq, from_pos, out.cast(), capacity, size)
        })
    }

    /// Replaces a sequence by a saved one. The bytes may come from anyone.
    pub fn load_sequence(&mut self, seq: SeqId, data: &[u8]) -> Result<()> {
        let _busy = self.enter()?;
        unsafe { check(sys::bitnet_sequence_load(self.raw(), seq, data.as_ptr().cast(), data.len())) }
    }

    /// All sequences as bytes.
    pub fn save_session(&self) -> Result<Vec<u8>> {
        let _busy = self.enter()?;
        sized(0u8, 0, |out, capacity, size| unsafe {
            sys::bitnet_context_save_session_to_memory(self.raw(), out.cast(), capacity, size)
        })
    }

    /// Replaces all sequences by those of a session. The bytes may come from anyone.
    pub fn load_session(&mut self, data: &[u8]) -> Result<()> {
        let _busy = self.enter()?;
        unsafe { check(sys::bitnet_context_load_session_from_memory(self.raw(), data.as_ptr().cast(), data.len())) }
    }

    /// Writes all sequences into a file, which appears whole or not at all.
    pub fn save_session_to(&self, path: impl AsRef<Path>, callback: impl FnMut(f32) -> ControlFlow<()>) -> Result<()> {
        let (_busy, path) = (self.enter()?, path_text(path.as_ref())?);
        let mut callback: Progress<'_> = Box::new(callback);
        let user = (&mut callback as *mut Progress<'_>).cast::<c_void>();
        unsafe { check(sys::bitnet_context_save_session(self.raw(), path.as_ptr(), Some(on_progress), user)) }
    }

    /// Replaces all sequences by those of a file.
    pub fn load_session_from(
        &mut self,
        path: impl AsRef<Path>,
        callback: impl FnMut(f32) -> ControlFlow<()>,
    ) -> Result<()> {
        let (_busy, path) = (self.enter()?, path_text(path.as_ref())?);
        let mut callback: Progress<'_> = Box::new(callback);
        let user = (&mut callback as *mut Progress<'_>).cast::<c_void>();
        unsafe { check(sys::bitnet_context_load_session(self.raw(), path.as_ptr(), Some(on_progress), user)) }
    }
}
