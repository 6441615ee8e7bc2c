// How a context is made.
using System;
using BitNet.Interop;

namespace BitNet
{
    /// <summary>
    /// How a context is made. What is left out (null) is the library's default; bitnet_context_params in bitnet.h has
    /// them.
    /// </summary>
    public sealed class ContextOptions
    {
        /// <summary>
        /// Tokens that all sequences together have room for; 0: what the model was trained for, at most 4096.
        /// </summary>
        public int? Length { get; set; }

        /// <summary>Tokens per decode at most.</summary>
        public int? BatchSize { get; set; }

        /// <summary>Tokens computed at once; never changes a result.</summary>
        public int? MicroBatchSize { get; set; }

        /// <summary>Sequences: conversations side by side.</summary>
        public int? MaxSequences { get; set; }

        /// <summary>Threads; never changes a result. 0: as many as may be used.</summary>
        public int? Threads { get; set; }

        /// <summary>Keep hidden states, for <see cref="Context.Embed"/>.</summary>
        public bool Embeddings { get; set; }

        /// <summary>Record what ran, for <see cref="Context.GetTrace"/>.</summary>
        public bool Trace { get; set; }

        /// <summary>Room for adapters: the sum of ranks that one sequence uses at once.</summary>
        public int? MaxLoraRank { get; set; }

        /// <summary>Refuse more bytes of cache and scratch.</summary>
        public ulong? MaxBytes { get; set; }

        /// <summary>A decode that takes longer stops with <see cref="Status.Timeout"/>; a generation ends.</summary>
        public TimeSpan? Timeout { get; set; }

        /// <summary>
        /// Called while a long prompt is computed, with the part that is done; what it throws stops that and comes out
        /// of the call.
        /// </summary>
        public Action<float> Progress { get; set; }

        /// <summary>
        /// Asked between operations, on the thread that computes; true stops the work. What it throws comes out of the
        /// call.
        /// </summary>
        public Func<bool> ShouldAbort { get; set; }

        internal unsafe bitnet_context_params ToNative()
        {
            bitnet_context_params parameters;
            Native.bitnet_context_params_init(&parameters, (uint)sizeof(bitnet_context_params));
            if (Length.HasValue) parameters.n_ctx = Length.Value;
            if (BatchSize.HasValue) parameters.n_batch = BatchSize.Value;
            if (MicroBatchSize.HasValue) parameters.n_ubatch = MicroBatchSize.Value;
            if (MaxSequences.HasValue) parameters.n_seq_max = MaxSequences.Value;
            if (Threads.HasValue) parameters.n_threads = Threads.Value;
            if (MaxLoraRank.HasValue) parameters.max_lora_rank = MaxLoraRank.Value;
            if (MaxBytes.HasValue) parameters.max_bytes = MaxBytes.Value;
            if (Timeout.HasValue) parameters.timeout_us = Microseconds(Timeout.Value, "Timeout");
            parameters.embeddings = Embeddings ? 1 : 0;
            parameters.trace = Trace ? 1 : 0;
            return parameters;
        }

        internal static ulong Microseconds(TimeSpan time, string name)
        {
            if (time < TimeSpan.Zero) throw new ArgumentOutOfRangeException(name, "A time cannot be negative.");
            return (ulong)(time.Ticks / 10);
        }
    }
}
