// Generations: a prompt becomes a text, as a whole or piece by piece.
use crate::context::{Context, SeqId};
use crate::enums::{FinishReason, Status};
use crate::error::{check, Result};
use crate::ffi::{c_text, defaults, filled, guarded, sized_text, text, Handle};
use crate::grammar::Grammar;
use crate::sampler::SamplerParams;
use crate::tokenizer::Token;
use bitnet_sys as sys;
use std::ffi::CString;
use std::ops::ControlFlow;
use std::os::raw::{c_char, c_void};
use std::time::Duration;

/// How a text is made: `GenerationParams::new().max_new_tokens(50).stop("\n")`.
#[derive(Clone)]
pub struct GenerationParams {
    raw: sys::bitnet_generation_params, // its pointers are NULL but during with_raw
    sampler: Option<SamplerParams>,
    stop: Vec<String>,
    grammar: Option<Grammar>,
}

// SAFETY: plain numbers; the pointers in raw are NULL.
unsafe impl Send for GenerationParams {}
unsafe impl Sync for GenerationParams {}

impl Default for GenerationParams {
    fn default() -> Self {
        Self::new()
    }
}

impl GenerationParams {
    /// The defaults of the library.
    pub fn new() -> GenerationParams {
        let raw = defaults(sys::bitnet_generation_params_init);
        GenerationParams { raw, sampler: None, stop: Vec::new(), grammar: None }
    }

    /// -1: until something else ends the text.
    pub fn max_new_tokens(mut self, tokens: i32) -> Self {
        self.raw.max_new_tokens = tokens;
        self
    }

    /// How tokens are drawn.
    pub fn sampler(mut self, params: SamplerParams) -> Self {
        self.sampler = Some(params);
        self
    }

    /// The text ends before this comes up; may be called several times.
    pub fn stop(mut self, sequence: impl Into<String>) -> Self {
        self.stop.push(sequence.into());
        self
    }

    /// How long the text may take, its prompt included.
    pub fn deadline(mut self, time: Duration) -> Self {
        self.raw.deadline_us = time.as_micros().clamp(1, u128::from(u64::MAX)) as u64;
        self
    }

    /// What the text must obey.
    pub fn grammar(mut self, grammar: &Grammar) -> Self {
        self.grammar = Some(grammar.clone());
        self
    }

    /// Control tokens give no text (default).
    pub fn skip_special_tokens(mut self, yes: bool) -> Self {
        self.raw.skip_special_tokens = yes as i32;
        self
    }

    /// Read `<|eot_id|>` in the prompt as the control token.
    pub fn parse_special(mut self, yes: bool) -> Self {
        self.raw.parse_special = yes as i32;
        self
    }

    /// Record what [`Generation::receipt`] needs.
    pub fn receipt(mut self, yes: bool) -> Self {
        self.raw.receipt = yes as i32;
        self
    }

    /// Keep the log-probabilities of that many best tokens, for [`Generation::logprobs`].
    pub fn logprobs(mut self, n: i32) -> Self {
        self.raw.n_logprobs = n;
        self
    }

    /// Guess up to that many tokens ahead, 1 to 16, where the text repeats itself. The text is the same one, sooner.
    pub fn draft(mut self, n: i32) -> Self {
        self.raw.n_draft = n;
        self
    }

    fn with_raw<R>(&self, body: impl FnOnce(&sys::bitnet_generation_params) -> Result<R>) -> Result<R> {
        let stop = self.stop.iter().map(|stop| c_text("a stop sequence", stop)).collect::<Result<Vec<CString>>>()?;
        let mut stops: Vec<*const c_char> = stop.iter().map(|stop| stop.as_ptr()).collect();
        let mut raw = self.raw;
        raw.stop_sequences = stops.as_mut_ptr();
        raw.n_stop_sequences = stops.len();
        raw.grammar = self.grammar.as_ref().map_or(std::ptr::null(), Grammar::raw);
        match &self.sampler {
            None => body(&raw),
            Some(sampler) => sampler.with_raw(|sampler| {
                raw.sampler = sampler;
                body(&raw)
            }),
        }
    }
}

