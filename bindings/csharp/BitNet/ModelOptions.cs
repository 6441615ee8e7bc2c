// How a model is loaded.
using System;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Threading;
using BitNet.Interop;

namespace BitNet
{
    /// <summary>
    /// How a model is loaded. What is left out (null) is the library's default; bitnet_model_params in bitnet.h has
    /// them.
    /// </summary>
    public sealed class ModelOptions
    {
        /// <summary>True: map the file and use weights in place; false: read it into memory.</summary>
        public bool? UseMmap { get; set; }

        /// <summary>Scan ternary codes and norms for values no converter writes.</summary>
        public bool? CheckWeights { get; set; }

        /// <summary>Threads used for loading; 0: as many as may be used.</summary>
        public int? Threads { get; set; }

        /// <summary>Only metadata and tokenizer; no context can be created.</summary>
        public bool VocabularyOnly { get; set; }

        /// <summary>A kernel or level name; null: $BITNET_KERNEL, or the best.</summary>
        public string Kernel { get; set; }

        /// <summary>Refuse more bytes of weights.</summary>
        public ulong? MaxBytes { get; set; }

        /// <summary>Refuse more tensors.</summary>
        public ulong? MaxTensors { get; set; }

        /// <summary>Compute the file's SHA-256 during the load.</summary>
        public bool Sha256 { get; set; }

        /// <summary>Where to compute: "auto", "cpu", "cuda:0", "cuda:all"; see <see cref="Device"/>.</summary>
        public string Device { get; set; }

        /// <summary>Refuse a model with errors (1) or also with warnings (2) that validation finds.</summary>
        public int Validate { get; set; }

        /// <summary>The tokenizer is this file or folder, whatever the model file has.</summary>
        public string TokenizerPath { get; set; }

        /// <summary>Tile sizes of TL1 and TL2 files.</summary>
        public string TlTiling { get; set; }

        /// <summary>
        /// Called on the loading thread with the part that is done; what it throws stops the load and comes out of it.
        /// </summary>
        public Action<float> Progress { get; set; }
    }

    /// <summary>
    /// Calls a progress delegate from C, keeps what it throws, and stops the work then or when a token is cancelled.
    /// </summary>
    internal sealed unsafe class ProgressBridge
    {
        private readonly Action<float> progress;
        private readonly Func<bool> isCancelled;
        internal readonly bitnet_progress_callback Callback;
        private ExceptionDispatchInfo thrown;

        internal ProgressBridge(Action<float> progress, Func<bool> isCancelled)
        {
            this.progress = progress;
            this.isCancelled = isCancelled;
            Callback = OnProgress;
        }

        internal IntPtr Pointer
        {
            get { return Marshal.GetFunctionPointerForDelegate(Callback); }
        }

        /// <summary>After the call, before its status is looked at.</summary>
        internal void Rethrow()
        {
            if (thrown == null) return;
            ExceptionDispatchInfo kept = thrown;
            thrown = null;
            Failure.Forget();
            kept.Throw();
        }

        private int OnProgress(float part, void* data)
        {
            try
            {
                if (progress != null) progress(part);
                return isCancelled != null && isCancelled() ? 1 : 0;
            }
            catch (Exception exception)
            {
                thrown = ExceptionDispatchInfo.Capture(exception);
                return 1;
            }
        }
    }

    /// <summary>The options as the C struct, with what it points at pinned; valid until disposed.</summary>
    internal sealed unsafe class NativeModelParams : IDisposable
    {
        internal bitnet_model_params Params;
        internal readonly ProgressBridge Progress;
        private readonly Pins pins = new Pins();

        internal NativeModelParams(ModelOptions options, CancellationToken cancellation)
        {
            options = options ?? new ModelOptions();
            fixed (bitnet_model_params* p = &Params) Native.bitnet_model_params_init(p, (uint)sizeof(bitnet_model_params));
            if (options.UseMmap.HasValue) Params.use_mmap = options.UseMmap.Value ? 1 : 0;
            if (options.CheckWeights.HasValue) Params.check_weights = options.CheckWeights.Value ? 1 : 0;
            if (options.Threads.HasValue) Params.n_threads = options.Threads.Value;
            if (options.MaxBytes.HasValue) Params.max_bytes = options.MaxBytes.Value;
            if (options.MaxTensors.HasValue) Params.max_tensors = options.MaxTensors.Value;
            Params.vocab_only = options.VocabularyOnly ? 1 : 0;
            Params.sha256 = options.Sha256 ? 1 : 0;
            Params.validate = options.Validate;
            Params.kernel = pins.Text(options.Kernel, "Kernel");
            Params.device = pins.Text(options.Device, "Device");
            Params.tokenizer_path = pins.Text(options.TokenizerPath, "TokenizerPath");
            Params.tl_tiling = pins.Text(options.TlTiling, "TlTiling");
            if (options.Progress != null || cancellation.CanBeCanceled)
            {
                Progress = new ProgressBridge(options.Progress, () => cancellation.IsCancellationRequested);
                Params.on_progress = Progress.Pointer;
            }
        }

        public void Dispose()
        {
            pins.Dispose();
        }
    }
}
