// Contexts: the memory of sequences over a model, decoding, what a decode gives, and stopping it.

package bitnet

/*
#include <stdlib.h>
#include "bitnet.h"

// Asked between operations, some hundred times a token: it stays in C, and reads what Go has written.
static int32_t bitnet_go_should_abort(void *flag) { return __atomic_load_n((int32_t *)flag, __ATOMIC_RELAXED); }
static void bitnet_go_set_abort(bitnet_context_params *params, int32_t *flag) {
    params->should_abort = bitnet_go_should_abort;
    params->abort_user_data = flag;
}
*/
import "C"

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
	"unsafe"
)

// Context holds sequences over a model and runs it. One goroutine at a time; Cancel, Performance, DeviceStats and Close are
// for any.
type Context struct {
	h         *handle
	model     *handle // lent until the context is freed
	abort     *int32  // in C memory, see bitnet_go_should_abort
	progress  *progressCall
	vocab     int
	embedding int
}

// ContextParams says how large a context is. The zero value, like nil, is the default.
type ContextParams struct {
	Size           int           // tokens of all sequences; 0: what the model was trained for, at most 4096
	BatchSize      int           // tokens per decode at most; 0: Size
	MicroBatchSize int           // tokens computed at once; 0: 512
	MaxSequences   int           // 0: 1
	Threads        int           // 0: $BITNET_NUM_THREADS, or what the process may use
	Embeddings     bool          // keep hidden states, for Embed and its like
	Trace          bool          // record what runs, see Trace
	MaxLoraRank    int           // room for adapters; 0: none
	MaxBytes       uint64        // refuse above this many bytes
	Timeout        time.Duration // of one decode or one step of a generation
	OnProgress     ProgressFunc  // called within long prompts; an error stops them
}

func contextParams(p *ContextParams) C.bitnet_context_params {
	var c C.bitnet_context_params
	C.bitnet_context_params_init(&c, C.sizeof_bitnet_context_params)
	if p == nil {
		return c
	}
	set := func(to *C.int32_t, from int) {
		if from != 0 {
			*to = clamp(from)
		}
	}
	set(&c.n_ctx, p.Size)
	set(&c.n_batch, p.BatchSize)
	set(&c.n_ubatch, p.MicroBatchSize)
	set(&c.n_seq_max, p.MaxSequences)
	set(&c.n_threads, p.Threads)
	set(&c.max_lora_rank, p.MaxLoraRank)
	c.embeddings = flag(p.Embeddings)
	c.trace = flag(p.Trace)
	c.max_bytes = C.uint64_t(p.MaxBytes)
	c.timeout_us = microseconds(p.Timeout)
	return c
}

// microseconds rounds up: a time that was asked for never becomes "no limit".
func microseconds(d time.Duration) C.uint64_t {
	if d <= 0 {
		return 0
	}
	return C.uint64_t((d + time.Microsecond - 1) / time.Microsecond)
}

// NewContext makes a context over the model, which it keeps alive. params may be nil.
func (m *Model) NewContext(params *ContextParams) (*Context, error) {
	info, err := m.Info()
	if err != nil {
		return nil, err
	}
	model, err := m.h.acquire()
	if err != nil {
		return nil, err
	}
	c := contextParams(params)
	abort := (*int32)(C.calloc(1, 4))
	C.bitnet_go_set_abort(&c, (*C.int32_t)(unsafe.Pointer(abort)))
	var cell callbackCell
	session := &Context{model: m.h, abort: abort, vocab: info.Vocab, embedding: info.Embedding}
	if params != nil && params.OnProgress != nil {
		c.on_progress, cell, session.progress = newProgress(params.OnProgress)
		c.progress_user_data = cell.pointer()
	}
	parent := m.h
	clean := func() {
		C.free(unsafe.Pointer(abort))
		cell.free()
		parent.release()
	}
	var p *C.bitnet_context
	err = call(func() C.bitnet_status { return C.bitnet_context_create((*C.bitnet_model)(model), &c, &p) })
	if err != nil {
		clean()
		return nil, err
	}
	session.h = newHandle("context", unsafe.Pointer(p), func(p unsafe.Pointer) {
		C.bitnet_context_free((*C.bitnet_context)(p))
		clean()
	})
	return session, nil
}

// Close gives the context back. A call that runs in another goroutine ends first, by itself: Cancel hurries it.
func (c *Context) Close() error { return c.h.close() }

// Cancel stops the decode or generation that runs now, or else the next one. Any goroutine. A generation ends with
// FinishCancelled, a decode with ErrCancelled.
func (c *Context) Cancel() error {
	return c.shared(func(p *C.bitnet_context) error {
		C.bitnet_context_cancel(p)
		return nil
	})
}