/// What a text goes on from: a text, or tokens (of a chat template, say).
#[derive(Clone, Copy, Debug)]
pub enum Prompt<'a> {
    /// UTF-8.
    Text(&'a str),
    /// Any bytes; those that are no UTF-8 are encoded byte by byte.
    Bytes(&'a [u8]),
    /// Taken as they are.
    Tokens(&'a [Token]),
}

impl<'a> From<&'a str> for Prompt<'a> {
    fn from(text: &'a str) -> Self {
        Prompt::Text(text)
    }
}

impl<'a> From<&'a String> for Prompt<'a> {
    fn from(text: &'a String) -> Self {
        Prompt::Text(text)
    }
}

impl<'a> From<&'a [Token]> for Prompt<'a> {
    fn from(tokens: &'a [Token]) -> Self {
        Prompt::Tokens(tokens)
    }
}

impl<'a> From<&'a Vec<Token>> for Prompt<'a> {
    fn from(tokens: &'a Vec<Token>) -> Self {
        Prompt::Tokens(tokens)
    }
}

/// What one step brought.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Step {
    /// What can be shown now, whole characters; often "".
    pub text: String,
    /// The token of this step; None when the text ended instead, or the prompt is not complete.
    pub token: Option<Token>,
    /// Anything but None: this was the last step.
    pub finish_reason: FinishReason,
    /// Time that this token took; the first one includes the prompt.
    pub token_time: Duration,
    /// Tokens so far over their time.
    pub tokens_per_second: f64,
    /// Of the prompt, still to be computed.
    pub prompt_tokens_left: u64,
    /// What went wrong with this text alone, in [`Generation::next_batch`].
    pub problem: Option<(Status, String)>,
}

impl Step {
    /// # Safety
    /// A step as the library has filled it in, whose pointers are still lent.
    unsafe fn from_raw(raw: &sys::bitnet_generation_step) -> Step {
        Step {
            text: lent_text(raw.text, raw.n_bytes),
            token: (raw.n_tokens > 0).then(|| *raw.tokens),
            finish_reason: FinishReason::from_raw(raw.finish_reason),
            token_time: Duration::from_micros(raw.token_us),
            tokens_per_second: raw.tokens_per_second,
            prompt_tokens_left: raw.prompt_tokens_left,
            problem: (raw.status != sys::BITNET_OK).then(|| (Status::from_raw(raw.status), text(raw.error))),
        }
    }
}

unsafe fn lent_text(data: *const c_char, size: usize) -> String {
    if size == 0 {
        return String::new();
    }
    String::from_utf8_lossy(std::slice::from_raw_parts(data.cast(), size)).into_owned()
}

unsafe fn lent<T: Clone>(data: *const T, size: usize) -> Vec<T> {
    if size == 0 {
        return Vec::new();
    }
    std::slice::from_raw_parts(data, size).to_vec()
}

/// What a generation has brought.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Output {
    /// Without prompt and stop sequence.
    pub text: String,
    /// Without the prompt and the token that ended the text.
    pub tokens: Vec<Token>,
    /// Time of each token; the first one includes the prompt.
    pub token_times: Vec<Duration>,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Which stop sequence came up.
    pub stop_sequence: Option<usize>,
    /// Repeats the text.
    pub seed: u64,
    /// general.name of the model.
    pub model_name: String,
    /// The type of most weights.
    pub quantization: String,
    /// What computed.
    pub device: String,
    /// Tokens of the prompt, reused ones included.
    pub prompt_tokens: u64,
    /// Those that the sequence held already.
    pub reused_tokens: u64,
    /// From the create call to the last step.
    pub total_time: Duration,
    /// Computed tokens of the prompt over their time.
    pub prefill_tokens_per_second: f64,
    /// Tokens after the prompt over their time.
    pub decode_tokens_per_second: f64,
}

/// A token and the natural logarithm of its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenLogprob {
    /// The token.
    pub token: Token,
    /// `NEG_INFINITY` for one that cannot come.
    pub logprob: f32,
}

/// A text in the making over one sequence of a context. As an iterator it gives the pieces of the text; dropping it stops the
/// work. Several may take turns on one context, each on its own sequence; they stay on its thread.
///
/// ```compile_fail
/// fn elsewhere<T: Send>() {}
/// elsewhere::<bitnet::Generation<'static>>();
/// ```
/// ```compile_fail
/// fn text_without_context(context: bitnet::Context) -> bitnet::Generation<'static> {
///     context.stream("Hello", &bitnet::GenerationParams::new()).unwrap()
/// }
/// ```
pub struct Generation<'c> {
    handle: Handle<sys::bitnet_generation>,
    context: &'c Context,
    ended: bool,
}

