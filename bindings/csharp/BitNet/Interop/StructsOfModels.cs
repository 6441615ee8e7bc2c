// The structs of bitnet.h, part 1 of 2.
// Written by bindings/abi/emit_csharp.py from bitnet.h 0.1.0, where every name is explained. Do not edit.
using System;
using System.Runtime.InteropServices;

namespace BitNet.Interop
{
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_error_info
    {
        public uint struct_size;
        public bitnet_status status;
        public ulong expected;
        public ulong actual;
        public ulong offset;
        public byte* subject;
        public byte* message;
        public int family;
        public int severity;
        public int recoverable;
        public int has_numbers;
        public int has_offset;
        public int n_suggestions;
        public byte* variant;
        public byte* operation;
        public byte* file;
        public byte* model;
        public byte* device;
        public ulong memory_bytes;
        public ulong peak_memory_bytes;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_kernel_info
    {
        public uint struct_size;
        public byte* name;
        public byte* type;
        public byte* level;
        public int runnable;
        public int exact;
        public int selected;
        public int is_vector;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_model_params
    {
        public uint struct_size;
        public int use_mmap;
        public int check_weights;
        public int i2s_order;
        public int n_threads;
        public int vocab_only;
        public byte* kernel;
        public ulong max_bytes;
        public IntPtr on_progress;
        public void* progress_user_data;
        public ulong max_tensors;
        public int sha256;
        public byte* device;
        public int validate;
        public byte* tokenizer_path;
        public byte* tl_tiling;
        public byte* quantization;
        public int screen_head;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_reader
    {
        public uint struct_size;
        public ulong size;
        public IntPtr read;
        public void* user_data;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_model_info
    {
        public uint struct_size;
        public byte* architecture;
        public byte* name;
        public byte* quantization;
        public byte* kernel;
        public int n_vocab;
        public int n_ctx_train;
        public int n_embd;
        public int n_layer;
        public int n_head;
        public int n_head_kv;
        public int head_dim;
        public int n_ff;
        public float rope_freq_base;
        public float rms_norm_eps;
        public ulong n_tensors;
        public ulong n_parameters;
        public ulong n_file_bytes;
        public double bits_per_weight;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_tensor_info
    {
        public uint struct_size;
        public byte* name;
        public byte* type;
        public int n_dims;
        public fixed long shape[4];
        public ulong file_offset;
        public ulong n_bytes;
        public int part;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_memory_info
    {
        public uint struct_size;
        public ulong weights_mapped_bytes;
        public ulong weights_owned_bytes;
        public ulong vocabulary_bytes;
        public ulong kv_bytes;
        public ulong scratch_bytes;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_tokenizer_info
    {
        public uint struct_size;
        public byte* source;
        public byte* model;
        public byte* pre;
        public int n_vocab;
        public int bos;
        public int eos;
        public int eot;
        public int pad;
        public int unk;
        public int add_bos;
        public int add_eos;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_chat_message
    {
        public byte* role;
        public byte* content;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_context_params
    {
        public uint struct_size;
        public int n_ctx;
        public int n_batch;
        public int n_ubatch;
        public int n_seq_max;
        public int n_threads;
        public int embeddings;
        public int trace;
        public IntPtr should_abort;
        public void* abort_user_data;
        public int max_lora_rank;
        public ulong max_bytes;
        public ulong timeout_us;
        public bitnet_thread_pool* thread_pool;
        public IntPtr on_progress;
        public void* progress_user_data;
        public int type_k;
        public int type_v;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_batch
    {
        public uint struct_size;
        public int n_tokens;
        public int* tokens;
        public int* positions;
        public int* seq_ids;
        public sbyte* want_output;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_logit_bias
    {
        public int token;
        public float bias;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_sampler_params
    {
        public uint struct_size;
        public float temperature;
        public int top_k;
        public float top_p;
        public float min_p;
        public float typical_p;
        public float repetition_penalty;
        public float frequency_penalty;
        public float presence_penalty;
        public int penalty_last_n;
        public int has_seed;
        public ulong seed;
        public bitnet_logit_bias* logit_bias;
        public UIntPtr n_logit_bias;
        public float xtc_probability;
        public float xtc_threshold;
        public float dry_multiplier;
        public float dry_base;
        public int dry_allowed_length;
        public int dry_penalty_last_n;
        public int* dry_breakers;
        public UIntPtr n_dry_breakers;
        public float dynatemp_range;
        public float dynatemp_exponent;
        public float top_n_sigma;
        public int mirostat;
        public float mirostat_tau;
        public float mirostat_eta;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_token_logprob
    {
        public int token;
        public float logprob;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_metrics
    {
        public uint struct_size;
        public ulong load_us;
        public ulong prefill_us;
        public ulong prefill_tokens;
        public ulong decode_us;
        public ulong decode_tokens;
        public ulong n_decodes;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_generation_params
    {
        public uint struct_size;
        public int max_new_tokens;
        public int skip_special_tokens;
        public int parse_special;
        public ulong deadline_us;
        public bitnet_sampler_params* sampler;
        public byte** stop_sequences;
        public UIntPtr n_stop_sequences;
        public int receipt;
        public int n_logprobs;
        public IntPtr grammar;
        public int n_draft;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_generation_step
    {
        public uint struct_size;
        public int finish_reason;
        public byte* text;
        public UIntPtr n_bytes;
        public int* tokens;
        public UIntPtr n_tokens;
        public ulong token_us;
        public ulong cumulative_us;
        public double tokens_per_second;
        public ulong prompt_tokens_left;
        public int status;
        public byte* error;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_generation_result
    {
        public uint struct_size;
        public int finish_reason;
        public int stop_sequence;
        public byte* text;
        public UIntPtr n_bytes;
        public int* tokens;
        public ulong* token_times_us;
        public UIntPtr n_tokens;
        public byte* model_name;
        public byte* quantization;
        public byte* device;
        public ulong seed;
        public ulong prompt_tokens;
        public ulong reused_tokens;
        public ulong tokenize_us;
        public ulong prefill_us;
        public ulong decode_us;
        public ulong decode_steps;
        public ulong total_us;
        public double prefill_tokens_per_second;
        public double decode_tokens_per_second;
        public double total_tokens_per_second;
        public ulong drafted_tokens;
        public ulong accepted_tokens;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_environment_info
    {
        public uint struct_size;
        public byte* kernel;
        public int n_threads;
        public int batch_size;
        public ulong memory_limit;
        public int deterministic;
        public int has_seed;
        public ulong seed;
        public int strict_tokenizers;
        public int offline;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_receipt_params
    {
        public uint struct_size;
        public int n_threads;
        public double replay_share;
        public long replay_count;
        public ulong seed;
        public int max_tokens;
        public IntPtr should_abort;
        public void* abort_user_data;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_receipt_report
    {
        public uint struct_size;
        public int failed_check;
        public int model_matched;
        public ulong n_positions;
        public ulong n_replayed;
        public long first_mismatch;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_adapter_info
    {
        public uint struct_size;
        public byte* name;
        public byte* architecture;
        public int rank;
        public float alpha;
        public ulong n_tensors;
        public ulong n_parameters;
        public ulong n_bytes;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_adapter_use
    {
        public IntPtr adapter;
        public float scale;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_memory_breakdown
    {
        public uint struct_size;
        public ulong attention_bytes;
        public ulong feed_forward_bytes;
        public ulong norm_bytes;
        public ulong embedding_bytes;
        public ulong output_bytes;
        public ulong other_bytes;
        public ulong total_bytes;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_memory_estimate
    {
        public uint struct_size;
        public int n_ctx;
        public int n_batch;
        public int n_ubatch;
        public int n_seq_max;
        public int n_threads;
        public ulong weights_mapped_bytes;
        public ulong weights_owned_bytes;
        public ulong load_peak_bytes;
        public ulong attention_bytes;
        public ulong feed_forward_bytes;
        public ulong norm_bytes;
        public ulong embedding_bytes;
        public ulong output_bytes;
        public ulong other_bytes;
        public ulong kv_bytes;
        public ulong scratch_bytes;
        public ulong activation_bytes;
        public ulong score_bytes;
        public ulong batch_bytes;
        public ulong graph_bytes;
        public ulong logits_bytes;
        public ulong extra_output_bytes;
        public ulong total_bytes;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_validation_finding
    {
        public uint struct_size;
        public int kind;
        public int severity;
        public int status;
        public byte* tensor;
        public byte* message;
        public ulong count;
        public ulong index;
        public ulong offset;
        public int has_offset;
    }
}
