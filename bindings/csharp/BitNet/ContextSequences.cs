// The part of a context that works on tokens: decoding, logits, sequences, saved states, adapters, metrics.
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;
using BitNet.Interop;

namespace BitNet
{
    /// <summary>What a context has done: times and counts.</summary>
    public sealed class ContextMetrics
    {
        internal ContextMetrics(bitnet_performance_metrics performance, bitnet_metrics metrics)
        {
            Generations = performance.n_inferences;
            TokensGenerated = performance.tokens_generated;
            TokensPerSecond = performance.tokens_per_second;
            FirstTokenLatency = TimeSpan.FromTicks((long)performance.first_token_latency_us * 10);
            AverageTokenLatency = TimeSpan.FromTicks((long)performance.average_token_latency_us * 10);
            CacheHitRate = performance.cache_hit_rate;
            Errors = performance.error_count;
            PromptTokens = metrics.prefill_tokens;
            PromptTime = TimeSpan.FromTicks((long)metrics.prefill_us * 10);
            DecodedTokens = metrics.decode_tokens;
            DecodeTime = TimeSpan.FromTicks((long)metrics.decode_us * 10);
            LoadTime = TimeSpan.FromTicks((long)metrics.load_us * 10);
        }

        /// <summary>Generations that came to their end, whatever the reason.</summary>
        public ulong Generations { get; private set; }

        public ulong TokensGenerated { get; private set; }

        public double TokensPerSecond { get; private set; }

        /// <summary>Of a generation, prompt included: the average.</summary>
        public TimeSpan FirstTokenLatency { get; private set; }

        public TimeSpan AverageTokenLatency { get; private set; }

        /// <summary>Of the tokens of prompts, those that the sequence held already; 0 .. 1.</summary>
        public double CacheHitRate { get; private set; }

        /// <summary>Decodes that failed; cancelling is no failure.</summary>
        public ulong Errors { get; private set; }

        public ulong PromptTokens { get; private set; }

        public TimeSpan PromptTime { get; private set; }

        public ulong DecodedTokens { get; private set; }

        public TimeSpan DecodeTime { get; private set; }

        /// <summary>Time the model took to load.</summary>
        public TimeSpan LoadTime { get; private set; }
    }

    public sealed unsafe partial class Context
    {
        /// <summary>Appends tokens to a sequence; the logits of the last one are there afterwards.</summary>
        public void Decode(IEnumerable<int> tokens, int sequence = 0, CancellationToken cancellationToken = default(CancellationToken))
        {
            int[] ids = Tokens.Of(tokens, "tokens");
            using (Core.Enter(cancellationToken))
            {
                bitnet_status status;
                fixed (int* first = ids)
                {
                    status = Native.bitnet_context_decode_tokens(Core.Handle, sequence, first, (UIntPtr)ids.Length);
                }
                Core.Check(status);
            }
        }

        /// <summary>
        /// Makes a sequence hold exactly these tokens and computes only what it does not hold yet; tells how many it
        /// held.
        /// </summary>
        public int Prefill(IEnumerable<int> tokens, int sequence = 0, CancellationToken cancellationToken = default(CancellationToken))
        {
            int[] ids = Tokens.Of(tokens, "tokens");
            using (Core.Enter(cancellationToken))
            {
                UIntPtr reused;
                bitnet_status status;
                fixed (int* first = ids)
                {
                    status = Native.bitnet_context_prefill(Core.Handle, sequence, first, (UIntPtr)ids.Length, &reused);
                }
                Core.Check(status);
                return (int)reused;
            }
        }

        /// <summary>A copy of the logits of an entry of the last decode; -1 is the last one.</summary>
        public float[] GetLogits(int index = -1)
        {
            using (Core.Enter(CancellationToken.None))
            {
                float* logits;
                Core.Check(Native.bitnet_context_get_logits(Core.Handle, index, &logits));
                float[] copy = new float[vocabularySize];
                Marshal.Copy((IntPtr)logits, copy, 0, copy.Length);
                return copy;
            }
        }

