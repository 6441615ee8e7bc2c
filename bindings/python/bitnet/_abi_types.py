"""The handles, structs and callbacks of bitnet.h for ctypes, under their C names.

Written by bindings/abi/emit_python.py from bitnet.h 0.1.0; do not edit.
"""

from __future__ import annotations

from ctypes import (
    CFUNCTYPE, POINTER, Structure, c_char, c_char_p, c_double, c_float, c_int8, c_int32, c_int64, c_size_t, c_uint8,
    c_uint32, c_uint64, c_void_p,
)

from ._abi_base import SizedStruct


class bitnet_model(Structure):
    pass


class bitnet_tokenizer(Structure):
    pass


class bitnet_context(Structure):
    pass


class bitnet_sampler(Structure):
    pass


class bitnet_grammar(Structure):
    pass


class bitnet_chat_template(Structure):
    pass


class bitnet_generation(Structure):
    pass


class bitnet_adapter(Structure):
    pass


class bitnet_validation_report(Structure):
    pass


class bitnet_quantizer(Structure):
    pass


class bitnet_convert_report(Structure):
    pass


class bitnet_file(Structure):
    pass


class bitnet_tokenizer_discovery(Structure):
    pass


class bitnet_merge_report(Structure):
    pass


class bitnet_cuda(Structure):
    pass


class bitnet_cuda_module(Structure):
    pass


bitnet_token = c_int32
bitnet_pos = c_int32
bitnet_seq_id = c_int32


bitnet_log_callback = CFUNCTYPE(None, c_int32, c_char_p, c_void_p)


bitnet_progress_callback = CFUNCTYPE(c_int32, c_float, c_void_p)


bitnet_reader_read = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_void_p, c_uint64)


bitnet_context_params_should_abort = CFUNCTYPE(c_int32, c_void_p)


bitnet_receipt_params_should_abort = CFUNCTYPE(c_int32, c_void_p)


bitnet_allocator_alloc = CFUNCTYPE(c_void_p, c_size_t, c_size_t, c_void_p)


bitnet_allocator_free = CFUNCTYPE(None, c_void_p, c_size_t, c_size_t, c_void_p)


bitnet_thread_pool_run_task = CFUNCTYPE(None, c_void_p, c_int32)


bitnet_thread_pool_run = CFUNCTYPE(None, c_void_p, bitnet_thread_pool_run_task, c_void_p, c_int32)


bitnet_limits_params_should_abort = CFUNCTYPE(c_int32, c_void_p)


bitnet_kernel_run_should_abort = CFUNCTYPE(c_int32, c_void_p)


class bitnet_error_info(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("status", c_int32), ("expected", c_uint64), ("actual", c_uint64),
        ("offset", c_uint64), ("subject", c_char_p), ("message", c_char_p), ("family", c_int32),
        ("severity", c_int32), ("recoverable", c_int32), ("has_numbers", c_int32), ("has_offset", c_int32),
        ("n_suggestions", c_int32), ("variant", c_char_p), ("operation", c_char_p), ("file", c_char_p),
        ("model", c_char_p), ("device", c_char_p), ("memory_bytes", c_uint64), ("peak_memory_bytes", c_uint64),
    ]


class bitnet_kernel_info(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("name", c_char_p), ("type", c_char_p), ("level", c_char_p), ("runnable", c_int32),
        ("exact", c_int32), ("selected", c_int32), ("is_vector", c_int32),
    ]


class bitnet_model_params(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("use_mmap", c_int32), ("check_weights", c_int32), ("i2s_order", c_int32),
        ("n_threads", c_int32), ("vocab_only", c_int32), ("kernel", c_char_p), ("max_bytes", c_uint64),
        ("on_progress", bitnet_progress_callback), ("progress_user_data", c_void_p), ("max_tensors", c_uint64),
        ("sha256", c_int32), ("device", c_char_p), ("validate", c_int32), ("tokenizer_path", c_char_p),
        ("tl_tiling", c_char_p), ("quantization", c_char_p), ("screen_head", c_int32),
    ]


class bitnet_reader(SizedStruct):
    _fields_ = [("struct_size", c_uint32), ("size", c_uint64), ("read", bitnet_reader_read), ("user_data", c_void_p)]


