// A sampler of one's own, for those who decode tokens themselves.
using System;
using System.Runtime.CompilerServices;
using System.Threading;
using BitNet.Interop;

namespace BitNet
{
    /// <summary>
    /// Picks tokens from logits. It serves one thread at a time, as a context does, and knows no model.
    /// </summary>
    public sealed unsafe class Sampler : IDisposable
    {
        internal readonly bitnet_sampler Handle;
        private readonly Gate gate = new Gate("sampler");

        public Sampler(SamplingOptions options = null)
        {
            BitNetLibrary.EnsureLoaded();
            Handle = Create(options ?? new SamplingOptions());
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static bitnet_sampler Create(SamplingOptions options)
        {
            using (Pins pins = new Pins())
            {
                bitnet_sampler_params parameters = options.ToNative(pins);
                bitnet_sampler handle;
                Failure.Check(Native.bitnet_sampler_create(&parameters, out handle));
                return handle;
            }
        }

        /// <summary>The seed in use; it repeats the choices.</summary>
        public ulong Seed
        {
            get { return Native.bitnet_sampler_get_seed(Handle); }
        }

        /// <summary>Picks the token after an entry of the context's last decode; -1 is the last entry.</summary>
        public int Sample(Context context, int index = -1)
        {
            if (context == null) throw new ArgumentNullException("context");
            gate.Enter();
            try
            {
                using (context.Core.Enter(CancellationToken.None))
                {
                    int token;
                    context.Core.Check(Native.bitnet_sampler_sample_context(Handle, context.Core.Handle, index, &token));
                    return token;
                }
            }
            finally
            {
                gate.Leave();
            }
        }

        /// <summary>Picks a token from logits, one for each token of the vocabulary.</summary>
        public int Sample(float[] logits)
        {
            if (logits == null) throw new ArgumentNullException("logits");
            gate.Enter();
            try
            {
                int token;
                bitnet_status status;
                fixed (float* first = logits) status = Native.bitnet_sampler_sample(Handle, first, (UIntPtr)logits.Length, &token);
                Failure.Check(status);
                return token;
            }
            finally
            {
                gate.Leave();
            }
        }

        /// <summary>Tells penalties and grammar about a token that was not picked here, e.g. of the prompt.</summary>
        public void Accept(int token)
        {
            gate.Enter();
            try
            {
                Failure.Check(Native.bitnet_sampler_accept(Handle, token));
            }
            finally
            {
                gate.Leave();
            }
        }

        /// <summary>Forgets accepted tokens and starts the random numbers again.</summary>
        public void Reset()
        {
            gate.Enter();
            try
            {
                Failure.Check(Native.bitnet_sampler_reset(Handle));
            }
            finally
            {
                gate.Leave();
            }
        }

        /// <summary>From now on only what the grammar allows, starting anew; null takes it away.</summary>
        public void SetGrammar(Grammar grammar)
        {
            gate.Enter();
            try
            {
                using (bitnet_grammar none = new bitnet_grammar())
                {
                    Failure.Check(Native.bitnet_sampler_set_grammar(Handle, grammar == null ? none : grammar.Handle));
                }
            }
            finally
            {
                gate.Leave();
            }
        }

        public void Dispose()
        {
            Handle.Dispose();
        }
    }
}
