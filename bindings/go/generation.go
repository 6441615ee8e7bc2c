// Generations: a prompt becomes a text, step by step, alone or several together.

package bitnet

// #include <stdlib.h>
// #include "bitnet.h"
import "C"

import (
	"context"
	"time"
	"unsafe"
)

// FinishReason says why a text ended.
type FinishReason int32

const (
	FinishNone         FinishReason = C.BITNET_FINISH_NONE
	FinishEnd          FinishReason = C.BITNET_FINISH_END
	FinishStopSequence FinishReason = C.BITNET_FINISH_STOP_SEQUENCE
	FinishLength       FinishReason = C.BITNET_FINISH_LENGTH
	FinishContextFull  FinishReason = C.BITNET_FINISH_CONTEXT_FULL
	FinishCancelled    FinishReason = C.BITNET_FINISH_CANCELLED
	FinishDeadline     FinishReason = C.BITNET_FINISH_DEADLINE
)

// String is "stop_sequence" and its like.
func (r FinishReason) String() string {
	return C.GoString(C.bitnet_finish_reason_name(C.bitnet_finish_reason(r)))
}

// GenerateParams says what to write. The zero value, like nil, is the default.
type GenerateParams struct {
	MaxTokens    int // 0: 100; -1: until something else ends the text
	Sampler      *SamplerParams
	Stop         []string      // texts that end the text, and are not part of it
	Deadline     time.Duration // from the beginning on, the prompt included; 0: none
	KeepSpecial  bool          // control tokens give their text
	ParseSpecial bool          // "<|eot_id|>" in a prompt is the control token
	Receipt      bool          // make Result.Receipt
	Logprobs     int           // 1 .. 20: keep log-probabilities, see Step.Top
	Draft        int           // 1 .. 16: guess so many tokens ahead; the text is the same one, sooner
	Grammar      *Grammar      // what the text must obey
	Sequence     int           // of the context; 0 is the first one
}

// c puts the parameters into C memory; the grammar is lent by the caller.
func (p *GenerateParams) c(a *arena, grammar *C.bitnet_grammar) (*C.bitnet_generation_params, error) {
	c := (*C.bitnet_generation_params)(a.alloc(C.sizeof_bitnet_generation_params))
	C.bitnet_generation_params_init(c, C.sizeof_bitnet_generation_params)
	if p.MaxTokens != 0 {
		c.max_new_tokens = clamp(p.MaxTokens)
	}
	c.skip_special_tokens = flag(!p.KeepSpecial)
	c.parse_special = flag(p.ParseSpecial)
	c.deadline_us = microseconds(p.Deadline)
	c.sampler = p.Sampler.c(a)
	c.receipt = flag(p.Receipt)
	c.n_logprobs = clamp(p.Logprobs)
	c.n_draft = clamp(p.Draft)
	c.grammar = grammar
	if n := len(p.Stop); n > 0 {
		texts := unsafe.Slice((**C.char)(a.alloc(n*int(unsafe.Sizeof(uintptr(0))))), n)
		for i, stop := range p.Stop {
			text, err := a.text("a stop sequence", stop)
			if err != nil {
				return nil, err
			}
			texts[i] = text
		}
		c.stop_sequences, c.n_stop_sequences = &texts[0], C.size_t(n)
	}
	return c, nil
}

// Generation is a text in the making over one sequence of a context. One goroutine at a time.
type Generation struct {
	h        *handle
	session  *Context
	logprobs int
	receipt  bool
}

// NewGeneration prepares a generation; nothing is computed yet. What the sequence already holds of the prompt is kept.
func (c *Context) NewGeneration(prompt string, params *GenerateParams) (*Generation, error) {
	return c.newGeneration(params, func(p *C.bitnet_context, sequence C.bitnet_seq_id, params *C.bitnet_generation_params, out **C.bitnet_generation) C.bitnet_status {
		return C.bitnet_generation_create(p, sequence, textBytes(prompt), C.size_t(len(prompt)), params, out)
	})
}

// NewGenerationFromTokens is the same from tokens, for example those of ChatTemplate.Encode.
func (c *Context) NewGenerationFromTokens(tokens []Token, params *GenerateParams) (*Generation, error) {
	return c.newGeneration(params, func(p *C.bitnet_context, sequence C.bitnet_seq_id, params *C.bitnet_generation_params, out **C.bitnet_generation) C.bitnet_status {
		return C.bitnet_generation_create_from_tokens(p, sequence, tokenPointer(tokens), C.size_t(len(tokens)), params, out)
	})
}

