// Model files: looking inside, writing them in another type or dialect, merging fine-tunings into them.

package bitnet

// #include "bitnet.h"
import "C"

import (
	"encoding/json"
	"unsafe"
)

// File is a GGUF file as it stands, of any architecture. It serves all goroutines.
type File struct{ h *handle }

// OpenFile reads the header of a GGUF file, or of all parts of a split one.
func OpenFile(path string) (*File, error) {
	if err := CheckVersion(); err != nil {
		return nil, err
	}
	var a arena
	defer a.free()
	name, err := a.text("the path", path)
	if err != nil {
		return nil, err
	}
	var file *C.bitnet_file
	if err := call(func() C.bitnet_status { return C.bitnet_file_open(name, &file) }); err != nil {
		return nil, err
	}
	return &File{newHandle("file", unsafe.Pointer(file), func(p unsafe.Pointer) {
		C.bitnet_file_free((*C.bitnet_file)(p))
	})}, nil
}

// Close gives the file back. Closing twice is fine.
func (f *File) Close() error { return f.h.close() }

func (f *File) with(use func(file *C.bitnet_file) error) error {
	p, err := f.h.acquire()
	if err != nil {
		return err
	}
	defer f.h.release()
	return use((*C.bitnet_file)(p))
}

// FileInfo describes a file.
type FileInfo struct {
	Version, Parts                  int
	Alignment, Keys, Tensors, Bytes uint64
}

// Info describes the file.
func (f *File) Info() (info FileInfo, err error) {
	err = f.with(func(file *C.bitnet_file) error {
		var c C.bitnet_file_info
		c.struct_size = C.sizeof_bitnet_file_info
		err := call(func() C.bitnet_status { return C.bitnet_file_get_info(file, &c) })
		info = FileInfo{int(c.version), int(c.n_parts), uint64(c.alignment), uint64(c.n_keys), uint64(c.n_tensors),
			uint64(c.n_bytes)}
		return err
	})
	return info, err
}

