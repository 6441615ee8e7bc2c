// What a context and the generations over it share: the handle, its delegates, and the rule that one thread at a time
// computes.
using System;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Threading;
using BitNet.Interop;

namespace BitNet
{
    /// <summary>
    /// Lets one call in at a time; another one is an error, not a wait, because waiting would hide a mistake.
    /// </summary>
    internal sealed class Gate
    {
        private readonly string what;
        private int busy;

        internal Gate(string what)
        {
            this.what = what;
        }

        internal void Enter()
        {
            if (Interlocked.CompareExchange(ref busy, 1, 0) != 0)
            {
                throw new InvalidOperationException("The " + what + " is in use: it serves one call at a time, and none from a callback "
                                                    + "of its own.");
            }
        }

        internal void Leave()
        {
            Volatile.Write(ref busy, 0);
        }
    }

    internal sealed unsafe class ContextCore
    {
        internal readonly bitnet_context Handle;
        internal readonly bitnet_tokenizer Tokenizer; // null where the model has none
        private readonly Gate gate = new Gate("context");
        private readonly Action<float> progress;
        private readonly Func<bool> shouldAbort;
        private CancellationToken cancellation;
        private ExceptionDispatchInfo thrown;

        internal ContextCore(Model model, ContextOptions options)
        {
            options = options ?? new ContextOptions();
            progress = options.Progress;
            shouldAbort = options.ShouldAbort;
            bitnet_context_params parameters = options.ToNative();
            // Cancelling by a token goes through this, not through bitnet_context_cancel: that would stop the next call
            // as well when it comes too late for this one.
            bitnet_context_params_should_abort abort = OnAbort;
            parameters.should_abort = Marshal.GetFunctionPointerForDelegate(abort);
            bitnet_progress_callback onProgress = OnProgress;
            if (progress != null) parameters.on_progress = Marshal.GetFunctionPointerForDelegate(onProgress);
            bitnet_context handle;
            Failure.Check(Native.bitnet_context_create(model.Handle, &parameters, out handle));
            handle.KeepAlive = new Delegate[] { abort, onProgress };
            Handle = handle;
            Tokenizer = model.TryBorrowTokenizer();
        }

        internal bitnet_tokenizer RequiredTokenizer
        {
            get
            {
                if (Tokenizer != null) return Tokenizer;
                throw new BitNetException("The model has no tokenizer that this library can run.", Status.Tokenizer, "BITNET_E_TOKENIZER",
                                          ErrorFamily.Tokenization, "Give token ids, or load the model with ModelOptions.TokenizerPath.", null);
            }
        }

        /// <summary>
        /// Until the lease is disposed the caller alone uses the context, and nobody frees it: a generation, too, runs
        /// in it, though its calls do not name it.
        /// </summary>
        internal CoreLease Enter(CancellationToken token)
        {
            token.ThrowIfCancellationRequested();
            HandleLease handle = HandleLease.Of(Handle);
            try
            {
                gate.Enter();
            }
            catch
            {
                handle.Dispose();
                throw;
            }
            thrown = null;
            cancellation = token;
            return new CoreLease(this, handle);
        }

        internal void Leave()
        {
            cancellation = CancellationToken.None;
            gate.Leave();
        }

        /// <summary>
        /// Right after a call, inside the lease: what a delegate threw, then the token, then the status.
        /// </summary>
        internal void Check(bitnet_status status)
        {
            Rethrow();
            if (status == bitnet_status.BITNET_E_CANCELLED) cancellation.ThrowIfCancellationRequested();
            Failure.Check(status);
        }

        /// <summary>After a step of a generation, which ends without a failure when it is stopped.</summary>
        internal void CheckStep(bitnet_status status, int finishReason)
        {
            Rethrow();
            if (finishReason == (int)bitnet_finish_reason.BITNET_FINISH_CANCELLED) cancellation.ThrowIfCancellationRequested();
            Check(status);
        }

        internal void Close()
        {
            Handle.Dispose();
            if (Tokenizer != null) Tokenizer.Dispose();
        }

        private void Rethrow()
        {
            if (thrown == null) return;
            ExceptionDispatchInfo kept = thrown;
            thrown = null;
            Failure.Forget();
            kept.Throw();
        }

        private int OnAbort(void* data)
        {
            try
            {
                if (cancellation.IsCancellationRequested) return 1;
                return shouldAbort != null && shouldAbort() ? 1 : 0;
            }
            catch (Exception exception)
            {
                thrown = ExceptionDispatchInfo.Capture(exception);
                return 1;
            }
        }

        private int OnProgress(float part, void* data)
        {
            try
            {
                progress(part);
                return 0;
            }
            catch (Exception exception)
            {
                thrown = ExceptionDispatchInfo.Capture(exception);
                return 1;
            }
        }
    }

    internal struct CoreLease : IDisposable
    {
        private readonly ContextCore core;
        private HandleLease handle;

        internal CoreLease(ContextCore core, HandleLease handle)
        {
            this.core = core;
            this.handle = handle;
        }

        public void Dispose()
        {
            core.Leave();
            handle.Dispose();
        }
    }
}