class bitnet_model_info(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("architecture", c_char_p), ("name", c_char_p), ("quantization", c_char_p),
        ("kernel", c_char_p), ("n_vocab", c_int32), ("n_ctx_train", c_int32), ("n_embd", c_int32),
        ("n_layer", c_int32), ("n_head", c_int32), ("n_head_kv", c_int32), ("head_dim", c_int32), ("n_ff", c_int32),
        ("rope_freq_base", c_float), ("rms_norm_eps", c_float), ("n_tensors", c_uint64), ("n_parameters", c_uint64),
        ("n_file_bytes", c_uint64), ("bits_per_weight", c_double),
    ]


class bitnet_tensor_info(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("name", c_char_p), ("type", c_char_p), ("n_dims", c_int32),
        ("shape", c_int64 * 4), ("file_offset", c_uint64), ("n_bytes", c_uint64), ("part", c_int32),
    ]


class bitnet_memory_info(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("weights_mapped_bytes", c_uint64), ("weights_owned_bytes", c_uint64),
        ("vocabulary_bytes", c_uint64), ("kv_bytes", c_uint64), ("scratch_bytes", c_uint64),
    ]


class bitnet_tokenizer_info(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("source", c_char_p), ("model", c_char_p), ("pre", c_char_p), ("n_vocab", c_int32),
        ("bos", bitnet_token), ("eos", bitnet_token), ("eot", bitnet_token), ("pad", bitnet_token),
        ("unk", bitnet_token), ("add_bos", c_int32), ("add_eos", c_int32),
    ]


class bitnet_chat_message(Structure):
    _fields_ = [("role", c_char_p), ("content", c_char_p)]


class bitnet_batch(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("n_tokens", c_int32), ("tokens", POINTER(bitnet_token)),
        ("positions", POINTER(bitnet_pos)), ("seq_ids", POINTER(bitnet_seq_id)), ("want_output", POINTER(c_int8)),
    ]


class bitnet_logit_bias(Structure):
    _fields_ = [("token", bitnet_token), ("bias", c_float)]


class bitnet_sampler_params(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("temperature", c_float), ("top_k", c_int32), ("top_p", c_float),
        ("min_p", c_float), ("typical_p", c_float), ("repetition_penalty", c_float), ("frequency_penalty", c_float),
        ("presence_penalty", c_float), ("penalty_last_n", c_int32), ("has_seed", c_int32), ("seed", c_uint64),
        ("logit_bias", POINTER(bitnet_logit_bias)), ("n_logit_bias", c_size_t), ("xtc_probability", c_float),
        ("xtc_threshold", c_float), ("dry_multiplier", c_float), ("dry_base", c_float),
        ("dry_allowed_length", c_int32), ("dry_penalty_last_n", c_int32), ("dry_breakers", POINTER(bitnet_token)),
        ("n_dry_breakers", c_size_t), ("dynatemp_range", c_float), ("dynatemp_exponent", c_float),
        ("top_n_sigma", c_float), ("mirostat", c_int32), ("mirostat_tau", c_float), ("mirostat_eta", c_float),
    ]


class bitnet_token_logprob(Structure):
    _fields_ = [("token", bitnet_token), ("logprob", c_float)]


class bitnet_metrics(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("load_us", c_uint64), ("prefill_us", c_uint64), ("prefill_tokens", c_uint64),
        ("decode_us", c_uint64), ("decode_tokens", c_uint64), ("n_decodes", c_uint64),
    ]


class bitnet_generation_params(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("max_new_tokens", c_int32), ("skip_special_tokens", c_int32),
        ("parse_special", c_int32), ("deadline_us", c_uint64), ("sampler", POINTER(bitnet_sampler_params)),
        ("stop_sequences", POINTER(c_char_p)), ("n_stop_sequences", c_size_t), ("receipt", c_int32),
        ("n_logprobs", c_int32), ("grammar", POINTER(bitnet_grammar)), ("n_draft", c_int32),
    ]


