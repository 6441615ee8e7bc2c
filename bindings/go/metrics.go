// What a context has done: times, tokens, operations, traces, memory.

package bitnet

// #include "bitnet.h"
import "C"

import "time"

// Metrics are the plain counters of a context.
type Metrics struct {
	LoadTime, PrefillTime, DecodeTime    time.Duration
	PrefillTokens, DecodeTokens, Decodes uint64
}

// Metrics since the context was made or ResetMetrics.
func (c *Context) Metrics() (Metrics, error) {
	var m C.bitnet_metrics
	m.struct_size = C.sizeof_bitnet_metrics
	err := c.run(nil, func(p *C.bitnet_context) C.bitnet_status { return C.bitnet_context_get_metrics(p, &m) })
	return Metrics{microsecondsOf(m.load_us), microsecondsOf(m.prefill_us), microsecondsOf(m.decode_us),
		uint64(m.prefill_tokens), uint64(m.decode_tokens), uint64(m.n_decodes)}, err
}

// ResetMetrics begins to count anew.
func (c *Context) ResetMetrics() error {
	return c.run(nil, func(p *C.bitnet_context) C.bitnet_status { return C.bitnet_context_reset_metrics(p) })
}

// Performance has the sums and averages that people ask for. Fields that have no meaning yet are 0.
type Performance struct {
	Backend                                         string
	Inferences, TokensGenerated, Errors             uint64
	TokensPerSecond, CacheHitRate, ErrorRate        float64
	TokensPerMillisecond                            float64
	Latency, FirstTokenLatency, AverageTokenLatency time.Duration
	EncodeTime, DetokenizeTime, ForwardTime         time.Duration
	SamplingTime                                    time.Duration
	MemoryUsage                                     uint64 // resident bytes of the process
}

// Performance may be asked for from any goroutine, also while the context computes. The numbers are checked by the library.
func (c *Context) Performance() (Performance, error) {
	var m C.bitnet_performance_metrics
	m.struct_size = C.sizeof_bitnet_performance_metrics
	err := c.shared(func(p *C.bitnet_context) error {
		return call(func() C.bitnet_status { return C.bitnet_context_get_performance(p, &m) })
	})
	if err == nil {
		err = call(func() C.bitnet_status { return C.bitnet_performance_metrics_validate(&m) })
	}
	if err != nil {
		return Performance{}, err
	}
	return Performance{Backend: C.GoString(m.backend_type), Inferences: uint64(m.n_inferences),
		TokensGenerated: uint64(m.tokens_generated), Errors: uint64(m.error_count),
		TokensPerSecond: float64(m.tokens_per_second), CacheHitRate: float64(m.cache_hit_rate),
		ErrorRate:            float64(m.error_rate),
		TokensPerMillisecond: float64(C.bitnet_performance_metrics_get_efficiency_ratio(&m)),
		Latency:              microsecondsOf(m.total_latency_us), FirstTokenLatency: microsecondsOf(m.first_token_latency_us),
		AverageTokenLatency: microsecondsOf(m.average_token_latency_us), EncodeTime: microsecondsOf(m.encode_us),
		DetokenizeTime: microsecondsOf(m.detokenize_us), ForwardTime: microsecondsOf(m.forward_us),
		SamplingTime: microsecondsOf(m.sampling_us), MemoryUsage: uint64(m.memory_usage_bytes)}, nil
}

// ResetPerformance begins to count anew.
func (c *Context) ResetPerformance() error {
	return c.run(nil, func(p *C.bitnet_context) C.bitnet_status { return C.bitnet_context_reset_performance(p) })
}

// DeviceStats is what ran on the devices of a context.
type DeviceStats struct {
	DeviceType, TargetDevice, LastGPUError, LastCPUError          string
	Operations, QuantizationOperations, MatmulOperations          uint64
	GPUOperations, CPUOperations, Fallbacks                       uint64
	TimeMilliseconds, QuantizationMilliseconds, MatmulMillisecond float64
	GPUEfficiency                                                 float64
	GPUEffective                                                  bool
}

// DeviceStats may be asked for from any goroutine.
func (c *Context) DeviceStats() (stats DeviceStats, err error) {
	err = c.shared(func(p *C.bitnet_context) error {
		var s C.bitnet_device_stats
		s.struct_size = C.sizeof_bitnet_device_stats
		err := call(func() C.bitnet_status { return C.bitnet_context_get_device_stats(p, &s) })
		if err == nil {
			stats = DeviceStats{C.GoString(s.device_type), C.GoString(s.target_device), C.GoString(s.last_gpu_error),
				C.GoString(s.last_cpu_error), uint64(s.total_operations), uint64(s.quantization_operations),
				uint64(s.matmul_operations), uint64(s.gpu_operations), uint64(s.cpu_operations), uint64(s.fallback_count),
				float64(s.total_time_ms), float64(s.quantization_time_ms), float64(s.matmul_time_ms),
				float64(s.gpu_efficiency), s.is_gpu_effective != 0}
		}
		return err
	})
	return stats, err
}

// ResetDeviceStats begins to count anew.
func (c *Context) ResetDeviceStats() error {
	return c.run(nil, func(p *C.bitnet_context) C.bitnet_status { return C.bitnet_context_reset_device_stats(p) })
}

func (c *Context) text(f func(p *C.bitnet_context, buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status) (text string, err error) {
	err = c.alone(func(p *C.bitnet_context) error {
		text, err = sizedText(func(buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status {
			return f(p, buffer, capacity, size)
		})
		return err
	})
	return text, err
}

// DeviceSummary is DeviceStats as a few lines for a person.
func (c *Context) DeviceSummary() (string, error) {
	return c.text(func(p *C.bitnet_context, buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status {
		return C.bitnet_context_get_device_summary(p, buffer, capacity, size)
	})
}

// Trace is what the last decode ran, as JSON. Needs ContextParams.Trace.
func (c *Context) Trace() (string, error) {
	return c.text(func(p *C.bitnet_context, buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status {
		return C.bitnet_context_get_trace(p, buffer, capacity, size)
	})
}

// Memory is what a model and a context hold, in bytes.
type Memory struct{ WeightsMapped, WeightsOwned, Vocabulary, KV, Scratch uint64 }

// Memory tells it for this context.
func (c *Context) Memory() (Memory, error) {
	var m C.bitnet_memory_info
	m.struct_size = C.sizeof_bitnet_memory_info
	err := c.run(nil, func(p *C.bitnet_context) C.bitnet_status { return C.bitnet_context_get_memory(p, &m) })
	return Memory{uint64(m.weights_mapped_bytes), uint64(m.weights_owned_bytes), uint64(m.vocabulary_bytes),
		uint64(m.kv_bytes), uint64(m.scratch_bytes)}, err
}
