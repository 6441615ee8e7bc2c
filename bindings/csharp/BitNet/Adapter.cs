// LoRA adapters: what a fine-tuning learned, kept beside the model.
using System;
using BitNet.Interop;

namespace BitNet
{
    /// <summary>An adapter of one model. It never changes: any thread may use it. It keeps its model alive.</summary>
    public sealed unsafe class Adapter : IDisposable
    {
        internal readonly bitnet_adapter Handle;

        internal Adapter(bitnet_model model, string path)
        {
            byte[] name = Utf8.Path(path, "path");
            bitnet_status status;
            fixed (byte* file = name) status = Native.bitnet_adapter_load(model, file, out Handle);
            Failure.Check(status);
            bitnet_adapter_info info = new bitnet_adapter_info();
            info.struct_size = (uint)sizeof(bitnet_adapter_info);
            Failure.Check(Native.bitnet_adapter_get_info(Handle, &info));
            Name = Utf8.Text(info.name);
            Rank = info.rank;
            Alpha = info.alpha;
            Parameters = info.n_parameters;
            GC.KeepAlive(Handle); // the name is the handle's
        }

        /// <summary>general.name, or "".</summary>
        public string Name { get; private set; }

        /// <summary>What it takes of <see cref="ContextOptions.MaxLoraRank"/>.</summary>
        public int Rank { get; private set; }

        public float Alpha { get; private set; }

        public ulong Parameters { get; private set; }

        public void Dispose()
        {
            Handle.Dispose();
        }
    }

    /// <summary>An adapter and how much of it.</summary>
    public struct AdapterUse
    {
        /// <param name="scale">1: as it was trained; 0: left out.</param>
        public AdapterUse(Adapter adapter, float scale = 1)
            : this()
        {
            if (adapter == null) throw new ArgumentNullException("adapter");
            Adapter = adapter;
            Scale = scale;
        }

        public Adapter Adapter { get; private set; }

        public float Scale { get; private set; }
    }
}
