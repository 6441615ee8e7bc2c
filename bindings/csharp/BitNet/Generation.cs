// A text in the making, step by step.
using System;
using System.Collections.Generic;
using System.Threading;
using BitNet.Interop;

namespace BitNet
{
    /// <summary>
    /// A text in the making over one sequence of a context. Each step computes on the calling thread, as a call of the
    /// context. Several may share a context, each on its own sequence. Once the context is disposed it can only be
    /// disposed, too.
    /// </summary>
    public sealed unsafe class Generation : IDisposable
    {
        private readonly ContextCore core;
        private readonly bitnet_generation handle;

        internal Generation(ContextCore core, int sequence, byte[] prompt, int[] tokens, GenerationOptions options)
        {
            this.core = core;
            options = options ?? new GenerationOptions();
            using (Pins pins = new Pins())
            using (HandleLease grammar = HandleLease.Of(options.Grammar == null ? null : options.Grammar.Handle))
            {
                bitnet_generation_params parameters;
                Native.bitnet_generation_params_init(&parameters, (uint)sizeof(bitnet_generation_params));
                if (options.MaxNewTokens.HasValue) parameters.max_new_tokens = options.MaxNewTokens.Value;
                if (options.SkipSpecialTokens.HasValue) parameters.skip_special_tokens = options.SkipSpecialTokens.Value ? 1 : 0;
                if (options.Deadline.HasValue)
                {
                    // A time shorter than the library's unit is still a deadline; 0 would be none.
                    parameters.deadline_us = Math.Max(1, ContextOptions.Microseconds(options.Deadline.Value, "Deadline"));
                }
                parameters.parse_special = options.ParseSpecial ? 1 : 0;
                parameters.receipt = options.Receipt ? 1 : 0;
                parameters.n_logprobs = options.LogProbabilities;
                parameters.n_draft = options.Draft;
                parameters.grammar = grammar.Pointer;
                bitnet_sampler_params sampling = (options.Sampling ?? new SamplingOptions()).ToNative(pins);
                parameters.sampler = &sampling;
                if (options.StopSequences != null)
                {
                    parameters.stop_sequences = pins.Texts(options.StopSequences, "StopSequences");
                    parameters.n_stop_sequences = (UIntPtr)options.StopSequences.Count;
                }
                using (core.Enter(CancellationToken.None))
                {
                    bitnet_status status;
                    fixed (byte* text = prompt)
                    fixed (int* ids = tokens)
                    {
                        status = prompt != null
                            ? Native.bitnet_generation_create(core.Handle, sequence, text, (UIntPtr)prompt.Length, &parameters, out handle)
                            : Native.bitnet_generation_create_from_tokens(core.Handle, sequence, ids, (UIntPtr)tokens.Length, &parameters,
                                                                          out handle);
                    }
                    core.Check(status);
                }
            }
        }

        /// <summary>
        /// Draws one token. Cancelling by the context and deadlines are ends, not failures; a cancelled token is an
        /// OperationCanceledException. After a failure it may be repeated, no token is lost.
        /// </summary>
        public GenerationStep Next(CancellationToken cancellationToken = default(CancellationToken))
        {
            using (core.Enter(cancellationToken))
            using (HandleLease.Of(handle)) // the step's texts are lent until the next call
            {
                bitnet_generation_step step = new bitnet_generation_step();
                step.struct_size = (uint)sizeof(bitnet_generation_step);
                bitnet_status status = Native.bitnet_generation_next(handle, &step);
                core.CheckStep(status, step.finish_reason);
                return new GenerationStep(step);
            }
        }

