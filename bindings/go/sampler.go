// Samplers: logits to tokens.

package bitnet

// #include "bitnet.h"
import "C"

import "unsafe"

// SamplerParams are the steps of a sampler; bitnet.h tells their order and meaning. Begin with DefaultSamplerParams or
// GreedyParams and change what you want: the zero value is not a sensible sampler.
type SamplerParams struct {
	Temperature       float32 // 0 or less: greedy
	TopK              int
	TopP              float32
	MinP              float32
	TypicalP          float32
	RepetitionPenalty float32
	FrequencyPenalty  float32
	PresencePenalty   float32
	PenaltyLastN      int
	Seed              *uint64 // nil: $BITNET_SEED, or a fresh one
	LogitBias         map[Token]float32
	XTCProbability    float32
	XTCThreshold      float32
	DRYMultiplier     float32
	DRYBase           float32
	DRYAllowedLength  int
	DRYPenaltyLastN   int
	DRYBreakers       []Token // see Tokenizer.FindTokens
	DynatempRange     float32
	DynatempExponent  float32
	TopNSigma         float32
	Mirostat          int
	MirostatTau       float32
	MirostatEta       float32
}

// DefaultSamplerParams are the library's defaults: temperature 0.7, top-k 50, top-p 0.9.
func DefaultSamplerParams() SamplerParams {
	var c C.bitnet_sampler_params
	C.bitnet_sampler_params_init(&c, C.sizeof_bitnet_sampler_params)
	return SamplerParams{
		Temperature: float32(c.temperature), TopK: int(c.top_k), TopP: float32(c.top_p), MinP: float32(c.min_p),
		TypicalP: float32(c.typical_p), RepetitionPenalty: float32(c.repetition_penalty),
		FrequencyPenalty: float32(c.frequency_penalty), PresencePenalty: float32(c.presence_penalty),
		PenaltyLastN: int(c.penalty_last_n), XTCProbability: float32(c.xtc_probability),
		XTCThreshold: float32(c.xtc_threshold), DRYMultiplier: float32(c.dry_multiplier), DRYBase: float32(c.dry_base),
		DRYAllowedLength: int(c.dry_allowed_length), DRYPenaltyLastN: int(c.dry_penalty_last_n),
		DynatempRange: float32(c.dynatemp_range), DynatempExponent: float32(c.dynatemp_exponent),
		TopNSigma: float32(c.top_n_sigma), Mirostat: int(c.mirostat), MirostatTau: float32(c.mirostat_tau),
		MirostatEta: float32(c.mirostat_eta),
	}
}

// GreedyParams always take the most likely token.
func GreedyParams() SamplerParams {
	p := DefaultSamplerParams()
	p.Temperature = 0
	return p
}

// Seed is for SamplerParams.Seed: a seed repeats a text, on any machine.
func Seed(seed uint64) *uint64 { return &seed }

// c puts the parameters into C memory of the arena.
func (p *SamplerParams) c(a *arena) *C.bitnet_sampler_params {
	c := (*C.bitnet_sampler_params)(a.alloc(C.sizeof_bitnet_sampler_params))
	C.bitnet_sampler_params_init(c, C.sizeof_bitnet_sampler_params)
	if p == nil {
		return c
	}
	c.temperature, c.top_k, c.top_p, c.min_p = C.float(p.Temperature), clamp(p.TopK), C.float(p.TopP), C.float(p.MinP)
	c.typical_p, c.repetition_penalty = C.float(p.TypicalP), C.float(p.RepetitionPenalty)
	c.frequency_penalty, c.presence_penalty = C.float(p.FrequencyPenalty), C.float(p.PresencePenalty)
	c.penalty_last_n = clamp(p.PenaltyLastN)
	if p.Seed != nil {
		c.has_seed, c.seed = 1, C.uint64_t(*p.Seed)
	}
	if n := len(p.LogitBias); n > 0 {
		biases := unsafe.Slice((*C.bitnet_logit_bias)(a.alloc(n*C.sizeof_bitnet_logit_bias)), n)
		i := 0
		for token, bias := range p.LogitBias {
			biases[i].token, biases[i].bias = C.bitnet_token(token), C.float(bias)
			i++
		}
		c.logit_bias, c.n_logit_bias = &biases[0], C.size_t(n)
	}
	c.xtc_probability, c.xtc_threshold = C.float(p.XTCProbability), C.float(p.XTCThreshold)
	c.dry_multiplier, c.dry_base = C.float(p.DRYMultiplier), C.float(p.DRYBase)
	c.dry_allowed_length, c.dry_penalty_last_n = clamp(p.DRYAllowedLength), clamp(p.DRYPenaltyLastN)
	c.dry_breakers, c.n_dry_breakers = a.tokens(p.DRYBreakers), C.size_t(len(p.DRYBreakers))
	c.dynatemp_range, c.dynatemp_exponent = C.float(p.DynatempRange), C.float(p.DynatempExponent)
	c.top_n_sigma = C.float(p.TopNSigma)
	c.mirostat, c.mirostat_tau, c.mirostat_eta = clamp(p.Mirostat), C.float(p.MirostatTau), C.float(p.MirostatEta)
	return c
}

// Sampler picks tokens. One goroutine at a time.
type Sampler struct{ h *handle }

