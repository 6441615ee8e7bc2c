// Failures of the library as Go errors: everything it knows of one, read on the thread that saw it.

package bitnet

// #include <stdlib.h>
// #include "bitnet.h"
import "C"

import (
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"
	"unsafe"
)

// Error is a failed call. errors.Is compares it with a Status (bitnet.ErrFileNotFound) and a Family (bitnet.FamilyIO);
// errors.As gives the details.
type Error struct {
	Status      Status
	Message     string   // one line: what, where, what to do next
	Operation   string   // the function of bitnet.h that failed
	Suggestions []string // what a person can do, the file's name put in
	Subject     string   // the tensor, key, token or file it is about
	File        string   // path of the file that was read, or of the model's
	Model       string   // the model's shape on one line, where one was at hand
	Device      string   // what would compute: "cpu, avx2"

	HasNumbers       bool   // Expected and Actual have a meaning
	Expected, Actual uint64 // what would have been right, and what was found
	HasOffset        bool
	Offset           uint64 // byte position in the file

	JSON        string // all of it for a program, one object on one line
	UserMessage string // for a person: the message, and a line for each suggestion
	Report      string // for a bug report: one "name: value" on a line

	Cause error // what a callback returned or panicked with, or the reason of a context.Context; else nil
}

// Name is the status's name, "BITNET_E_FILE_NOT_FOUND".
func (e *Error) Name() string { return e.Status.Name() }

// Family says what the failure is about.
func (e *Error) Family() Family { return e.Status.Family() }

func (e *Error) Error() string {
	text := e.Message
	if text == "" {
		text = e.Status.Text()
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return "bitnet: " + text
}

// Is makes errors.Is work with a Status and with a Family.
func (e *Error) Is(target error) bool {
	switch t := target.(type) {
	case Status:
		return e.Status == t
	case Family:
		return e.Status.Family() == t
	}
	return false
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// PanicError is what a callback panicked with. No panic crosses the library: it ends the work, and the call that began the
// work returns this error, within an *Error where the library took part.
type PanicError struct {
	Value any
	Stack []byte
}

func (p *PanicError) Error() string { return fmt.Sprintf("a callback panicked: %v", p.Value) }

// Unwrap gives the value where it is an error.
func (p *PanicError) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// recovered goes into a deferred function, as recovered(recover(), &err).
func recovered(value any, err *error) {
	if value != nil {
		*err = &PanicError{Value: value, Stack: debug.Stack()}
	}
}

// argumentError is for what this package refuses itself, before the library sees it.
func argumentError(message string) error {
	return &Error{Status: ErrArgument, Message: message, UserMessage: message, Suggestions: ErrArgument.Suggestions()}
}

// withCause adds to a failure why the caller's own code ended the work.
func withCause(err, cause error) error {
	if cause == nil {
		return err
	}
	if e, ok := err.(*Error); ok && e.Cause == nil {
		e.Cause = cause
		return e
	}
	return err
}

// lastError reads the failure of this thread. The caller has locked its goroutine to the thread.
func lastError(status Status) error {
	var info C.bitnet_error_info
	info.struct_size = C.uint32_t(unsafe.Sizeof(info))
	if C.bitnet_last_error_get_info(&info) != C.BITNET_OK || Status(info.status) != status {
		return &Error{Status: status, Message: C.GoString(C.bitnet_last_error())}
	}
	e := &Error{
		Status:     status,
		Message:    C.GoString(info.message),
		Operation:  C.GoString(info.operation),
		Subject:    C.GoString(info.subject),
		File:       C.GoString(info.file),
		Model:      C.GoString(info.model),
		Device:     C.GoString(info.device),
		HasNumbers: info.has_numbers != 0,
		Expected:   uint64(info.expected),
		Actual:     uint64(info.actual),
		HasOffset:  info.has_offset != 0,
		Offset:     uint64(info.offset),
	}
	e.JSON = errorText(func(buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status {
		return C.bitnet_last_error_get_json(buffer, capacity, size)
	})
	e.UserMessage = errorText(func(buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status {
		return C.bitnet_last_error_get_user_message(buffer, capacity, size)
	})
	e.Report = errorText(func(buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status {
		return C.bitnet_last_error_get_debug_message(buffer, capacity, size)
	})
	var parsed struct {
		Suggestions []string `json:"suggestions"`
	}
	if json.Unmarshal([]byte(e.JSON), &parsed) == nil {
		e.Suggestions = parsed.Suggestions
	}
	return e
}

// errorText reads a text about the last failure; these calls do not replace it.
func errorText(f func(buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status) string {
	buffer := make([]byte, 2048)
	for {
		var size C.size_t
		status := f((*C.char)(unsafe.Pointer(&buffer[0])), C.size_t(len(buffer)), &size)
		if status == C.BITNET_OK {
			return strings.ToValidUTF8(string(buffer[:size]), "\uFFFD")
		}
		if status != C.BITNET_E_BUFFER_TOO_SMALL || int(size) < len(buffer) {
			return ""
		}
		buffer = make([]byte, int(size)+1)
	}
}
