// The functions of bitnet.h, part 1 of 2.
// Written by bindings/abi/emit_csharp.py from bitnet.h 0.1.0, where every name is explained. Do not edit.
using System;
using System.Runtime.InteropServices;

namespace BitNet.Interop
{
    /// <summary>The functions of bitnet.h as they are there, and its flags.</summary>
    public static unsafe partial class Native
    {
        public const int VersionMajor = 0;
        public const int VersionMinor = 1;
        public const int VersionPatch = 0;

        public const uint BITNET_ENCODE_ADD_BOS = 1;
        public const uint BITNET_ENCODE_PARSE_SPECIAL = 2;
        public const uint BITNET_ENCODE_ADD_DEFAULT = 4;

        public const uint BITNET_DECODE_SPECIAL = 1;
        public const uint BITNET_DECODE_START = 2;

        public const uint BITNET_METRIC_HAS_FIRST_TOKEN = 1;
        public const uint BITNET_METRIC_HAS_AVERAGE_TOKEN = 2;
        public const uint BITNET_METRIC_HAS_CACHE_HIT_RATE = 4;
        public const uint BITNET_METRIC_HAS_MEMORY = 8;
        public const uint BITNET_METRIC_HAS_ENCODE = 16;
        public const uint BITNET_METRIC_HAS_DETOKENIZE = 32;
        public const uint BITNET_METRIC_HAS_FORWARD = 64;
        public const uint BITNET_METRIC_HAS_SAMPLING = 128;

