// Validation: everything that is wrong with a model, and where its tokenizer is.

package bitnet

// #include "bitnet.h"
import "C"

import "unsafe"

// Finding is one thing that is wrong with a model, or worth a look.
type Finding struct {
	Kind, Severity string // "missing", "shape", ...; "note", "warning", "error"
	Status         Status // with which loading fails for it, OK where it does not
	Tensor         string // "" for the file as a whole
	Message        string
	Count, Index   uint64
}

// ValidatedTensor is a tensor as the validation saw it.
type ValidatedTensor struct {
	Name, Type, Role               string
	Bytes, Values, Zeros, ZeroRows uint64
	ValuesChecked, Ternary         bool
	Scale                          float64
}

// Validation is what a validation found.
type Validation struct {
	Valid                            bool
	Architecture                     string
	NumErrors, NumWarnings, NumNotes uint64
	TernaryZeros                     float64
	QuantizationAccuracy             float64
	Seconds                          float64
	Stored                           MemoryBreakdown
	Findings                         []Finding
	Tensors                          []ValidatedTensor
	JSON                             string // all of it, one object on one line
}

// ValidationParams says what to look at. The zero value, like nil, is the default.
type ValidationParams struct {
	HeaderOnly  bool // do not read the values
	Threads     int
	MaxFindings int // kept; 0: 1000
	MaxTensors  uint64
	OnProgress  ProgressFunc
}

func validate(params *ValidationParams, run func(p *C.bitnet_validation_params, out **C.bitnet_validation_report) C.bitnet_status) (*Validation, error) {
	if params == nil {
		params = &ValidationParams{}
	}
	if params.MaxFindings < 0 {
		return nil, argumentError("a number of findings must not be negative")
	}
	var c C.bitnet_validation_params
	C.bitnet_validation_params_init(&c, C.sizeof_bitnet_validation_params)
	c.check_values = flag(!params.HeaderOnly)
	c.n_threads = clamp(params.Threads)
	c.max_findings = C.uint32_t(clamp(params.MaxFindings))
	c.max_tensors = C.uint64_t(params.MaxTensors)
	callback, cell, progress := newProgress(params.OnProgress)
	defer cell.free()
	c.on_progress, c.progress_user_data = callback, cell.pointer()
	var report *C.bitnet_validation_report
	if err := withCause(call(func() C.bitnet_status { return run(&c, &report) }), progress.take()); err != nil {
		return nil, err
	}
	defer C.bitnet_validation_report_free(report)
	return readValidation(report)
}

