// Whole texts and streams: a call, a function for each step, a loop, a channel.

package bitnet

import (
	"context"
	"errors"
	"sync/atomic"
)

// ErrStop, returned by a function that is given steps, ends the text there, as a success.
var ErrStop = errors.New("bitnet: stop here")

func (c *Context) setAbort() { atomic.StoreInt32(c.abort, 1) }

// Run takes steps until the text ends and gives each to onStep, which may be nil. An error of onStep ends it and is
// returned, ErrStop as nil, a panic as *PanicError. There is a result also with an error, where a text was begun.
func (g *Generation) Run(ctx context.Context, onStep func(Step) error) (*Result, error) {
	err := g.run(ctx, onStep)
	result, failed := g.Result()
	if err == nil {
		err = failed
	}
	return result, err
}

func (g *Generation) run(ctx context.Context, onStep func(Step) error) error {
	for {
		step, err := g.Next(ctx)
		if onStep != nil && (err == nil || step.Text != "") {
			if ended := give(onStep, step); ended != nil {
				if errors.Is(ended, ErrStop) {
					return err
				}
				return ended
			}
		}
		if err != nil || step.Finish != FinishNone {
			return err
		}
	}
}

func give(onStep func(Step) error, step Step) (err error) {
	defer func() {
		if value := recover(); value != nil {
			recovered(value, &err)
		}
	}()
	return onStep(step)
}

// Steps is an iterator over the steps, in the form that Go 1.23 ranges over:
//
//	for step, err := range generation.Steps(ctx) { ... }
//
// Older versions call it with a function that returns false to leave. Leaving early stops the work; the generation can
// still be continued.
func (g *Generation) Steps(ctx context.Context) func(yield func(Step, error) bool) {
	return func(yield func(Step, error) bool) {
		for {
			step, err := g.Next(ctx)
			if !yield(step, err) || err != nil || step.Finish != FinishNone {
				return
			}
		}
	}
}

// Generate writes a whole text. params may be nil. When ctx ends, the work stops within a layer of the model; the error is
// then ErrCancelled or ErrTimeout, errors.Is finds context.Canceled or context.DeadlineExceeded in it, too, and the result
// holds what was written.
func (c *Context) Generate(ctx context.Context, prompt string, params *GenerateParams) (*Result, error) {
	return c.Stream(ctx, prompt, params, nil)
}

// Stream is Generate that gives each step to onStep, on the caller's goroutine. See Generation.Run for how to leave early.
func (c *Context) Stream(ctx context.Context, prompt string, params *GenerateParams, onStep func(Step) error) (*Result, error) {
	generation, err := c.NewGeneration(prompt, params)
	if err != nil {
		return nil, err
	}
	defer generation.Close()
	return generation.Run(ctx, onStep)
}

// StreamTokens is Stream for a prompt of tokens.
func (c *Context) StreamTokens(ctx context.Context, prompt []Token, params *GenerateParams, onStep func(Step) error) (*Result, error) {
	generation, err := c.NewGenerationFromTokens(prompt, params)
	if err != nil {
		return nil, err
	}
	defer generation.Close()
	return generation.Run(ctx, onStep)
}

// Stream is a text that another goroutine writes. It has the context for itself until the text has ended or Close returns.
type Stream struct {
	steps  chan Step
	cancel context.CancelFunc
	ended  chan struct{}
	left   int32 // Close was called
	result *Result
	err    error
}

// OpenStream begins a text and gives its steps through a channel:
//
//	stream, err := session.OpenStream(ctx, prompt, nil)
//	if err != nil { ... }
//	defer stream.Close()
//	for step := range stream.Steps() { fmt.Print(step.Text) }
//	result, err := stream.Wait()
func (c *Context) OpenStream(ctx context.Context, prompt string, params *GenerateParams) (*Stream, error) {
	if ctx == nil {
		ctx = context.Background()
	}
	generation, err := c.NewGeneration(prompt, params)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &Stream{steps: make(chan Step), cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		defer close(s.steps)
		defer cancel()
		defer generation.Close()
		s.result, s.err = generation.Run(ctx, func(step Step) error {
			select {
			case s.steps <- step:
				return nil
			case <-ctx.Done():
				return ended(ctx)
			}
		})
	}()
	return s, nil
}

// Steps is closed after the last step.
func (s *Stream) Steps() <-chan Step { return s.steps }

// Close leaves early: the work stops and the context is free for others when it returns. It may be called at any time, and
// again.
func (s *Stream) Close() error {
	atomic.StoreInt32(&s.left, 1)
	s.cancel()
	_, err := s.Wait()
	return err
}

// Wait returns when the text has ended: with its result, and why it ended where that is a failure. Having left by Close is
// none.
func (s *Stream) Wait() (*Result, error) {
	<-s.ended
	if atomic.LoadInt32(&s.left) != 0 && errors.Is(s.err, context.Canceled) {
		return s.result, nil
	}
	return s.result, s.err
}
