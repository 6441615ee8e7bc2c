// Go values for C: memory that C may keep pointers in, texts, numbers that may not fit, and answers whose size is not
// known beforehand.

package bitnet

// #include <stdlib.h>
// #include "bitnet.h"
import "C"

import (
	"math"
	"runtime"
	"strings"
	"unsafe"
)

// arena is C memory for the time of a call: structs that hold pointers must not point into Go's memory.
type arena struct{ blocks []unsafe.Pointer }

func (a *arena) free() {
	for _, block := range a.blocks {
		C.free(block)
	}
	a.blocks = nil
}

func (a *arena) alloc(n int) unsafe.Pointer {
	block := C.calloc(1, C.size_t(n+1))
	if block == nil {
		panic("bitnet: out of memory")
	}
	a.blocks = append(a.blocks, block)
	return block
}

// text copies s and ends it with a NUL. A NUL within would cut it off in silence: that is an error.
func (a *arena) text(what, s string) (*C.char, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return nil, argumentError(what + " holds a NUL byte")
	}
	p := a.alloc(len(s))
	copy(unsafe.Slice((*byte)(p), len(s)+1), s)
	return (*C.char)(p), nil
}

// optionalText is NULL for "".
func (a *arena) optionalText(what, s string) (*C.char, error) {
	if s == "" {
		return nil, nil
	}
	return a.text(what, s)
}

func (a *arena) tokens(tokens []Token) *C.bitnet_token {
	if len(tokens) == 0 {
		return nil
	}
	p := a.alloc(len(tokens) * 4)
	copy(unsafe.Slice((*Token)(p), len(tokens)), tokens)
	return (*C.bitnet_token)(p)
}

// textBytes is for calls that take a text with its length and keep nothing: a copy with a NUL behind it, so that there is
// an address for an empty text, too.
func textBytes(s string) *C.char {
	b := make([]byte, len(s)+1)
	copy(b, s)
	return (*C.char)(unsafe.Pointer(&b[0]))
}

func tokenPointer(tokens []Token) *C.bitnet_token {
	if len(tokens) == 0 {
		return nil
	}
	return (*C.bitnet_token)(unsafe.Pointer(&tokens[0]))
}

func floatPointer(values []float32) *C.float {
	if len(values) == 0 {
		return nil
	}
	return (*C.float)(unsafe.Pointer(&values[0]))
}

// clamp keeps what does not fit into 32 bits as far out as it can be, so that the library judges it and nothing wraps.
func clamp(n int) C.int32_t {
	if n > math.MaxInt32 {
		return math.MaxInt32
	}
	if n < math.MinInt32 {
		return math.MinInt32
	}
	return C.int32_t(n)
}

func flag(b bool) C.int32_t {
	if b {
		return 1
	}
	return 0
}

// call runs f with its goroutine bound to the thread, because the library keeps the reason of a failure per thread.
func call(f func() C.bitnet_status) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if status := f(); status != C.BITNET_OK {
		return lastError(Status(status))
	}
	return nil
}

// sizedBytes asks f with a larger buffer until the answer fits. f sees a nil buffer never.
func sizedBytes(f func(buffer unsafe.Pointer, capacity C.size_t, size *C.size_t) C.bitnet_status) ([]byte, error) {
	buffer := make([]byte, 256)
	for {
		var size C.size_t
		tooSmall := false
		err := call(func() C.bitnet_status {
			status := f(unsafe.Pointer(&buffer[0]), C.size_t(len(buffer)), &size)
			if status == C.BITNET_E_BUFFER_TOO_SMALL && int(size) >= len(buffer) {
				tooSmall = true
				return C.BITNET_OK
			}
			return status
		})
		if err != nil {
			return nil, err
		}
		if !tooSmall {
			return buffer[:size], nil
		}
		buffer = make([]byte, int(size)+1) // texts want room for their NUL; what grows meanwhile is asked for again
	}
}

func sizedText(f func(buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status) (string, error) {
	text, err := sizedBytes(func(buffer unsafe.Pointer, capacity C.size_t, size *C.size_t) C.bitnet_status {
		return f((*C.char)(buffer), capacity, size)
	})
	return string(text), err
}

// sizedTokens is the same for token ids.
func sizedTokens(guess int, f func(out *C.bitnet_token, capacity C.size_t, n *C.size_t) C.bitnet_status) ([]Token, error) {
	tokens := make([]Token, guess+1)
	for {
		var n C.size_t
		tooSmall := false
		err := call(func() C.bitnet_status {
			status := f(tokenPointer(tokens), C.size_t(len(tokens)), &n)
			if status == C.BITNET_E_BUFFER_TOO_SMALL && int(n) > len(tokens) {
				tooSmall = true
				return C.BITNET_OK
			}
			return status
		})
		if err != nil {
			return nil, err
		}
		if !tooSmall {
			return tokens[:n], nil
		}
		tokens = make([]Token, int(n))
	}
}

func copyTokens(p *C.bitnet_token, n C.size_t) []Token {
	if n == 0 {
		return nil
	}
	return append([]Token(nil), unsafe.Slice((*Token)(unsafe.Pointer(p)), int(n))...)
}

func copyText(p *C.char, n C.size_t) string {
	if n == 0 {
		return ""
	}
	return string(unsafe.Slice((*byte)(unsafe.Pointer(p)), int(n)))
}