        /// <summary>
        /// Forgets the positions [from, to) of a sequence; negative: from the start, to the end; of every sequence.
        /// </summary>
        public void RemoveTokens(int sequence = 0, int from = -1, int to = -1)
        {
            using (Core.Enter(CancellationToken.None)) Core.Check(Native.bitnet_sequence_remove(Core.Handle, sequence, from, to));
        }

        /// <summary>Forgets the last tokens of a sequence.</summary>
        public void Rewind(int tokens, int sequence = 0)
        {
            if (tokens < 0) throw new ArgumentOutOfRangeException("tokens");
            using (Core.Enter(CancellationToken.None)) Core.Check(Native.bitnet_sequence_rewind(Core.Handle, sequence, (UIntPtr)tokens));
        }

        /// <summary>Makes one sequence a copy of another, which shares its memory.</summary>
        public void Fork(int from, int to)
        {
            using (Core.Enter(CancellationToken.None)) Core.Check(Native.bitnet_sequence_fork(Core.Handle, from, to));
        }

        /// <summary>
        /// Forgets a range and computes what lies behind it anew; tells how many tokens were computed.
        /// </summary>
        public int Shift(int from, int to, int sequence = 0, CancellationToken cancellationToken = default(CancellationToken))
        {
            using (Core.Enter(cancellationToken))
            {
                UIntPtr computed;
                Core.Check(Native.bitnet_sequence_shift(Core.Handle, sequence, from, to, &computed));
                return (int)computed;
            }
        }

        /// <summary>The position that the next token of a sequence will get.</summary>
        public int GetEnd(int sequence = 0)
        {
            using (Core.Enter(CancellationToken.None)) return Native.bitnet_sequence_get_end(Core.Handle, sequence);
        }

        /// <summary>The tokens of a sequence, in order.</summary>
        public int[] GetTokens(int sequence = 0)
        {
            using (Core.Enter(CancellationToken.None))
            {
                return Utf8.ReadTokens(64, (tokens, capacity, count) =>
                                           Native.bitnet_sequence_get_tokens(Core.Handle, sequence, tokens, capacity, count));
            }
        }

        // ---- Saved states; they may come from anyone ----

        /// <summary>One sequence as bytes.</summary>
        public byte[] SaveSequence(int sequence = 0)
        {
            using (Core.Enter(CancellationToken.None))
            {
                return Utf8.ReadBytes((buffer, capacity, size) =>
                                          Native.bitnet_sequence_save(Core.Handle, sequence, buffer, capacity, size));
            }
        }

        /// <summary>Replaces a sequence by a saved one.</summary>
        public void LoadSequence(byte[] saved, int sequence = 0)
        {
            if (saved == null) throw new ArgumentNullException("saved");
            using (Core.Enter(CancellationToken.None))
            {
                bitnet_status status;
                fixed (byte* data = saved) status = Native.bitnet_sequence_load(Core.Handle, sequence, data, (UIntPtr)saved.Length);
                Core.Check(status);
            }
        }

        /// <summary>All sequences as bytes.</summary>
        public byte[] SaveSession()
        {
            using (Core.Enter(CancellationToken.None))
            {
                return Utf8.ReadBytes((buffer, capacity, size) =>
                                          Native.bitnet_context_save_session_to_memory(Core.Handle, buffer, capacity, size));
            }
        }

        /// <summary>Replaces all sequences by those of a session.</summary>
        public void LoadSession(byte[] saved)
        {
            if (saved == null) throw new ArgumentNullException("saved");
            using (Core.Enter(CancellationToken.None))
            {
                bitnet_status status;
                fixed (byte* data = saved)
                {
                    status = Native.bitnet_context_load_session_from_memory(Core.Handle, data, (UIntPtr)saved.Length);
                }
                Core.Check(status);
            }
        }

