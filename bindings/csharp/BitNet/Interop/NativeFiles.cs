// The functions of bitnet.h, part 2 of 2.
// Written by bindings/abi/emit_csharp.py from bitnet.h 0.1.0, where every name is explained. Do not edit.
using System;
using System.Runtime.InteropServices;

namespace BitNet.Interop
{
    public static unsafe partial class Native
    {
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_quantize_config_init(bitnet_quantize_config* config, uint struct_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_quantize_get_size(bitnet_quantize_config* config, UIntPtr n_rows,
            UIntPtr n_cols, UIntPtr* out_n_bytes, UIntPtr* out_n_scales);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_quantize_get_accuracy(bitnet_quantize_config* config, float* input,
            UIntPtr n_rows, UIntPtr n_cols, bitnet_quantize_accuracy* out_accuracy);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_quantizer_params_init(bitnet_quantizer_params* @params, uint struct_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_quantizer_create(bitnet_quantizer_params* @params,
            out bitnet_quantizer out_quantizer);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_quantizer_free(IntPtr quantizer);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_quantizer_quantize(bitnet_quantizer quantizer,
            bitnet_quantize_config* config, float* input, UIntPtr n_rows, UIntPtr n_cols, void* @out,
            UIntPtr n_out_bytes, float* scales, UIntPtr n_scales);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_quantizer_dequantize(bitnet_quantizer quantizer,
            bitnet_quantize_config* config, void* data, UIntPtr n_bytes, float* scales, UIntPtr n_scales,
            UIntPtr n_rows, UIntPtr n_cols, float* @out, UIntPtr n_out);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_quantizer_matmul_i2s(bitnet_quantizer quantizer,
            bitnet_i2s_matmul* matmul);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_quantizer_batch_matmul_i2s(bitnet_quantizer quantizer,
            bitnet_i2s_matmul* matmuls, UIntPtr n_matmuls);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_quantizer_force_cpu_fallback(bitnet_quantizer quantizer);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern byte* bitnet_quantizer_get_active_provider(bitnet_quantizer quantizer);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern int bitnet_quantizer_is_gpu_active(bitnet_quantizer quantizer);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_quantizer_get_stats(bitnet_quantizer quantizer,
            bitnet_quantizer_stats* out_stats);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_quantizer_reset_stats(bitnet_quantizer quantizer);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_quantizer_get_summary(bitnet_quantizer quantizer, byte* buffer,
            UIntPtr capacity, UIntPtr* out_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_forward(bitnet_context context, bitnet_forward_input* input,
            float* @out, UIntPtr capacity, UIntPtr* out_n);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_next_token_logits(bitnet_context context, int seq_id,
            int* tokens, UIntPtr n_tokens, float temperature, float* @out, UIntPtr capacity, UIntPtr* out_n);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_decode_begin(bitnet_context context, bitnet_batch* batch);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_step(bitnet_context context, ulong budget_us, int* out_done);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_context_decode_abandon(bitnet_context context);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_set_allocator(bitnet_allocator* allocator);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_convert_params_init(bitnet_convert_params* @params, uint struct_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_file_convert(byte* source_path, byte* out_path,
            bitnet_convert_params* @params, out bitnet_convert_report out_report);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_convert_report_free(IntPtr report);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_convert_report_get_info(bitnet_convert_report report,
            bitnet_convert_info* out_info);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_convert_report_get_tensor(bitnet_convert_report report, UIntPtr index,
            bitnet_converted_tensor* out_tensor);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_convert_report_get_json(bitnet_convert_report report, byte* buffer,
            UIntPtr capacity, UIntPtr* out_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_conv2d_params_init(bitnet_conv2d_params* @params, uint struct_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_conv2d_get_output_dims(bitnet_conv2d_params* @params,
            ulong* input_dims, ulong* weight_dims, ulong* out_dims);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_conv2d_f32(bitnet_conv2d_params* @params, bitnet_conv2d* conv,
            float* weights, UIntPtr n_weights);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_conv2d_quantized(bitnet_conv2d_params* @params, bitnet_conv2d* conv,
            byte* codec, void* weights, UIntPtr n_bytes, float* scales, UIntPtr n_scales);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_conv2d_get_quantized_size(byte* codec, UIntPtr n_channels,
            UIntPtr n_per_channel, UIntPtr* out_n_bytes);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_conv2d_quantize(byte* codec, float* weights, UIntPtr n_channels,
            UIntPtr n_per_channel, void* @out, UIntPtr n_out_bytes, float* scales, UIntPtr n_scales);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_conv2d_dequantize(byte* codec, void* data, UIntPtr n_bytes,
            float* scales, UIntPtr n_scales, UIntPtr n_channels, UIntPtr n_per_channel, float* @out, UIntPtr n_out);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_file_open(byte* path, out bitnet_file out_file);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_file_free(IntPtr file);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_file_get_info(bitnet_file file, bitnet_file_info* out_info);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_file_get_metadata_key(bitnet_file file, UIntPtr index, byte* buffer,
            UIntPtr capacity, UIntPtr* out_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_file_get_metadata(bitnet_file file, byte* key, byte* buffer,
            UIntPtr capacity, UIntPtr* out_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_file_get_tensor(bitnet_file file, UIntPtr index,
            bitnet_file_tensor* out_tensor);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_file_read_tensor(bitnet_file file, UIntPtr index, long first_row,
            long n_rows, float* @out, UIntPtr capacity, UIntPtr* out_n);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_set_node_callback(bitnet_context context,
            bitnet_node_callback callback, void* user_data);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern UIntPtr bitnet_tokenizer_source_get_count();
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_tokenizer_source_get(UIntPtr index,
            bitnet_tokenizer_source* out_source);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_tokenizer_discovery_params_init(bitnet_tokenizer_discovery_params* @params,
            uint struct_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_tokenizer_discovery_create(byte* model_path,
            bitnet_tokenizer_discovery_params* @params, out bitnet_tokenizer_discovery out_discovery);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_tokenizer_discovery_get_info(bitnet_tokenizer_discovery discovery,
            bitnet_tokenizer_discovery_info* out_info);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_tokenizer_discovery_load(bitnet_tokenizer_discovery discovery,
            out bitnet_tokenizer out_tokenizer);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_tokenizer_discovery_free(IntPtr discovery);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_tokenizer_validate_file(byte* path, int expected_vocab);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_merge_params_init(bitnet_merge_params* @params, uint struct_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_file_merge(byte* base_path, byte* out_path,
            bitnet_merge_params* @params, out bitnet_merge_report out_report);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_merge_report_free(IntPtr report);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_merge_report_get_info(bitnet_merge_report report,
            bitnet_merge_info* out_info);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_merge_report_get_tensor(bitnet_merge_report report, UIntPtr index,
            bitnet_merged_tensor* out_tensor);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_merge_report_get_json(bitnet_merge_report report, byte* buffer,
            UIntPtr capacity, UIntPtr* out_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern UIntPtr bitnet_synthetic_get_count();
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_synthetic_get_shape(UIntPtr index, bitnet_synthetic_shape* out_shape);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_synthetic_params_init(bitnet_synthetic_params* @params, uint struct_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_synthetic_write(byte* path, bitnet_synthetic_params* @params);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_context_get_pass_work(bitnet_context context,
            bitnet_pass_shape* shape, bitnet_pass_work* out_work);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_limits_params_init(bitnet_limits_params* @params, uint struct_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_limits_measure(bitnet_limits_params* @params,
            bitnet_machine_limits* out_limits);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern byte* bitnet_kernel_get_operation(byte* kernel, UIntPtr index);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_kernel_run_init(bitnet_kernel_run* run, uint struct_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_kernel_measure(bitnet_kernel_run* run,
            bitnet_kernel_timing* out_timing);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_cuda_open(int index, out bitnet_cuda out_cuda);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_cuda_free(IntPtr cuda);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_cuda_get_info(bitnet_cuda cuda, bitnet_cuda_info* out_info);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_cuda_get_context(bitnet_cuda cuda, void** out_context);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_cuda_get_module(bitnet_cuda cuda, void** out_module);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_cuda_load_ptx(bitnet_cuda cuda, byte* text, UIntPtr n_bytes,
            out bitnet_cuda_module out_module);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_cuda_module_free(IntPtr module);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_cuda_module_get_function(bitnet_cuda_module module, byte* name,
            void** out_function);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern void bitnet_cuda_work_init(bitnet_cuda_work* work, uint struct_size);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_cuda_launch(bitnet_cuda cuda, bitnet_cuda_work* work);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_cuda_allocate(bitnet_cuda cuda, UIntPtr n_bytes, ulong* out_address);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_cuda_release(bitnet_cuda cuda, ulong address);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_cuda_copy_in(bitnet_cuda cuda, ulong to, void* from, UIntPtr n_bytes);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_cuda_copy_out(bitnet_cuda cuda, void* to, ulong from,
            UIntPtr n_bytes);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_cuda_synchronize_all(bitnet_cuda cuda);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_cuda_get_memory_stats(bitnet_cuda cuda,
            bitnet_cuda_memory_stats* out_stats);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_cuda_get_performance_stats(bitnet_cuda cuda,
            bitnet_cuda_performance_stats* out_stats);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_cuda_reset_performance_stats(bitnet_cuda cuda);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_cuda_batch_matmul_i2s(bitnet_cuda cuda, bitnet_i2s_matmul* matmuls,
            UIntPtr n_matmuls);
        [DllImport(Library, CallingConvention = Convention)]
        public static extern bitnet_status bitnet_cuda_get_launch_parameters(bitnet_cuda_info* info, ulong m, ulong n,
            ulong k, bitnet_cuda_launch_parameters* out_parameters);
    }
}