class bitnet_generation_step(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("finish_reason", c_int32), ("text", c_char_p), ("n_bytes", c_size_t),
        ("tokens", POINTER(bitnet_token)), ("n_tokens", c_size_t), ("token_us", c_uint64),
        ("cumulative_us", c_uint64), ("tokens_per_second", c_double), ("prompt_tokens_left", c_uint64),
        ("status", c_int32), ("error", c_char_p),
    ]


bitnet_generation_callback = CFUNCTYPE(c_int32, POINTER(bitnet_generation_step), c_void_p)


class bitnet_generation_result(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("finish_reason", c_int32), ("stop_sequence", c_int32), ("text", c_char_p),
        ("n_bytes", c_size_t), ("tokens", POINTER(bitnet_token)), ("token_times_us", POINTER(c_uint64)),
        ("n_tokens", c_size_t), ("model_name", c_char_p), ("quantization", c_char_p), ("device", c_char_p),
        ("seed", c_uint64), ("prompt_tokens", c_uint64), ("reused_tokens", c_uint64), ("tokenize_us", c_uint64),
        ("prefill_us", c_uint64), ("decode_us", c_uint64), ("decode_steps", c_uint64), ("total_us", c_uint64),
        ("prefill_tokens_per_second", c_double), ("decode_tokens_per_second", c_double),
        ("total_tokens_per_second", c_double), ("drafted_tokens", c_uint64), ("accepted_tokens", c_uint64),
    ]


class bitnet_environment_info(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("kernel", c_char_p), ("n_threads", c_int32), ("batch_size", c_int32),
        ("memory_limit", c_uint64), ("deterministic", c_int32), ("has_seed", c_int32), ("seed", c_uint64),
        ("strict_tokenizers", c_int32), ("offline", c_int32),
    ]


class bitnet_receipt_params(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("n_threads", c_int32), ("replay_share", c_double), ("replay_count", c_int64),
        ("seed", c_uint64), ("max_tokens", c_int32), ("should_abort", bitnet_receipt_params_should_abort),
        ("abort_user_data", c_void_p),
    ]


class bitnet_receipt_report(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("failed_check", c_int32), ("model_matched", c_int32), ("n_positions", c_uint64),
        ("n_replayed", c_uint64), ("first_mismatch", c_int64),
    ]


class bitnet_adapter_info(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("name", c_char_p), ("architecture", c_char_p), ("rank", c_int32),
        ("alpha", c_float), ("n_tensors", c_uint64), ("n_parameters", c_uint64), ("n_bytes", c_uint64),
    ]


class bitnet_adapter_use(Structure):
    _fields_ = [("adapter", POINTER(bitnet_adapter)), ("scale", c_float)]


class bitnet_memory_breakdown(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("attention_bytes", c_uint64), ("feed_forward_bytes", c_uint64),
        ("norm_bytes", c_uint64), ("embedding_bytes", c_uint64), ("output_bytes", c_uint64),
        ("other_bytes", c_uint64), ("total_bytes", c_uint64),
    ]


class bitnet_memory_estimate(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("n_ctx", c_int32), ("n_batch", c_int32), ("n_ubatch", c_int32),
        ("n_seq_max", c_int32), ("n_threads", c_int32), ("weights_mapped_bytes", c_uint64),
        ("weights_owned_bytes", c_uint64), ("load_peak_bytes", c_uint64), ("attention_bytes", c_uint64),
        ("feed_forward_bytes", c_uint64), ("norm_bytes", c_uint64), ("embedding_bytes", c_uint64),
        ("output_bytes", c_uint64), ("other_bytes", c_uint64), ("kv_bytes", c_uint64), ("scratch_bytes", c_uint64),
        ("activation_bytes", c_uint64), ("score_bytes", c_uint64), ("batch_bytes", c_uint64),
        ("graph_bytes", c_uint64), ("logits_bytes", c_uint64), ("extra_output_bytes", c_uint64),
        ("total_bytes", c_uint64),
    ]


class bitnet_validation_finding(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("kind", c_int32), ("severity", c_int32), ("status", c_int32),
        ("tensor", c_char_p), ("message", c_char_p), ("count", c_uint64), ("index", c_uint64), ("offset", c_uint64),
        ("has_offset", c_int32),
    ]


