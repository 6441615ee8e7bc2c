// Contexts: the KV cache and threads that run a model, for one thread at a time; cancelling is for any thread.
use crate::adapter::Adapter;
use crate::enums::{Pooling, Status};
use crate::error::{check, Error, Result};
use crate::ffi::{defaults, filled, on_send_progress, should_abort, sized, sized_text, Abort, Handle, SendProgress};
use crate::infos::{MemoryInfo, Metrics};
use crate::model::{Model, ModelHandle};
use crate::reports::{DeviceStats, PerformanceMetrics};
use crate::tokenizer::Token;
use bitnet_sys as sys;
use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A sequence of a context, from 0.
pub type SeqId = i32;

/// How a context is made: `ContextParams::new().n_ctx(2048).threads(4)`.
pub struct ContextParams {
    raw: sys::bitnet_context_params, // its callbacks are not set but during Context::with
    should_abort: Option<Abort>,
    on_progress: Option<SendProgress>,
}

impl Default for ContextParams {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: plain numbers and callbacks that may be sent; the pointers in raw are NULL.
unsafe impl Send for ContextParams {}

impl ContextParams {
    /// The defaults of the library.
    pub fn new() -> ContextParams {
        ContextParams { raw: defaults(sys::bitnet_context_params_init), should_abort: None, on_progress: None }
    }

    /// KV cells of all sequences; 0: what the model was trained for, at most 4096.
    pub fn n_ctx(mut self, cells: i32) -> Self {
        self.raw.n_ctx = cells;
        self
    }

    /// Tokens per decode at most.
    pub fn n_batch(mut self, tokens: i32) -> Self {
        self.raw.n_batch = tokens;
        self
    }

    /// Tokens computed at once. Never changes a result.
    pub fn n_ubatch(mut self, tokens: i32) -> Self {
        self.raw.n_ubatch = tokens;
        self
    }

    /// Sequences, 1 to 4096.
    pub fn n_seq_max(mut self, sequences: i32) -> Self {
        self.raw.n_seq_max = sequences;
        self
    }

    /// Threads that compute; 0: as many as may be used. Never changes a result.
    pub fn threads(mut self, threads: i32) -> Self {
        self.raw.n_threads = threads;
        self
    }

    /// Keep hidden states, for embeddings.
    pub fn embeddings(mut self, yes: bool) -> Self {
        self.raw.embeddings = yes as i32;
        self
    }

    /// Record what ran, for [`Context::trace`].
    pub fn trace(mut self, yes: bool) -> Self {
        self.raw.trace = yes as i32;
        self
    }

    /// Room for adapters: the sum of ranks that one sequence uses.
    pub fn max_lora_rank(mut self, rank: i32) -> Self {
        self.raw.max_lora_rank = rank;
        self
    }

    /// Refuse more bytes of KV cache and scratch than that.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.raw.max_bytes = bytes;
        self
    }

    /// A decode that takes longer stops with `Status::Timeout`.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.raw.timeout_us = timeout.as_micros().min(u128::from(u64::MAX)) as u64;
        self
    }

    /// Asked between operations, on the thread that computes; true stops the decode.
    pub fn should_abort(mut self, callback: impl FnMut() -> bool + Send + 'static) -> Self {
        self.should_abort = Some(Box::new(callback));
        self
    }

    /// Long prompts: called with the part that is done; `Break` stops.
    pub fn on_progress(mut self, callback: impl FnMut(f32) -> ControlFlow<()> + Send + 'static) -> Self {
        self.on_progress = Some(Box::new(callback));
        self
    }

    pub(crate) fn raw_without_callbacks(&self) -> sys::bitnet_context_params {
        self.raw
    }
}

// The context as long as it is there. Cancelling holds the lock, so that it is not freed meanwhile.
struct CancelSlot(Mutex<*mut sys::bitnet_context>);

// SAFETY: bitnet_context_cancel is the one call for any thread, and the pointer is used for nothing else.
unsafe impl Send for CancelSlot {}
unsafe impl Sync for CancelSlot {}

/// Stops a context's work from any thread. It may outlive the context, and does nothing then.
#[derive(Clone)]
pub struct Canceller(Arc<CancelSlot>);

