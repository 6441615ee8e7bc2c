"""The prototypes of bitnet.h for ctypes: name, type of the result, types of the parameters.

Written by bindings/abi/emit_python.py from bitnet.h 0.1.0; do not edit.
"""

from __future__ import annotations

from ctypes import (
    POINTER, c_char, c_char_p, c_double, c_float, c_int, c_int8, c_int32, c_int64, c_size_t, c_uint32, c_uint64,
    c_void_p,
)

from ._abi_types import *  # noqa: F403

PROTOTYPES = (
    ("bitnet_version_number", c_uint32, ()),
    ("bitnet_version_string", c_char_p, ()),
    ("bitnet_build_info", c_char_p, ()),
    ("bitnet_status_name", c_char_p, (c_int32,)),
    ("bitnet_status_text", c_char_p, (c_int32,)),
    ("bitnet_last_error", c_char_p, ()),
    ("bitnet_status_get_family", c_int32, (c_int32,)),
    ("bitnet_status_get_severity", c_int32, (c_int32,)),
    ("bitnet_status_is_recoverable", c_int32, (c_int32,)),
    ("bitnet_status_get_variant", c_char_p, (c_int32,)),
    ("bitnet_status_get_suggestion", c_char_p, (c_int32, c_size_t)),
    ("bitnet_status_get_variable", c_char_p, (c_int32, c_size_t)),
    ("bitnet_error_family_name", c_char_p, (c_int32,)),
    ("bitnet_error_severity_name", c_char_p, (c_int32,)),
    ("bitnet_last_error_get_info", c_int32, (POINTER(bitnet_error_info),)),
    ("bitnet_last_error_get_user_message", c_int32, (POINTER(c_char), c_size_t, POINTER(c_size_t))),
    ("bitnet_last_error_get_debug_message", c_int32, (POINTER(c_char), c_size_t, POINTER(c_size_t))),
    ("bitnet_last_error_get_json", c_int32, (POINTER(c_char), c_size_t, POINTER(c_size_t))),
    ("bitnet_log_set_callback", None, (bitnet_log_callback, c_int32, c_void_p)),
    ("bitnet_kernel_get_count", c_size_t, ()),
    ("bitnet_kernel_get_info", c_int32, (c_size_t, POINTER(bitnet_kernel_info))),
    ("bitnet_cpu_get_thread_limit", c_int32, ()),
    ("bitnet_model_params_init", None, (POINTER(bitnet_model_params), c_uint32)),
    ("bitnet_model_load", c_int32, (c_char_p, POINTER(bitnet_model_params), POINTER(POINTER(bitnet_model)))),
    ("bitnet_model_load_from_memory", c_int32, (
        c_void_p, c_size_t, POINTER(bitnet_model_params), POINTER(POINTER(bitnet_model)),
    )),
    ("bitnet_model_load_from_fd", c_int32, (
        c_int, c_uint64, c_uint64, POINTER(bitnet_model_params), POINTER(POINTER(bitnet_model)),
    )),
    ("bitnet_model_load_from_reader", c_int32, (
        POINTER(bitnet_reader), POINTER(bitnet_model_params), POINTER(POINTER(bitnet_model)),
    )),
    ("bitnet_model_free", None, (POINTER(bitnet_model),)),
    ("bitnet_model_get_info", c_int32, (POINTER(bitnet_model), POINTER(bitnet_model_info))),
    ("bitnet_model_get_metadata_count", c_size_t, (POINTER(bitnet_model),)),
    ("bitnet_model_get_metadata_key", c_int32, (
        POINTER(bitnet_model), c_size_t, POINTER(c_char), c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_model_get_metadata", c_int32, (
        POINTER(bitnet_model), c_char_p, POINTER(c_char), c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_model_get_tensor_count", c_size_t, (POINTER(bitnet_model),)),
    ("bitnet_model_get_tensor", c_int32, (POINTER(bitnet_model), c_size_t, POINTER(bitnet_tensor_info))),
    ("bitnet_model_get_tokenizer", POINTER(bitnet_tokenizer), (POINTER(bitnet_model),)),
    ("bitnet_tokenizer_load", c_int32, (c_char_p, POINTER(POINTER(bitnet_tokenizer)))),
    ("bitnet_tokenizer_free", None, (POINTER(bitnet_tokenizer),)),
    ("bitnet_tokenizer_encode", c_int32, (
        POINTER(bitnet_tokenizer), c_char_p, c_size_t, c_uint32, POINTER(bitnet_token), c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_tokenizer_decode", c_int32, (
        POINTER(bitnet_tokenizer), POINTER(bitnet_token), c_size_t, c_uint32, POINTER(c_char), c_size_t,
        POINTER(c_size_t),
    )),
    ("bitnet_utf8_complete_prefix", c_size_t, (c_char_p, c_size_t)),
    ("bitnet_tokenizer_get_n_vocab", c_int32, (POINTER(bitnet_tokenizer),)),
    ("bitnet_tokenizer_get_piece", c_int32, (
        POINTER(bitnet_tokenizer), bitnet_token, POINTER(c_char_p), POINTER(c_size_t),
    )),
    ("bitnet_tokenizer_get_token", c_int32, (POINTER(bitnet_tokenizer), c_char_p, c_size_t, POINTER(bitnet_token))),
    ("bitnet_tokenizer_find_tokens", c_int32, (
        POINTER(bitnet_tokenizer), c_char_p, c_size_t, POINTER(bitnet_token), c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_tokenizer_get_attribute", c_int32, (POINTER(bitnet_tokenizer), bitnet_token)),
    ("bitnet_tokenizer_is_end", c_int32, (POINTER(bitnet_tokenizer), bitnet_token)),
    ("bitnet_tokenizer_get_info", c_int32, (POINTER(bitnet_tokenizer), POINTER(bitnet_tokenizer_info))),
    ("bitnet_tokenizer_encode_chat", c_int32, (
        POINTER(bitnet_tokenizer), c_char_p, POINTER(bitnet_chat_message), c_size_t, c_int32, POINTER(bitnet_token),
        c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_chat_template_create", c_int32, (
        POINTER(bitnet_tokenizer), c_char_p, c_char_p, c_size_t, POINTER(POINTER(bitnet_chat_template)),
    )),
    ("bitnet_chat_template_free", None, (POINTER(bitnet_chat_template),)),
    ("bitnet_chat_template_get_name", c_char_p, (POINTER(bitnet_chat_template),)),
    ("bitnet_chat_template_get_source", c_char_p, (POINTER(bitnet_chat_template),)),
    ("bitnet_chat_template_encode", c_int32, (
        POINTER(bitnet_chat_template), c_char_p, c_size_t, POINTER(bitnet_token), c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_chat_template_render", c_int32, (
        POINTER(bitnet_chat_template), c_char_p, c_size_t, POINTER(c_char), c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_context_params_init", None, (POINTER(bitnet_context_params), c_uint32)),
    ("bitnet_context_create", c_int32, (
        POINTER(bitnet_model), POINTER(bitnet_context_params), POINTER(POINTER(bitnet_context)),
    )),
    ("bitnet_context_free", None, (POINTER(bitnet_context),)),
    ("bitnet_context_cancel", None, (POINTER(bitnet_context),)),
    ("bitnet_context_get_n_ctx", c_int32, (POINTER(bitnet_context),)),
    ("bitnet_context_get_n_threads", c_int32, (POINTER(bitnet_context),)),
    ("bitnet_context_get_memory", c_int32, (POINTER(bitnet_context), POINTER(bitnet_memory_info))),
    ("bitnet_context_decode", c_int32, (POINTER(bitnet_context), POINTER(bitnet_batch))),
    ("bitnet_context_decode_tokens", c_int32, (
        POINTER(bitnet_context), bitnet_seq_id, POINTER(bitnet_token), c_size_t,
    )),
    ("bitnet_context_get_logits", c_int32, (POINTER(bitnet_context), c_int32, POINTER(POINTER(c_float)))),
    ("bitnet_context_get_embedding", c_int32, (
        POINTER(bitnet_context), c_int32, c_int32, POINTER(c_float), c_size_t,
    )),
    ("bitnet_context_get_sequence_embedding", c_int32, (
        POINTER(bitnet_context), bitnet_seq_id, c_int32, c_int32, POINTER(c_float), c_size_t,
    )),
    ("bitnet_sequence_remove", c_int32, (POINTER(bitnet_context), bitnet_seq_id, bitnet_pos, bitnet_pos)),
    ("bitnet_sequence_rewind", c_int32, (POINTER(bitnet_context), bitnet_seq_id, c_size_t)),
    ("bitnet_sequence_copy", c_int32, (
        POINTER(bitnet_context), bitnet_seq_id, bitnet_seq_id, bitnet_pos, bitnet_pos,
    )),
    ("bitnet_sequence_fork", c_int32, (POINTER(bitnet_context), bitnet_seq_id, bitnet_seq_id)),
    ("bitnet_sequence_keep", c_int32, (POINTER(bitnet_context), bitnet_seq_id)),
    ("bitnet_sequence_get_end", bitnet_pos, (POINTER(bitnet_context), bitnet_seq_id)),
    ("bitnet_sequence_get_tokens", c_int32, (
        POINTER(bitnet_context), bitnet_seq_id, POINTER(bitnet_token), c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_context_get_n_free", c_int32, (POINTER(bitnet_context),)),
    ("bitnet_sequence_shift", c_int32, (
        POINTER(bitnet_context), bitnet_seq_id, bitnet_pos, bitnet_pos, POINTER(c_size_t),
    )),
    ("bitnet_sequence_save", c_int32, (
        POINTER(bitnet_context), bitnet_seq_id, c_void_p, c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_sequence_save_delta", c_int32, (
        POINTER(bitnet_context), bitnet_seq_id, bitnet_pos, c_void_p, c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_sequence_load", c_int32, (POINTER(bitnet_context), bitnet_seq_id, c_void_p, c_size_t)),
    ("bitnet_context_save_session", c_int32, (POINTER(bitnet_context), c_char_p, bitnet_progress_callback, c_void_p)),
    ("bitnet_context_load_session", c_int32, (POINTER(bitnet_context), c_char_p, bitnet_progress_callback, c_void_p)),
    ("bitnet_context_save_session_to_memory", c_int32, (
        POINTER(bitnet_context), c_void_p, c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_context_load_session_from_memory", c_int32, (POINTER(bitnet_context), c_void_p, c_size_t)),
    ("bitnet_sampler_params_init", None, (POINTER(bitnet_sampler_params), c_uint32)),
    ("bitnet_sampler_create", c_int32, (POINTER(bitnet_sampler_params), POINTER(POINTER(bitnet_sampler)))),
    ("bitnet_sampler_free", None, (POINTER(bitnet_sampler),)),
    ("bitnet_sampler_sample", c_int32, (POINTER(bitnet_sampler), POINTER(c_float), c_size_t, POINTER(bitnet_token))),
    ("bitnet_sampler_sample_context", c_int32, (
        POINTER(bitnet_sampler), POINTER(bitnet_context), c_int32, POINTER(bitnet_token),
    )),
    ("bitnet_sampler_accept", c_int32, (POINTER(bitnet_sampler), bitnet_token)),
    ("bitnet_sampler_reset", c_int32, (POINTER(bitnet_sampler),)),
    ("bitnet_sampler_get_seed", c_uint64, (POINTER(bitnet_sampler),)),
    ("bitnet_sampler_get_probabilities", c_int32, (
        POINTER(bitnet_sampler), POINTER(c_float), c_size_t, POINTER(c_float),
    )),
    ("bitnet_logits_argmax", c_int32, (POINTER(c_float), c_size_t, POINTER(bitnet_token))),
    ("bitnet_logits_softmax", c_int32, (POINTER(c_float), c_size_t, POINTER(c_float))),
    ("bitnet_logits_sample", c_int32, (
        POINTER(c_float), c_size_t, POINTER(bitnet_sampler_params), POINTER(bitnet_token),
    )),
    ("bitnet_logits_get_top_logprobs", c_int32, (
        POINTER(c_float), c_size_t, bitnet_token, POINTER(c_float), POINTER(bitnet_token_logprob), c_size_t,
    )),
    ("bitnet_context_get_metrics", c_int32, (POINTER(bitnet_context), POINTER(bitnet_metrics))),
    ("bitnet_context_reset_metrics", c_int32, (POINTER(bitnet_context),)),
    ("bitnet_context_get_trace", c_int32, (POINTER(bitnet_context), POINTER(c_char), c_size_t, POINTER(c_size_t))),
    ("bitnet_finish_reason_name", c_char_p, (c_int32,)),
    ("bitnet_generation_params_init", None, (POINTER(bitnet_generation_params), c_uint32)),
    ("bitnet_generation_create", c_int32, (
        POINTER(bitnet_context), bitnet_seq_id, c_char_p, c_size_t, POINTER(bitnet_generation_params),
        POINTER(POINTER(bitnet_generation)),
    )),
    ("bitnet_generation_create_from_tokens", c_int32, (
        POINTER(bitnet_context), bitnet_seq_id, POINTER(bitnet_token), c_size_t, POINTER(bitnet_generation_params),
        POINTER(POINTER(bitnet_generation)),
    )),
    ("bitnet_generation_free", None, (POINTER(bitnet_generation),)),
    ("bitnet_generation_next", c_int32, (POINTER(bitnet_generation), POINTER(bitnet_generation_step))),
    ("bitnet_generation_next_batch", c_int32, (
        POINTER(POINTER(bitnet_generation)), c_size_t, c_size_t, POINTER(bitnet_generation_step),
    )),
    ("bitnet_generation_get_logprobs", c_int32, (
        POINTER(bitnet_generation), POINTER(c_float), POINTER(bitnet_token_logprob), c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_generate", c_int32, (
        POINTER(bitnet_context), bitnet_seq_id, c_char_p, c_size_t, POINTER(bitnet_generation_params),
        bitnet_generation_callback, c_void_p, POINTER(POINTER(bitnet_generation)),
    )),
    ("bitnet_generation_get_result", c_int32, (POINTER(bitnet_generation), POINTER(bitnet_generation_result))),
    ("bitnet_context_prefill", c_int32, (
        POINTER(bitnet_context), bitnet_seq_id, POINTER(bitnet_token), c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_environment_get_info", c_int32, (POINTER(bitnet_environment_info),)),
    ("bitnet_model_get_sha256", c_int32, (POINTER(bitnet_model), POINTER(c_char), c_size_t, POINTER(c_size_t))),
    ("bitnet_generation_get_receipt", c_int32, (
        POINTER(bitnet_generation), POINTER(c_char), c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_receipt_write", c_int32, (c_char_p, c_size_t, c_char_p)),
    ("bitnet_receipt_check_name", c_char_p, (c_int32,)),
    ("bitnet_receipt_params_init", None, (POINTER(bitnet_receipt_params), c_uint32)),
    ("bitnet_receipt_verify", c_int32, (
        c_char_p, c_size_t, POINTER(bitnet_model), POINTER(bitnet_receipt_params), POINTER(bitnet_receipt_report),
    )),
    ("bitnet_grammar_create_from_gbnf", c_int32, (
        POINTER(bitnet_tokenizer), c_char_p, c_size_t, c_char_p, POINTER(POINTER(bitnet_grammar)),
    )),
    ("bitnet_grammar_create_from_json_schema", c_int32, (
        POINTER(bitnet_tokenizer), c_char_p, c_size_t, POINTER(POINTER(bitnet_grammar)),
    )),
    ("bitnet_grammar_free", None, (POINTER(bitnet_grammar),)),
    ("bitnet_json_schema_to_gbnf", c_int32, (c_char_p, c_size_t, POINTER(c_char), c_size_t, POINTER(c_size_t))),
    ("bitnet_sampler_set_grammar", c_int32, (POINTER(bitnet_sampler), POINTER(bitnet_grammar))),
    ("bitnet_adapter_load", c_int32, (POINTER(bitnet_model), c_char_p, POINTER(POINTER(bitnet_adapter)))),
    ("bitnet_adapter_load_from_memory", c_int32, (
        POINTER(bitnet_model), c_void_p, c_size_t, POINTER(POINTER(bitnet_adapter)),
    )),
    ("bitnet_adapter_free", None, (POINTER(bitnet_adapter),)),
    ("bitnet_adapter_get_info", c_int32, (POINTER(bitnet_adapter), POINTER(bitnet_adapter_info))),
    ("bitnet_context_set_adapters", c_int32, (
        POINTER(bitnet_context), bitnet_seq_id, POINTER(bitnet_adapter_use), c_size_t,
    )),
    ("bitnet_model_get_memory_breakdown", c_int32, (POINTER(bitnet_model), POINTER(bitnet_memory_breakdown))),
    ("bitnet_model_estimate_memory", c_int32, (
        POINTER(bitnet_model), POINTER(bitnet_context_params), POINTER(bitnet_memory_estimate),
    )),
    ("bitnet_model_estimate_memory_from_path", c_int32, (
        c_char_p, POINTER(bitnet_model_params), POINTER(bitnet_context_params), POINTER(bitnet_memory_estimate),
    )),
    ("bitnet_memory_get_used", c_uint64, ()),
    ("bitnet_finding_kind_name", c_char_p, (c_int32,)),
    ("bitnet_finding_severity_name", c_char_p, (c_int32,)),
    ("bitnet_validation_params_init", None, (POINTER(bitnet_validation_params), c_uint32)),
    ("bitnet_model_validate", c_int32, (
        POINTER(bitnet_model), POINTER(bitnet_validation_params), POINTER(POINTER(bitnet_validation_report)),
    )),
    ("bitnet_model_validate_file", c_int32, (
        c_char_p, POINTER(bitnet_validation_params), POINTER(POINTER(bitnet_validation_report)),
    )),
    ("bitnet_validation_report_free", None, (POINTER(bitnet_validation_report),)),
    ("bitnet_validation_report_get_info", c_int32, (
        POINTER(bitnet_validation_report), POINTER(bitnet_validation_info),
    )),
    ("bitnet_validation_report_get_finding", c_int32, (
        POINTER(bitnet_validation_report), c_size_t, POINTER(bitnet_validation_finding),
    )),
    ("bitnet_validation_report_get_tensor", c_int32, (
        POINTER(bitnet_validation_report), c_size_t, POINTER(bitnet_validation_tensor),
    )),
    ("bitnet_validation_report_get_json", c_int32, (
        POINTER(bitnet_validation_report), POINTER(c_char), c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_device_parse", c_int32, (c_char_p, POINTER(c_int32), POINTER(c_int32))),
    ("bitnet_device_format", c_int32, (c_int32, c_int32, POINTER(c_char), c_size_t, POINTER(c_size_t))),
    ("bitnet_device_get_count", c_size_t, ()),
    ("bitnet_device_get_name", c_char_p, (c_size_t,)),
    ("bitnet_device_check", c_int32, (c_char_p,)),
    ("bitnet_device_get_memory", c_int32, (c_char_p, POINTER(bitnet_device_memory))),
    ("bitnet_device_get_info", c_int32, (c_char_p, POINTER(bitnet_device_info))),
    ("bitnet_device_get_json", c_int32, (POINTER(c_char), c_size_t, POINTER(c_size_t))),
    ("bitnet_feature_get_count", c_size_t, ()),
    ("bitnet_feature_get_name", c_char_p, (c_size_t,)),
    ("bitnet_feature_is_built", c_int32, (c_char_p,)),
    ("bitnet_features", c_char_p, ()),
    ("bitnet_model_get_quantization", c_int32, (POINTER(bitnet_model), POINTER(bitnet_quantization_info))),
    ("bitnet_model_get_type_count", c_size_t, (POINTER(bitnet_model),)),
    ("bitnet_model_get_type", c_int32, (POINTER(bitnet_model), c_size_t, POINTER(bitnet_type_usage))),
    ("bitnet_model_get_feature", c_char_p, (POINTER(bitnet_model), c_size_t)),
    ("bitnet_model_get_config", c_int32, (POINTER(bitnet_model), POINTER(bitnet_model_config))),
    ("bitnet_context_get_performance", c_int32, (POINTER(bitnet_context), POINTER(bitnet_performance_metrics))),
    ("bitnet_context_reset_performance", c_int32, (POINTER(bitnet_context),)),
    ("bitnet_performance_metrics_validate", c_int32, (POINTER(bitnet_performance_metrics),)),
    ("bitnet_performance_metrics_get_efficiency_ratio", c_double, (POINTER(bitnet_performance_metrics),)),
    ("bitnet_context_get_device_stats", c_int32, (POINTER(bitnet_context), POINTER(bitnet_device_stats))),
    ("bitnet_context_reset_device_stats", c_int32, (POINTER(bitnet_context),)),
    ("bitnet_context_get_device_summary", c_int32, (
        POINTER(bitnet_context), POINTER(c_char), c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_quantize_config_init", None, (POINTER(bitnet_quantize_config), c_uint32)),
    ("bitnet_quantize_get_size", c_int32, (
        POINTER(bitnet_quantize_config), c_size_t, c_size_t, POINTER(c_size_t), POINTER(c_size_t),
    )),
    ("bitnet_quantize_get_accuracy", c_int32, (
        POINTER(bitnet_quantize_config), POINTER(c_float), c_size_t, c_size_t, POINTER(bitnet_quantize_accuracy),
    )),
    ("bitnet_quantizer_params_init", None, (POINTER(bitnet_quantizer_params), c_uint32)),
    ("bitnet_quantizer_create", c_int32, (POINTER(bitnet_quantizer_params), POINTER(POINTER(bitnet_quantizer)))),
    ("bitnet_quantizer_free", None, (POINTER(bitnet_quantizer),)),
    ("bitnet_quantizer_quantize", c_int32, (
        POINTER(bitnet_quantizer), POINTER(bitnet_quantize_config), POINTER(c_float), c_size_t, c_size_t, c_void_p,
        c_size_t, POINTER(c_float), c_size_t,
    )),
    ("bitnet_quantizer_dequantize", c_int32, (
        POINTER(bitnet_quantizer), POINTER(bitnet_quantize_config), c_void_p, c_size_t, POINTER(c_float), c_size_t,
        c_size_t, c_size_t, POINTER(c_float), c_size_t,
    )),
    ("bitnet_quantizer_matmul_i2s", c_int32, (POINTER(bitnet_quantizer), POINTER(bitnet_i2s_matmul))),
    ("bitnet_quantizer_batch_matmul_i2s", c_int32, (POINTER(bitnet_quantizer), POINTER(bitnet_i2s_matmul), c_size_t)),
    ("bitnet_quantizer_force_cpu_fallback", c_int32, (POINTER(bitnet_quantizer),)),
    ("bitnet_quantizer_get_active_provider", c_char_p, (POINTER(bitnet_quantizer),)),
    ("bitnet_quantizer_is_gpu_active", c_int32, (POINTER(bitnet_quantizer),)),
    ("bitnet_quantizer_get_stats", c_int32, (POINTER(bitnet_quantizer), POINTER(bitnet_quantizer_stats))),
    ("bitnet_quantizer_reset_stats", c_int32, (POINTER(bitnet_quantizer),)),
    ("bitnet_quantizer_get_summary", c_int32, (
        POINTER(bitnet_quantizer), POINTER(c_char), c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_context_forward", c_int32, (
        POINTER(bitnet_context), POINTER(bitnet_forward_input), POINTER(c_float), c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_context_next_token_logits", c_int32, (
        POINTER(bitnet_context), bitnet_seq_id, POINTER(bitnet_token), c_size_t, c_float, POINTER(c_float), c_size_t,
        POINTER(c_size_t),
    )),
    ("bitnet_context_decode_begin", c_int32, (POINTER(bitnet_context), POINTER(bitnet_batch))),
    ("bitnet_context_step", c_int32, (POINTER(bitnet_context), c_uint64, POINTER(c_int32))),
    ("bitnet_context_decode_abandon", None, (POINTER(bitnet_context),)),
    ("bitnet_set_allocator", c_int32, (POINTER(bitnet_allocator),)),
    ("bitnet_convert_params_init", None, (POINTER(bitnet_convert_params), c_uint32)),
    ("bitnet_file_convert", c_int32, (
        c_char_p, c_char_p, POINTER(bitnet_convert_params), POINTER(POINTER(bitnet_convert_report)),
    )),
    ("bitnet_convert_report_free", None, (POINTER(bitnet_convert_report),)),
    ("bitnet_convert_report_get_info", c_int32, (POINTER(bitnet_convert_report), POINTER(bitnet_convert_info))),
    ("bitnet_convert_report_get_tensor", c_int32, (
        POINTER(bitnet_convert_report), c_size_t, POINTER(bitnet_converted_tensor),
    )),
    ("bitnet_convert_report_get_json", c_int32, (
        POINTER(bitnet_convert_report), POINTER(c_char), c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_conv2d_params_init", None, (POINTER(bitnet_conv2d_params), c_uint32)),
    ("bitnet_conv2d_get_output_dims", c_int32, (
        POINTER(bitnet_conv2d_params), POINTER(c_uint64), POINTER(c_uint64), POINTER(c_uint64),
    )),
    ("bitnet_conv2d_f32", c_int32, (
        POINTER(bitnet_conv2d_params), POINTER(bitnet_conv2d), POINTER(c_float), c_size_t,
    )),
    ("bitnet_conv2d_quantized", c_int32, (
        POINTER(bitnet_conv2d_params), POINTER(bitnet_conv2d), c_char_p, c_void_p, c_size_t, POINTER(c_float),
        c_size_t,
    )),
    ("bitnet_conv2d_get_quantized_size", c_int32, (c_char_p, c_size_t, c_size_t, POINTER(c_size_t))),
    ("bitnet_conv2d_quantize", c_int32, (
        c_char_p, POINTER(c_float), c_size_t, c_size_t, c_void_p, c_size_t, POINTER(c_float), c_size_t,
    )),
    ("bitnet_conv2d_dequantize", c_int32, (
        c_char_p, c_void_p, c_size_t, POINTER(c_float), c_size_t, c_size_t, c_size_t, POINTER(c_float), c_size_t,
    )),
    ("bitnet_file_open", c_int32, (c_char_p, POINTER(POINTER(bitnet_file)))),
    ("bitnet_file_free", None, (POINTER(bitnet_file),)),
    ("bitnet_file_get_info", c_int32, (POINTER(bitnet_file), POINTER(bitnet_file_info))),
    ("bitnet_file_get_metadata_key", c_int32, (
        POINTER(bitnet_file), c_size_t, POINTER(c_char), c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_file_get_metadata", c_int32, (
        POINTER(bitnet_file), c_char_p, POINTER(c_char), c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_file_get_tensor", c_int32, (POINTER(bitnet_file), c_size_t, POINTER(bitnet_file_tensor))),
    ("bitnet_file_read_tensor", c_int32, (
        POINTER(bitnet_file), c_size_t, c_int64, c_int64, POINTER(c_float), c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_context_set_node_callback", c_int32, (POINTER(bitnet_context), bitnet_node_callback, c_void_p)),
    ("bitnet_tokenizer_source_get_count", c_size_t, ()),
    ("bitnet_tokenizer_source_get", c_int32, (c_size_t, POINTER(bitnet_tokenizer_source))),
    ("bitnet_tokenizer_discovery_params_init", None, (POINTER(bitnet_tokenizer_discovery_params), c_uint32)),
    ("bitnet_tokenizer_discovery_create", c_int32, (
        c_char_p, POINTER(bitnet_tokenizer_discovery_params), POINTER(POINTER(bitnet_tokenizer_discovery)),
    )),
    ("bitnet_tokenizer_discovery_get_info", c_int32, (
        POINTER(bitnet_tokenizer_discovery), POINTER(bitnet_tokenizer_discovery_info),
    )),
    ("bitnet_tokenizer_discovery_load", c_int32, (
        POINTER(bitnet_tokenizer_discovery), POINTER(POINTER(bitnet_tokenizer)),
    )),
    ("bitnet_tokenizer_discovery_free", None, (POINTER(bitnet_tokenizer_discovery),)),
    ("bitnet_tokenizer_validate_file", c_int32, (c_char_p, c_int32)),
    ("bitnet_merge_params_init", None, (POINTER(bitnet_merge_params), c_uint32)),
    ("bitnet_file_merge", c_int32, (
        c_char_p, c_char_p, POINTER(bitnet_merge_params), POINTER(POINTER(bitnet_merge_report)),
    )),
    ("bitnet_merge_report_free", None, (POINTER(bitnet_merge_report),)),
    ("bitnet_merge_report_get_info", c_int32, (POINTER(bitnet_merge_report), POINTER(bitnet_merge_info))),
    ("bitnet_merge_report_get_tensor", c_int32, (
        POINTER(bitnet_merge_report), c_size_t, POINTER(bitnet_merged_tensor),
    )),
    ("bitnet_merge_report_get_json", c_int32, (
        POINTER(bitnet_merge_report), POINTER(c_char), c_size_t, POINTER(c_size_t),
    )),
    ("bitnet_synthetic_get_count", c_size_t, ()),
    ("bitnet_synthetic_get_shape", c_int32, (c_size_t, POINTER(bitnet_synthetic_shape))),
    ("bitnet_synthetic_params_init", None, (POINTER(bitnet_synthetic_params), c_uint32)),
    ("bitnet_synthetic_write", c_int32, (c_char_p, POINTER(bitnet_synthetic_params))),
    ("bitnet_context_get_pass_work", c_int32, (
        POINTER(bitnet_context), POINTER(bitnet_pass_shape), POINTER(bitnet_pass_work),
    )),
    ("bitnet_limits_params_init", None, (POINTER(bitnet_limits_params), c_uint32)),
    ("bitnet_limits_measure", c_int32, (POINTER(bitnet_limits_params), POINTER(bitnet_machine_limits))),
    ("bitnet_kernel_get_operation", c_char_p, (c_char_p, c_size_t)),
    ("bitnet_kernel_run_init", None, (POINTER(bitnet_kernel_run), c_uint32)),
    ("bitnet_kernel_measure", c_int32, (POINTER(bitnet_kernel_run), POINTER(bitnet_kernel_timing))),
    ("bitnet_cuda_open", c_int32, (c_int32, POINTER(POINTER(bitnet_cuda)))),
    ("bitnet_cuda_free", None, (POINTER(bitnet_cuda),)),
    ("bitnet_cuda_get_info", c_int32, (POINTER(bitnet_cuda), POINTER(bitnet_cuda_info))),
    ("bitnet_cuda_get_context", c_int32, (POINTER(bitnet_cuda), POINTER(c_void_p))),
    ("bitnet_cuda_get_module", c_int32, (POINTER(bitnet_cuda), POINTER(c_void_p))),
    ("bitnet_cuda_load_ptx", c_int32, (
        POINTER(bitnet_cuda), c_char_p, c_size_t, POINTER(POINTER(bitnet_cuda_module)),
    )),
    ("bitnet_cuda_module_free", None, (POINTER(bitnet_cuda_module),)),
    ("bitnet_cuda_module_get_function", c_int32, (POINTER(bitnet_cuda_module), c_char_p, POINTER(c_void_p))),
    ("bitnet_cuda_work_init", None, (POINTER(bitnet_cuda_work), c_uint32)),
    ("bitnet_cuda_launch", c_int32, (POINTER(bitnet_cuda), POINTER(bitnet_cuda_work))),
    ("bitnet_cuda_allocate", c_int32, (POINTER(bitnet_cuda), c_size_t, POINTER(c_uint64))),
    ("bitnet_cuda_release", c_int32, (POINTER(bitnet_cuda), c_uint64)),
    ("bitnet_cuda_copy_in", c_int32, (POINTER(bitnet_cuda), c_uint64, c_void_p, c_size_t)),
    ("bitnet_cuda_copy_out", c_int32, (POINTER(bitnet_cuda), c_void_p, c_uint64, c_size_t)),
    ("bitnet_cuda_synchronize_all", c_int32, (POINTER(bitnet_cuda),)),
    ("bitnet_cuda_get_memory_stats", c_int32, (POINTER(bitnet_cuda), POINTER(bitnet_cuda_memory_stats))),
    ("bitnet_cuda_get_performance_stats", c_int32, (POINTER(bitnet_cuda), POINTER(bitnet_cuda_performance_stats))),
    ("bitnet_cuda_reset_performance_stats", c_int32, (POINTER(bitnet_cuda),)),
    ("bitnet_cuda_batch_matmul_i2s", c_int32, (POINTER(bitnet_cuda), POINTER(bitnet_i2s_matmul), c_size_t)),
    ("bitnet_cuda_get_launch_parameters", c_int32, (
        POINTER(bitnet_cuda_info), c_uint64, c_uint64, c_uint64, POINTER(bitnet_cuda_launch_parameters),
    )),
)