class bitnet_validation_tensor(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("name", c_char_p), ("type", c_char_p), ("role", c_char_p), ("n_bytes", c_uint64),
        ("values_checked", c_int32), ("is_ternary", c_int32), ("n_values", c_uint64), ("n_zeros", c_uint64),
        ("n_zero_rows", c_uint64), ("scale", c_double),
    ]


class bitnet_validation_info(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("is_valid", c_int32), ("architecture", c_char_p), ("n_tensors", c_uint64),
        ("n_errors", c_uint64), ("n_warnings", c_uint64), ("n_notes", c_uint64), ("n_findings", c_uint64),
        ("n_missing", c_uint64), ("n_wrong_shapes", c_uint64), ("n_ternary_values", c_uint64),
        ("ternary_zeros", c_double), ("seconds", c_double), ("stored", POINTER(bitnet_memory_breakdown)),
        ("quantization_accuracy", c_double),
    ]


class bitnet_validation_params(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("check_values", c_int32), ("n_threads", c_int32), ("max_findings", c_uint32),
        ("on_progress", bitnet_progress_callback), ("progress_user_data", c_void_p), ("max_tensors", c_uint64),
        ("tl_tiling", c_char_p),
    ]


class bitnet_device_memory(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("total", c_uint64), ("free", c_uint64), ("used", c_uint64),
        ("limit_bytes", c_uint64),
    ]


class bitnet_device_info(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("kind", c_int32), ("index", c_int32), ("supports_f16", c_int32),
        ("supports_bf16", c_int32), ("supports_int8", c_int32), ("max_threads", c_int32),
        ("compute_capability", c_int32 * 2), ("name", c_char_p), ("simd", c_char_p), ("kernel_level", c_char_p),
        ("quantization", c_char_p),
    ]


class bitnet_quantization_info(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("block_length", c_int32), ("type", c_char_p), ("n_parameters", c_uint64),
        ("n_bytes", c_uint64), ("bits_per_weight", c_double), ("compression_f16", c_double),
        ("compression_f32", c_double), ("ternary_parameters", c_uint64), ("ternary_bytes", c_uint64),
        ("ternary_bits_per_weight", c_double),
    ]


class bitnet_type_usage(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("ternary", c_int32), ("type", c_char_p), ("n_tensors", c_uint64),
        ("n_parameters", c_uint64), ("n_bytes", c_uint64), ("bits_per_weight", c_double),
    ]


class bitnet_model_config(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("max_seq_len", c_int32), ("device", c_char_p), ("dtype", c_char_p),
        ("activation_dtype", c_char_p), ("activation", c_char_p), ("kv_dtype", c_char_p),
        ("kv_bytes_per_token", c_uint64), ("rope_dimensions", c_int32), ("tied_embeddings", c_int32),
        ("rope_scaling", c_char_p), ("rope_scaling_factor", c_double),
    ]


class bitnet_performance_metrics(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("present", c_uint32), ("backend_type", c_char_p), ("n_inferences", c_uint64),
        ("tokens_generated", c_uint64), ("tokens_per_second", c_double), ("total_latency_us", c_uint64),
        ("first_token_latency_us", c_uint64), ("average_token_latency_us", c_uint64), ("cache_hit_rate", c_double),
        ("memory_usage_bytes", c_uint64), ("encode_us", c_uint64), ("detokenize_us", c_uint64),
        ("forward_us", c_uint64), ("sampling_us", c_uint64), ("error_count", c_uint64), ("error_rate", c_double),
    ]


class bitnet_device_stats(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("is_gpu_effective", c_int32), ("device_type", c_char_p),
        ("target_device", c_char_p), ("total_operations", c_uint64), ("quantization_operations", c_uint64),
        ("matmul_operations", c_uint64), ("total_time_ms", c_double), ("quantization_time_ms", c_double),
        ("matmul_time_ms", c_double), ("gpu_operations", c_uint64), ("cpu_operations", c_uint64),
        ("fallback_count", c_uint64), ("gpu_efficiency", c_double), ("last_gpu_error", c_char_p),
        ("last_cpu_error", c_char_p), ("memory_used_bytes", c_uint64), ("memory_total_bytes", c_uint64),
        ("average_quantization_time_ms", c_double), ("average_matmul_time_ms", c_double),
    ]


