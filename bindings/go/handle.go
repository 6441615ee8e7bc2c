// Lifetimes. A handle is one object of the library: counted while it is used, so that Close never frees under a running
// call, may come from any goroutine and any callback, and may be repeated.

package bitnet

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"unsafe"
)

// ErrClosed is what a call on a closed object returns, wrapped in a sentence that names the object.
var ErrClosed = errors.New("already closed")

// ErrInUse is what a call returns while another goroutine, or a callback's caller, is inside a call on the same context,
// sampler or generation: these serve one goroutine at a time.
var ErrInUse = errors.New("in use by another call; it serves one goroutine at a time")

type handle struct {
	kind string
	free func(unsafe.Pointer)

	mu     sync.Mutex
	ptr    unsafe.Pointer
	users  int  // calls and other handles that need ptr
	alone  bool // one of the users must be the only one to change it
	closed bool
}

// newHandle takes over ptr; free is called once, after Close and the last use. A handle that nobody closes is closed by
// the garbage collector.
func newHandle(kind string, ptr unsafe.Pointer, free func(unsafe.Pointer)) *handle {
	h := &handle{kind: kind, ptr: ptr, free: free}
	runtime.SetFinalizer(h, func(h *handle) { _ = h.close() })
	return h
}

func closedError(kind string) error { return fmt.Errorf("bitnet: the %s is %w", kind, ErrClosed) }

// acquire lends the pointer until release. Several may hold it.
func (h *handle) acquire() (unsafe.Pointer, error) {
	if h == nil {
		return nil, fmt.Errorf("bitnet: an object that was never made is %w", ErrClosed)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, closedError(h.kind)
	}
	h.users++
	return h.ptr, nil
}

func (h *handle) release() {
	h.mu.Lock()
	h.users--
	h.freeIfUnused()
}

// acquireAlone lends the pointer to one caller at a time; those of acquire may go on.
func (h *handle) acquireAlone() (unsafe.Pointer, error) {
	if h == nil {
		return h.acquire()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, closedError(h.kind)
	}
	if h.alone {
		return nil, fmt.Errorf("bitnet: the %s is %w", h.kind, ErrInUse)
	}
	h.alone = true
	h.users++
	return h.ptr, nil
}

func (h *handle) releaseAlone() {
	h.mu.Lock()
	h.alone = false
	h.users--
	h.freeIfUnused()
}

func (h *handle) close() error {
	if h == nil {
		return nil
	}
	runtime.SetFinalizer(h, nil)
	h.mu.Lock()
	h.closed = true
	h.freeIfUnused()
	return nil
}

// freeIfUnused ends with mu unlocked: free may close other handles.
func (h *handle) freeIfUnused() {
	ptr := h.ptr
	if !h.closed || h.users > 0 || ptr == nil {
		h.mu.Unlock()
		return
	}
	h.ptr = nil
	h.mu.Unlock()
	h.free(ptr)
}