impl Canceller {
    /// Stops the decode that runs now, or else the next one.
    pub fn cancel(&self) {
        let raw = (self.0).0.lock().unwrap_or_else(PoisonError::into_inner);
        if !raw.is_null() {
            // SAFETY: not NULL means not freed, as long as the lock is held.
            unsafe { sys::bitnet_context_cancel(*raw) }
        }
    }
}

/// Tokens to run together.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    tokens: &'a [Token],
    positions: Option<&'a [i32]>,
    seq_ids: Option<&'a [SeqId]>,
    outputs: Option<&'a [i8]>,
}

impl<'a> Batch<'a> {
    /// Tokens that follow in sequence 0, with output for the last.
    pub fn new(tokens: &'a [Token]) -> Batch<'a> {
        Batch { tokens, positions: None, seq_ids: None, outputs: None }
    }

    /// The position of each token.
    pub fn positions(mut self, positions: &'a [i32]) -> Self {
        self.positions = Some(positions);
        self
    }

    /// The sequence of each token.
    pub fn seq_ids(mut self, seq_ids: &'a [SeqId]) -> Self {
        self.seq_ids = Some(seq_ids);
        self
    }

    /// 1 for tokens whose logits are wanted.
    pub fn outputs(mut self, outputs: &'a [i8]) -> Self {
        self.outputs = Some(outputs);
        self
    }

    fn raw(&self) -> Result<sys::bitnet_batch> {
        let n = self.tokens.len();
        let lengths = [self.positions.map(<[_]>::len), self.seq_ids.map(<[_]>::len), self.outputs.map(<[_]>::len)];
        if lengths.iter().flatten().any(|length| *length != n) {
            return Err(Error::of_caller(Status::Argument, "the batch's lists have different lengths"));
        }
        let n_tokens = i32::try_from(n).map_err(|_| Error::of_caller(Status::Limit, "more tokens than an int32_t"))?;
        Ok(sys::bitnet_batch {
            struct_size: std::mem::size_of::<sys::bitnet_batch>() as u32,
            n_tokens,
            tokens: self.tokens.as_ptr(),
            positions: self.positions.map_or(std::ptr::null(), <[_]>::as_ptr),
            seq_ids: self.seq_ids.map_or(std::ptr::null(), <[_]>::as_ptr),
            want_output: self.outputs.map_or(std::ptr::null(), <[_]>::as_ptr),
        })
    }
}

/// A model at work: its KV cache, memory and threads. It serves one thread at a time and may move to another; only a
/// [`Canceller`] is for any thread.
///
/// ```compile_fail
/// fn shared<T: Sync>() {}
/// shared::<bitnet::Context>(); // two threads cannot have it at once
/// ```
/// ```compile_fail
/// fn use_after_close(context: bitnet::Context) {
///     drop(context);
///     context.n_free();
/// }
/// ```
pub struct Context {
    handle: Handle<sys::bitnet_context>,
    cancel: Arc<CancelSlot>,
    // C holds pointers to what is in these boxes.
    _should_abort: Option<Box<Abort>>,
    _on_progress: Option<Box<SendProgress>>,
    _model: Arc<ModelHandle>,
    // A callback could find the context again, in a thread-local say: while C is at work others are turned away.
    busy: Cell<bool>,
    n_vocab: usize,
    n_embd: usize,
}

// SAFETY: nothing in a context belongs to a thread, and its callbacks are Send; it is not Sync.
unsafe impl Send for Context {}

impl Drop for Context {
    fn drop(&mut self) {
        // From here on a canceller finds nothing; the handle is freed after this.
        *self.cancel.0.lock().unwrap_or_else(PoisonError::into_inner) = std::ptr::null_mut();
    }
}

pub(crate) struct Busy<'a>(&'a Cell<bool>);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl Context {
    /// A context with the default parameters.
    pub fn new(model: &Model) -> Result<Context> {
        Context::with(model, ContextParams::new())
    }