class bitnet_quantize_config(SizedStruct):
    _fields_ = [("struct_size", c_uint32), ("asymmetric", c_int32), ("block_size", c_uint64), ("type", c_char_p)]


class bitnet_quantize_accuracy(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("envelope", c_int32), ("is_within", c_int32), ("codes_equal", c_int32),
        ("n_values", c_uint64), ("mse", c_double), ("max_abs_error", c_double), ("cosine", c_double),
        ("accuracy", c_double),
    ]


class bitnet_quantizer_params(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("allow_fallback", c_int32), ("device", c_char_p), ("min_accuracy", c_double),
        ("n_threads", c_int32), ("kernel", c_char_p), ("max_bytes", c_uint64),
    ]


class bitnet_i2s_matmul(Structure):
    _fields_ = [
        ("activations", POINTER(c_int8)), ("activation_scales", POINTER(c_float)), ("n_activation_scales", c_size_t),
        ("weights", c_void_p), ("n_weight_bytes", c_size_t), ("out", POINTER(c_float)), ("n_out", c_size_t),
        ("m", c_size_t), ("n", c_size_t), ("k", c_size_t),
    ]


class bitnet_quantizer_stats(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("is_gpu_effective", c_int32), ("device_type", c_char * 64),
        ("target_device", c_char * 32), ("total_operations", c_uint64), ("quantization_operations", c_uint64),
        ("matmul_operations", c_uint64), ("total_time_ms", c_double), ("quantization_time_ms", c_double),
        ("matmul_time_ms", c_double), ("gpu_operations", c_uint64), ("cpu_operations", c_uint64),
        ("fallback_count", c_uint64), ("gpu_efficiency", c_double), ("last_gpu_error", c_char * 256),
        ("last_cpu_error", c_char * 256), ("memory_used_bytes", c_uint64), ("memory_total_bytes", c_uint64),
        ("average_quantization_time_ms", c_double), ("average_matmul_time_ms", c_double),
    ]


class bitnet_forward_input(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("n_tokens", c_int32), ("tokens", POINTER(bitnet_token)),
        ("positions", POINTER(bitnet_pos)), ("mask", POINTER(c_uint8)), ("want_output", POINTER(c_int8)),
        ("output", c_int32),
    ]


class bitnet_allocator(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("alloc", bitnet_allocator_alloc), ("free", bitnet_allocator_free),
        ("user_data", c_void_p),
    ]


class bitnet_thread_pool(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("n_threads", c_int32), ("run", bitnet_thread_pool_run), ("user_data", c_void_p),
    ]


class bitnet_context_params(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("n_ctx", c_int32), ("n_batch", c_int32), ("n_ubatch", c_int32),
        ("n_seq_max", c_int32), ("n_threads", c_int32), ("embeddings", c_int32), ("trace", c_int32),
        ("should_abort", bitnet_context_params_should_abort), ("abort_user_data", c_void_p),
        ("max_lora_rank", c_int32), ("max_bytes", c_uint64), ("timeout_us", c_uint64),
        ("thread_pool", POINTER(bitnet_thread_pool)), ("on_progress", bitnet_progress_callback),
        ("progress_user_data", c_void_p), ("type_k", c_int32), ("type_v", c_int32),
    ]


class bitnet_convert_params(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("ternarize", c_int32), ("type", c_char_p), ("head_type", c_char_p),
        ("embedding_type", c_char_p), ("gguf_version", c_int32), ("i2s_order", c_int32), ("n_threads", c_int32),
        ("on_progress", bitnet_progress_callback), ("progress_user_data", c_void_p), ("max_tensors", c_uint64),
        ("tl_tiling", c_char_p),
    ]


class bitnet_convert_info(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("gguf_version", c_int32), ("type", c_char_p), ("n_tensors", c_uint64),
        ("n_copied", c_uint64), ("n_encoded", c_uint64), ("n_ternarised", c_uint64), ("n_inexact", c_uint64),
        ("n_source_bytes", c_uint64), ("n_file_bytes", c_uint64), ("worst_accuracy", c_double),
        ("worst_tensor", c_char_p), ("seconds", c_double),
    ]


