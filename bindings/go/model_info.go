// What is known of a model: shape, metadata, tensors, types, memory.

package bitnet

// #include "bitnet.h"
import "C"

// ModelInfo is what the file says about the model.
type ModelInfo struct {
	Architecture, Name, Quantization, Kernel string

	Vocab, ContextTrained, Embedding, Layers, Heads, HeadsKV, HeadDim, FeedForward int

	RopeFreqBase, RMSNormEps       float32
	Tensors, Parameters, FileBytes uint64
	BitsPerWeight                  float64
	MaxSequence                    int    // tokens of a context that does not say its own
	Device, DType, ActivationDType string // how the model is run
	Activation, KVDType            string
	KVBytesPerToken                uint64
	RopeDimensions                 int
	TiedEmbeddings                 bool
	RopeScaling                    string
	RopeScalingFactor              float64
	Features                       []string // "ternary", "grouped-query-attention", ...
}

// Info tells the model's shape and how it is run.
func (m *Model) Info() (ModelInfo, error) {
	var info ModelInfo
	err := m.with(func(model *C.bitnet_model) error {
		var c C.bitnet_model_info
		c.struct_size = C.sizeof_bitnet_model_info
		if err := call(func() C.bitnet_status { return C.bitnet_model_get_info(model, &c) }); err != nil {
			return err
		}
		var r C.bitnet_model_config
		r.struct_size = C.sizeof_bitnet_model_config
		if err := call(func() C.bitnet_status { return C.bitnet_model_get_config(model, &r) }); err != nil {
			return err
		}
		info = ModelInfo{
			Architecture: C.GoString(c.architecture), Name: C.GoString(c.name),
			Quantization: C.GoString(c.quantization), Kernel: C.GoString(c.kernel),
			Vocab: int(c.n_vocab), ContextTrained: int(c.n_ctx_train), Embedding: int(c.n_embd), Layers: int(c.n_layer),
			Heads: int(c.n_head), HeadsKV: int(c.n_head_kv), HeadDim: int(c.head_dim), FeedForward: int(c.n_ff),
			RopeFreqBase: float32(c.rope_freq_base), RMSNormEps: float32(c.rms_norm_eps),
			Tensors: uint64(c.n_tensors), Parameters: uint64(c.n_parameters), FileBytes: uint64(c.n_file_bytes),
			BitsPerWeight: float64(c.bits_per_weight), MaxSequence: int(r.max_seq_len),
			Device: C.GoString(r.device), DType: C.GoString(r.dtype), ActivationDType: C.GoString(r.activation_dtype),
			Activation: C.GoString(r.activation), KVDType: C.GoString(r.kv_dtype),
			KVBytesPerToken: uint64(r.kv_bytes_per_token), RopeDimensions: int(r.rope_dimensions),
			TiedEmbeddings: r.tied_embeddings != 0, RopeScaling: C.GoString(r.rope_scaling),
			RopeScalingFactor: float64(r.rope_scaling_factor),
		}
		for i := C.size_t(0); ; i++ {
			feature := C.bitnet_model_get_feature(model, i)
			if feature == nil {
				return nil
			}
			info.Features = append(info.Features, C.GoString(feature))
		}
	})
	return info, err
}