func (c *Context) newGeneration(params *GenerateParams, create func(p *C.bitnet_context, sequence C.bitnet_seq_id, params *C.bitnet_generation_params, out **C.bitnet_generation) C.bitnet_status) (*Generation, error) {
	if params == nil {
		params = &GenerateParams{}
	}
	var generation *C.bitnet_generation
	err := c.alone(func(p *C.bitnet_context) error {
		return params.Grammar.with(func(grammar *C.bitnet_grammar) error {
			var a arena
			defer a.free()
			cp, err := params.c(&a, grammar)
			if err != nil {
				return err
			}
			return call(func() C.bitnet_status { return create(p, clamp(params.Sequence), cp, &generation) })
		})
	})
	if err != nil {
		return nil, err
	}
	return &Generation{newHandle("generation", unsafe.Pointer(generation), func(p unsafe.Pointer) {
		C.bitnet_generation_free((*C.bitnet_generation)(p))
	}), c, params.Logprobs, params.Receipt}, nil
}

// Close gives the generation back; its context stays. Closing twice is fine.
func (g *Generation) Close() error { return g.h.close() }

// Step is what one step brought.
type Step struct {
	Text            string // whole characters; often ""
	Tokens          []Token
	Finish          FinishReason // anything but FinishNone: this was the last step
	TokenTime       time.Duration
	TotalTime       time.Duration
	TokensPerSecond float64
	PromptLeft      int       // of the prompt, still to be computed, in NextBatch
	Logprob         float32   // of the token, with GenerateParams.Logprobs
	Top             []Logprob // the most likely tokens, likewise
	Err             error     // in NextBatch: what went wrong with this generation alone
}

func microsecondsOf(us C.uint64_t) time.Duration { return time.Duration(us) * time.Microsecond }

func newStep(c *C.bitnet_generation_step) Step {
	step := Step{Text: copyText(c.text, c.n_bytes), Tokens: copyTokens(c.tokens, c.n_tokens),
		Finish: FinishReason(c.finish_reason), TokenTime: microsecondsOf(c.token_us),
		TotalTime: microsecondsOf(c.cumulative_us), TokensPerSecond: float64(c.tokens_per_second),
		PromptLeft: int(c.prompt_tokens_left)}
	if c.status != C.BITNET_OK {
		status, message := Status(c.status), C.GoString(c.error)
		step.Err = &Error{Status: status, Message: message, UserMessage: message, Suggestions: status.Suggestions()}
	}
	return step
}

// addLogprobs completes a step; generation is lent.
func (g *Generation) addLogprobs(generation *C.bitnet_generation, step *Step) error {
	if g.logprobs <= 0 || len(step.Tokens) == 0 {
		return nil
	}
	top := make([]C.bitnet_token_logprob, g.logprobs)
	var own C.float
	var n C.size_t
	err := call(func() C.bitnet_status {
		return C.bitnet_generation_get_logprobs(generation, &own, &top[0], C.size_t(len(top)), &n)
	})
	if err == nil {
		step.Logprob, step.Top = float32(own), logprobs(top[:n])
	}
	return err
}

// Next draws one token. Cancel and deadlines are ends, not failures: the step's Finish tells. Where ctx ended it, or an
// error of ContextParams.OnProgress, that comes out as the error, with the last step. After another failure Next may be
// called again: no token is lost.
func (g *Generation) Next(ctx context.Context) (step Step, err error) {
	p, err := g.h.acquireAlone()
	if err != nil {
		return step, err
	}
	defer g.h.releaseAlone()
	generation := (*C.bitnet_generation)(p)
	err = g.session.alone(func(*C.bitnet_context) error {
		var c C.bitnet_generation_step
		c.struct_size = C.sizeof_bitnet_generation_step
		end := g.session.watch(ctx)
		if ctx != nil && ctx.Err() != nil {
			g.session.setAbort()
		}
		err := call(func() C.bitnet_status { return C.bitnet_generation_next(generation, &c) })
		end()
		if err != nil {
			return withCause(err, g.session.progress.take())
		}
		step = newStep(&c)
		if step.Finish == FinishCancelled {
			if cause := g.session.progress.take(); cause != nil {
				return &Error{Status: ErrCancelled, Message: ErrCancelled.Text(), Cause: cause}
			}
			if stopped := ended(ctx); stopped != nil {
				return stopped
			}
		}
		return g.addLogprobs(generation, &step)
	})
	return step, err
}