class bitnet_converted_tensor(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("action", c_int32), ("name", c_char_p), ("source_type", c_char_p),
        ("type", c_char_p), ("n_values", c_uint64), ("n_zeros", c_uint64), ("n_source_bytes", c_uint64),
        ("n_bytes", c_uint64), ("is_exact", c_int32), ("codes_equal", c_int32), ("scale", c_double),
        ("mse", c_double), ("max_abs_error", c_double), ("cosine", c_double), ("accuracy", c_double),
    ]


class bitnet_conv2d_params(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("n_threads", c_int32), ("stride", c_uint64 * 2), ("padding", c_uint64 * 2),
        ("dilation", c_uint64 * 2), ("kernel", c_char_p),
    ]


class bitnet_conv2d(Structure):
    _fields_ = [
        ("input_dims", c_uint64 * 4), ("weight_dims", c_uint64 * 4), ("input", POINTER(c_float)),
        ("n_input", c_size_t), ("bias", POINTER(c_float)), ("n_bias", c_size_t), ("out", POINTER(c_float)),
        ("n_out", c_size_t),
    ]


class bitnet_file_info(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("version", c_uint32), ("alignment", c_uint64), ("n_keys", c_uint64),
        ("n_tensors", c_uint64), ("n_bytes", c_uint64), ("n_parts", c_int32),
    ]


class bitnet_file_tensor(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("type_id", c_uint32), ("name", c_char_p), ("type", c_char_p),
        ("problem", c_char_p), ("n_dims", c_int32), ("part", c_int32), ("shape", c_int64 * 4),
        ("file_offset", c_uint64), ("n_bytes", c_uint64),
    ]


class bitnet_node_value(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("index", c_int32), ("name", c_char_p), ("op", c_char_p), ("kernel", c_char_p),
        ("layer", c_int32), ("n_rows", c_int64), ("width", c_int64), ("values", POINTER(c_float)),
    ]


bitnet_node_callback = CFUNCTYPE(None, POINTER(bitnet_node_value), c_void_p)


class bitnet_tokenizer_source(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("expected_vocab", c_int32), ("name", c_char_p), ("repo", c_char_p),
        ("files", POINTER(c_char_p)), ("n_files", c_size_t), ("cache_key", c_char_p),
    ]


class bitnet_tokenizer_discovery_params(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("offline", c_int32), ("strict", c_int32), ("tokenizer_path", c_char_p),
        ("cache_dir", c_char_p), ("table_path", c_char_p),
    ]


class bitnet_tokenizer_discovery_info(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("strategy", c_int32), ("description", c_char_p), ("path", c_char_p),
        ("requires_network", c_int32), ("uses_cache", c_int32), ("n_vocab", c_int32), ("is_large_vocab", c_int32),
        ("architecture", c_char_p), ("model_type", c_char_p), ("beside", c_char_p), ("cached", c_char_p),
        ("source", POINTER(bitnet_tokenizer_source)), ("steps", c_char_p),
    ]


class bitnet_merge_adapter(Structure):
    _fields_ = [("path", c_char_p), ("scale", c_float)]


class bitnet_merge_params(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("reserved", c_int32), ("adapters", POINTER(bitnet_merge_adapter)),
        ("n_adapters", c_size_t), ("checkpoint_path", c_char_p), ("convert", POINTER(bitnet_convert_params)),
    ]


class bitnet_merge_info(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("gguf_version", c_int32), ("n_tensors", c_uint64), ("n_ternary", c_uint64),
        ("n_values", c_uint64), ("n_codes_changed", c_uint64), ("change", c_double), ("relative_error", c_double),
        ("cosine", c_double), ("change_kept", c_double), ("n_file_bytes", c_uint64), ("seconds", c_double),
    ]


class bitnet_merged_tensor(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("is_ternary", c_int32), ("name", c_char_p), ("n_values", c_uint64),
        ("n_codes_changed", c_uint64), ("step", c_double), ("scale", c_double), ("change", c_double),
        ("relative_error", c_double), ("cosine", c_double), ("change_kept", c_double),
    ]