// Metadata is one value of the file as text: arrays as JSON, long ones cut. ErrNotFound for an unknown key.
func (m *Model) Metadata(key string) (string, error) {
	var a arena
	defer a.free()
	name, err := a.text("the key", key)
	if err != nil {
		return "", err
	}
	return m.text(func(model *C.bitnet_model, buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status {
		return C.bitnet_model_get_metadata(model, name, buffer, capacity, size)
	})
}

// MetadataKeys are the keys in the order of the file.
func (m *Model) MetadataKeys() ([]string, error) {
	var count C.size_t
	if err := m.with(func(model *C.bitnet_model) error {
		count = C.bitnet_model_get_metadata_count(model)
		return nil
	}); err != nil {
		return nil, err
	}
	keys := make([]string, 0, int(count))
	for i := C.size_t(0); i < count; i++ {
		key, err := m.text(func(model *C.bitnet_model, buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status {
			return C.bitnet_model_get_metadata_key(model, i, buffer, capacity, size)
		})
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// Tensor is a tensor of the file. Shape[0] is the input width.
type Tensor struct {
	Name, Type        string
	Shape             []int64
	FileOffset, Bytes uint64
	Part              int
}

// Tensors lists them in the order of the file; none of a model that was loaded with VocabOnly.
func (m *Model) Tensors() ([]Tensor, error) {
	var tensors []Tensor
	err := m.with(func(model *C.bitnet_model) error {
		for i := C.size_t(0); i < C.bitnet_model_get_tensor_count(model); i++ {
			var c C.bitnet_tensor_info
			c.struct_size = C.sizeof_bitnet_tensor_info
			if err := call(func() C.bitnet_status { return C.bitnet_model_get_tensor(model, i, &c) }); err != nil {
				return err
			}
			tensor := Tensor{C.GoString(c.name), C.GoString(c._type), nil, uint64(c.file_offset), uint64(c.n_bytes), int(c.part)}
			for d := 0; d < int(c.n_dims) && d < len(c.shape); d++ {
				tensor.Shape = append(tensor.Shape, int64(c.shape[d]))
			}
			tensors = append(tensors, tensor)
		}
		return nil
	})
	return tensors, err
}

// TypeUsage is what the weights of one type take.
type TypeUsage struct {
	Type                       string
	Ternary                    bool
	Tensors, Parameters, Bytes uint64
	BitsPerWeight              float64
}

// Quantization says how much room the weights take.
type Quantization struct {
	Type                            string // that most weights have
	BlockLength                     int
	Parameters, Bytes               uint64
	BitsPerWeight                   float64
	CompressionF16, CompressionF32  float64
	TernaryParameters, TernaryBytes uint64
	TernaryBitsPerWeight            float64
	Types                           []TypeUsage // the one with the most bytes first
}

// Quantization counts over the tensors of the file.
func (m *Model) Quantization() (Quantization, error) {
	var q Quantization
	err := m.with(func(model *C.bitnet_model) error {
		var c C.bitnet_quantization_info
		c.struct_size = C.sizeof_bitnet_quantization_info
		if err := call(func() C.bitnet_status { return C.bitnet_model_get_quantization(model, &c) }); err != nil {
			return err
		}
		q = Quantization{C.GoString(c._type), int(c.block_length), uint64(c.n_parameters), uint64(c.n_bytes),
			float64(c.bits_per_weight), float64(c.compression_f16), float64(c.compression_f32),
			uint64(c.ternary_parameters), uint64(c.ternary_bytes), float64(c.ternary_bits_per_weight), nil}
		for i := C.size_t(0); i < C.bitnet_model_get_type_count(model); i++ {
			var u C.bitnet_type_usage
			u.struct_size = C.sizeof_bitnet_type_usage
			if err := call(func() C.bitnet_status { return C.bitnet_model_get_type(model, i, &u) }); err != nil {
				return err
			}
			q.Types = append(q.Types, TypeUsage{C.GoString(u._type), u.ternary != 0, uint64(u.n_tensors),
				uint64(u.n_parameters), uint64(u.n_bytes), float64(u.bits_per_weight)})
		}
		return nil
	})
	return q, err
}

// MemoryBreakdown is what tensors take in memory, by what they are for.
type MemoryBreakdown struct {
	Attention, FeedForward, Norm, Embedding, Output, Other, Total uint64
}

func memoryBreakdown(c *C.bitnet_memory_breakdown) MemoryBreakdown {
	return MemoryBreakdown{uint64(c.attention_bytes), uint64(c.feed_forward_bytes), uint64(c.norm_bytes),
		uint64(c.embedding_bytes), uint64(c.output_bytes), uint64(c.other_bytes), uint64(c.total_bytes)}
}

// MemoryBreakdown is zero for a model that was loaded with VocabOnly.
func (m *Model) MemoryBreakdown() (MemoryBreakdown, error) {
	var breakdown MemoryBreakdown
	err := m.with(func(model *C.bitnet_model) error {
		var c C.bitnet_memory_breakdown
		c.struct_size = C.sizeof_bitnet_memory_breakdown
		err := call(func() C.bitnet_status { return C.bitnet_model_get_memory_breakdown(model, &c) })
		breakdown = memoryBreakdown(&c)
		return err
	})
	return breakdown, err
}

// MemoryEstimate is what a model and one context over it will hold, to the byte, before any of it is allocated.
type MemoryEstimate struct {
	ContextSize, BatchSize, MicroBatchSize, MaxSequences, Threads int

	WeightsMapped, WeightsOwned, LoadPeak uint64
	Weights                               MemoryBreakdown
	KV, Scratch, ExtraOutput, Total       uint64
}

func memoryEstimate(c *C.bitnet_memory_estimate) MemoryEstimate {
	return MemoryEstimate{int(c.n_ctx), int(c.n_batch), int(c.n_ubatch), int(c.n_seq_max), int(c.n_threads),
		uint64(c.weights_mapped_bytes), uint64(c.weights_owned_bytes), uint64(c.load_peak_bytes),
		MemoryBreakdown{uint64(c.attention_bytes), uint64(c.feed_forward_bytes), uint64(c.norm_bytes),
			uint64(c.embedding_bytes), uint64(c.output_bytes), uint64(c.other_bytes),
			uint64(c.weights_mapped_bytes) + uint64(c.weights_owned_bytes)},
		uint64(c.kv_bytes), uint64(c.scratch_bytes), uint64(c.extra_output_bytes), uint64(c.total_bytes)}
}

// EstimateMemory is for another context over this model.
func (m *Model) EstimateMemory(params *ContextParams) (MemoryEstimate, error) {
	var estimate MemoryEstimate
	err := m.with(func(model *C.bitnet_model) error {
		c := contextParams(params)
		var e C.bitnet_memory_estimate
		e.struct_size = C.sizeof_bitnet_memory_estimate
		err := call(func() C.bitnet_status { return C.bitnet_model_estimate_memory(model, &c, &e) })
		estimate = memoryEstimate(&e)
		return err
	})
	return estimate, err
}

// EstimateMemory is for a file that is not loaded; only its header is read.
func EstimateMemory(path string, model *ModelParams, params *ContextParams) (MemoryEstimate, error) {
	var a arena
	defer a.free()
	name, err := a.text("the path", path)
	if err != nil {
		return MemoryEstimate{}, err
	}
	loading, finish, err := modelParams(model)
	if err != nil {
		return MemoryEstimate{}, err
	}
	c := contextParams(params)
	var e C.bitnet_memory_estimate
	e.struct_size = C.sizeof_bitnet_memory_estimate
	err = finish(call(func() C.bitnet_status { return C.bitnet_model_estimate_memory_from_path(name, loading, &c, &e) }))
	return memoryEstimate(&e), err
}
