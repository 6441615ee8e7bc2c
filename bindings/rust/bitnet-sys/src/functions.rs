// Every function of bitnet.h. What they do is told there.
// Written by bindings/abi/emit_rust.py from bitnet.h; change that program, not this file.

use super::*;

extern "C" {
    pub fn bitnet_version_number() -> u32;
    pub fn bitnet_version_string() -> *const c_char;
    pub fn bitnet_build_info() -> *const c_char;
    pub fn bitnet_status_name(status: bitnet_status) -> *const c_char;
    pub fn bitnet_status_text(status: bitnet_status) -> *const c_char;
    pub fn bitnet_last_error() -> *const c_char;
    pub fn bitnet_status_get_family(status: bitnet_status) -> bitnet_error_family;
    pub fn bitnet_status_get_severity(status: bitnet_status) -> bitnet_error_severity;
    pub fn bitnet_status_is_recoverable(status: bitnet_status) -> i32;
    pub fn bitnet_status_get_variant(status: bitnet_status) -> *const c_char;
    pub fn bitnet_status_get_suggestion(status: bitnet_status, index: usize) -> *const c_char;
    pub fn bitnet_status_get_variable(status: bitnet_status, index: usize) -> *const c_char;
    pub fn bitnet_error_family_name(family: bitnet_error_family) -> *const c_char;
    pub fn bitnet_error_severity_name(severity: bitnet_error_severity) -> *const c_char;
    pub fn bitnet_last_error_get_info(out_info: *mut bitnet_error_info) -> bitnet_status;
    pub fn bitnet_last_error_get_user_message(
        buffer: *mut c_char, capacity: usize, out_size: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_last_error_get_debug_message(
        buffer: *mut c_char, capacity: usize, out_size: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_last_error_get_json(buffer: *mut c_char, capacity: usize, out_size: *mut usize) -> bitnet_status;
    pub fn bitnet_log_set_callback(
        callback: Option<bitnet_log_callback>, min_level: bitnet_log_level, user_data: *mut c_void,
    );
    pub fn bitnet_kernel_get_count() -> usize;
    pub fn bitnet_kernel_get_info(index: usize, out_info: *mut bitnet_kernel_info) -> bitnet_status;
    pub fn bitnet_cpu_get_thread_limit() -> i32;
    pub fn bitnet_model_params_init(params: *mut bitnet_model_params, struct_size: u32);
    pub fn bitnet_model_load(
        path: *const c_char, params: *const bitnet_model_params, out_model: *mut *mut bitnet_model,
    ) -> bitnet_status;
    pub fn bitnet_model_load_from_memory(
        data: *const c_void, size: usize, params: *const bitnet_model_params, out_model: *mut *mut bitnet_model,
    ) -> bitnet_status;
    pub fn bitnet_model_load_from_fd(
        fd: c_int, offset: u64, length: u64, params: *const bitnet_model_params, out_model: *mut *mut bitnet_model,
    ) -> bitnet_status;
    pub fn bitnet_model_load_from_reader(
        reader: *const bitnet_reader, params: *const bitnet_model_params, out_model: *mut *mut bitnet_model,
    ) -> bitnet_status;
    pub fn bitnet_model_free(model: *mut bitnet_model);
    pub fn bitnet_model_get_info(model: *const bitnet_model, out_info: *mut bitnet_model_info) -> bitnet_status;
    pub fn bitnet_model_get_metadata_count(model: *const bitnet_model) -> usize;
    pub fn bitnet_model_get_metadata_key(
        model: *const bitnet_model, index: usize, buffer: *mut c_char, capacity: usize, out_size: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_model_get_metadata(
        model: *const bitnet_model, key: *const c_char, buffer: *mut c_char, capacity: usize, out_size: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_model_get_tensor_count(model: *const bitnet_model) -> usize;
    pub fn bitnet_model_get_tensor(
        model: *const bitnet_model, index: usize, out_info: *mut bitnet_tensor_info,
    ) -> bitnet_status;
    pub fn bitnet_model_get_tokenizer(model: *const bitnet_model) -> *const bitnet_tokenizer;
    pub fn bitnet_tokenizer_load(path: *const c_char, out_tokenizer: *mut *mut bitnet_tokenizer) -> bitnet_status;
    pub fn bitnet_tokenizer_free(tokenizer: *mut bitnet_tokenizer);
    pub fn bitnet_tokenizer_encode(
        tokenizer: *const bitnet_tokenizer, text: *const c_char, n_bytes: usize, flags: u32,
        out_tokens: *mut bitnet_token, capacity: usize, out_n: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_tokenizer_decode(
        tokenizer: *const bitnet_tokenizer, tokens: *const bitnet_token, n_tokens: usize, flags: u32,
        buffer: *mut c_char, capacity: usize, out_n_bytes: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_utf8_complete_prefix(bytes: *const c_char, n_bytes: usize) -> usize;
    pub fn bitnet_tokenizer_get_n_vocab(tokenizer: *const bitnet_tokenizer) -> i32;
    pub fn bitnet_tokenizer_get_piece(
        tokenizer: *const bitnet_tokenizer, token: bitnet_token, out_piece: *mut *const c_char, out_n_bytes: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_tokenizer_get_token(
        tokenizer: *const bitnet_tokenizer, piece: *const c_char, n_bytes: usize, out_token: *mut bitnet_token,
    ) -> bitnet_status;
    pub fn bitnet_tokenizer_find_tokens(
        tokenizer: *const bitnet_tokenizer, text: *const c_char, n_bytes: usize, out_tokens: *mut bitnet_token,
        capacity: usize, out_n: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_tokenizer_get_attribute(tokenizer: *const bitnet_tokenizer, token: bitnet_token) -> i32;
    pub fn bitnet_tokenizer_is_end(tokenizer: *const bitnet_tokenizer, token: bitnet_token) -> i32;
    pub fn bitnet_tokenizer_get_info(
        tokenizer: *const bitnet_tokenizer, out_info: *mut bitnet_tokenizer_info,
    ) -> bitnet_status;
    pub fn bitnet_tokenizer_encode_chat(
        tokenizer: *const bitnet_tokenizer, format: *const c_char, messages: *const bitnet_chat_message,
        n_messages: usize, add_reply_header: i32, out_tokens: *mut bitnet_token, capacity: usize, out_n: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_chat_template_create(
        tokenizer: *const bitnet_tokenizer, format: *const c_char, source: *const c_char, n_bytes: usize,
        out_template: *mut *mut bitnet_chat_template,
    ) -> bitnet_status;
    pub fn bitnet_chat_template_free(chat_template: *mut bitnet_chat_template);
    pub fn bitnet_chat_template_get_name(chat_template: *const bitnet_chat_template) -> *const c_char;
    pub fn bitnet_chat_template_get_source(chat_template: *const bitnet_chat_template) -> *const c_char;
    pub fn bitnet_chat_template_encode(
        chat_template: *const bitnet_chat_template, json: *const c_char, n_bytes: usize, out_tokens: *mut bitnet_token,
        capacity: usize, out_n: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_chat_template_render(
        chat_template: *const bitnet_chat_template, json: *const c_char, n_bytes: usize, buffer: *mut c_char,
        capacity: usize, out_size: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_context_params_init(params: *mut bitnet_context_params, struct_size: u32);
    pub fn bitnet_context_create(
        model: *mut bitnet_model, params: *const bitnet_context_params, out_context: *mut *mut bitnet_context,
    ) -> bitnet_status;
    pub fn bitnet_context_free(context: *mut bitnet_context);
    pub fn bitnet_context_cancel(context: *mut bitnet_context);
    pub fn bitnet_context_get_n_ctx(context: *const bitnet_context) -> i32;
    pub fn bitnet_context_get_n_threads(context: *const bitnet_context) -> i32;
    pub fn bitnet_context_get_memory(
        context: *const bitnet_context, out_info: *mut bitnet_memory_info,
    ) -> bitnet_status;
    pub fn bitnet_context_decode(context: *mut bitnet_context, batch: *const bitnet_batch) -> bitnet_status;
    pub fn bitnet_context_decode_tokens(
        context: *mut bitnet_context, seq_id: bitnet_seq_id, tokens: *const bitnet_token, n_tokens: usize,
    ) -> bitnet_status;
    pub fn bitnet_context_get_logits(
        context: *mut bitnet_context, index: i32, out_logits: *mut *const f32,
    ) -> bitnet_status;
    pub fn bitnet_context_get_embedding(
        context: *mut bitnet_context, index: i32, normalize: i32, out: *mut f32, capacity: usize,
    ) -> bitnet_status;
    pub fn bitnet_context_get_sequence_embedding(
        context: *mut bitnet_context, seq_id: bitnet_seq_id, pooling: bitnet_pooling, normalize: i32, out: *mut f32,
        capacity: usize,
    ) -> bitnet_status;
    pub fn bitnet_sequence_remove(
        context: *mut bitnet_context, seq_id: bitnet_seq_id, p0: bitnet_pos, p1: bitnet_pos,
    ) -> bitnet_status;
    pub fn bitnet_sequence_rewind(
        context: *mut bitnet_context, seq_id: bitnet_seq_id, n_tokens: usize,
    ) -> bitnet_status;
    pub fn bitnet_sequence_copy(
        context: *mut bitnet_context, src: bitnet_seq_id, dst: bitnet_seq_id, p0: bitnet_pos, p1: bitnet_pos,
    ) -> bitnet_status;
    pub fn bitnet_sequence_fork(context: *mut bitnet_context, src: bitnet_seq_id, dst: bitnet_seq_id) -> bitnet_status;
    pub fn bitnet_sequence_keep(context: *mut bitnet_context, seq_id: bitnet_seq_id) -> bitnet_status;
    pub fn bitnet_sequence_get_end(context: *const bitnet_context, seq_id: bitnet_seq_id) -> bitnet_pos;
    pub fn bitnet_sequence_get_tokens(
        context: *const bitnet_context, seq_id: bitnet_seq_id, out_tokens: *mut bitnet_token, capacity: usize,
        out_n: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_context_get_n_free(context: *const bitnet_context) -> i32;
    pub fn bitnet_sequence_shift(
        context: *mut bitnet_context, seq_id: bitnet_seq_id, p0: bitnet_pos, p1: bitnet_pos, out_n_computed: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_sequence_save(
        context: *const bitnet_context, seq_id: bitnet_seq_id, buffer: *mut c_void, capacity: usize,
        out_size: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_sequence_save_delta(
        context: *const bitnet_context, seq_id: bitnet_seq_id, from_pos: bitnet_pos, buffer: *mut c_void,
        capacity: usize, out_size: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_sequence_load(
        context: *mut bitnet_context, seq_id: bitnet_seq_id, data: *const c_void, size: usize,
    ) -> bitnet_status;
    pub fn bitnet_context_save_session(
        context: *const bitnet_context, path: *const c_char, on_progress: Option<bitnet_progress_callback>,
        user_data: *mut c_void,
    ) -> bitnet_status;
    pub fn bitnet_context_load_session(
        context: *mut bitnet_context, path: *const c_char, on_progress: Option<bitnet_progress_callback>,
        user_data: *mut c_void,
    ) -> bitnet_status;
    pub fn bitnet_context_save_session_to_memory(
        context: *const bitnet_context, buffer: *mut c_void, capacity: usize, out_size: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_context_load_session_from_memory(
        context: *mut bitnet_context, data: *const c_void, size: usize,
    ) -> bitnet_status;
    pub fn bitnet_sampler_params_init(params: *mut bitnet_sampler_params, struct_size: u32);
    pub fn bitnet_sampler_create(
        params: *const bitnet_sampler_params, out_sampler: *mut *mut bitnet_sampler,
    ) -> bitnet_status;
    pub fn bitnet_sampler_free(sampler: *mut bitnet_sampler);
    pub fn bitnet_sampler_sample(
        sampler: *mut bitnet_sampler, logits: *const f32, n_vocab: usize, out_token: *mut bitnet_token,
    ) -> bitnet_status;
    pub fn bitnet_sampler_sample_context(
        sampler: *mut bitnet_sampler, context: *mut bitnet_context, index: i32, out_token: *mut bitnet_token,
    ) -> bitnet_status;
    pub fn bitnet_sampler_accept(sampler: *mut bitnet_sampler, token: bitnet_token) -> bitnet_status;
    pub fn bitnet_sampler_reset(sampler: *mut bitnet_sampler) -> bitnet_status;
    pub fn bitnet_sampler_get_seed(sampler: *const bitnet_sampler) -> u64;
    pub fn bitnet_sampler_get_probabilities(
        sampler: *mut bitnet_sampler, logits: *const f32, n_vocab: usize, out_probabilities: *mut f32,
    ) -> bitnet_status;
    pub fn bitnet_logits_argmax(logits: *const f32, n_vocab: usize, out_token: *mut bitnet_token) -> bitnet_status;
    pub fn bitnet_logits_softmax(logits: *const f32, n_vocab: usize, out_probabilities: *mut f32) -> bitnet_status;
    pub fn bitnet_logits_sample(
        logits: *const f32, n_vocab: usize, params: *const bitnet_sampler_params, out_token: *mut bitnet_token,
    ) -> bitnet_status;
    pub fn bitnet_logits_get_top_logprobs(
        logits: *const f32, n_vocab: usize, token: bitnet_token, out_logprob: *mut f32,
        out_top: *mut bitnet_token_logprob, n_top: usize,
    ) -> bitnet_status;
    pub fn bitnet_context_get_metrics(
        context: *const bitnet_context, out_metrics: *mut bitnet_metrics,
    ) -> bitnet_status;
    pub fn bitnet_context_reset_metrics(context: *mut bitnet_context) -> bitnet_status;
    pub fn bitnet_context_get_trace(
        context: *const bitnet_context, buffer: *mut c_char, capacity: usize, out_size: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_finish_reason_name(reason: bitnet_finish_reason) -> *const c_char;
    pub fn bitnet_generation_params_init(params: *mut bitnet_generation_params, struct_size: u32);
    pub fn bitnet_generation_create(
        context: *mut bitnet_context, seq_id: bitnet_seq_id, prompt: *const c_char, n_bytes: usize,
        params: *const bitnet_generation_params, out_generation: *mut *mut bitnet_generation,
    ) -> bitnet_status;
    pub fn bitnet_generation_create_from_tokens(
        context: *mut bitnet_context, seq_id: bitnet_seq_id, tokens: *const bitnet_token, n_tokens: usize,
        params: *const bitnet_generation_params, out_generation: *mut *mut bitnet_generation,
    ) -> bitnet_status;
    pub fn bitnet_generation_free(generation: *mut bitnet_generation);
    pub fn bitnet_generation_next(
        generation: *mut bitnet_generation, out_step: *mut bitnet_generation_step,
    ) -> bitnet_status;
    pub fn bitnet_generation_next_batch(
        generations: *mut *mut bitnet_generation, n_generations: usize, max_tokens: usize,
        out_steps: *mut bitnet_generation_step,
    ) -> bitnet_status;
    pub fn bitnet_generation_get_logprobs(
        generation: *const bitnet_generation, out_logprob: *mut f32, out_top: *mut bitnet_token_logprob,
        capacity: usize, out_n: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_generate(
        context: *mut bitnet_context, seq_id: bitnet_seq_id, prompt: *const c_char, n_bytes: usize,
        params: *const bitnet_generation_params, on_step: Option<bitnet_generation_callback>, user_data: *mut c_void,
        out_generation: *mut *mut bitnet_generation,
    ) -> bitnet_status;
    pub fn bitnet_generation_get_result(
        generation: *const bitnet_generation, out_result: *mut bitnet_generation_result,
    ) -> bitnet_status;
    pub fn bitnet_context_prefill(
        context: *mut bitnet_context, seq_id: bitnet_seq_id, tokens: *const bitnet_token, n_tokens: usize,
        out_n_reused: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_environment_get_info(out_info: *mut bitnet_environment_info) -> bitnet_status;
    pub fn bitnet_model_get_sha256(
        model: *const bitnet_model, buffer: *mut c_char, capacity: usize, out_size: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_generation_get_receipt(
        generation: *const bitnet_generation, buffer: *mut c_char, capacity: usize, out_size: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_receipt_write(json: *const c_char, n_bytes: usize, path: *const c_char) -> bitnet_status;
    pub fn bitnet_receipt_check_name(check: bitnet_receipt_check) -> *const c_char;
    pub fn bitnet_receipt_params_init(params: *mut bitnet_receipt_params, struct_size: u32);
    pub fn bitnet_receipt_verify(
        json: *const c_char, n_bytes: usize, model: *const bitnet_model, params: *const bitnet_receipt_params,
        out_report: *mut bitnet_receipt_report,
    ) -> bitnet_status;
    pub fn bitnet_grammar_create_from_gbnf(
        tokenizer: *const bitnet_tokenizer, text: *const c_char, n_bytes: usize, root: *const c_char,
        out_grammar: *mut *mut bitnet_grammar,
    ) -> bitnet_status;
    pub fn bitnet_grammar_create_from_json_schema(
        tokenizer: *const bitnet_tokenizer, schema: *const c_char, n_bytes: usize,
        out_grammar: *mut *mut bitnet_grammar,
    ) -> bitnet_status;
    pub fn bitnet_grammar_free(grammar: *mut bitnet_grammar);
    pub fn bitnet_json_schema_to_gbnf(
        schema: *const c_char, n_bytes: usize, buffer: *mut c_char, capacity: usize, out_size: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_sampler_set_grammar(sampler: *mut bitnet_sampler, grammar: *const bitnet_grammar) -> bitnet_status;
    pub fn bitnet_adapter_load(
        model: *const bitnet_model, path: *const c_char, out_adapter: *mut *mut bitnet_adapter,
    ) -> bitnet_status;
    pub fn bitnet_adapter_load_from_memory(
        model: *const bitnet_model, data: *const c_void, size: usize, out_adapter: *mut *mut bitnet_adapter,
    ) -> bitnet_status;
    pub fn bitnet_adapter_free(adapter: *mut bitnet_adapter);
    pub fn bitnet_adapter_get_info(adapter: *const bitnet_adapter, out_info: *mut bitnet_adapter_info) -> bitnet_status;
    pub fn bitnet_context_set_adapters(
        context: *mut bitnet_context, seq_id: bitnet_seq_id, uses: *const bitnet_adapter_use, n_uses: usize,
    ) -> bitnet_status;
    pub fn bitnet_model_get_memory_breakdown(
        model: *const bitnet_model, out_breakdown: *mut bitnet_memory_breakdown,
    ) -> bitnet_status;
    pub fn bitnet_model_estimate_memory(
        model: *const bitnet_model, params: *const bitnet_context_params, out_estimate: *mut bitnet_memory_estimate,
    ) -> bitnet_status;
    pub fn bitnet_model_estimate_memory_from_path(
        path: *const c_char, model_params: *const bitnet_model_params, params: *const bitnet_context_params,
        out_estimate: *mut bitnet_memory_estimate,
    ) -> bitnet_status;
    pub fn bitnet_memory_get_used() -> u64;
    pub fn bitnet_finding_kind_name(kind: bitnet_finding_kind) -> *const c_char;
    pub fn bitnet_finding_severity_name(severity: bitnet_finding_severity) -> *const c_char;
    pub fn bitnet_validation_params_init(params: *mut bitnet_validation_params, struct_size: u32);
    pub fn bitnet_model_validate(
        model: *const bitnet_model, params: *const bitnet_validation_params,
        out_report: *mut *mut bitnet_validation_report,
    ) -> bitnet_status;
    pub fn bitnet_model_validate_file(
        path: *const c_char, params: *const bitnet_validation_params, out_report: *mut *mut bitnet_validation_report,
    ) -> bitnet_status;
    pub fn bitnet_validation_report_free(report: *mut bitnet_validation_report);
    pub fn bitnet_validation_report_get_info(
        report: *const bitnet_validation_report, out_info: *mut bitnet_validation_info,
    ) -> bitnet_status;
    pub fn bitnet_validation_report_get_finding(
        report: *const bitnet_validation_report, index: usize, out_finding: *mut bitnet_validation_finding,
    ) -> bitnet_status;
    pub fn bitnet_validation_report_get_tensor(
        report: *const bitnet_validation_report, index: usize, out_tensor: *mut bitnet_validation_tensor,
    ) -> bitnet_status;
    pub fn bitnet_validation_report_get_json(
        report: *const bitnet_validation_report, buffer: *mut c_char, capacity: usize, out_size: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_device_parse(
        text: *const c_char, out_kind: *mut bitnet_device_kind, out_index: *mut i32,
    ) -> bitnet_status;
    pub fn bitnet_device_format(
        kind: bitnet_device_kind, index: i32, buffer: *mut c_char, capacity: usize, out_size: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_device_get_count() -> usize;
    pub fn bitnet_device_get_name(index: usize) -> *const c_char;
    pub fn bitnet_device_check(device: *const c_char) -> bitnet_status;
    pub fn bitnet_device_get_memory(device: *const c_char, out_memory: *mut bitnet_device_memory) -> bitnet_status;
    pub fn bitnet_device_get_info(device: *const c_char, out_info: *mut bitnet_device_info) -> bitnet_status;
    pub fn bitnet_device_get_json(buffer: *mut c_char, capacity: usize, out_size: *mut usize) -> bitnet_status;
    pub fn bitnet_feature_get_count() -> usize;
    pub fn bitnet_feature_get_name(index: usize) -> *const c_char;
    pub fn bitnet_feature_is_built(name: *const c_char) -> i32;
    pub fn bitnet_features() -> *const c_char;
    pub fn bitnet_model_get_quantization(
        model: *const bitnet_model, out_info: *mut bitnet_quantization_info,
    ) -> bitnet_status;
    pub fn bitnet_model_get_type_count(model: *const bitnet_model) -> usize;
    pub fn bitnet_model_get_type(
        model: *const bitnet_model, index: usize, out_usage: *mut bitnet_type_usage,
    ) -> bitnet_status;
    pub fn bitnet_model_get_feature(model: *const bitnet_model, index: usize) -> *const c_char;
    pub fn bitnet_model_get_config(model: *const bitnet_model, out_config: *mut bitnet_model_config) -> bitnet_status;
    pub fn bitnet_context_get_performance(
        context: *const bitnet_context, out_metrics: *mut bitnet_performance_metrics,
    ) -> bitnet_status;
    pub fn bitnet_context_reset_performance(context: *mut bitnet_context) -> bitnet_status;
    pub fn bitnet_performance_metrics_validate(metrics: *const bitnet_performance_metrics) -> bitnet_status;
    pub fn bitnet_performance_metrics_get_efficiency_ratio(metrics: *const bitnet_performance_metrics) -> f64;
    pub fn bitnet_context_get_device_stats(
        context: *const bitnet_context, out_stats: *mut bitnet_device_stats,
    ) -> bitnet_status;
    pub fn bitnet_context_reset_device_stats(context: *mut bitnet_context) -> bitnet_status;
    pub fn bitnet_context_get_device_summary(
        context: *const bitnet_context, buffer: *mut c_char, capacity: usize, out_size: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_quantize_config_init(config: *mut bitnet_quantize_config, struct_size: u32);
    pub fn bitnet_quantize_get_size(
        config: *const bitnet_quantize_config, n_rows: usize, n_cols: usize, out_n_bytes: *mut usize,
        out_n_scales: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_quantize_get_accuracy(
        config: *const bitnet_quantize_config, input: *const f32, n_rows: usize, n_cols: usize,
        out_accuracy: *mut bitnet_quantize_accuracy,
    ) -> bitnet_status;
    pub fn bitnet_quantizer_params_init(params: *mut bitnet_quantizer_params, struct_size: u32);
    pub fn bitnet_quantizer_create(
        params: *const bitnet_quantizer_params, out_quantizer: *mut *mut bitnet_quantizer,
    ) -> bitnet_status;
    pub fn bitnet_quantizer_free(quantizer: *mut bitnet_quantizer);
    pub fn bitnet_quantizer_quantize(
        quantizer: *mut bitnet_quantizer, config: *const bitnet_quantize_config, input: *const f32, n_rows: usize,
        n_cols: usize, out: *mut c_void, n_out_bytes: usize, scales: *mut f32, n_scales: usize,
    ) -> bitnet_status;
    pub fn bitnet_quantizer_dequantize(
        quantizer: *mut bitnet_quantizer, config: *const bitnet_quantize_config, data: *const c_void, n_bytes: usize,
        scales: *const f32, n_scales: usize, n_rows: usize, n_cols: usize, out: *mut f32, n_out: usize,
    ) -> bitnet_status;
    pub fn bitnet_quantizer_matmul_i2s(
        quantizer: *mut bitnet_quantizer, matmul: *const bitnet_i2s_matmul,
    ) -> bitnet_status;
    pub fn bitnet_quantizer_batch_matmul_i2s(
        quantizer: *mut bitnet_quantizer, matmuls: *const bitnet_i2s_matmul, n_matmuls: usize,
    ) -> bitnet_status;
    pub fn bitnet_quantizer_force_cpu_fallback(quantizer: *mut bitnet_quantizer) -> bitnet_status;
    pub fn bitnet_quantizer_get_active_provider(quantizer: *const bitnet_quantizer) -> *const c_char;
    pub fn bitnet_quantizer_is_gpu_active(quantizer: *const bitnet_quantizer) -> i32;
    pub fn bitnet_quantizer_get_stats(
        quantizer: *const bitnet_quantizer, out_stats: *mut bitnet_quantizer_stats,
    ) -> bitnet_status;
    pub fn bitnet_quantizer_reset_stats(quantizer: *mut bitnet_quantizer) -> bitnet_status;
    pub fn bitnet_quantizer_get_summary(
        quantizer: *const bitnet_quantizer, buffer: *mut c_char, capacity: usize, out_size: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_context_forward(
        context: *mut bitnet_context, input: *const bitnet_forward_input, out: *mut f32, capacity: usize,
        out_n: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_context_next_token_logits(
        context: *mut bitnet_context, seq_id: bitnet_seq_id, tokens: *const bitnet_token, n_tokens: usize,
        temperature: f32, out: *mut f32, capacity: usize, out_n: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_context_decode_begin(context: *mut bitnet_context, batch: *const bitnet_batch) -> bitnet_status;
    pub fn bitnet_context_step(context: *mut bitnet_context, budget_us: u64, out_done: *mut i32) -> bitnet_status;
    pub fn bitnet_context_decode_abandon(context: *mut bitnet_context);
    pub fn bitnet_set_allocator(allocator: *const bitnet_allocator) -> bitnet_status;
    pub fn bitnet_convert_params_init(params: *mut bitnet_convert_params, struct_size: u32);
    pub fn bitnet_file_convert(
        source_path: *const c_char, out_path: *const c_char, params: *const bitnet_convert_params,
        out_report: *mut *mut bitnet_convert_report,
    ) -> bitnet_status;
    pub fn bitnet_convert_report_free(report: *mut bitnet_convert_report);
    pub fn bitnet_convert_report_get_info(
        report: *const bitnet_convert_report, out_info: *mut bitnet_convert_info,
    ) -> bitnet_status;
    pub fn bitnet_convert_report_get_tensor(
        report: *const bitnet_convert_report, index: usize, out_tensor: *mut bitnet_converted_tensor,
    ) -> bitnet_status;
    pub fn bitnet_convert_report_get_json(
        report: *const bitnet_convert_report, buffer: *mut c_char, capacity: usize, out_size: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_conv2d_params_init(params: *mut bitnet_conv2d_params, struct_size: u32);
    pub fn bitnet_conv2d_get_output_dims(
        params: *const bitnet_conv2d_params, input_dims: *const u64, weight_dims: *const u64, out_dims: *mut u64,
    ) -> bitnet_status;
    pub fn bitnet_conv2d_f32(
        params: *const bitnet_conv2d_params, conv: *const bitnet_conv2d, weights: *const f32, n_weights: usize,
    ) -> bitnet_status;
    pub fn bitnet_conv2d_quantized(
        params: *const bitnet_conv2d_params, conv: *const bitnet_conv2d, codec: *const c_char, weights: *const c_void,
        n_bytes: usize, scales: *const f32, n_scales: usize,
    ) -> bitnet_status;
    pub fn bitnet_conv2d_get_quantized_size(
        codec: *const c_char, n_channels: usize, n_per_channel: usize, out_n_bytes: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_conv2d_quantize(
        codec: *const c_char, weights: *const f32, n_channels: usize, n_per_channel: usize, out: *mut c_void,
        n_out_bytes: usize, scales: *mut f32, n_scales: usize,
    ) -> bitnet_status;
    pub fn bitnet_conv2d_dequantize(
        codec: *const c_char, data: *const c_void, n_bytes: usize, scales: *const f32, n_scales: usize,
        n_channels: usize, n_per_channel: usize, out: *mut f32, n_out: usize,
    ) -> bitnet_status;
    pub fn bitnet_file_open(path: *const c_char, out_file: *mut *mut bitnet_file) -> bitnet_status;
    pub fn bitnet_file_free(file: *mut bitnet_file);
    pub fn bitnet_file_get_info(file: *const bitnet_file, out_info: *mut bitnet_file_info) -> bitnet_status;
    pub fn bitnet_file_get_metadata_key(
        file: *const bitnet_file, index: usize, buffer: *mut c_char, capacity: usize, out_size: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_file_get_metadata(
        file: *const bitnet_file, key: *const c_char, buffer: *mut c_char, capacity: usize, out_size: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_file_get_tensor(
        file: *const bitnet_file, index: usize, out_tensor: *mut bitnet_file_tensor,
    ) -> bitnet_status;
    pub fn bitnet_file_read_tensor(
        file: *const bitnet_file, index: usize, first_row: i64, n_rows: i64, out: *mut f32, capacity: usize,
        out_n: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_context_set_node_callback(
        context: *mut bitnet_context, callback: Option<bitnet_node_callback>, user_data: *mut c_void,
    ) -> bitnet_status;
    pub fn bitnet_tokenizer_source_get_count() -> usize;
    pub fn bitnet_tokenizer_source_get(index: usize, out_source: *mut bitnet_tokenizer_source) -> bitnet_status;
    pub fn bitnet_tokenizer_discovery_params_init(params: *mut bitnet_tokenizer_discovery_params, struct_size: u32);
    pub fn bitnet_tokenizer_discovery_create(
        model_path: *const c_char, params: *const bitnet_tokenizer_discovery_params,
        out_discovery: *mut *mut bitnet_tokenizer_discovery,
    ) -> bitnet_status;
    pub fn bitnet_tokenizer_discovery_get_info(
        discovery: *const bitnet_tokenizer_discovery, out_info: *mut bitnet_tokenizer_discovery_info,
    ) -> bitnet_status;
    pub fn bitnet_tokenizer_discovery_load(
        discovery: *const bitnet_tokenizer_discovery, out_tokenizer: *mut *mut bitnet_tokenizer,
    ) -> bitnet_status;
    pub fn bitnet_tokenizer_discovery_free(discovery: *mut bitnet_tokenizer_discovery);
    pub fn bitnet_tokenizer_validate_file(path: *const c_char, expected_vocab: i32) -> bitnet_status;
    pub fn bitnet_merge_params_init(params: *mut bitnet_merge_params, struct_size: u32);
    pub fn bitnet_file_merge(
        base_path: *const c_char, out_path: *const c_char, params: *const bitnet_merge_params,
        out_report: *mut *mut bitnet_merge_report,
    ) -> bitnet_status;
    pub fn bitnet_merge_report_free(report: *mut bitnet_merge_report);
    pub fn bitnet_merge_report_get_info(
        report: *const bitnet_merge_report, out_info: *mut bitnet_merge_info,
    ) -> bitnet_status;
    pub fn bitnet_merge_report_get_tensor(
        report: *const bitnet_merge_report, index: usize, out_tensor: *mut bitnet_merged_tensor,
    ) -> bitnet_status;
    pub fn bitnet_merge_report_get_json(
        report: *const bitnet_merge_report, buffer: *mut c_char, capacity: usize, out_size: *mut usize,
    ) -> bitnet_status;
    pub fn bitnet_synthetic_get_count() -> usize;
    pub fn bitnet_synthetic_get_shape(index: usize, out_shape: *mut bitnet_synthetic_shape) -> bitnet_status;
    pub fn bitnet_synthetic_params_init(params: *mut bitnet_synthetic_params, struct_size: u32);
    pub fn bitnet_synthetic_write(path: *const c_char, params: *const bitnet_synthetic_params) -> bitnet_status;
    pub fn bitnet_context_get_pass_work(
        context: *const bitnet_context, shape: *const bitnet_pass_shape, out_work: *mut bitnet_pass_work,
    ) -> bitnet_status;
    pub fn bitnet_limits_params_init(params: *mut bitnet_limits_params, struct_size: u32);
    pub fn bitnet_limits_measure(
        params: *const bitnet_limits_params, out_limits: *mut bitnet_machine_limits,
    ) -> bitnet_status;
    pub fn bitnet_kernel_get_operation(kernel: *const c_char, index: usize) -> *const c_char;
    pub fn bitnet_kernel_run_init(run: *mut bitnet_kernel_run, struct_size: u32);
    pub fn bitnet_kernel_measure(run: *const bitnet_kernel_run, out_timing: *mut bitnet_kernel_timing) -> bitnet_status;
    pub fn bitnet_cuda_open(index: i32, out_cuda: *mut *mut bitnet_cuda) -> bitnet_status;
    pub fn bitnet_cuda_free(cuda: *mut bitnet_cuda);
    pub fn bitnet_cuda_get_info(cuda: *const bitnet_cuda, out_info: *mut bitnet_cuda_info) -> bitnet_status;
    pub fn bitnet_cuda_get_context(cuda: *const bitnet_cuda, out_context: *mut *mut c_void) -> bitnet_status;
    pub fn bitnet_cuda_get_module(cuda: *const bitnet_cuda, out_module: *mut *mut c_void) -> bitnet_status;
    pub fn bitnet_cuda_load_ptx(
        cuda: *mut bitnet_cuda, text: *const c_char, n_bytes: usize, out_module: *mut *mut bitnet_cuda_module,
    ) -> bitnet_status;
    pub fn bitnet_cuda_module_free(module: *mut bitnet_cuda_module);
    pub fn bitnet_cuda_module_get_function(
        module: *mut bitnet_cuda_module, name: *const c_char, out_function: *mut *mut c_void,
    ) -> bitnet_status;
    pub fn bitnet_cuda_work_init(work: *mut bitnet_cuda_work, struct_size: u32);
    pub fn bitnet_cuda_launch(cuda: *mut bitnet_cuda, work: *const bitnet_cuda_work) -> bitnet_status;
    pub fn bitnet_cuda_allocate(cuda: *mut bitnet_cuda, n_bytes: usize, out_address: *mut u64) -> bitnet_status;
    pub fn bitnet_cuda_release(cuda: *mut bitnet_cuda, address: u64) -> bitnet_status;
    pub fn bitnet_cuda_copy_in(cuda: *mut bitnet_cuda, to: u64, from: *const c_void, n_bytes: usize) -> bitnet_status;
    pub fn bitnet_cuda_copy_out(cuda: *mut bitnet_cuda, to: *mut c_void, from: u64, n_bytes: usize) -> bitnet_status;
    pub fn bitnet_cuda_synchronize_all(cuda: *mut bitnet_cuda) -> bitnet_status;
    pub fn bitnet_cuda_get_memory_stats(
        cuda: *mut bitnet_cuda, out_stats: *mut bitnet_cuda_memory_stats,
    ) -> bitnet_status;
    pub fn bitnet_cuda_get_performance_stats(
        cuda: *const bitnet_cuda, out_stats: *mut bitnet_cuda_performance_stats,
    ) -> bitnet_status;
    pub fn bitnet_cuda_reset_performance_stats(cuda: *mut bitnet_cuda) -> bitnet_status;
    pub fn bitnet_cuda_batch_matmul_i2s(
        cuda: *mut bitnet_cuda, matmuls: *const bitnet_i2s_matmul, n_matmuls: usize,
    ) -> bitnet_status;
    pub fn bitnet_cuda_get_launch_parameters(
        info: *const bitnet_cuda_info, m: u64, n: u64, k: u64, out_parameters: *mut bitnet_cuda_launch_parameters,
    ) -> bitnet_status;
}
