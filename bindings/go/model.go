// Models: loading from files, descriptors, readers and bytes.

package bitnet

// #include "bitnet.h"
import "C"

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"unsafe"
)

// Model never changes and serves all goroutines.
type Model struct{ h *handle }

// ModelParams says how to load. The zero value, like nil, is the default.
type ModelParams struct {
	NoMmap          bool   // read the file into memory instead of mapping it
	SkipWeightCheck bool   // do not scan for values that no converter writes
	ARMOrder        bool   // I2_S weights in the order of a bitnet.cpp for ARM
	Threads         int    // for loading; 0: as many as may be used
	VocabOnly       bool   // only metadata and tokenizer
	Kernel          string // a kernel or level; "": $BITNET_KERNEL, or the best
	MaxBytes        uint64 // refuse above this many bytes of weights; 0: $BITNET_MEMORY_LIMIT decides
	MaxTensors      uint64
	SHA256          bool   // compute Model.SHA256 during the load
	Device          string // "auto", "cpu", ...; "" is "auto"
	Validate        int    // 1: refuse a model with an error, 2: or a warning
	TokenizerPath   string // a file or folder to take the tokenizer from
	TLTiling        string // of TL1 and TL2 files, see bitnet.h
	OnProgress      ProgressFunc
}

// modelParams are the C parameters; finish frees what they need and adds a callback's error to that of the call.
func modelParams(p *ModelParams) (params *C.bitnet_model_params, finish func(error) error, err error) {
	if err := CheckVersion(); err != nil {
		return nil, nil, err
	}
	var c C.bitnet_model_params
	C.bitnet_model_params_init(&c, C.sizeof_bitnet_model_params)
	if p == nil {
		return &c, func(err error) error { return err }, nil
	}
	var a arena
	c.use_mmap = flag(!p.NoMmap)
	c.check_weights = flag(!p.SkipWeightCheck)
	if p.ARMOrder {
		c.i2s_order = C.BITNET_I2S_ORDER_ARM
	}
	c.n_threads = clamp(p.Threads)
	c.vocab_only = flag(p.VocabOnly)
	c.max_bytes = C.uint64_t(p.MaxBytes)
	c.max_tensors = C.uint64_t(p.MaxTensors)
	c.sha256 = flag(p.SHA256)
	c.validate = clamp(p.Validate)
	for _, text := range []struct {
		to         **C.char
		what, from string
	}{{&c.kernel, "ModelParams.Kernel", p.Kernel}, {&c.device, "ModelParams.Device", p.Device},
		{&c.tokenizer_path, "ModelParams.TokenizerPath", p.TokenizerPath}, {&c.tl_tiling, "ModelParams.TLTiling", p.TLTiling}} {
		if *text.to, err = a.optionalText(text.what, text.from); err != nil {
			a.free()
			return nil, nil, err
		}
	}
	callback, cell, progress := newProgress(p.OnProgress)
	if callback != nil {
		c.on_progress = callback
		c.progress_user_data = cell.pointer()
	}
	return &c, func(err error) error {
		a.free()
		cell.free()
		return withCause(err, progress.take())
	}, nil
}

func loadModel(p *ModelParams, load func(params *C.bitnet_model_params, out **C.bitnet_model) C.bitnet_status) (*Model, error) {
	params, finish, err := modelParams(p)
	if err != nil {
		return nil, err
	}
	var model *C.bitnet_model
	err = finish(call(func() C.bitnet_status { return load(params, &model) }))
	if err != nil {
		return nil, err
	}
	return &Model{newHandle("model", unsafe.Pointer(model), func(p unsafe.Pointer) {
		C.bitnet_model_free((*C.bitnet_model)(p))
	})}, nil
}

// LoadModel loads a GGUF file, or the first part of a split one. The file must not change while the model lives. params may
// be nil.
func LoadModel(path string, params *ModelParams) (*Model, error) {
	var a arena
	defer a.free()
	name, err := a.text("the path", path)
	if err != nil {
		return nil, err
	}
	return loadModel(params, func(params *C.bitnet_model_params, out **C.bitnet_model) C.bitnet_status {
		return C.bitnet_model_load(name, params, out)
	})
}

// LoadModelFile loads from length bytes at offset of an open file, which stays the caller's; length 0: up to its end.
func LoadModelFile(file *os.File, offset, length int64, params *ModelParams) (*Model, error) {
	if offset < 0 || length < 0 {
		return nil, argumentError("offset and length must not be negative")
	}
	defer runtime.KeepAlive(file)
	return loadModel(params, func(params *C.bitnet_model_params, out **C.bitnet_model) C.bitnet_status {
		return C.bitnet_model_load_from_fd(C.int(file.Fd()), C.uint64_t(offset), C.uint64_t(length), params, out)
	})
}

// LoadModelReader loads from size bytes of a reader (an archive, a decrypting reader), which is used during the call only.
func LoadModelReader(r io.ReaderAt, size int64, params *ModelParams) (*Model, error) {
	if r == nil || size < 0 {
		return nil, argumentError("a reader and a size that is not negative are needed")
	}
	reader, cell, state := newReader(r, size)
	defer cell.free()
	model, err := loadModel(params, func(params *C.bitnet_model_params, out **C.bitnet_model) C.bitnet_status {
		return C.bitnet_model_load_from_reader(reader, params, out)
	})
	return model, withCause(err, state.err)
}

// LoadModelBytes loads from memory; the weights are copied, so that data stays the garbage collector's.
func LoadModelBytes(data []byte, params *ModelParams) (*Model, error) {
	return LoadModelReader(bytes.NewReader(data), int64(len(data)), params)
}

// Close gives the model back; contexts and tokenizers over it go on working until they are closed. Closing twice is fine.
func (m *Model) Close() error { return m.h.close() }

// with lends the C model to f.
func (m *Model) with(f func(model *C.bitnet_model) error) error {
	p, err := m.h.acquire()
	if err != nil {
		return err
	}
	defer m.h.release()
	return f((*C.bitnet_model)(p))
}

func (m *Model) text(f func(model *C.bitnet_model, buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status) (text string, err error) {
	err = m.with(func(model *C.bitnet_model) error {
		text, err = sizedText(func(buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status {
			return f(model, buffer, capacity, size)
		})
		return err
	})
	return text, err
}

// SHA256 is the hash of the model file as hexadecimal digits. The first call reads the whole file.
func (m *Model) SHA256() (string, error) {
	return m.text(func(model *C.bitnet_model, buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status {
		return C.bitnet_model_get_sha256(model, buffer, capacity, size)
	})
}

// Tokenizer is the model's own; it works on after the model is closed. ErrTokenizer says why there is none that runs here.
func (m *Model) Tokenizer() (*Tokenizer, error) {
	p, err := m.h.acquire()
	if err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tokenizer := C.bitnet_model_get_tokenizer((*C.bitnet_model)(p))
	if tokenizer == nil {
		message := C.GoString(C.bitnet_last_error())
		m.h.release()
		return nil, &Error{Status: ErrTokenizer, Message: message, UserMessage: message, Suggestions: ErrTokenizer.Suggestions()}
	}
	parent := m.h // lent until the tokenizer is closed
	return &Tokenizer{newHandle("tokenizer", unsafe.Pointer(tokenizer), func(unsafe.Pointer) { parent.release() })}, nil
}
