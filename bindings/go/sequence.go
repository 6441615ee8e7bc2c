// Sequences of a context: forget, copy, fork, shift; saved to bytes and files. Ranges are [p0, p1), negative: from the
// beginning, to the end.

package bitnet

// #include "bitnet.h"
import "C"

import (
	"context"
	"unsafe"
)

func bytesPointer(data []byte) unsafe.Pointer {
	if len(data) == 0 {
		return unsafe.Pointer(&[1]byte{})
	}
	return unsafe.Pointer(&data[0])
}

// SequenceRemove forgets a range of a sequence; a negative sequence is every one.
func (c *Context) SequenceRemove(sequence, p0, p1 int) error {
	return c.run(nil, func(p *C.bitnet_context) C.bitnet_status {
		return C.bitnet_sequence_remove(p, clamp(sequence), clamp(p0), clamp(p1))
	})
}

// SequenceRewind forgets the last n tokens.
func (c *Context) SequenceRewind(sequence, n int) error {
	if n < 0 {
		return argumentError("a number of tokens must not be negative")
	}
	return c.run(nil, func(p *C.bitnet_context) C.bitnet_status {
		return C.bitnet_sequence_rewind(p, clamp(sequence), C.size_t(n))
	})
}

// SequenceCopy makes to a copy of a range of from, without computing anything.
func (c *Context) SequenceCopy(from, to, p0, p1 int) error {
	return c.run(nil, func(p *C.bitnet_context) C.bitnet_status {
		return C.bitnet_sequence_copy(p, clamp(from), clamp(to), clamp(p0), clamp(p1))
	})
}

// SequenceFork makes to a copy of all of from.
func (c *Context) SequenceFork(from, to int) error {
	return c.run(nil, func(p *C.bitnet_context) C.bitnet_status {
		return C.bitnet_sequence_fork(p, clamp(from), clamp(to))
	})
}

// SequenceKeep forgets every sequence but this one.
func (c *Context) SequenceKeep(sequence int) error {
	return c.run(nil, func(p *C.bitnet_context) C.bitnet_status { return C.bitnet_sequence_keep(p, clamp(sequence)) })
}

// SequenceEnd is the position the next token will get; -1 for a sequence outside the context.
func (c *Context) SequenceEnd(sequence int) (end int, err error) {
	err = c.alone(func(p *C.bitnet_context) error {
		end = int(C.bitnet_sequence_get_end(p, clamp(sequence)))
		return nil
	})
	return end, err
}

// SequenceTokens are the tokens of a sequence: the smallest snapshot there is, which Prefill makes again.
func (c *Context) SequenceTokens(sequence int) (tokens []Token, err error) {
	err = c.alone(func(p *C.bitnet_context) error {
		tokens, err = sizedTokens(256, func(out *C.bitnet_token, capacity C.size_t, n *C.size_t) C.bitnet_status {
			return C.bitnet_sequence_get_tokens(p, clamp(sequence), out, capacity, n)
		})
		return err
	})
	return tokens, err
}

// SequenceShift forgets a range, moves the later tokens down and computes them anew.
func (c *Context) SequenceShift(ctx context.Context, sequence, p0, p1 int) (computed int, err error) {
	var n C.size_t
	err = c.run(ctx, func(p *C.bitnet_context) C.bitnet_status {
		return C.bitnet_sequence_shift(p, clamp(sequence), clamp(p0), clamp(p1), &n)
	})
	return int(n), err
}

func (c *Context) saved(f func(p *C.bitnet_context, buffer unsafe.Pointer, capacity C.size_t, size *C.size_t) C.bitnet_status) (data []byte, err error) {
	err = c.alone(func(p *C.bitnet_context) error {
		data, err = sizedBytes(func(buffer unsafe.Pointer, capacity C.size_t, size *C.size_t) C.bitnet_status {
			return f(p, buffer, capacity, size)
		})
		return err
	})
	return data, err
}

// SequenceSave gives a sequence's state as bytes.
func (c *Context) SequenceSave(sequence int) ([]byte, error) {
	return c.saved(func(p *C.bitnet_context, buffer unsafe.Pointer, capacity C.size_t, size *C.size_t) C.bitnet_status {
		return C.bitnet_sequence_save(p, clamp(sequence), buffer, capacity, size)
	})
}

// SequenceSaveDelta gives the state from a position on: a branch without its trunk.
func (c *Context) SequenceSaveDelta(sequence, from int) ([]byte, error) {
	return c.saved(func(p *C.bitnet_context, buffer unsafe.Pointer, capacity C.size_t, size *C.size_t) C.bitnet_status {
		return C.bitnet_sequence_save_delta(p, clamp(sequence), clamp(from), buffer, capacity, size)
	})
}

// SequenceLoad replaces a sequence by a saved one, which may come from anyone; ErrState for one that is damaged or of
// another model.
func (c *Context) SequenceLoad(sequence int, data []byte) error {
	return c.run(nil, func(p *C.bitnet_context) C.bitnet_status {
		return C.bitnet_sequence_load(p, clamp(sequence), bytesPointer(data), C.size_t(len(data)))
	})
}

// SaveSession gives all sequences as bytes.
func (c *Context) SaveSession() ([]byte, error) {
	return c.saved(func(p *C.bitnet_context, buffer unsafe.Pointer, capacity C.size_t, size *C.size_t) C.bitnet_status {
		return C.bitnet_context_save_session_to_memory(p, buffer, capacity, size)
	})
}

// LoadSession replaces all sequences by those of a saved session.
func (c *Context) LoadSession(data []byte) error {
	return c.run(nil, func(p *C.bitnet_context) C.bitnet_status {
		return C.bitnet_context_load_session_from_memory(p, bytesPointer(data), C.size_t(len(data)))
	})
}

// SaveSessionFile writes all sequences into a file that appears whole or not at all. progress may be nil.
func (c *Context) SaveSessionFile(path string, progress ProgressFunc) error {
	return c.sessionFile(path, progress, func(p *C.bitnet_context, name *C.char, f C.bitnet_progress_callback, user unsafe.Pointer) C.bitnet_status {
		return C.bitnet_context_save_session(p, name, f, user)
	})
}

// LoadSessionFile replaces all sequences by those of a file. progress may be nil.
func (c *Context) LoadSessionFile(path string, progress ProgressFunc) error {
	return c.sessionFile(path, progress, func(p *C.bitnet_context, name *C.char, f C.bitnet_progress_callback, user unsafe.Pointer) C.bitnet_status {
		return C.bitnet_context_load_session(p, name, f, user)
	})
}

func (c *Context) sessionFile(path string, progress ProgressFunc, f func(p *C.bitnet_context, name *C.char, f C.bitnet_progress_callback, user unsafe.Pointer) C.bitnet_status) error {
	var a arena
	defer a.free()
	name, err := a.text("the path", path)
	if err != nil {
		return err
	}
	callback, cell, state := newProgress(progress)
	defer cell.free()
	err = c.run(nil, func(p *C.bitnet_context) C.bitnet_status { return f(p, name, callback, cell.pointer()) })
	return withCause(err, state.take())
}