func (c *Context) shared(f func(p *C.bitnet_context) error) error {
	p, err := c.h.acquire()
	if err != nil {
		return err
	}
	defer c.h.release()
	return f((*C.bitnet_context)(p))
}

// alone lends the C context to one caller at a time.
func (c *Context) alone(f func(p *C.bitnet_context) error) error {
	p, err := c.h.acquireAlone()
	if err != nil {
		return err
	}
	defer c.h.releaseAlone()
	return f((*C.bitnet_context)(p))
}

// watch makes a decode stop when ctx ends. What it returns ends the watching, and leaves nothing behind that could stop
// the next decode. Only the one caller of alone has it.
func (c *Context) watch(ctx context.Context) (end func()) {
	if ctx == nil || ctx.Done() == nil {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-ctx.Done():
			atomic.StoreInt32(c.abort, 1)
		case <-done:
		}
	}()
	return func() {
		close(done)
		<-ended
		atomic.StoreInt32(c.abort, 0)
	}
}

// run is a call that computes: alone, watched, its failure with the reason that the caller's code had.
func (c *Context) run(ctx context.Context, f func(p *C.bitnet_context) C.bitnet_status) error {
	if err := ended(ctx); err != nil {
		return err
	}
	return c.alone(func(p *C.bitnet_context) error {
		end := c.watch(ctx)
		err := call(func() C.bitnet_status { return f(p) })
		end()
		if cause := c.progress.take(); cause != nil {
			return withCause(err, cause)
		}
		if errors.Is(err, ErrCancelled) {
			if stopped := ended(ctx); stopped != nil {
				return stopped
			}
		}
		return err
	})
}

// ended is the error of a context.Context that is over: ErrCancelled or ErrTimeout, and what ctx says within.
func ended(ctx context.Context) error {
	if ctx == nil || ctx.Err() == nil {
		return nil
	}
	status := ErrCancelled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		status = ErrTimeout
	}
	return &Error{Status: status, Message: status.Text(), UserMessage: status.Text(), Cause: ctx.Err()}
}

// Size is how many tokens fit, Threads how many compute, Free how many tokens still fit.
func (c *Context) Size() (n int, err error) {
	err = c.alone(func(p *C.bitnet_context) error { n = int(C.bitnet_context_get_n_ctx(p)); return nil })
	return n, err
}

// Threads is how many threads compute.
func (c *Context) Threads() (n int, err error) {
	err = c.alone(func(p *C.bitnet_context) error { n = int(C.bitnet_context_get_n_threads(p)); return nil })
	return n, err
}

// Free is how many tokens still fit.
func (c *Context) Free() (n int, err error) {
	err = c.alone(func(p *C.bitnet_context) error { n = int(C.bitnet_context_get_n_free(p)); return nil })
	return n, err
}

// Batch is tokens to run together. Sequences and WantOutput may be nil: all of sequence 0, output for the last token of
// each sequence.
type Batch struct {
	Tokens     []Token
	Positions  []int32
	Sequences  []int32
	WantOutput []bool
}

// c puts the batch into C memory, as structs that hold pointers must be.
func (b *Batch) c(a *arena) (*C.bitnet_batch, error) {
	n := len(b.Tokens)
	for _, other := range []int{len(b.Positions), len(b.Sequences), len(b.WantOutput)} {
		if other != 0 && other != n {
			return nil, argumentError("the lists of a batch differ in length")
		}
	}
	batch := &C.bitnet_batch{n_tokens: clamp(n), tokens: a.tokens(b.Tokens)}
	batch.struct_size = C.sizeof_bitnet_batch
	batch.positions = (*C.bitnet_pos)(a.tokens(b.Positions))
	batch.seq_ids = (*C.bitnet_seq_id)(a.tokens(b.Sequences))
	batch.want_output = a.flags(b.WantOutput)
	return batch, nil
}

func (a *arena) flags(flags []bool) *C.int8_t {
	if len(flags) == 0 {
		return nil
	}
	p := a.alloc(len(flags))
	for i, on := range flags {
		if on {
			unsafe.Slice((*int8)(p), len(flags))[i] = 1
		}
	}
	return (*C.int8_t)(p)
}

// Decode runs the model over a batch and appends it to its sequences. After a failure they are as before.
func (c *Context) Decode(ctx context.Context, batch Batch) error {
	var a arena
	defer a.free()
	b, err := batch.c(&a)
	if err != nil {
		return err
	}
	return c.run(ctx, func(p *C.bitnet_context) C.bitnet_status { return C.bitnet_context_decode(p, b) })
}