impl<'c> Generation<'c> {
    pub(crate) fn create(
        context: &'c Context,
        seq: SeqId,
        prompt: Prompt<'_>,
        params: &GenerationParams,
    ) -> Result<Generation<'c>> {
        let _busy = context.enter()?;
        let handle = params.with_raw(|raw| {
            // SAFETY: context, prompt and parameters live during the call; what is kept of them is copied or counted.
            Handle::create(sys::bitnet_generation_free, |out| unsafe {
                let bytes = match prompt {
                    Prompt::Text(text) => text.as_bytes(),
                    Prompt::Bytes(bytes) => bytes,
                    Prompt::Tokens(tokens) => {
                        let (data, n) = (tokens.as_ptr(), tokens.len());
                        return sys::bitnet_generation_create_from_tokens(context.raw(), seq, data, n, raw, out);
                    }
                };
                sys::bitnet_generation_create(context.raw(), seq, bytes.as_ptr().cast(), bytes.len(), raw, out)
            })
        })?;
        Ok(Generation { handle, context, ended: false })
    }

    /// Draws one token. After the last step it brings nothing; after a failure it may be called again, no token is lost.
    pub fn step(&mut self) -> Result<Step> {
        let _busy = self.context.enter()?;
        // SAFETY: handle and context live, the context is on this thread; the step is copied before the next call.
        let step = unsafe { Step::from_raw(&filled(|out| sys::bitnet_generation_next(self.handle.raw(), out))?) };
        self.ended = step.finish_reason != FinishReason::None;
        Ok(step)
    }

    /// Advances several generations of one context together, computing at most max_tokens (0: as many as fit).
    pub fn next_batch(generations: &mut [Generation<'_>], max_tokens: usize) -> Result<Vec<Step>> {
        let context = match generations.first() {
            Some(first) => first.context,
            None => return Ok(Vec::new()),
        };
        let _busy = context.enter()?;
        let handles: Vec<*mut sys::bitnet_generation> = generations.iter().map(|one| one.handle.raw()).collect();
        // SAFETY: zeros are values of the struct; the library sets what is not the first size.
        let mut raw: Vec<sys::bitnet_generation_step> = vec![unsafe { std::mem::zeroed() }; handles.len()];
        raw[0].struct_size = std::mem::size_of::<sys::bitnet_generation_step>() as u32;
        unsafe {
            let (first, n) = (handles.as_ptr() as *mut *mut sys::bitnet_generation, handles.len());
            check(sys::bitnet_generation_next_batch(first as _, n, max_tokens, raw.as_mut_ptr()))?;
        }
        let steps: Vec<Step> = raw.iter().map(|step| unsafe { Step::from_raw(step) }).collect();
        for (generation, step) in generations.iter_mut().zip(&steps) {
            generation.ended = step.finish_reason != FinishReason::None;
        }
        Ok(steps)
    }

    /// Runs to the end.
    pub fn finish(&mut self) -> Result<Output> {
        while !self.ended {
            self.step()?;
        }
        self.output()
    }

    /// What it has brought so far.
    pub fn output(&self) -> Result<Output> {
        // SAFETY: what the result points to is lent until the next call, and copied.
        unsafe {
            let raw: sys::bitnet_generation_result =
                filled(|out| sys::bitnet_generation_get_result(self.handle.raw(), out))?;
            Ok(Output {
                text: lent_text(raw.text, raw.n_bytes),
                tokens: lent(raw.tokens, raw.n_tokens),
                token_times: lent(raw.token_times_us, raw.n_tokens).into_iter().map(Duration::from_micros).collect(),
                finish_reason: FinishReason::from_raw(raw.finish_reason),
                stop_sequence: usize::try_from(raw.stop_sequence).ok(),
                seed: raw.seed,
                model_name: text(raw.model_name),
                quantization: text(raw.quantization),
                device: text(raw.device),
                prompt_tokens: raw.prompt_tokens,
                reused_tokens: raw.reused_tokens,
                total_time: Duration::from_micros(raw.total_us),
                prefill_tokens_per_second: raw.prefill_tokens_per_second,
                decode_tokens_per_second: raw.decode_tokens_per_second,
            })
        }
    }

    /// Log-probabilities of the last step's token and of the best ones; needs [`GenerationParams::logprobs`].
    pub fn logprobs(&self) -> Result<(f32, Vec<TokenLogprob>)> {
        let (mut own, mut n) = (0.0, 0);
        let mut top = [sys::bitnet_token_logprob { token: 0, logprob: 0.0 }; 20];
        // SAFETY: room for as many as n_logprobs may be.
        unsafe {
            let (room, capacity) = (top.as_mut_ptr(), top.len());
            check(sys::bitnet_generation_get_logprobs(self.handle.raw(), &mut own, room, capacity, &mut n))?;
        }
        let top = top[..n].iter().map(|one| TokenLogprob { token: one.token, logprob: one.logprob }).collect();
        Ok((own, top))
    }

    /// The proof of the text so far, as JSON; needs [`GenerationParams::receipt`].
    pub fn receipt(&self) -> Result<String> {
        // SAFETY: the handle lives.
        sized_text(|out, capacity, size| unsafe {
            sys::bitnet_generation_get_receipt(self.handle.raw(), out, capacity, size)
        })
    }
}

