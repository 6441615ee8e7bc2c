// Every struct has the size, and every field the offset and the size, that a C compiler gives it.
// Written by bindings/abi/emit_rust.py from bitnet.h; change that program, not this file.

#[path = "compare_layout.rs"]
mod compare_layout;
use bitnet_sys::*;
use compare_layout::{compare, Row};

#[test]
fn structs_are_laid_out_as_in_c() {
    let mut rows: Vec<Row> = Vec::new();
    rows!(rows, bitnet_error_info: 
        struct_size, status, expected, actual, offset, subject, message, family, severity, recoverable, has_numbers,
        has_offset, n_suggestions, variant, operation, file, model, device, memory_bytes, peak_memory_bytes,
    );
    rows!(rows, bitnet_kernel_info: struct_size, name, r#type, level, runnable, exact, selected, is_vector);
    rows!(rows, bitnet_model_params: 
        struct_size, use_mmap, check_weights, i2s_order, n_threads, vocab_only, kernel, max_bytes, on_progress,
        progress_user_data, max_tensors, sha256, device, validate, tokenizer_path, tl_tiling, quantization, screen_head,
    );
    rows!(rows, bitnet_reader: struct_size, size, read, user_data);
    rows!(rows, bitnet_model_info: 
        struct_size, architecture, name, quantization, kernel, n_vocab, n_ctx_train, n_embd, n_layer, n_head, n_head_kv,
        head_dim, n_ff, rope_freq_base, rms_norm_eps, n_tensors, n_parameters, n_file_bytes, bits_per_weight,
    );
    rows!(rows, bitnet_tensor_info: struct_size, name, r#type, n_dims, shape, file_offset, n_bytes, part);
    rows!(rows, bitnet_memory_info: 
        struct_size, weights_mapped_bytes, weights_owned_bytes, vocabulary_bytes, kv_bytes, scratch_bytes,
    );
    rows!(rows, bitnet_tokenizer_info: 
        struct_size, source, model, pre, n_vocab, bos, eos, eot, pad, unk, add_bos, add_eos,
    );
    rows!(rows, bitnet_chat_message: role, content);
    rows!(rows, bitnet_context_params: 
        struct_size, n_ctx, n_batch, n_ubatch, n_seq_max, n_threads, embeddings, trace, should_abort, abort_user_data,
        max_lora_rank, max_bytes, timeout_us, thread_pool, on_progress, progress_user_data, type_k, type_v,
    );
    rows!(rows, bitnet_batch: struct_size, n_tokens, tokens, positions, seq_ids, want_output);
    rows!(rows, bitnet_logit_bias: token, bias);
    rows!(rows, bitnet_sampler_params: 
        struct_size, temperature, top_k, top_p, min_p, typical_p, repetition_penalty, frequency_penalty,
        presence_penalty, penalty_last_n, has_seed, seed, logit_bias, n_logit_bias, xtc_probability, xtc_threshold,
        dry_multiplier, dry_base, dry_allowed_length, dry_penalty_last_n, dry_breakers, n_dry_breakers, dynatemp_range,
        dynatemp_exponent, top_n_sigma, mirostat, mirostat_tau, mirostat_eta,
    );
    rows!(rows, bitnet_token_logprob: token, logprob);
    rows!(rows, bitnet_metrics: struct_size, load_us, prefill_us, prefill_tokens, decode_us, decode_tokens, n_decodes);
    rows!(rows, bitnet_generation_params: 
        struct_size, max_new_tokens, skip_special_tokens, parse_special, deadline_us, sampler, stop_sequences,
        n_stop_sequences, receipt, n_logprobs, grammar, n_draft,
    );
    rows!(rows, bitnet_generation_step: 
        struct_size, finish_reason, text, n_bytes, tokens, n_tokens, token_us, cumulative_us, tokens_per_second,
        prompt_tokens_left, status, error,
    );
    rows!(rows, bitnet_generation_result: 
        struct_size, finish_reason, stop_sequence, text, n_bytes, tokens, token_times_us, n_tokens, model_name,
        quantization, device, seed, prompt_tokens, reused_tokens, tokenize_us, prefill_us, decode_us, decode_steps,
        total_us, prefill_tokens_per_second, decode_tokens_per_second, total_tokens_per_second, drafted_tokens,
        accepted_tokens,
    );
    rows!(rows, bitnet_environment_info: 
        struct_size, kernel, n_threads, batch_size, memory_limit, deterministic, has_seed, seed, strict_tokenizers,
        offline,
    );
    rows!(rows, bitnet_receipt_params: 
        struct_size, n_threads, replay_share, replay_count, seed, max_tokens, should_abort, abort_user_data,
    );
    rows!(rows, bitnet_receipt_report: 
        struct_size, failed_check, model_matched, n_positions, n_replayed, first_mismatch,
    );
    rows!(rows, bitnet_adapter_info: struct_size, name, architecture, rank, alpha, n_tensors, n_parameters, n_bytes);
    rows!(rows, bitnet_adapter_use: adapter, scale);
    rows!(rows, bitnet_memory_breakdown: 
        struct_size, attention_bytes, feed_forward_bytes, norm_bytes, embedding_bytes, output_bytes, other_bytes,
        total_bytes,
    );
    rows!(rows, bitnet_memory_estimate: 
        struct_size, n_ctx, n_batch, n_ubatch, n_seq_max, n_threads, weights_mapped_bytes, weights_owned_bytes,
        load_peak_bytes, attention_bytes, feed_forward_bytes, norm_bytes, embedding_bytes, output_bytes, other_bytes,
        kv_bytes, scratch_bytes, activation_bytes, score_bytes, batch_bytes, graph_bytes, logits_bytes,
        extra_output_bytes, total_bytes,
    );
    rows!(rows, bitnet_validation_finding: 
        struct_size, kind, severity, status, tensor, message, count, index, offset, has_offset,
    );
    rows!(rows, bitnet_validation_tensor: 
        struct_size, name, r#type, role, n_bytes, values_checked, is_ternary, n_values, n_zeros, n_zero_rows, scale,
    );
    rows!(rows, bitnet_validation_info: 
        struct_size, is_valid, architecture, n_tensors, n_errors, n_warnings, n_notes, n_findings, n_missing,
        n_wrong_shapes, n_ternary_values, ternary_zeros, seconds, stored, quantization_accuracy,
    );
    rows!(rows, bitnet_validation_params: 
        struct_size, check_values, n_threads, max_findings, on_progress, progress_user_data, max_tensors, tl_tiling,
    );
    rows!(rows, bitnet_device_memory: struct_size, total, free, used, limit_bytes);
    rows!(rows, bitnet_device_info: 
        struct_size, kind, index, supports_f16, supports_bf16, supports_int8, max_threads, compute_capability, name,
        simd, kernel_level, quantization,
    );
    rows!(rows, bitnet_quantization_info: 
        struct_size, block_length, r#type, n_parameters, n_bytes, bits_per_weight, compression_f16, compression_f32,
        ternary_parameters, ternary_bytes, ternary_bits_per_weight,
    );
    rows!(rows, bitnet_type_usage: struct_size, ternary, r#type, n_tensors, n_parameters, n_bytes, bits_per_weight);
    rows!(rows, bitnet_model_config: 
        struct_size, max_seq_len, device, dtype, activation_dtype, activation, kv_dtype, kv_bytes_per_token,
        rope_dimensions, tied_embeddings, rope_scaling, rope_scaling_factor,
    );
    rows!(rows, bitnet_performance_metrics: 
        struct_size, present, backend_type, n_inferences, tokens_generated, tokens_per_second, total_latency_us,
        first_token_latency_us, average_token_latency_us, cache_hit_rate, memory_usage_bytes, encode_us, detokenize_us,
        forward_us, sampling_us, error_count, error_rate,
    );
    rows!(rows, bitnet_device_stats: 
        struct_size, is_gpu_effective, device_type, target_device, total_operations, quantization_operations,
        matmul_operations, total_time_ms, quantization_time_ms, matmul_time_ms, gpu_operations, cpu_operations,
        fallback_count, gpu_efficiency, last_gpu_error, last_cpu_error, memory_used_bytes, memory_total_bytes,
        average_quantization_time_ms, average_matmul_time_ms,
    );
    rows!(rows, bitnet_quantize_config: struct_size, asymmetric, block_size, r#type);
    rows!(rows, bitnet_quantize_accuracy: 
        struct_size, envelope, is_within, codes_equal, n_values, mse, max_abs_error, cosine, accuracy,
    );
    rows!(rows, bitnet_quantizer_params: 
        struct_size, allow_fallback, device, min_accuracy, n_threads, kernel, max_bytes,
    );
    rows!(rows, bitnet_i2s_matmul: 
        activations, activation_scales, n_activation_scales, weights, n_weight_bytes, out, n_out, m, n, k,
    );
    rows!(rows, bitnet_quantizer_stats: 
        struct_size, is_gpu_effective, device_type, target_device, total_operations, quantization_operations,
        matmul_operations, total_time_ms, quantization_time_ms, matmul_time_ms, gpu_operations, cpu_operations,
        fallback_count, gpu_efficiency, last_gpu_error, last_cpu_error, memory_used_bytes, memory_total_bytes,
        average_quantization_time_ms, average_matmul_time_ms,
    );
    rows!(rows, bitnet_forward_input: struct_size, n_tokens, tokens, positions, mask, want_output, output);
    rows!(rows, bitnet_allocator: struct_size, alloc, free, user_data);
    rows!(rows, bitnet_thread_pool: struct_size, n_threads, run, user_data);
    rows!(rows, bitnet_convert_params: 
        struct_size, ternarize, r#type, head_type, embedding_type, gguf_version, i2s_order, n_threads, on_progress,
        progress_user_data, max_tensors, tl_tiling,
    );
    rows!(rows, bitnet_convert_info: 
        struct_size, gguf_version, r#type, n_tensors, n_copied, n_encoded, n_ternarised, n_inexact, n_source_bytes,
        n_file_bytes, worst_accuracy, worst_tensor, seconds,
    );
    rows!(rows, bitnet_converted_tensor: 
        struct_size, action, name, source_type, r#type, n_values, n_zeros, n_source_bytes, n_bytes, is_exact,
        codes_equal, scale, mse, max_abs_error, cosine, accuracy,
    );
    rows!(rows, bitnet_conv2d_params: struct_size, n_threads, stride, padding, dilation, kernel);
    rows!(rows, bitnet_conv2d: input_dims, weight_dims, input, n_input, bias, n_bias, out, n_out);
    rows!(rows, bitnet_file_info: struct_size, version, alignment, n_keys, n_tensors, n_bytes, n_parts);
    rows!(rows, bitnet_file_tensor: 
        struct_size, type_id, name, r#type, problem, n_dims, part, shape, file_offset, n_bytes,
    );
    rows!(rows, bitnet_node_value: struct_size, index, name, op, kernel, layer, n_rows, width, values);
    rows!(rows, bitnet_tokenizer_source: struct_size, expected_vocab, name, repo, files, n_files, cache_key);
    rows!(rows, bitnet_tokenizer_discovery_params: struct_size, offline, strict, tokenizer_path, cache_dir, table_path);
    rows!(rows, bitnet_tokenizer_discovery_info: 
        struct_size, strategy, description, path, requires_network, uses_cache, n_vocab, is_large_vocab, architecture,
        model_type, beside, cached, source, steps,
    );
    rows!(rows, bitnet_merge_adapter: path, scale);
    rows!(rows, bitnet_merge_params: struct_size, reserved, adapters, n_adapters, checkpoint_path, convert);
    rows!(rows, bitnet_merge_info: 
        struct_size, gguf_version, n_tensors, n_ternary, n_values, n_codes_changed, change, relative_error, cosine,
        change_kept, n_file_bytes, seconds,
    );
    rows!(rows, bitnet_merged_tensor: 
        struct_size, is_ternary, name, n_values, n_codes_changed, step, scale, change, relative_error, cosine,
        change_kept,
    );
    rows!(rows, bitnet_synthetic_shape: 
        struct_size, n_layer, name, model, architecture, down_type, n_embd, n_ff, n_head, n_head_kv, head_dim, n_vocab,
        n_ctx_train,
    );
    rows!(rows, bitnet_synthetic_params: struct_size, reserved, shape, head, seed, on_progress, progress_user_data);
    rows!(rows, bitnet_pass_shape: struct_size, n_seq, n_tokens, n_past);
    rows!(rows, bitnet_pass_work: 
        struct_size, n_micro_batches, layer_bytes, head_bytes, kv_bytes, total_bytes, int8_ops, float_ops,
    );
    rows!(rows, bitnet_limits_params: struct_size, n_threads, level, n_bytes, budget_us, should_abort, abort_user_data);
    rows!(rows, bitnet_machine_limits: 
        struct_size, n_threads, n_bytes, read_bytes_per_second, plain_read_bytes_per_second, int8_ops_per_second,
        int8_level, read_streams,
    );
    rows!(rows, bitnet_kernel_run: 
        struct_size, n_threads, kernel, operation, k, n_rows, n_cols, cold_bytes, budget_us, should_abort,
        abort_user_data,
    );
    rows!(rows, bitnet_kernel_timing: struct_size, n_runs, median_us, best_us, n_bytes, n_ops);
    rows!(rows, bitnet_cuda_info: 
        struct_size, index, compute_capability, n_multiprocessors, max_threads_per_block,
        max_threads_per_multiprocessor, max_shared_bytes, clock_khz, memory_clock_khz, memory_bus_bits, driver_version,
        l2_bytes, memory_bytes, name, uuid,
    );
    rows!(rows, bitnet_cuda_work: struct_size, grid, block, shared_bytes, function, params, n_params);
    rows!(rows, bitnet_cuda_memory_stats: 
        struct_size, n_allocations, total_bytes, free_bytes, library_bytes, allocated_bytes,
    );
    rows!(rows, bitnet_cuda_performance_stats: 
        struct_size, n_launches, n_copies_in, n_copies_out, bytes_in, bytes_out, n_waits, wait_time_ms,
    );
    rows!(rows, bitnet_cuda_launch_parameters: 
        struct_size, grid, block, shared_bytes, tile, blocks_per_multiprocessor, occupancy, waves,
    );
    compare(&rows);
}