// NextBatch advances several generations of one context by one pass through the model, each on a sequence of its own.
// maxTokens bounds what is computed, 0: the context's BatchSize. Each text is the same as alone.
func NextBatch(ctx context.Context, generations []*Generation, maxTokens int) ([]Step, error) {
	if len(generations) == 0 {
		return nil, nil
	}
	if maxTokens < 0 {
		return nil, argumentError("a number of tokens must not be negative")
	}
	handles := make([]*C.bitnet_generation, 0, len(generations))
	for _, g := range generations {
		p, err := g.h.acquireAlone()
		if err != nil {
			return nil, err
		}
		defer g.h.releaseAlone()
		handles = append(handles, (*C.bitnet_generation)(p))
	}
	c := make([]C.bitnet_generation_step, len(generations))
	c[0].struct_size = C.sizeof_bitnet_generation_step
	steps := make([]Step, len(generations))
	err := generations[0].session.run(ctx, func(*C.bitnet_context) C.bitnet_status {
		status := C.bitnet_generation_next_batch(&handles[0], C.size_t(len(handles)), C.size_t(maxTokens), &c[0])
		if status == C.BITNET_OK {
			for i := range c { // copied while the context is ours: pointers are lent
				steps[i] = newStep(&c[i])
			}
		}
		return status
	})
	if err != nil {
		return nil, err
	}
	for i, g := range generations {
		if err := g.addLogprobs(handles[i], &steps[i]); err != nil && steps[i].Err == nil {
			steps[i].Err = err
		}
	}
	return steps, nil
}

// Result is what a generation has brought so far.
type Result struct {
	Text         string // without prompt and stop sequence
	Tokens       []Token
	TokenTimes   []time.Duration // the first one includes the prompt
	Finish       FinishReason
	StopSequence int // which of GenerateParams.Stop came up, else -1
	Seed         uint64

	ModelName, Quantization, Device             string
	PromptTokens, ReusedTokens, DecodeSteps     int
	TokenizeTime, PrefillTime, DecodeTime, Time time.Duration
	PrefillTokensPerSecond                      float64
	DecodeTokensPerSecond, TokensPerSecond      float64

	Receipt string // JSON, with GenerateParams.Receipt
}

func (g *Generation) with(f func(generation *C.bitnet_generation) error) error {
	p, err := g.h.acquireAlone()
	if err != nil {
		return err
	}
	defer g.h.releaseAlone()
	return f((*C.bitnet_generation)(p))
}

// Result may be asked for at any time.
func (g *Generation) Result() (*Result, error) {
	var result *Result
	err := g.with(func(generation *C.bitnet_generation) error {
		var c C.bitnet_generation_result
		c.struct_size = C.sizeof_bitnet_generation_result
		if err := call(func() C.bitnet_status { return C.bitnet_generation_get_result(generation, &c) }); err != nil {
			return err
		}
		result = &Result{Text: copyText(c.text, c.n_bytes), Tokens: copyTokens(c.tokens, c.n_tokens),
			Finish: FinishReason(c.finish_reason), StopSequence: int(c.stop_sequence), Seed: uint64(c.seed),
			ModelName: C.GoString(c.model_name), Quantization: C.GoString(c.quantization), Device: C.GoString(c.device),
			PromptTokens: int(c.prompt_tokens), ReusedTokens: int(c.reused_tokens), DecodeSteps: int(c.decode_steps),
			TokenizeTime: microsecondsOf(c.tokenize_us), PrefillTime: microsecondsOf(c.prefill_us),
			DecodeTime: microsecondsOf(c.decode_us), Time: microsecondsOf(c.total_us),
			PrefillTokensPerSecond: float64(c.prefill_tokens_per_second),
			DecodeTokensPerSecond:  float64(c.decode_tokens_per_second),
			TokensPerSecond:        float64(c.total_tokens_per_second)}
		if c.n_tokens > 0 {
			for _, us := range unsafe.Slice(c.token_times_us, int(c.n_tokens)) {
				result.TokenTimes = append(result.TokenTimes, microsecondsOf(us))
			}
		}
		return nil
	})
	if err == nil && g.receipt && len(result.Tokens) > 0 {
		result.Receipt, err = g.Receipt()
	}
	return result, err
}

// Receipt is the proof of what was brought so far, as JSON. Needs GenerateParams.Receipt.
func (g *Generation) Receipt() (receipt string, err error) {
	err = g.with(func(generation *C.bitnet_generation) error {
		receipt, err = sizedText(func(buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status {
			return C.bitnet_generation_get_receipt(generation, buffer, capacity, size)
		})
		return err
	})
	return receipt, err
}