    /// A context. It keeps the model alive.
    pub fn with(model: &Model, params: ContextParams) -> Result<Context> {
        let mut raw = params.raw;
        let mut abort = params.should_abort.map(Box::new);
        let mut progress = params.on_progress.map(Box::new);
        if let Some(callback) = abort.as_mut() {
            raw.should_abort = Some(should_abort);
            raw.abort_user_data = (&mut **callback as *mut Abort).cast();
        }
        if let Some(callback) = progress.as_mut() {
            raw.on_progress = Some(on_send_progress);
            raw.progress_user_data = (&mut **callback as *mut SendProgress).cast();
        }
        let info = model.info()?;
        // SAFETY: the callbacks' boxes live as long as the context and are not touched meanwhile.
        let handle = Handle::create(sys::bitnet_context_free, |out| unsafe {
            sys::bitnet_context_create(model.raw(), &raw, out)
        })?;
        let cancel = Arc::new(CancelSlot(Mutex::new(handle.raw())));
        Ok(Context {
            handle,
            cancel,
            _should_abort: abort,
            _on_progress: progress,
            _model: Arc::clone(&model.inner),
            busy: Cell::new(false),
            n_vocab: info.n_vocab as usize,
            n_embd: info.n_embd as usize,
        })
    }

    pub(crate) fn raw(&self) -> *mut sys::bitnet_context {
        self.handle.raw()
    }