// MetadataKeys are the keys in the order of the file.
func (f *File) MetadataKeys() (keys []string, err error) {
	info, err := f.Info()
	if err != nil {
		return nil, err
	}
	err = f.with(func(file *C.bitnet_file) error {
		for i := C.size_t(0); i < C.size_t(info.Keys); i++ {
			key, err := sizedText(func(buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status {
				return C.bitnet_file_get_metadata_key(file, i, buffer, capacity, size)
			})
			if err != nil {
				return err
			}
			keys = append(keys, key)
		}
		return nil
	})
	return keys, err
}

// Metadata is one value as text, arrays whole.
func (f *File) Metadata(key string) (value string, err error) {
	var a arena
	defer a.free()
	name, err := a.text("the key", key)
	if err != nil {
		return "", err
	}
	err = f.with(func(file *C.bitnet_file) error {
		value, err = sizedText(func(buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status {
			return C.bitnet_file_get_metadata(file, name, buffer, capacity, size)
		})
		return err
	})
	return value, err
}

// FileTensor is a tensor of a file; Problem says why its values cannot be read, "" where they can.
type FileTensor struct {
	Tensor
	TypeID  uint32
	Problem string
}

// Tensors lists them in the order of the file.
func (f *File) Tensors() (tensors []FileTensor, err error) {
	info, err := f.Info()
	if err != nil {
		return nil, err
	}
	err = f.with(func(file *C.bitnet_file) error {
		for i := C.size_t(0); i < C.size_t(info.Tensors); i++ {
			var c C.bitnet_file_tensor
			c.struct_size = C.sizeof_bitnet_file_tensor
			if err := call(func() C.bitnet_status { return C.bitnet_file_get_tensor(file, i, &c) }); err != nil {
				return err
			}
			tensor := FileTensor{Tensor{C.GoString(c.name), C.GoString(c._type), nil, uint64(c.file_offset),
				uint64(c.n_bytes), int(c.part)}, uint32(c.type_id), C.GoString(c.problem)}
			for d := 0; d < int(c.n_dims) && d < len(c.shape); d++ {
				tensor.Shape = append(tensor.Shape, int64(c.shape[d]))
			}
			tensors = append(tensors, tensor)
		}
		return nil
	})
	return tensors, err
}

// Rows are the values of rows [first, first+n) of a tensor, by its index in Tensors, Shape[0] each.
func (f *File) Rows(tensor int, first, n int64) (values []float32, err error) {
	if tensor < 0 || first < 0 || n < 0 {
		return nil, argumentError("a tensor, a row and a number of rows must not be negative")
	}
	err = f.with(func(file *C.bitnet_file) error {
		var size C.size_t
		read := func() C.bitnet_status {
			return C.bitnet_file_read_tensor(file, C.size_t(tensor), C.int64_t(first), C.int64_t(n), floatPointer(values),
				C.size_t(len(values)), &size)
		}
		err := call(func() C.bitnet_status {
			if status := read(); status != C.BITNET_E_BUFFER_TOO_SMALL {
				return status
			}
			return C.BITNET_OK
		})
		if err != nil || size == 0 {
			return err
		}
		values = make([]float32, int(size))
		return call(read)
	})
	return values, err
}

// ConvertParams says how a model is written. The zero value, like nil, keeps everything as it is.
type ConvertParams struct {
	Type, HeadType, EmbeddingType string // "i2_s", "tq2_0", "f16", ...; "": as in the source
	Ternarize                     bool   // make matrices ternary that are not
	GGUFVersion                   int    // 0: 3
	ARMOrder                      bool   // of a source in I2_S
	Threads                       int
	MaxTensors                    uint64
	TLTiling                      string
	OnProgress                    ProgressFunc
}

// c puts the parameters into C memory; finish belongs to the call, as in modelParams.
func (p *ConvertParams) c(a *arena) (c *C.bitnet_convert_params, finish func(error) error, err error) {
	c = (*C.bitnet_convert_params)(a.alloc(C.sizeof_bitnet_convert_params))
	C.bitnet_convert_params_init(c, C.sizeof_bitnet_convert_params)
	if p == nil {
		return c, func(err error) error { return err }, nil
	}
	if c._type, err = a.optionalText("ConvertParams.Type", p.Type); err != nil {
		return nil, nil, err
	}
	if c.head_type, err = a.optionalText("ConvertParams.HeadType", p.HeadType); err != nil {
		return nil, nil, err
	}
	if c.embedding_type, err = a.optionalText("ConvertParams.EmbeddingType", p.EmbeddingType); err != nil {
		return nil, nil, err
	}
	if c.tl_tiling, err = a.optionalText("ConvertParams.TLTiling", p.TLTiling); err != nil {
		return nil, nil, err
	}
	c.ternarize, c.n_threads, c.max_tensors = flag(p.Ternarize), clamp(p.Threads), C.uint64_t(p.MaxTensors)
	if p.GGUFVersion != 0 {
		c.gguf_version = clamp(p.GGUFVersion)
	}
	if p.ARMOrder {
		c.i2s_order = C.BITNET_I2S_ORDER_ARM
	}
	callback, cell, progress := newProgress(p.OnProgress)
	c.on_progress, c.progress_user_data = callback, cell.pointer()
	return c, func(err error) error {
		cell.free()
		return withCause(err, progress.take())
	}, nil
}

// ConvertReport is what was written. JSON has it tensor by tensor.
type ConvertReport struct {
	GGUFVersion                          int
	Type                                 string
	Tensors, Copied, Encoded, Ternarised uint64
	Inexact, SourceBytes, FileBytes      uint64
	WorstAccuracy                        float64
	WorstTensor                          string
	Seconds                              float64
	JSON                                 string
}

// ConvertFile writes a model (a GGUF file of any dialect, or a Hugging Face folder) anew. The file appears whole or not at
// all. params may be nil.
func ConvertFile(source, out string, params *ConvertParams) (*ConvertReport, error) {
	if err := CheckVersion(); err != nil {
		return nil, err
	}
	var a arena
	defer a.free()
	from, err := a.text("the source's path", source)
	if err != nil {
		return nil, err
	}
	to, err := a.text("the new file's path", out)
	if err != nil {
		return nil, err
	}
	c, finish, err := params.c(&a)
	if err != nil {
		return nil, err
	}
	var report *C.bitnet_convert_report
	if err := finish(call(func() C.bitnet_status { return C.bitnet_file_convert(from, to, c, &report) })); err != nil {
		return nil, err
	}
	defer C.bitnet_convert_report_free(report)
	var info C.bitnet_convert_info
	info.struct_size = C.sizeof_bitnet_convert_info
	if err := call(func() C.bitnet_status { return C.bitnet_convert_report_get_info(report, &info) }); err != nil {
		return nil, err
	}
	text, err := sizedText(func(buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status {
		return C.bitnet_convert_report_get_json(report, buffer, capacity, size)
	})
	return &ConvertReport{int(info.gguf_version), C.GoString(info._type), uint64(info.n_tensors), uint64(info.n_copied),
		uint64(info.n_encoded), uint64(info.n_ternarised), uint64(info.n_inexact), uint64(info.n_source_bytes),
		uint64(info.n_file_bytes), float64(info.worst_accuracy), C.GoString(info.worst_tensor), float64(info.seconds),
		text}, err
}

// MergeAdapter is an adapter's file and how strongly it counts.
type MergeAdapter struct {
	Path  string
	Scale float32
}

// MergeReport is what merging changed and lost. JSON has it tensor by tensor.
type MergeReport struct {
	Tensors       uint64  `json:"n_tensors"`
	Ternary       uint64  `json:"n_ternary"`
	Values        uint64  `json:"n_values"`
	CodesChanged  uint64  `json:"n_codes_changed"`
	Change        float64 `json:"change"`
	RelativeError float64 `json:"relative_error"`
	Cosine        float64 `json:"cosine"`
	ChangeKept    float64 `json:"change_kept"`
	FileBytes     uint64  `json:"n_file_bytes"`
	Seconds       float64 `json:"seconds"`
	JSON          string  `json:"-"`
}

// MergeFile writes a model with adapters, and a checkpoint where that is not "", merged into its weights. params may be nil.
func MergeFile(base, out string, adapters []MergeAdapter, checkpoint string, params *ConvertParams) (*MergeReport, error) {
	if err := CheckVersion(); err != nil {
		return nil, err
	}
	var a arena
	defer a.free()
	from, err := a.text("the base's path", base)
	if err != nil {
		return nil, err
	}
	to, err := a.text("the new file's path", out)
	if err != nil {
		return nil, err
	}
	c := (*C.bitnet_merge_params)(a.alloc(C.sizeof_bitnet_merge_params))
	C.bitnet_merge_params_init(c, C.sizeof_bitnet_merge_params)
	if c.checkpoint_path, err = a.optionalText("the checkpoint's path", checkpoint); err != nil {
		return nil, err
	}
	if n := len(adapters); n > 0 {
		list := unsafe.Slice((*C.bitnet_merge_adapter)(a.alloc(n*C.sizeof_bitnet_merge_adapter)), n)
		for i, adapter := range adapters {
			if list[i].path, err = a.text("an adapter's path", adapter.Path); err != nil {
				return nil, err
			}
			list[i].scale = C.float(adapter.Scale)
		}
		c.adapters, c.n_adapters = &list[0], C.size_t(n)
	}
	convert, finish, err := params.c(&a)
	if err != nil {
		return nil, err
	}
	c.convert = convert
	var report *C.bitnet_merge_report
	if err := finish(call(func() C.bitnet_status { return C.bitnet_file_merge(from, to, c, &report) })); err != nil {
		return nil, err
	}
	defer C.bitnet_merge_report_free(report)
	merged := &MergeReport{}
	merged.JSON, err = sizedText(func(buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status {
		return C.bitnet_merge_report_get_json(report, buffer, capacity, size)
	})
	if err == nil {
		err = json.Unmarshal([]byte(merged.JSON), merged)
	}
	return merged, err
}