// NewSampler makes a sampler; params may be nil.
func NewSampler(params *SamplerParams) (*Sampler, error) {
	if err := CheckVersion(); err != nil {
		return nil, err
	}
	var a arena
	defer a.free()
	var sampler *C.bitnet_sampler
	if err := call(func() C.bitnet_status { return C.bitnet_sampler_create(params.c(&a), &sampler) }); err != nil {
		return nil, err
	}
	return &Sampler{newHandle("sampler", unsafe.Pointer(sampler), func(p unsafe.Pointer) {
		C.bitnet_sampler_free((*C.bitnet_sampler)(p))
	})}, nil
}

// Close gives the sampler back. Closing twice is fine.
func (s *Sampler) Close() error { return s.h.close() }

func (s *Sampler) run(f func(sampler *C.bitnet_sampler) C.bitnet_status) error {
	p, err := s.h.acquireAlone()
	if err != nil {
		return err
	}
	defer s.h.releaseAlone()
	return call(func() C.bitnet_status { return f((*C.bitnet_sampler)(p)) })
}

// Sample picks a token from logits and accepts it.
func (s *Sampler) Sample(logits []float32) (Token, error) {
	var token C.bitnet_token
	err := s.run(func(sampler *C.bitnet_sampler) C.bitnet_status {
		return C.bitnet_sampler_sample(sampler, floatPointer(logits), C.size_t(len(logits)), &token)
	})
	return Token(token), err
}

// SampleContext picks from the logits of a batch entry of the context's last decode; -1 is the last entry.
func (s *Sampler) SampleContext(c *Context, index int) (Token, error) {
	var token C.bitnet_token
	err := c.alone(func(p *C.bitnet_context) error {
		return s.run(func(sampler *C.bitnet_sampler) C.bitnet_status {
			return C.bitnet_sampler_sample_context(sampler, p, clamp(index), &token)
		})
	})
	return Token(token), err
}

// Accept tells the penalties, DRY and the grammar about a token that was not sampled here.
func (s *Sampler) Accept(token Token) error {
	return s.run(func(sampler *C.bitnet_sampler) C.bitnet_status {
		return C.bitnet_sampler_accept(sampler, C.bitnet_token(token))
	})
}

// Reset forgets accepted tokens and starts the generator again.
func (s *Sampler) Reset() error {
	return s.run(func(sampler *C.bitnet_sampler) C.bitnet_status { return C.bitnet_sampler_reset(sampler) })
}

// Seed is the seed in use.
func (s *Sampler) Seed() (seed uint64, err error) {
	err = s.run(func(sampler *C.bitnet_sampler) C.bitnet_status {
		seed = uint64(C.bitnet_sampler_get_seed(sampler))
		return C.BITNET_OK
	})
	return seed, err
}

// Probabilities are those that the next draw would use; nothing is drawn.
func (s *Sampler) Probabilities(logits []float32) ([]float32, error) {
	out := make([]float32, len(logits))
	err := s.run(func(sampler *C.bitnet_sampler) C.bitnet_status {
		return C.bitnet_sampler_get_probabilities(sampler, floatPointer(logits), C.size_t(len(logits)), floatPointer(out))
	})
	return out, err
}

// SetGrammar allows only tokens that the grammar allows, from its start; nil takes it away.
func (s *Sampler) SetGrammar(g *Grammar) error {
	return g.with(func(grammar *C.bitnet_grammar) error {
		return s.run(func(sampler *C.bitnet_sampler) C.bitnet_status {
			return C.bitnet_sampler_set_grammar(sampler, grammar)
		})
	})
}

// Argmax is the token of the largest logit.
func Argmax(logits []float32) (Token, error) {
	var token C.bitnet_token
	err := call(func() C.bitnet_status {
		return C.bitnet_logits_argmax(floatPointer(logits), C.size_t(len(logits)), &token)
	})
	return Token(token), err
}

// Softmax makes probabilities of logits.
func Softmax(logits []float32) ([]float32, error) {
	out := make([]float32, len(logits))
	err := call(func() C.bitnet_status {
		return C.bitnet_logits_softmax(floatPointer(logits), C.size_t(len(logits)), floatPointer(out))
	})
	return out, err
}

// SampleLogits draws one token by these logits and parameters alone.
func SampleLogits(logits []float32, params *SamplerParams) (Token, error) {
	var a arena
	defer a.free()
	var token C.bitnet_token
	err := call(func() C.bitnet_status {
		return C.bitnet_logits_sample(floatPointer(logits), C.size_t(len(logits)), params.c(&a), &token)
	})
	return Token(token), err
}

// Logprob is the natural logarithm of a token's probability.
type Logprob struct {
	Token   Token
	Logprob float32
}

func logprobs(c []C.bitnet_token_logprob) []Logprob {
	out := make([]Logprob, len(c))
	for i := range c {
		out[i] = Logprob{Token(c[i].token), float32(c[i].logprob)}
	}
	return out
}

// TopLogprobs gives the log-probability of token and the n most likely ones.
func TopLogprobs(logits []float32, token Token, n int) (float32, []Logprob, error) {
	if n < 0 || n > len(logits) {
		return 0, nil, argumentError("there are not so many tokens to list")
	}
	top := make([]C.bitnet_token_logprob, n+1)
	var own C.float
	err := call(func() C.bitnet_status {
		return C.bitnet_logits_get_top_logprobs(floatPointer(logits), C.size_t(len(logits)), C.bitnet_token(token), &own,
			&top[0], C.size_t(n))
	})
	return float32(own), logprobs(top[:n]), err
}
