// What the library calls: progress, reading, log. Each recovers from a panic, keeps it, and tells the library to stop; the
// call that began the work returns it. What C holds is the address of a cgo.Handle in C memory.

package bitnet

/*
#include <stdlib.h>
#include "bitnet.h"

extern int32_t bitnetGoProgress(float progress, uintptr_t *user);
extern int32_t bitnetGoRead(uintptr_t *user, uint64_t offset, void *dst, uint64_t n_bytes);
extern void bitnetGoLog(int32_t level, char *message, void *user);
*/
import "C"

import (
	"io"
	"log"
	"runtime/cgo"
	"sync"
	"unsafe"
)

// ProgressFunc hears how far something is, from 0 to 1, on the goroutine that waits for it. An error or a panic stops it
// and comes out of the call as the Cause of its *Error.
type ProgressFunc func(progress float64) error

// callbackCell is a Go value that C can hold on to.
type callbackCell struct{ memory *C.uintptr_t }

func newCallbackCell(value any) callbackCell {
	memory := (*C.uintptr_t)(C.malloc(C.size_t(unsafe.Sizeof(C.uintptr_t(0)))))
	*memory = C.uintptr_t(cgo.NewHandle(value))
	return callbackCell{memory}
}

func (c callbackCell) pointer() unsafe.Pointer { return unsafe.Pointer(c.memory) }

func (c callbackCell) free() {
	if c.memory != nil {
		cgo.Handle(*c.memory).Delete()
		C.free(unsafe.Pointer(c.memory))
	}
}

// progressCall is a ProgressFunc and what became of it.
type progressCall struct {
	f   ProgressFunc
	err error
}

func (p *progressCall) take() error {
	if p == nil {
		return nil
	}
	err := p.err
	p.err = nil
	return err
}

func (p *progressCall) run(progress float64) {
	defer func() { recovered(recover(), &p.err) }()
	p.err = p.f(progress)
}

// newProgress gives what parameters need for a callback that may be nil; free and cause may be called in any case.
func newProgress(f ProgressFunc) (C.bitnet_progress_callback, callbackCell, *progressCall) {
	if f == nil {
		return nil, callbackCell{}, nil
	}
	state := &progressCall{f: f}
	return C.bitnet_progress_callback(C.bitnetGoProgress), newCallbackCell(state), state
}

//export bitnetGoProgress
func bitnetGoProgress(progress C.float, user *C.uintptr_t) C.int32_t {
	state := cgo.Handle(*user).Value().(*progressCall)
	state.run(float64(progress))
	return flag(state.err != nil)
}

type readCall struct {
	r   io.ReaderAt
	err error
}

func (r *readCall) run(to []byte, offset int64) {
	defer func() { recovered(recover(), &r.err) }()
	n, err := r.r.ReadAt(to, offset)
	if n < len(to) {
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		r.err = err
	}
}

// newReader fills a bitnet_reader; the cell is to be freed after the call.
func newReader(r io.ReaderAt, size int64) (*C.bitnet_reader, callbackCell, *readCall) {
	state := &readCall{r: r}
	cell := newCallbackCell(state)
	reader := &C.bitnet_reader{size: C.uint64_t(size), user_data: cell.pointer()}
	reader.struct_size = C.uint32_t(unsafe.Sizeof(*reader))
	reader.read = (*[0]byte)(C.bitnetGoRead)
	return reader, cell, state
}

//export bitnetGoRead
func bitnetGoRead(user *C.uintptr_t, offset C.uint64_t, dst unsafe.Pointer, size C.uint64_t) C.int32_t {
	state := cgo.Handle(*user).Value().(*readCall)
	state.run(unsafe.Slice((*byte)(dst), int(size)), int64(offset))
	return flag(state.err != nil)
}

// LogLevel says how important a message is.
type LogLevel int32

const (
	LogDebug   LogLevel = C.BITNET_LOG_DEBUG
	LogInfo    LogLevel = C.BITNET_LOG_INFO
	LogWarning LogLevel = C.BITNET_LOG_WARNING
	LogError   LogLevel = C.BITNET_LOG_ERROR
)

var (
	logSetting sync.Mutex // one SetLog at a time
	logLock    sync.RWMutex
	logFunc    func(level LogLevel, message string)
)

// SetLog sets where the library's messages of at least level go; nil, the default, is silence. f gets one line without a
// newline, from any thread, and must not call into this package. There is no call that a panic of f could come out of: it
// goes to the standard logger, as net/http does it.
func SetLog(level LogLevel, f func(level LogLevel, message string)) {
	logSetting.Lock()
	defer logSetting.Unlock()
	logLock.Lock()
	logFunc = f
	logLock.Unlock()
	if f == nil {
		C.bitnet_log_set_callback(nil, C.bitnet_log_level(level), nil)
		return
	}
	C.bitnet_log_set_callback(C.bitnet_log_callback(C.bitnetGoLog), C.bitnet_log_level(level), nil)
}

//export bitnetGoLog
func bitnetGoLog(level C.int32_t, message *C.char, _ unsafe.Pointer) {
	defer func() {
		if value := recover(); value != nil {
			log.Printf("bitnet: the log callback panicked: %v", value)
		}
	}()
	logLock.RLock()
	f := logFunc
	logLock.RUnlock()
	if f != nil {
		f(LogLevel(level), C.GoString(message))
	}
}