func readValidation(report *C.bitnet_validation_report) (*Validation, error) {
	var info C.bitnet_validation_info
	info.struct_size = C.sizeof_bitnet_validation_info
	if err := call(func() C.bitnet_status { return C.bitnet_validation_report_get_info(report, &info) }); err != nil {
		return nil, err
	}
	v := &Validation{Valid: info.is_valid != 0, Architecture: C.GoString(info.architecture),
		NumErrors: uint64(info.n_errors), NumWarnings: uint64(info.n_warnings), NumNotes: uint64(info.n_notes),
		TernaryZeros: float64(info.ternary_zeros), QuantizationAccuracy: float64(info.quantization_accuracy),
		Seconds: float64(info.seconds)}
	if info.stored != nil {
		v.Stored = memoryBreakdown(info.stored)
	}
	for i := C.size_t(0); i < C.size_t(info.n_findings); i++ {
		var f C.bitnet_validation_finding
		f.struct_size = C.sizeof_bitnet_validation_finding
		if err := call(func() C.bitnet_status { return C.bitnet_validation_report_get_finding(report, i, &f) }); err != nil {
			return nil, err
		}
		v.Findings = append(v.Findings, Finding{
			C.GoString(C.bitnet_finding_kind_name(C.bitnet_finding_kind(f.kind))),
			C.GoString(C.bitnet_finding_severity_name(C.bitnet_finding_severity(f.severity))),
			Status(f.status), C.GoString(f.tensor), C.GoString(f.message), uint64(f.count), uint64(f.index)})
	}
	for i := C.size_t(0); ; i++ {
		var t C.bitnet_validation_tensor
		t.struct_size = C.sizeof_bitnet_validation_tensor
		if C.bitnet_validation_report_get_tensor(report, i, &t) != C.BITNET_OK {
			break // past the end
		}
		v.Tensors = append(v.Tensors, ValidatedTensor{C.GoString(t.name), C.GoString(t._type), C.GoString(t.role),
			uint64(t.n_bytes), uint64(t.n_values), uint64(t.n_zeros), uint64(t.n_zero_rows), t.values_checked != 0,
			t.is_ternary != 0, float64(t.scale)})
	}
	var err error
	v.JSON, err = sizedText(func(buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status {
		return C.bitnet_validation_report_get_json(report, buffer, capacity, size)
	})
	return v, err
}

// Validate reads all of a loaded model's tensors. A bad model is no failure of the call: see Validation.Valid.
func (m *Model) Validate(params *ValidationParams) (v *Validation, err error) {
	err = m.with(func(model *C.bitnet_model) error {
		v, err = validate(params, func(p *C.bitnet_validation_params, out **C.bitnet_validation_report) C.bitnet_status {
			return C.bitnet_model_validate(model, p, out)
		})
		return err
	})
	return v, err
}

// ValidateFile validates a file, also one that does not load.
func ValidateFile(path string, params *ValidationParams) (*Validation, error) {
	if err := CheckVersion(); err != nil {
		return nil, err
	}
	var a arena
	defer a.free()
	name, err := a.text("the path", path)
	if err != nil {
		return nil, err
	}
	return validate(params, func(p *C.bitnet_validation_params, out **C.bitnet_validation_report) C.bitnet_status {
		return C.bitnet_model_validate_file(name, p, out)
	})
}

// ValidateTokenizerFile checks a tokenizer file; expectedVocab 0 takes any size.
func ValidateTokenizerFile(path string, expectedVocab int) error {
	var a arena
	defer a.free()
	name, err := a.text("the path", path)
	if err != nil {
		return err
	}
	return call(func() C.bitnet_status { return C.bitnet_tokenizer_validate_file(name, clamp(expectedVocab)) })
}

// DiscoveryParams says where to look for a model's tokenizer. The zero value, like nil, is the default.
type DiscoveryParams struct {
	Offline, Strict                    bool
	TokenizerPath, CacheDir, TablePath string
}

// Discovery is where a model's tokenizer was found.
type Discovery struct {
	Strategy                                   int
	Description, Path, Architecture, ModelType string
	NeedsNetwork, UsesCache                    bool
	Vocab                                      int
	Steps                                      string // what was looked at and what came of it
}

// DiscoverTokenizer finds the tokenizer of a model file and loads it; the tokenizer is nil where there is none here.
func DiscoverTokenizer(modelPath string, params *DiscoveryParams) (*Tokenizer, Discovery, error) {
	if err := CheckVersion(); err != nil {
		return nil, Discovery{}, err
	}
	if params == nil {
		params = &DiscoveryParams{}
	}
	var a arena
	defer a.free()
	name, err := a.text("the path", modelPath)
	if err != nil {
		return nil, Discovery{}, err
	}
	c := (*C.bitnet_tokenizer_discovery_params)(a.alloc(C.sizeof_bitnet_tokenizer_discovery_params))
	C.bitnet_tokenizer_discovery_params_init(c, C.sizeof_bitnet_tokenizer_discovery_params)
	c.offline, c.strict = flag(params.Offline), flag(params.Strict)
	for to, from := range map[**C.char]string{&c.tokenizer_path: params.TokenizerPath, &c.cache_dir: params.CacheDir,
		&c.table_path: params.TablePath} {
		if *to, err = a.optionalText("a path", from); err != nil {
			return nil, Discovery{}, err
		}
	}
	var discovery *C.bitnet_tokenizer_discovery
	if err := call(func() C.bitnet_status { return C.bitnet_tokenizer_discovery_create(name, c, &discovery) }); err != nil {
		return nil, Discovery{}, err
	}
	defer C.bitnet_tokenizer_discovery_free(discovery)
	var info C.bitnet_tokenizer_discovery_info
	info.struct_size = C.uint32_t(unsafe.Sizeof(info))
	if err := call(func() C.bitnet_status { return C.bitnet_tokenizer_discovery_get_info(discovery, &info) }); err != nil {
		return nil, Discovery{}, err
	}
	found := Discovery{int(info.strategy), C.GoString(info.description), C.GoString(info.path),
		C.GoString(info.architecture), C.GoString(info.model_type), info.requires_network != 0, info.uses_cache != 0,
		int(info.n_vocab), C.GoString(info.steps)}
	if info.strategy == C.BITNET_TOKENIZER_NOT_FOUND || info.strategy == C.BITNET_TOKENIZER_NEEDS_DOWNLOAD {
		return nil, found, nil
	}
	var tokenizer *C.bitnet_tokenizer
	if err := call(func() C.bitnet_status { return C.bitnet_tokenizer_discovery_load(discovery, &tokenizer) }); err != nil {
		return nil, found, err
	}
	return newTokenizer(tokenizer), found, nil
}