// DecodeTokens appends tokens to one sequence, with output for the last.
func (c *Context) DecodeTokens(ctx context.Context, sequence int, tokens []Token) error {
	return c.run(ctx, func(p *C.bitnet_context) C.bitnet_status {
		return C.bitnet_context_decode_tokens(p, clamp(sequence), tokenPointer(tokens), C.size_t(len(tokens)))
	})
}

// Prefill makes a sequence hold exactly these tokens and computes only what it does not hold yet.
func (c *Context) Prefill(ctx context.Context, sequence int, tokens []Token) (reused int, err error) {
	var n C.size_t
	err = c.run(ctx, func(p *C.bitnet_context) C.bitnet_status {
		return C.bitnet_context_prefill(p, clamp(sequence), tokenPointer(tokens), C.size_t(len(tokens)), &n)
	})
	return int(n), err
}

// DecodeBegin takes a batch that Step then computes in pieces, for programs that have a frame to draw.
func (c *Context) DecodeBegin(batch Batch) error {
	var a arena
	defer a.free()
	b, err := batch.c(&a)
	if err != nil {
		return err
	}
	return c.run(nil, func(p *C.bitnet_context) C.bitnet_status { return C.bitnet_context_decode_begin(p, b) })
}

// Step computes for about budget and says whether the decode is done.
func (c *Context) Step(budget time.Duration) (done bool, err error) {
	var n C.int32_t
	err = c.run(nil, func(p *C.bitnet_context) C.bitnet_status {
		return C.bitnet_context_step(p, microseconds(budget), &n)
	})
	return n != 0, err
}

// DecodeAbandon gives up the decode that was begun.
func (c *Context) DecodeAbandon() error {
	return c.alone(func(p *C.bitnet_context) error {
		C.bitnet_context_decode_abandon(p)
		return nil
	})
}

// Logits copies those of a batch entry of the last decode; -1 is the last entry.
func (c *Context) Logits(index int) (logits []float32, err error) {
	err = c.alone(func(p *C.bitnet_context) error {
		var lent *C.float
		err := call(func() C.bitnet_status { return C.bitnet_context_get_logits(p, clamp(index), &lent) })
		if err == nil {
			logits = append(logits, unsafe.Slice((*float32)(unsafe.Pointer(lent)), c.vocab)...)
		}
		return err
	})
	return logits, err
}

// NextTokenLogits are those of the token after these, divided by temperature.
func (c *Context) NextTokenLogits(ctx context.Context, sequence int, tokens []Token, temperature float32) ([]float32, error) {
	logits := make([]float32, c.vocab)
	err := c.run(ctx, func(p *C.bitnet_context) C.bitnet_status {
		return C.bitnet_context_next_token_logits(p, clamp(sequence), tokenPointer(tokens), C.size_t(len(tokens)),
			C.float(temperature), floatPointer(logits), C.size_t(len(logits)), nil)
	})
	return logits, err
}

// Forward is one pass over tokens outside of any sequence. Mask, where not nil, has a row of len(Tokens) for each token:
// what it sees.
type Forward struct {
	Tokens     []Token
	Positions  []int32
	Mask       []bool
	WantOutput []bool
	Hidden     bool // hidden states instead of logits; needs ContextParams.Embeddings
}

// Forward gives a row for each wanted token.
func (c *Context) Forward(ctx context.Context, input Forward) ([][]float32, error) {
	n := len(input.Tokens)
	if (input.Positions != nil && len(input.Positions) != n) || (input.WantOutput != nil && len(input.WantOutput) != n) ||
		(input.Mask != nil && len(input.Mask) != n*n) {
		return nil, argumentError("the lists of a forward pass differ in length")
	}
	var a arena
	defer a.free()
	in := C.bitnet_forward_input{n_tokens: clamp(n), tokens: a.tokens(input.Tokens)}
	in.struct_size = C.sizeof_bitnet_forward_input
	in.positions = (*C.bitnet_pos)(a.tokens(input.Positions))
	in.mask = (*C.uint8_t)(unsafe.Pointer(a.flags(input.Mask)))
	in.want_output = a.flags(input.WantOutput)
	width, wanted := c.vocab, n
	if input.Hidden {
		in.output = C.BITNET_FORWARD_HIDDEN
		width = c.embedding
	}
	if input.WantOutput != nil {
		wanted = 0
		for _, on := range input.WantOutput {
			wanted += int(flag(on))
		}
	}
	all := make([]float32, width*wanted)
	if err := c.run(ctx, func(p *C.bitnet_context) C.bitnet_status {
		return C.bitnet_context_forward(p, &in, floatPointer(all), C.size_t(len(all)), nil)
	}); err != nil {
		return nil, err
	}
	rows := make([][]float32, wanted)
	for i := range rows {
		rows[i] = all[i*width : (i+1)*width : (i+1)*width]
	}
	return rows, nil
}