impl Iterator for Generation<'_> {
    type Item = Result<String>;

    /// The next piece of the text that is not empty. An error is the last item.
    fn next(&mut self) -> Option<Result<String>> {
        while !self.ended {
            match self.step() {
                Ok(step) if step.text.is_empty() => {}
                Ok(step) => return Some(Ok(step.text)),
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

type OnStep<'a> = Box<dyn FnMut(&Step) -> ControlFlow<()> + 'a>;

unsafe extern "C" fn on_step(step: *const sys::bitnet_generation_step, user_data: *mut c_void) -> i32 {
    let callback = &mut *user_data.cast::<OnStep<'_>>();
    guarded(|| callback(&Step::from_raw(&*step)).is_break() as i32).unwrap_or(1)
}

impl Context {
    /// The whole text that follows a prompt, in sequence 0.
    pub fn generate<'p>(&mut self, prompt: impl Into<Prompt<'p>>, params: &GenerationParams) -> Result<Output> {
        self.stream_in(0, prompt, params)?.finish()
    }

    /// The same with a function that sees each step; `Break` ends the text.
    pub fn generate_with<'p>(
        &mut self,
        prompt: impl Into<Prompt<'p>>,
        params: &GenerationParams,
        callback: impl FnMut(&Step) -> ControlFlow<()>,
    ) -> Result<Output> {
        let bytes = match prompt.into() {
            Prompt::Text(text) => text.as_bytes(),
            Prompt::Bytes(bytes) => bytes,
            tokens => return self.generate_from_tokens(tokens, params, callback),
        };
        let mut callback: OnStep<'_> = Box::new(callback);
        let user = (&mut callback as *mut OnStep<'_>).cast();
        let busy = self.enter()?;
        let handle = params.with_raw(|raw| {
            // SAFETY: all live during the call, and the callback is used by it alone.
            Handle::create(sys::bitnet_generation_free, |out| unsafe {
                let (data, size) = (bytes.as_ptr().cast(), bytes.len());
                sys::bitnet_generate(self.raw(), 0, data, size, raw, Some(on_step), user, out)
            })
        })?;
        drop(busy);
        Generation { handle, context: self, ended: true }.output()
    }

    fn generate_from_tokens(
        &mut self,
        prompt: Prompt<'_>,
        params: &GenerationParams,
        mut callback: impl FnMut(&Step) -> ControlFlow<()>,
    ) -> Result<Output> {
        let mut generation = Generation::create(self, 0, prompt, params)?;
        while !generation.ended {
            if callback(&generation.step()?).is_break() && !generation.ended {
                let output = generation.output()?;
                return Ok(Output { finish_reason: FinishReason::Cancelled, ..output });
            }
        }
        generation.output()
    }

    /// The text that follows a prompt, piece by piece, in sequence 0.
    pub fn stream<'p>(&self, prompt: impl Into<Prompt<'p>>, params: &GenerationParams) -> Result<Generation<'_>> {
        self.stream_in(0, prompt, params)
    }

    /// The same in any sequence. Nothing is computed until the first step.
    pub fn stream_in<'p>(
        &self,
        seq: SeqId,
        prompt: impl Into<Prompt<'p>>,
        params: &GenerationParams,
    ) -> Result<Generation<'_>> {
        Generation::create(self, seq, prompt.into(), params)
    }
}
