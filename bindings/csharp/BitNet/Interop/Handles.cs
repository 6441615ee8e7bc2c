// The handles of bitnet.h: what a create or load function gave is freed once, by whoever is last.
// Written by bindings/abi/emit_csharp.py from bitnet.h 0.1.0, where every name is explained. Do not edit.
using System;

namespace BitNet.Interop
{
    public sealed class bitnet_model : NativeHandle
    {
        protected override void Free(IntPtr pointer)
        {
            Native.bitnet_model_free(pointer);
        }
    }

    public sealed class bitnet_tokenizer : NativeHandle
    {
        protected override void Free(IntPtr pointer)
        {
            Native.bitnet_tokenizer_free(pointer);
        }
    }

    public sealed class bitnet_context : NativeHandle
    {
        protected override void Free(IntPtr pointer)
        {
            Native.bitnet_context_free(pointer);
        }
    }

    public sealed class bitnet_sampler : NativeHandle
    {
        protected override void Free(IntPtr pointer)
        {
            Native.bitnet_sampler_free(pointer);
        }
    }

    public sealed class bitnet_grammar : NativeHandle
    {
        protected override void Free(IntPtr pointer)
        {
            Native.bitnet_grammar_free(pointer);
        }
    }

    public sealed class bitnet_chat_template : NativeHandle
    {
        protected override void Free(IntPtr pointer)
        {
            Native.bitnet_chat_template_free(pointer);
        }
    }

    public sealed class bitnet_generation : NativeHandle
    {
        protected override void Free(IntPtr pointer)
        {
            Native.bitnet_generation_free(pointer);
        }
    }

    public sealed class bitnet_adapter : NativeHandle
    {
        protected override void Free(IntPtr pointer)
        {
            Native.bitnet_adapter_free(pointer);
        }
    }

    public sealed class bitnet_validation_report : NativeHandle
    {
        protected override void Free(IntPtr pointer)
        {
            Native.bitnet_validation_report_free(pointer);
        }
    }

    public sealed class bitnet_quantizer : NativeHandle
    {
        protected override void Free(IntPtr pointer)
        {
            Native.bitnet_quantizer_free(pointer);
        }
    }

    public sealed class bitnet_convert_report : NativeHandle
    {
        protected override void Free(IntPtr pointer)
        {
            Native.bitnet_convert_report_free(pointer);
        }
    }

    public sealed class bitnet_file : NativeHandle
    {
        protected override void Free(IntPtr pointer)
        {
            Native.bitnet_file_free(pointer);
        }
    }

    public sealed class bitnet_tokenizer_discovery : NativeHandle
    {
        protected override void Free(IntPtr pointer)
        {
            Native.bitnet_tokenizer_discovery_free(pointer);
        }
    }

    public sealed class bitnet_merge_report : NativeHandle
    {
        protected override void Free(IntPtr pointer)
        {
            Native.bitnet_merge_report_free(pointer);
        }
    }

    public sealed class bitnet_cuda : NativeHandle
    {
        protected override void Free(IntPtr pointer)
        {
            Native.bitnet_cuda_free(pointer);
        }
    }

    public sealed class bitnet_cuda_module : NativeHandle
    {
        protected override void Free(IntPtr pointer)
        {
            Native.bitnet_cuda_module_free(pointer);
        }
    }
}