class bitnet_synthetic_shape(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("n_layer", c_int32), ("name", c_char_p), ("model", c_char_p),
        ("architecture", c_char_p), ("down_type", c_char_p), ("n_embd", c_int32), ("n_ff", c_int32),
        ("n_head", c_int32), ("n_head_kv", c_int32), ("head_dim", c_int32), ("n_vocab", c_int32),
        ("n_ctx_train", c_int32),
    ]


class bitnet_synthetic_params(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("reserved", c_int32), ("shape", c_char_p), ("head", c_char_p), ("seed", c_uint64),
        ("on_progress", bitnet_progress_callback), ("progress_user_data", c_void_p),
    ]


class bitnet_pass_shape(SizedStruct):
    _fields_ = [("struct_size", c_uint32), ("n_seq", c_int32), ("n_tokens", c_int32), ("n_past", c_int32)]


class bitnet_pass_work(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("n_micro_batches", c_int32), ("layer_bytes", c_uint64), ("head_bytes", c_uint64),
        ("kv_bytes", c_uint64), ("total_bytes", c_uint64), ("int8_ops", c_uint64), ("float_ops", c_uint64),
    ]


class bitnet_limits_params(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("n_threads", c_int32), ("level", c_char_p), ("n_bytes", c_uint64),
        ("budget_us", c_uint64), ("should_abort", bitnet_limits_params_should_abort), ("abort_user_data", c_void_p),
    ]


class bitnet_machine_limits(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("n_threads", c_int32), ("n_bytes", c_uint64), ("read_bytes_per_second", c_double),
        ("plain_read_bytes_per_second", c_double), ("int8_ops_per_second", c_double), ("int8_level", c_char_p),
        ("read_streams", c_int32),
    ]


class bitnet_kernel_run(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("n_threads", c_int32), ("kernel", c_char_p), ("operation", c_char_p),
        ("k", c_int64), ("n_rows", c_int64), ("n_cols", c_int64), ("cold_bytes", c_uint64), ("budget_us", c_uint64),
        ("should_abort", bitnet_kernel_run_should_abort), ("abort_user_data", c_void_p),
    ]


class bitnet_kernel_timing(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("n_runs", c_int32), ("median_us", c_double), ("best_us", c_double),
        ("n_bytes", c_uint64), ("n_ops", c_uint64),
    ]


class bitnet_cuda_info(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("index", c_int32), ("compute_capability", c_int32 * 2),
        ("n_multiprocessors", c_int32), ("max_threads_per_block", c_int32),
        ("max_threads_per_multiprocessor", c_int32), ("max_shared_bytes", c_int32), ("clock_khz", c_int32),
        ("memory_clock_khz", c_int32), ("memory_bus_bits", c_int32), ("driver_version", c_int32),
        ("l2_bytes", c_uint64), ("memory_bytes", c_uint64), ("name", c_char * 128), ("uuid", c_char * 48),
    ]


class bitnet_cuda_work(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("grid", c_uint32 * 3), ("block", c_uint32 * 3), ("shared_bytes", c_uint32),
        ("function", c_void_p), ("params", POINTER(c_void_p)), ("n_params", c_size_t),
    ]


class bitnet_cuda_memory_stats(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("n_allocations", c_uint32), ("total_bytes", c_uint64), ("free_bytes", c_uint64),
        ("library_bytes", c_uint64), ("allocated_bytes", c_uint64),
    ]


class bitnet_cuda_performance_stats(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("n_launches", c_uint64), ("n_copies_in", c_uint64), ("n_copies_out", c_uint64),
        ("bytes_in", c_uint64), ("bytes_out", c_uint64), ("n_waits", c_uint64), ("wait_time_ms", c_double),
    ]


class bitnet_cuda_launch_parameters(SizedStruct):
    _fields_ = [
        ("struct_size", c_uint32), ("grid", c_uint32 * 3), ("block", c_uint32 * 3), ("shared_bytes", c_uint32),
        ("tile", c_uint32 * 3), ("blocks_per_multiprocessor", c_uint32), ("occupancy", c_double), ("waves", c_double),
    ]