        /// <summary>All sequences as a file, which appears whole or not at all.</summary>
        public void SaveSession(string path, Action<float> progress = null)
        {
            byte[] name = Utf8.Path(path, "path");
            ProgressBridge bridge = new ProgressBridge(progress, null);
            using (Core.Enter(CancellationToken.None))
            {
                bitnet_status status;
                fixed (byte* file = name) status = Native.bitnet_context_save_session(Core.Handle, file, bridge.Callback, null);
                bridge.Rethrow();
                Core.Check(status);
            }
        }

        /// <summary>Replaces all sequences by those of a file.</summary>
        public void LoadSession(string path, Action<float> progress = null)
        {
            byte[] name = Utf8.Path(path, "path");
            ProgressBridge bridge = new ProgressBridge(progress, null);
            using (Core.Enter(CancellationToken.None))
            {
                bitnet_status status;
                fixed (byte* file = name) status = Native.bitnet_context_load_session(Core.Handle, file, bridge.Callback, null);
                bridge.Rethrow();
                Core.Check(status);
            }
        }

        // ---- Adapters and metrics ----

        /// <summary>
        /// Says with which adapters an empty sequence runs from now on. Needs <see cref="ContextOptions.MaxLoraRank"/>.
        /// </summary>
        public void SetAdapters(int sequence, params AdapterUse[] uses)
        {
            if (uses == null) throw new ArgumentNullException("uses");
            HandleLease[] leases = new HandleLease[uses.Length];
            bitnet_adapter_use[] native = new bitnet_adapter_use[uses.Length];
            using (Core.Enter(CancellationToken.None))
            {
                try
                {
                    for (int i = 0; i < uses.Length; i++)
                    {
                        leases[i] = HandleLease.Of(uses[i].Adapter.Handle);
                        native[i].adapter = leases[i].Pointer;
                        native[i].scale = uses[i].Scale;
                    }
                    bitnet_status status;
                    fixed (bitnet_adapter_use* first = native)
                    {
                        status = Native.bitnet_context_set_adapters(Core.Handle, sequence, first, (UIntPtr)native.Length);
                    }
                    Core.Check(status);
                }
                finally
                {
                    for (int i = 0; i < leases.Length; i++) leases[i].Dispose();
                }
            }
        }

        /// <summary>Times and counts since it was made or reset.</summary>
        public ContextMetrics GetMetrics()
        {
            bitnet_performance_metrics performance = new bitnet_performance_metrics();
            performance.struct_size = (uint)sizeof(bitnet_performance_metrics);
            bitnet_metrics metrics = new bitnet_metrics();
            metrics.struct_size = (uint)sizeof(bitnet_metrics);
            using (Core.Enter(CancellationToken.None))
            {
                Core.Check(Native.bitnet_context_get_performance(Core.Handle, &performance));
                Core.Check(Native.bitnet_context_get_metrics(Core.Handle, &metrics));
            }
            return new ContextMetrics(performance, metrics);
        }

        /// <summary>Begins to count anew.</summary>
        public void ResetMetrics()
        {
            using (Core.Enter(CancellationToken.None))
            {
                Core.Check(Native.bitnet_context_reset_performance(Core.Handle));
                Core.Check(Native.bitnet_context_reset_metrics(Core.Handle));
            }
        }

        /// <summary>Bytes that it and its model hold.</summary>
        public MemoryInfo GetMemory()
        {
            bitnet_memory_info info = new bitnet_memory_info();
            info.struct_size = (uint)sizeof(bitnet_memory_info);
            Failure.Check(Native.bitnet_context_get_memory(Core.Handle, &info));
            return new MemoryInfo(info);
        }

        /// <summary>What the last decode ran, as JSON. Needs <see cref="ContextOptions.Trace"/>.</summary>
        public string GetTrace()
        {
            using (Core.Enter(CancellationToken.None))
            {
                return Utf8.Read((buffer, capacity, size) => Native.bitnet_context_get_trace(Core.Handle, buffer, capacity, size));
            }
        }
    }
}
