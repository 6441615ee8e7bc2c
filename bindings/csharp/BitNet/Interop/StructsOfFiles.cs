// The structs of bitnet.h, part 2 of 2.
// Written by bindings/abi/emit_csharp.py from bitnet.h 0.1.0, where every name is explained. Do not edit.
using System;
using System.Runtime.InteropServices;

namespace BitNet.Interop
{
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_validation_tensor
    {
        public uint struct_size;
        public byte* name;
        public byte* type;
        public byte* role;
        public ulong n_bytes;
        public int values_checked;
        public int is_ternary;
        public ulong n_values;
        public ulong n_zeros;
        public ulong n_zero_rows;
        public double scale;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_validation_info
    {
        public uint struct_size;
        public int is_valid;
        public byte* architecture;
        public ulong n_tensors;
        public ulong n_errors;
        public ulong n_warnings;
        public ulong n_notes;
        public ulong n_findings;
        public ulong n_missing;
        public ulong n_wrong_shapes;
        public ulong n_ternary_values;
        public double ternary_zeros;
        public double seconds;
        public bitnet_memory_breakdown* stored;
        public double quantization_accuracy;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_validation_params
    {
        public uint struct_size;
        public int check_values;
        public int n_threads;
        public uint max_findings;
        public IntPtr on_progress;
        public void* progress_user_data;
        public ulong max_tensors;
        public byte* tl_tiling;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_device_memory
    {
        public uint struct_size;
        public ulong total;
        public ulong free;
        public ulong used;
        public ulong limit_bytes;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_device_info
    {
        public uint struct_size;
        public int kind;
        public int index;
        public int supports_f16;
        public int supports_bf16;
        public int supports_int8;
        public int max_threads;
        public fixed int compute_capability[2];
        public byte* name;
        public byte* simd;
        public byte* kernel_level;
        public byte* quantization;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_quantization_info
    {
        public uint struct_size;
        public int block_length;
        public byte* type;
        public ulong n_parameters;
        public ulong n_bytes;
        public double bits_per_weight;
        public double compression_f16;
        public double compression_f32;
        public ulong ternary_parameters;
        public ulong ternary_bytes;
        public double ternary_bits_per_weight;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_type_usage
    {
        public uint struct_size;
        public int ternary;
        public byte* type;
        public ulong n_tensors;
        public ulong n_parameters;
        public ulong n_bytes;
        public double bits_per_weight;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_model_config
    {
        public uint struct_size;
        public int max_seq_len;
        public byte* device;
        public byte* dtype;
        public byte* activation_dtype;
        public byte* activation;
        public byte* kv_dtype;
        public ulong kv_bytes_per_token;
        public int rope_dimensions;
        public int tied_embeddings;
        public byte* rope_scaling;
        public double rope_scaling_factor;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_performance_metrics
    {
        public uint struct_size;
        public uint present;
        public byte* backend_type;
        public ulong n_inferences;
        public ulong tokens_generated;
        public double tokens_per_second;
        public ulong total_latency_us;
        public ulong first_token_latency_us;
        public ulong average_token_latency_us;
        public double cache_hit_rate;
        public ulong memory_usage_bytes;
        public ulong encode_us;
        public ulong detokenize_us;
        public ulong forward_us;
        public ulong sampling_us;
        public ulong error_count;
        public double error_rate;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_device_stats
    {
        public uint struct_size;
        public int is_gpu_effective;
        public byte* device_type;
        public byte* target_device;
        public ulong total_operations;
        public ulong quantization_operations;
        public ulong matmul_operations;
        public double total_time_ms;
        public double quantization_time_ms;
        public double matmul_time_ms;
        public ulong gpu_operations;
        public ulong cpu_operations;
        public ulong fallback_count;
        public double gpu_efficiency;
        public byte* last_gpu_error;
        public byte* last_cpu_error;
        public ulong memory_used_bytes;
        public ulong memory_total_bytes;
        public double average_quantization_time_ms;
        public double average_matmul_time_ms;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_quantize_config
    {
        public uint struct_size;
        public int asymmetric;
        public ulong block_size;
        public byte* type;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_quantize_accuracy
    {
        public uint struct_size;
        public int envelope;
        public int is_within;
        public int codes_equal;
        public ulong n_values;
        public double mse;
        public double max_abs_error;
        public double cosine;
        public double accuracy;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_quantizer_params
    {
        public uint struct_size;
        public int allow_fallback;
        public byte* device;
        public double min_accuracy;
        public int n_threads;
        public byte* kernel;
        public ulong max_bytes;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_i2s_matmul
    {
        public sbyte* activations;
        public float* activation_scales;
        public UIntPtr n_activation_scales;
        public void* weights;
        public UIntPtr n_weight_bytes;
        public float* @out;
        public UIntPtr n_out;
        public UIntPtr m;
        public UIntPtr n;
        public UIntPtr k;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_quantizer_stats
    {
        public uint struct_size;
        public int is_gpu_effective;
        public fixed byte device_type[64];
        public fixed byte target_device[32];
        public ulong total_operations;
        public ulong quantization_operations;
        public ulong matmul_operations;
        public double total_time_ms;
        public double quantization_time_ms;
        public double matmul_time_ms;
        public ulong gpu_operations;
        public ulong cpu_operations;
        public ulong fallback_count;
        public double gpu_efficiency;
        public fixed byte last_gpu_error[256];
        public fixed byte last_cpu_error[256];
        public ulong memory_used_bytes;
        public ulong memory_total_bytes;
        public double average_quantization_time_ms;
        public double average_matmul_time_ms;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_forward_input
    {
        public uint struct_size;
        public int n_tokens;
        public int* tokens;
        public int* positions;
        public byte* mask;
        public sbyte* want_output;
        public int output;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_allocator
    {
        public uint struct_size;
        public IntPtr alloc;
        public IntPtr free;
        public void* user_data;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_thread_pool
    {
        public uint struct_size;
        public int n_threads;
        public IntPtr run;
        public void* user_data;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_convert_params
    {
        public uint struct_size;
        public int ternarize;
        public byte* type;
        public byte* head_type;
        public byte* embedding_type;
        public int gguf_version;
        public int i2s_order;
        public int n_threads;
        public IntPtr on_progress;
        public void* progress_user_data;
        public ulong max_tensors;
        public byte* tl_tiling;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_convert_info
    {
        public uint struct_size;
        public int gguf_version;
        public byte* type;
        public ulong n_tensors;
        public ulong n_copied;
        public ulong n_encoded;
        public ulong n_ternarised;
        public ulong n_inexact;
        public ulong n_source_bytes;
        public ulong n_file_bytes;
        public double worst_accuracy;
        public byte* worst_tensor;
        public double seconds;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_converted_tensor
    {
        public uint struct_size;
        public int action;
        public byte* name;
        public byte* source_type;
        public byte* type;
        public ulong n_values;
        public ulong n_zeros;
        public ulong n_source_bytes;
        public ulong n_bytes;
        public int is_exact;
        public int codes_equal;
        public double scale;
        public double mse;
        public double max_abs_error;
        public double cosine;
        public double accuracy;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_conv2d_params
    {
        public uint struct_size;
        public int n_threads;
        public fixed ulong stride[2];
        public fixed ulong padding[2];
        public fixed ulong dilation[2];
        public byte* kernel;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_conv2d
    {
        public fixed ulong input_dims[4];
        public fixed ulong weight_dims[4];
        public float* input;
        public UIntPtr n_input;
        public float* bias;
        public UIntPtr n_bias;
        public float* @out;
        public UIntPtr n_out;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_file_info
    {
        public uint struct_size;
        public uint version;
        public ulong alignment;
        public ulong n_keys;
        public ulong n_tensors;
        public ulong n_bytes;
        public int n_parts;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_file_tensor
    {
        public uint struct_size;
        public uint type_id;
        public byte* name;
        public byte* type;
        public byte* problem;
        public int n_dims;
        public int part;
        public fixed long shape[4];
        public ulong file_offset;
        public ulong n_bytes;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_node_value
    {
        public uint struct_size;
        public int index;
        public byte* name;
        public byte* op;
        public byte* kernel;
        public int layer;
        public long n_rows;
        public long width;
        public float* values;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_tokenizer_source
    {
        public uint struct_size;
        public int expected_vocab;
        public byte* name;
        public byte* repo;
        public byte** files;
        public UIntPtr n_files;
        public byte* cache_key;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_tokenizer_discovery_params
    {
        public uint struct_size;
        public int offline;
        public int strict;
        public byte* tokenizer_path;
        public byte* cache_dir;
        public byte* table_path;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_tokenizer_discovery_info
    {
        public uint struct_size;
        public int strategy;
        public byte* description;
        public byte* path;
        public int requires_network;
        public int uses_cache;
        public int n_vocab;
        public int is_large_vocab;
        public byte* architecture;
        public byte* model_type;
        public byte* beside;
        public byte* cached;
        public bitnet_tokenizer_source* source;
        public byte* steps;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_merge_adapter
    {
        public byte* path;
        public float scale;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_merge_params
    {
        public uint struct_size;
        public int reserved;
        public bitnet_merge_adapter* adapters;
        public UIntPtr n_adapters;
        public byte* checkpoint_path;
        public bitnet_convert_params* convert;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_merge_info
    {
        public uint struct_size;
        public int gguf_version;
        public ulong n_tensors;
        public ulong n_ternary;
        public ulong n_values;
        public ulong n_codes_changed;
        public double change;
        public double relative_error;
        public double cosine;
        public double change_kept;
        public ulong n_file_bytes;
        public double seconds;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_merged_tensor
    {
        public uint struct_size;
        public int is_ternary;
        public byte* name;
        public ulong n_values;
        public ulong n_codes_changed;
        public double step;
        public double scale;
        public double change;
        public double relative_error;
        public double cosine;
        public double change_kept;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_synthetic_shape
    {
        public uint struct_size;
        public int n_layer;
        public byte* name;
        public byte* model;
        public byte* architecture;
        public byte* down_type;
        public int n_embd;
        public int n_ff;
        public int n_head;
        public int n_head_kv;
        public int head_dim;
        public int n_vocab;
        public int n_ctx_train;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_synthetic_params
    {
        public uint struct_size;
        public int reserved;
        public byte* shape;
        public byte* head;
        public ulong seed;
        public IntPtr on_progress;
        public void* progress_user_data;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_pass_shape
    {
        public uint struct_size;
        public int n_seq;
        public int n_tokens;
        public int n_past;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_pass_work
    {
        public uint struct_size;
        public int n_micro_batches;
        public ulong layer_bytes;
        public ulong head_bytes;
        public ulong kv_bytes;
        public ulong total_bytes;
        public ulong int8_ops;
        public ulong float_ops;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_limits_params
    {
        public uint struct_size;
        public int n_threads;
        public byte* level;
        public ulong n_bytes;
        public ulong budget_us;
        public IntPtr should_abort;
        public void* abort_user_data;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_machine_limits
    {
        public uint struct_size;
        public int n_threads;
        public ulong n_bytes;
        public double read_bytes_per_second;
        public double plain_read_bytes_per_second;
        public double int8_ops_per_second;
        public byte* int8_level;
        public int read_streams;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_kernel_run
    {
        public uint struct_size;
        public int n_threads;
        public byte* kernel;
        public byte* operation;
        public long k;
        public long n_rows;
        public long n_cols;
        public ulong cold_bytes;
        public ulong budget_us;
        public IntPtr should_abort;
        public void* abort_user_data;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_kernel_timing
    {
        public uint struct_size;
        public int n_runs;
        public double median_us;
        public double best_us;
        public ulong n_bytes;
        public ulong n_ops;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_cuda_info
    {
        public uint struct_size;
        public int index;
        public fixed int compute_capability[2];
        public int n_multiprocessors;
        public int max_threads_per_block;
        public int max_threads_per_multiprocessor;
        public int max_shared_bytes;
        public int clock_khz;
        public int memory_clock_khz;
        public int memory_bus_bits;
        public int driver_version;
        public ulong l2_bytes;
        public ulong memory_bytes;
        public fixed byte name[128];
        public fixed byte uuid[48];
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_cuda_work
    {
        public uint struct_size;
        public fixed uint grid[3];
        public fixed uint block[3];
        public uint shared_bytes;
        public void* function;
        public void** @params;
        public UIntPtr n_params;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_cuda_memory_stats
    {
        public uint struct_size;
        public uint n_allocations;
        public ulong total_bytes;
        public ulong free_bytes;
        public ulong library_bytes;
        public ulong allocated_bytes;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_cuda_performance_stats
    {
        public uint struct_size;
        public ulong n_launches;
        public ulong n_copies_in;
        public ulong n_copies_out;
        public ulong bytes_in;
        public ulong bytes_out;
        public ulong n_waits;
        public double wait_time_ms;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct bitnet_cuda_launch_parameters
    {
        public uint struct_size;
        public fixed uint grid[3];
        public fixed uint block[3];
        public uint shared_bytes;
        public fixed uint tile[3];
        public uint blocks_per_multiprocessor;
        public double occupancy;
        public double waves;
    }
}
