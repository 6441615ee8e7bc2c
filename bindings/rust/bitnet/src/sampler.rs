// Samplers: logits to a token.
use crate::context::Context;
use crate::error::{check, Result};
use crate::ffi::{defaults, Handle};
use crate::grammar::Grammar;
use crate::tokenizer::Token;
use bitnet_sys as sys;

/// How tokens are drawn: `SamplerParams::new().temperature(0.8).seed(42)`.
#[derive(Clone, Debug)]
pub struct SamplerParams {
    raw: sys::bitnet_sampler_params, // its pointers are NULL but during with_raw
    logit_bias: Vec<sys::bitnet_logit_bias>,
    dry_breakers: Vec<Token>,
}

// SAFETY: plain numbers; the pointers in raw are NULL.
unsafe impl Send for SamplerParams {}
unsafe impl Sync for SamplerParams {}

impl Default for SamplerParams {
    fn default() -> Self {
        Self::new()
    }
}

macro_rules! setters {
    ($($(#[$meaning:meta])* $name:ident: $kind:ty;)*) => {
        $($(#[$meaning])*
        pub fn $name(mut self, value: $kind) -> Self {
            self.raw.$name = value;
            self
        })*
    };
}

impl SamplerParams {
    /// The defaults of the library.
    pub fn new() -> SamplerParams {
        let raw = defaults(sys::bitnet_sampler_params_init);
        SamplerParams { raw, logit_bias: Vec::new(), dry_breakers: Vec::new() }
    }

    /// Always the most likely token.
    pub fn greedy() -> SamplerParams {
        SamplerParams::new().temperature(0.0)
    }

    setters! {
        /// 0 or less: greedy.
        temperature: f32;
        /// The k most likely tokens; 0: off.
        top_k: i32;
        /// The most likely tokens up to this mass; 1: off.
        top_p: f32;
        /// Tokens at least this part as likely as the best; 0: off.
        min_p: f32;
        /// Locally typical sampling; 1: off.
        typical_p: f32;
        /// 1: off.
        repetition_penalty: f32;
        /// Subtracted once per occurrence.
        frequency_penalty: f32;
        /// Subtracted once.
        presence_penalty: f32;
        /// Accepted tokens that count for penalties; -1: all.
        penalty_last_n: i32;
        /// Chance of XTC.
        xtc_probability: f32;
        /// Probability from which XTC leaves tokens out.
        xtc_threshold: f32;
        /// Strength of DRY; 0: off.
        dry_multiplier: f32;
        /// Growth of DRY per token.
        dry_base: f32;
        /// The shortest repetition that DRY weakens.
        dry_allowed_length: i32;
        /// Accepted tokens in which DRY looks.
        dry_penalty_last_n: i32;
        /// Dynamic temperature; 0: off.
        dynatemp_range: f32;
        /// Its curve.
        dynatemp_exponent: f32;
        /// Standard deviations below the largest logit; 0: off.
        top_n_sigma: f32;
        /// 0: off; 1 or 2: the algorithm.
        mirostat: i32;
        /// The surprise to hold, in bits.
        mirostat_tau: f32;
        /// How fast to follow.
        mirostat_eta: f32;
    }

    /// A seed gives the same tokens on every machine.
    pub fn seed(mut self, seed: u64) -> Self {
        self.raw.has_seed = 1;
        self.raw.seed = seed;
        self
    }

    /// Adds to a token's logit; `f32::NEG_INFINITY` forbids it.
    pub fn logit_bias(mut self, token: Token, bias: f32) -> Self {
        self.logit_bias.push(sys::bitnet_logit_bias { token, bias });
        self
    }

    /// Tokens that end repetitions, see [`crate::Tokenizer::find_tokens`].
    pub fn dry_breakers(mut self, tokens: impl Into<Vec<Token>>) -> Self {
        self.dry_breakers = tokens.into();
        self
    }

    /// Runs with the struct of C, which borrows from self.
    pub(crate) fn with_raw<R>(&self, body: impl FnOnce(&sys::bitnet_sampler_params) -> R) -> R {
        let mut raw = self.raw;
        raw.logit_bias = self.logit_bias.as_ptr();
        raw.n_logit_bias = self.logit_bias.len();
        raw.dry_breakers = self.dry_breakers.as_ptr();
        raw.n_dry_breakers = self.dry_breakers.len();
        body(&raw)
    }
}

/// Draws tokens. It serves one thread at a time, and may move to another.
///
/// ```compile_fail
/// fn shared<T: Sync>() {}
/// shared::<bitnet::Sampler>();
/// ```
pub struct Sampler {
    handle: Handle<sys::bitnet_sampler>,
    _grammar: Option<Grammar>,
}

// SAFETY: nothing in a sampler belongs to a thread; &mut and the missing Sync keep it to one at a time.
unsafe impl Send for Sampler {}

impl Sampler {
    /// A sampler; it knows no model and no context.
    pub fn new(params: &SamplerParams) -> Result<Sampler> {
        crate::check_version()?;
        let handle = params.with_raw(|raw| {
            // SAFETY: the parameters live during the call and are copied.
            Handle::create(sys::bitnet_sampler_free, |out| unsafe { sys::bitnet_sampler_create(raw, out) })
        })?;
        Ok(Sampler { handle, _grammar: None })
    }

    /// Picks a token from logits and accepts it.
    pub fn sample(&mut self, logits: &[f32]) -> Result<Token> {
        let mut token = 0;
        // SAFETY: here and below, the handles live, and slices are read or filled during the call.
        unsafe { check(sys::bitnet_sampler_sample(self.handle.raw(), logits.as_ptr(), logits.len(), &mut token))? };
        Ok(token)
    }

    /// The same on the logits of an entry of the context's last decode; -1 is the last one.
    pub fn sample_context(&mut self, context: &mut Context, index: i32) -> Result<Token> {
        let mut token = 0;
        unsafe { check(sys::bitnet_sampler_sample_context(self.handle.raw(), context.raw(), index, &mut token))? };
        Ok(token)
    }

    /// Tells penalties and grammar about a token that was not sampled here.
    pub fn accept(&mut self, token: Token) -> Result<()> {
        unsafe { check(sys::bitnet_sampler_accept(self.handle.raw(), token)) }
    }

    /// Forgets accepted tokens and begins anew.
    pub fn reset(&mut self) -> Result<()> {
        unsafe { check(sys::bitnet_sampler_reset(self.handle.raw())) }
    }

    /// The seed in use.
    pub fn seed(&self) -> u64 {
        unsafe { sys::bitnet_sampler_get_seed(self.handle.raw()) }
    }

    /// The probabilities that the next draw would use; draws nothing.
    pub fn probabilities(&mut self, logits: &[f32]) -> Result<Vec<f32>> {
        let mut out = vec![0.0; logits.len()];
        unsafe {
            let (data, size) = (logits.as_ptr(), logits.len());
            check(sys::bitnet_sampler_get_probabilities(self.handle.raw(), data, size, out.as_mut_ptr()))?;
        }
        Ok(out)
    }

    /// Only tokens that the grammar allows from now on; None takes it away.
    pub fn set_grammar(&mut self, grammar: Option<&Grammar>) -> Result<()> {
        let raw = grammar.map_or(std::ptr::null(), Grammar::raw);
        unsafe { check(sys::bitnet_sampler_set_grammar(self.handle.raw(), raw))? };
        self._grammar = grammar.cloned();
        Ok(())
    }
}

/// The token of the largest logit, the lowest id among equals.
pub fn argmax(logits: &[f32]) -> Result<Token> {
    let mut token = 0;
    // SAFETY: the slice is read during the call.
    unsafe { check(sys::bitnet_logits_argmax(logits.as_ptr(), logits.len(), &mut token))? };
    Ok(token)
}

/// The softmax of logits.
pub fn softmax(logits: &[f32]) -> Result<Vec<f32>> {
    let mut out = vec![0.0; logits.len()];
    // SAFETY: as large as the logits.
    unsafe { check(sys::bitnet_logits_softmax(logits.as_ptr(), logits.len(), out.as_mut_ptr()))? };
    Ok(out)
}