        [DllImport(Library, CallingConvention = Convention)]
        public static extern uint bitnet_version_number();
        [DllImport(Library, CallingConvention = Convention)]
        public static extern byte* bitnet_version_string();
        [DllImport(Library, CallingConvention = Convention)]
        public static extern byte* bitnet_build_info();
        [DllImport(Library, CallingConvention = Convention)]
        public static extern byte* bitnet_status_name(bitnet_status status);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern byte* bitnet_status_text(bitnet_status status);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern byte* bitnet_last_error();
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_error_family bitnet_status_get_family(bitnet_status status);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_error_severity bitnet_status_get_severity(bitnet_status status);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern int bitnet_status_is_recoverable(bitnet_status status);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern byte* bitnet_status_get_variant(bitnet_status status);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern byte* bitnet_status_get_suggestion(bitnet_status status, UIntPtr index);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern byte* bitnet_status_get_variable(bitnet_status status, UIntPtr index);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern byte* bitnet_error_family_name(bitnet_error_family family);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern byte* bitnet_error_severity_name(bitnet_error_severity severity);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_last_error_get_info(bitnet_error_info* out_info);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_last_error_get_user_message(byte* buffer, UIntPtr capacity,
            UIntPtr* out_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_last_error_get_debug_message(byte* buffer, UIntPtr capacity,
            UIntPtr* out_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_last_error_get_json(byte* buffer, UIntPtr capacity,
            UIntPtr* out_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_log_set_callback(bitnet_log_callback callback, bitnet_log_level min_level,
            void* user_data);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern UIntPtr bitnet_kernel_get_count();
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_kernel_get_info(UIntPtr index, bitnet_kernel_info* out_info);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern int bitnet_cpu_get_thread_limit();
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_model_params_init(bitnet_model_params* @params, uint struct_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_model_load(byte* path, bitnet_model_params* @params,
            out bitnet_model out_model);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_model_load_from_memory(void* data, UIntPtr size,
            bitnet_model_params* @params, out bitnet_model out_model);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_model_load_from_fd(int fd, ulong offset, ulong length,
            bitnet_model_params* @params, out bitnet_model out_model);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_model_load_from_reader(bitnet_reader* reader,
            bitnet_model_params* @params, out bitnet_model out_model);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_model_free(IntPtr model);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_model_get_info(bitnet_model model, bitnet_model_info* out_info);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern UIntPtr bitnet_model_get_metadata_count(bitnet_model model);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_model_get_metadata_key(bitnet_model model, UIntPtr index,
            byte* buffer, UIntPtr capacity, UIntPtr* out_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_model_get_metadata(bitnet_model model, byte* key, byte* buffer,
            UIntPtr capacity, UIntPtr* out_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern UIntPtr bitnet_model_get_tensor_count(bitnet_model model);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_model_get_tensor(bitnet_model model, UIntPtr index,
            bitnet_tensor_info* out_info);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern IntPtr bitnet_model_get_tokenizer(bitnet_model model);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_tokenizer_load(byte* path, out bitnet_tokenizer out_tokenizer);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_tokenizer_free(IntPtr tokenizer);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_tokenizer_encode(bitnet_tokenizer tokenizer, byte* text,
            UIntPtr n_bytes, uint flags, int* out_tokens, UIntPtr capacity, UIntPtr* out_n);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_tokenizer_decode(bitnet_tokenizer tokenizer, int* tokens,
            UIntPtr n_tokens, uint flags, byte* buffer, UIntPtr capacity, UIntPtr* out_n_bytes);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern UIntPtr bitnet_utf8_complete_prefix(byte* bytes, UIntPtr n_bytes);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern int bitnet_tokenizer_get_n_vocab(bitnet_tokenizer tokenizer);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_tokenizer_get_piece(bitnet_tokenizer tokenizer, int token,
            byte** out_piece, UIntPtr* out_n_bytes);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_tokenizer_get_token(bitnet_tokenizer tokenizer, byte* piece,
            UIntPtr n_bytes, int* out_token);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_tokenizer_find_tokens(bitnet_tokenizer tokenizer, byte* text,
            UIntPtr n_bytes, int* out_tokens, UIntPtr capacity, UIntPtr* out_n);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern int bitnet_tokenizer_get_attribute(bitnet_tokenizer tokenizer, int token);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern int bitnet_tokenizer_is_end(bitnet_tokenizer tokenizer, int token);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_tokenizer_get_info(bitnet_tokenizer tokenizer,
            bitnet_tokenizer_info* out_info);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_tokenizer_encode_chat(bitnet_tokenizer tokenizer, byte* format,
            bitnet_chat_message* messages, UIntPtr n_messages, int add_reply_header, int* out_tokens, UIntPtr capacity,
            UIntPtr* out_n);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_chat_template_create(bitnet_tokenizer tokenizer, byte* format,
            byte* source, UIntPtr n_bytes, out bitnet_chat_template out_template);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_chat_template_free(IntPtr chat_template);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern byte* bitnet_chat_template_get_name(bitnet_chat_template chat_template);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern byte* bitnet_chat_template_get_source(bitnet_chat_template chat_template);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_chat_template_encode(bitnet_chat_template chat_template, byte* json,
            UIntPtr n_bytes, int* out_tokens, UIntPtr capacity, UIntPtr* out_n);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_chat_template_render(bitnet_chat_template chat_template, byte* json,
            UIntPtr n_bytes, byte* buffer, UIntPtr capacity, UIntPtr* out_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_context_params_init(bitnet_context_params* @params, uint struct_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_create(bitnet_model model, bitnet_context_params* @params,
            out bitnet_context out_context);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_context_free(IntPtr context);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_context_cancel(bitnet_context context);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern int bitnet_context_get_n_ctx(bitnet_context context);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern int bitnet_context_get_n_threads(bitnet_context context);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_get_memory(bitnet_context context,
            bitnet_memory_info* out_info);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_decode(bitnet_context context, bitnet_batch* batch);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_decode_tokens(bitnet_context context, int seq_id, int* tokens,
            UIntPtr n_tokens);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_get_logits(bitnet_context context, int index,
            float** out_logits);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_get_embedding(bitnet_context context, int index,
            int normalize, float* @out, UIntPtr capacity);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_get_sequence_embedding(bitnet_context context, int seq_id,
            bitnet_pooling pooling, int normalize, float* @out, UIntPtr capacity);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_sequence_remove(bitnet_context context, int seq_id, int p0, int p1);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_sequence_rewind(bitnet_context context, int seq_id, UIntPtr n_tokens);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_sequence_copy(bitnet_context context, int src, int dst, int p0,
            int p1);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_sequence_fork(bitnet_context context, int src, int dst);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_sequence_keep(bitnet_context context, int seq_id);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern int bitnet_sequence_get_end(bitnet_context context, int seq_id);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_sequence_get_tokens(bitnet_context context, int seq_id,
            int* out_tokens, UIntPtr capacity, UIntPtr* out_n);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern int bitnet_context_get_n_free(bitnet_context context);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_sequence_shift(bitnet_context context, int seq_id, int p0, int p1,
            UIntPtr* out_n_computed);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_sequence_save(bitnet_context context, int seq_id, void* buffer,
            UIntPtr capacity, UIntPtr* out_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_sequence_save_delta(bitnet_context context, int seq_id, int from_pos,
            void* buffer, UIntPtr capacity, UIntPtr* out_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_sequence_load(bitnet_context context, int seq_id, void* data,
            UIntPtr size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_save_session(bitnet_context context, byte* path,
            bitnet_progress_callback on_progress, void* user_data);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_load_session(bitnet_context context, byte* path,
            bitnet_progress_callback on_progress, void* user_data);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_save_session_to_memory(bitnet_context context, void* buffer,
            UIntPtr capacity, UIntPtr* out_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_load_session_from_memory(bitnet_context context, void* data,
            UIntPtr size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_sampler_params_init(bitnet_sampler_params* @params, uint struct_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_sampler_create(bitnet_sampler_params* @params,
            out bitnet_sampler out_sampler);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_sampler_free(IntPtr sampler);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_sampler_sample(bitnet_sampler sampler, float* logits, UIntPtr n_vocab,
            int* out_token);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_sampler_sample_context(bitnet_sampler sampler, bitnet_context context,
            int index, int* out_token);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_sampler_accept(bitnet_sampler sampler, int token);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_sampler_reset(bitnet_sampler sampler);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern ulong bitnet_sampler_get_seed(bitnet_sampler sampler);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_sampler_get_probabilities(bitnet_sampler sampler, float* logits,
            UIntPtr n_vocab, float* out_probabilities);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_logits_argmax(float* logits, UIntPtr n_vocab, int* out_token);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_logits_softmax(float* logits, UIntPtr n_vocab,
            float* out_probabilities);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_logits_sample(float* logits, UIntPtr n_vocab,
            bitnet_sampler_params* @params, int* out_token);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_logits_get_top_logprobs(float* logits, UIntPtr n_vocab, int token,
            float* out_logprob, bitnet_token_logprob* out_top, UIntPtr n_top);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_get_metrics(bitnet_context context,
            bitnet_metrics* out_metrics);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_reset_metrics(bitnet_context context);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_get_trace(bitnet_context context, byte* buffer,
            UIntPtr capacity, UIntPtr* out_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern byte* bitnet_finish_reason_name(bitnet_finish_reason reason);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_generation_params_init(bitnet_generation_params* @params, uint struct_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_generation_create(bitnet_context context, int seq_id, byte* prompt,
            UIntPtr n_bytes, bitnet_generation_params* @params, out bitnet_generation out_generation);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_generation_create_from_tokens(bitnet_context context, int seq_id,
            int* tokens, UIntPtr n_tokens, bitnet_generation_params* @params, out bitnet_generation out_generation);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_generation_free(IntPtr generation);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_generation_next(bitnet_generation generation,
            bitnet_generation_step* out_step);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_generation_next_batch(IntPtr* generations, UIntPtr n_generations,
            UIntPtr max_tokens, bitnet_generation_step* out_steps);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_generation_get_logprobs(bitnet_generation generation,
            float* out_logprob, bitnet_token_logprob* out_top, UIntPtr capacity, UIntPtr* out_n);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_generate(bitnet_context context, int seq_id, byte* prompt,
            UIntPtr n_bytes, bitnet_generation_params* @params, bitnet_generation_callback on_step, void* user_data,
            out bitnet_generation out_generation);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_generation_get_result(bitnet_generation generation,
            bitnet_generation_result* out_result);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_prefill(bitnet_context context, int seq_id, int* tokens,
            UIntPtr n_tokens, UIntPtr* out_n_reused);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_environment_get_info(bitnet_environment_info* out_info);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_model_get_sha256(bitnet_model model, byte* buffer, UIntPtr capacity,
            UIntPtr* out_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_generation_get_receipt(bitnet_generation generation, byte* buffer,
            UIntPtr capacity, UIntPtr* out_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_receipt_write(byte* json, UIntPtr n_bytes, byte* path);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern byte* bitnet_receipt_check_name(bitnet_receipt_check check);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_receipt_params_init(bitnet_receipt_params* @params, uint struct_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_receipt_verify(byte* json, UIntPtr n_bytes, bitnet_model model,
            bitnet_receipt_params* @params, bitnet_receipt_report* out_report);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_grammar_create_from_gbnf(bitnet_tokenizer tokenizer, byte* text,
            UIntPtr n_bytes, byte* root, out bitnet_grammar out_grammar);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_grammar_create_from_json_schema(bitnet_tokenizer tokenizer,
            byte* schema, UIntPtr n_bytes, out bitnet_grammar out_grammar);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_grammar_free(IntPtr grammar);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_json_schema_to_gbnf(byte* schema, UIntPtr n_bytes, byte* buffer,
            UIntPtr capacity, UIntPtr* out_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_sampler_set_grammar(bitnet_sampler sampler, bitnet_grammar grammar);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_adapter_load(bitnet_model model, byte* path,
            out bitnet_adapter out_adapter);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_adapter_load_from_memory(bitnet_model model, void* data, UIntPtr size,
            out bitnet_adapter out_adapter);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_adapter_free(IntPtr adapter);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_adapter_get_info(bitnet_adapter adapter,
            bitnet_adapter_info* out_info);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_set_adapters(bitnet_context context, int seq_id,
            bitnet_adapter_use* uses, UIntPtr n_uses);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_model_get_memory_breakdown(bitnet_model model,
            bitnet_memory_breakdown* out_breakdown);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_model_estimate_memory(bitnet_model model,
            bitnet_context_params* @params, bitnet_memory_estimate* out_estimate);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_model_estimate_memory_from_path(byte* path,
            bitnet_model_params* model_params, bitnet_context_params* @params, bitnet_memory_estimate* out_estimate);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern ulong bitnet_memory_get_used();
        [DllImport(Library, CallingConvention = Convention)]
        public static extern byte* bitnet_finding_kind_name(bitnet_finding_kind kind);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern byte* bitnet_finding_severity_name(bitnet_finding_severity severity);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_validation_params_init(bitnet_validation_params* @params, uint struct_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_model_validate(bitnet_model model, bitnet_validation_params* @params,
            out bitnet_validation_report out_report);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_model_validate_file(byte* path, bitnet_validation_params* @params,
            out bitnet_validation_report out_report);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_validation_report_free(IntPtr report);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_validation_report_get_info(bitnet_validation_report report,
            bitnet_validation_info* out_info);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_validation_report_get_finding(bitnet_validation_report report,
            UIntPtr index, bitnet_validation_finding* out_finding);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_validation_report_get_tensor(bitnet_validation_report report,
            UIntPtr index, bitnet_validation_tensor* out_tensor);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_validation_report_get_json(bitnet_validation_report report,
            byte* buffer, UIntPtr capacity, UIntPtr* out_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_device_parse(byte* text, bitnet_device_kind* out_kind,
            int* out_index);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_device_format(bitnet_device_kind kind, int index, byte* buffer,
            UIntPtr capacity, UIntPtr* out_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern UIntPtr bitnet_device_get_count();
        [DllImport(Library, CallingConvention = Convention)]
        public static extern byte* bitnet_device_get_name(UIntPtr index);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_device_check(byte* device);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_device_get_memory(byte* device, bitnet_device_memory* out_memory);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_device_get_info(byte* device, bitnet_device_info* out_info);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_device_get_json(byte* buffer, UIntPtr capacity, UIntPtr* out_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern UIntPtr bitnet_feature_get_count();
        [DllImport(Library, CallingConvention = Convention)]
        public static extern byte* bitnet_feature_get_name(UIntPtr index);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern int bitnet_feature_is_built(byte* name);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern byte* bitnet_features();
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_model_get_quantization(bitnet_model model,
            bitnet_quantization_info* out_info);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern UIntPtr bitnet_model_get_type_count(bitnet_model model);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_model_get_type(bitnet_model model, UIntPtr index,
            bitnet_type_usage* out_usage);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern byte* bitnet_model_get_feature(bitnet_model model, UIntPtr index);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_model_get_config(bitnet_model model, bitnet_model_config* out_config);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_get_performance(bitnet_context context,
            bitnet_performance_metrics* out_metrics);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_reset_performance(bitnet_context context);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_performance_metrics_validate(bitnet_performance_metrics* metrics);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern double bitnet_performance_metrics_get_efficiency_ratio(
            bitnet_performance_metrics* metrics);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_get_device_stats(bitnet_context context,
            bitnet_device_stats* out_stats);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_reset_device_stats(bitnet_context context);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_get_device_summary(bitnet_context context, byte* buffer,
            UIntPtr capacity, UIntPtr* out_size);
    }
}