        /// <summary>
        /// Advances several generations of one context by one pass of the model, which is faster than one after the
        /// other.
        /// </summary>
        /// <param name="maxTokens">Tokens to compute at most, which bounds how long a new prompt delays the others; 0:
        /// a whole batch.</param>
        public static GenerationStep[] NextBatch(IReadOnlyList<Generation> generations, int maxTokens = 0,
                                                 CancellationToken cancellationToken = default(CancellationToken))
        {
            if (generations == null) throw new ArgumentNullException("generations");
            if (maxTokens < 0) throw new ArgumentOutOfRangeException("maxTokens");
            if (generations.Count == 0) return new GenerationStep[0];
            HandleLease[] leases = new HandleLease[generations.Count];
            IntPtr[] pointers = new IntPtr[generations.Count];
            bitnet_generation_step[] steps = new bitnet_generation_step[generations.Count];
            GenerationStep[] found = new GenerationStep[generations.Count];
            ContextCore core = generations[0].core;
            using (core.Enter(cancellationToken))
            {
                try
                {
                    for (int i = 0; i < pointers.Length; i++)
                    {
                        leases[i] = HandleLease.Of(generations[i].handle);
                        pointers[i] = leases[i].Pointer;
                    }
                    steps[0].struct_size = (uint)sizeof(bitnet_generation_step);
                    bitnet_status status;
                    fixed (IntPtr* handles = pointers)
                    fixed (bitnet_generation_step* results = steps)
                    {
                        status = Native.bitnet_generation_next_batch(handles, (UIntPtr)pointers.Length, (UIntPtr)maxTokens, results);
                    }
                    core.Check(status);
                    for (int i = 0; i < found.Length; i++) found[i] = new GenerationStep(steps[i]);
                    return found;
                }
                finally
                {
                    for (int i = 0; i < leases.Length; i++) leases[i].Dispose();
                }
            }
        }

        /// <summary>The rest of the text piece by piece; steps without text are passed over.</summary>
        public IEnumerable<string> ReadPieces(CancellationToken cancellationToken = default(CancellationToken))
        {
            while (true)
            {
                GenerationStep step = Next(cancellationToken);
                if (step.Text.Length > 0) yield return step.Text;
                if (step.FinishReason != FinishReason.None) yield break;
            }
        }

        /// <summary>The same without holding the caller's thread; the generation stays open.</summary>
        public IAsyncEnumerable<string> ReadPiecesAsync(CancellationToken cancellationToken = default(CancellationToken))
        {
            return new TextStream(() => this, false, cancellationToken);
        }

        /// <summary>Runs it to its end.</summary>
        /// <param name="onStep">Called for each step on this thread; false ends the text.</param>
        public GenerationResult Run(Func<GenerationStep, bool> onStep = null,
                                    CancellationToken cancellationToken = default(CancellationToken))
        {
            while (true)
            {
                GenerationStep step = Next(cancellationToken);
                bool goesOn = onStep == null || onStep(step);
                if (goesOn && step.FinishReason == FinishReason.None) continue;
                GenerationResult result = GetResult();
                if (result.FinishReason == FinishReason.None) result.FinishReason = FinishReason.Cancelled;
                return result;
            }
        }

        /// <summary>What it has brought so far.</summary>
        public GenerationResult GetResult()
        {
            using (core.Enter(CancellationToken.None))
            using (HandleLease.Of(handle))
            {
                bitnet_generation_result result = new bitnet_generation_result();
                result.struct_size = (uint)sizeof(bitnet_generation_result);
                core.Check(Native.bitnet_generation_get_result(handle, &result));
                return new GenerationResult(result);
            }
        }

        /// <summary>
        /// Log-probabilities of the last step's token and, out of it, of the best ones. Needs <see
        /// cref="GenerationOptions.LogProbabilities"/>.
        /// </summary>
        public float GetLogProbability(out TokenLogProbability[] best)
        {
            bitnet_token_logprob[] top = new bitnet_token_logprob[20];
            using (core.Enter(CancellationToken.None))
            {
                float own;
                UIntPtr count;
                bitnet_status status;
                fixed (bitnet_token_logprob* first = top)
                {
                    status = Native.bitnet_generation_get_logprobs(handle, &own, first, (UIntPtr)top.Length, &count);
                }
                core.Check(status);
                best = new TokenLogProbability[(int)count];
                for (int i = 0; i < best.Length; i++) best[i] = new TokenLogProbability(top[i].token, top[i].logprob);
                return own;
            }
        }

        /// <summary>
        /// The receipt of what it has brought so far: JSON that anyone with the model can check. See <see
        /// cref="Receipts"/>.
        /// </summary>
        public string GetReceipt()
        {
            using (core.Enter(CancellationToken.None))
            {
                return Utf8.Read((buffer, capacity, size) => Native.bitnet_generation_get_receipt(handle, buffer, capacity, size));
            }
        }

        public void Dispose()
        {
            handle.Dispose();
        }
    }
}