    pub(crate) fn enter(&self) -> Result<Busy<'_>> {
        if self.busy.replace(true) {
            return Err(Error::of_caller(Status::State, "a callback may not use the context that calls it"));
        }
        Ok(Busy(&self.busy))
    }

    /// What stops this context's work from any thread.
    pub fn canceller(&self) -> Canceller {
        Canceller(Arc::clone(&self.cancel))
    }

    /// KV cells of all sequences.
    pub fn n_ctx(&self) -> i32 {
        // SAFETY: here and below, the handle lives as long as self; what is read or filled lives during the call.
        unsafe { sys::bitnet_context_get_n_ctx(self.raw()) }
    }

    /// Threads that compute.
    pub fn n_threads(&self) -> i32 {
        unsafe { sys::bitnet_context_get_n_threads(self.raw()) }
    }

    /// KV cells that no sequence holds: how many tokens still fit.
    pub fn n_free(&self) -> i32 {
        unsafe { sys::bitnet_context_get_n_free(self.raw()) }
    }

    /// Bytes that model and context hold.
    pub fn memory(&self) -> Result<MemoryInfo> {
        unsafe { Ok(MemoryInfo::from_raw(&filled(|out| sys::bitnet_context_get_memory(self.raw(), out))?)) }
    }

    /// Runs the model over a batch. After any failure the sequences are as before.
    pub fn decode(&mut self, batch: Batch<'_>) -> Result<()> {
        let (_busy, raw) = (self.enter()?, batch.raw()?);
        unsafe { check(sys::bitnet_context_decode(self.raw(), &raw)) }
    }

    /// Appends tokens to a sequence, with output for the last.
    pub fn decode_tokens(&mut self, seq: SeqId, tokens: &[Token]) -> Result<()> {
        let _busy = self.enter()?;
        unsafe { check(sys::bitnet_context_decode_tokens(self.raw(), seq, tokens.as_ptr(), tokens.len())) }
    }

    /// Makes a sequence hold exactly these tokens, computing what it does not hold yet. Returns how many it held.
    pub fn prefill(&mut self, seq: SeqId, tokens: &[Token]) -> Result<usize> {
        let (_busy, mut reused) = (self.enter()?, 0);
        unsafe {
            let (data, n) = (tokens.as_ptr(), tokens.len());
            check(sys::bitnet_context_prefill(self.raw(), seq, data, n, &mut reused))?;
        }
        Ok(reused)
    }

    /// Begins a decode in pieces, for programs that have frames to draw: see [`Context::step`].
    pub fn decode_begin(&mut self, batch: Batch<'_>) -> Result<()> {
        let (_busy, raw) = (self.enter()?, batch.raw()?);
        unsafe { check(sys::bitnet_context_decode_begin(self.raw(), &raw)) }
    }

    /// Works on the decode that was begun for about that long; true when it is done.
    pub fn step(&mut self, budget: Duration) -> Result<bool> {
        let (_busy, mut done) = (self.enter()?, 0);
        let budget = budget.as_micros().min(u128::from(u64::MAX)) as u64;
        unsafe { check(sys::bitnet_context_step(self.raw(), budget, &mut done))? };
        Ok(done != 0)
    }

    /// Gives up the decode that was begun.
    pub fn decode_abandon(&mut self) {
        unsafe { sys::bitnet_context_decode_abandon(self.raw()) }
    }

    /// The logits of an entry of the last decode; -1 is the last entry.
    pub fn logits(&mut self, index: i32) -> Result<&[f32]> {
        let mut logits = std::ptr::null();
        // SAFETY: n_vocab floats, lent until the next decode; that needs &mut self, as a generation needs &self.
        unsafe {
            check(sys::bitnet_context_get_logits(self.raw(), index, &mut logits))?;
            Ok(std::slice::from_raw_parts(logits, self.n_vocab))
        }
    }

    /// The hidden state of an entry with output; needs [`ContextParams::embeddings`].
    pub fn embedding(&mut self, index: i32, normalize: bool) -> Result<Vec<f32>> {
        let mut out = vec![0.0; self.n_embd];
        unsafe {
            let (data, n) = (out.as_mut_ptr(), out.len());
            check(sys::bitnet_context_get_embedding(self.raw(), index, normalize as i32, data, n))?;
        }
        Ok(out)
    }

    /// The pooled hidden state of a sequence's entries with output in the last decode.
    pub fn sequence_embedding(&mut self, seq: SeqId, pooling: Pooling, normalize: bool) -> Result<Vec<f32>> {
        let mut out = vec![0.0; self.n_embd];
        unsafe {
            let (data, n) = (out.as_mut_ptr(), out.len());
            let (pooling, normalize) = (pooling.raw(), normalize as i32);
            check(sys::bitnet_context_get_sequence_embedding(self.raw(), seq, pooling, normalize, data, n))?;
        }
        Ok(out)
    }

    /// The embedding of a text's tokens, computed in sequence 0, which is empty afterwards.
    pub fn embed(&mut self, tokens: &[Token], pooling: Pooling, normalize: bool) -> Result<Vec<f32>> {
        self.remove(0, 0, -1)?;
        let outputs = vec![1; tokens.len()];
        self.decode(Batch::new(tokens).outputs(&outputs))?;
        let embedding = self.sequence_embedding(0, pooling, normalize);
        self.remove(0, 0, -1)?;
        embedding
    }

    /// Which adapters a sequence (None: every one) runs with from now on, and how strongly. Only while it is empty.
    pub fn set_adapters(&mut self, seq: Option<SeqId>, adapters: &[(&Adapter, f32)]) -> Result<()> {
        let uses: Vec<sys::bitnet_adapter_use> = adapters
            .iter()
            .map(|(adapter, scale)| sys::bitnet_adapter_use { adapter: adapter.raw(), scale: *scale })
            .collect();
        unsafe { check(sys::bitnet_context_set_adapters(self.raw(), seq.unwrap_or(-1), uses.as_ptr(), uses.len())) }
    }

    /// Counts and times of decodes.
    pub fn metrics(&self) -> Result<Metrics> {
        unsafe { Ok(Metrics::from_raw(&filled(|out| sys::bitnet_context_get_metrics(self.raw(), out))?)) }
    }

    /// Begins to count anew.
    pub fn reset_metrics(&mut self) -> Result<()> {
        unsafe { check(sys::bitnet_context_reset_metrics(self.raw())) }
    }

    /// What the context has done, generations included.
    pub fn performance(&self) -> Result<PerformanceMetrics> {
        unsafe {
            Ok(PerformanceMetrics::from_raw(&filled(|out| sys::bitnet_context_get_performance(self.raw(), out))?))
        }
    }

    /// What ran on the devices.
    pub fn device_stats(&self) -> Result<DeviceStats> {
        unsafe { Ok(DeviceStats::from_raw(&filled(|out| sys::bitnet_context_get_device_stats(self.raw(), out))?)) }
    }

    /// What the last decode ran, as JSON; needs [`ContextParams::trace`].
    pub fn trace(&self) -> Result<String> {
        let _busy = self.enter()?;
        sized_text(|out, capacity, size| unsafe { sys::bitnet_context_get_trace(self.raw(), out, capacity, size) })
    }

    /// The tokens of a sequence.
    pub fn tokens(&self, seq: SeqId) -> Result<Vec<Token>> {
        let _busy = self.enter()?;
        sized(0, 0, |out, capacity, n| unsafe { sys::bitnet_sequence_get_tokens(self.raw(), seq, out, capacity, n) })
    }
}
