// Texts as asynchronous streams. Written out by hand, so that every compiler from C# 7 on takes it.
using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace BitNet
{
    /// <summary>Each piece is computed on the pool while the caller awaits it; nothing is computed ahead.</summary>
    internal sealed class TextStream : IAsyncEnumerable<string>
    {
        private readonly Func<Generation> start;
        private readonly bool isOwner;
        private readonly CancellationToken cancellation;

        internal TextStream(Func<Generation> start, bool isOwner, CancellationToken cancellation)
        {
            this.start = start;
            this.isOwner = isOwner;
            this.cancellation = cancellation;
        }

        public IAsyncEnumerator<string> GetAsyncEnumerator(CancellationToken cancellationToken = default(CancellationToken))
        {
            return new Reader(start, isOwner, cancellation, cancellationToken);
        }

        private sealed class Reader : IAsyncEnumerator<string>
        {
            private readonly Func<Generation> start;
            private readonly bool isOwner;
            private readonly CancellationTokenSource linked;
            private readonly CancellationToken cancellation;
            private Generation generation;
            private bool isOver;

            internal Reader(Func<Generation> start, bool isOwner, CancellationToken first, CancellationToken second)
            {
                this.start = start;
                this.isOwner = isOwner;
                // Of the two places where a token can be given most programs use one.
                if (first.CanBeCanceled && second.CanBeCanceled) linked = CancellationTokenSource.CreateLinkedTokenSource(first, second);
                cancellation = linked != null ? linked.Token : first.CanBeCanceled ? first : second;
            }

            public string Current { get; private set; }

            public ValueTask<bool> MoveNextAsync()
            {
                if (isOver) return new ValueTask<bool>(false);
                return new ValueTask<bool>(Task.Run((Func<bool>)MoveNext, cancellation));
            }

            public ValueTask DisposeAsync()
            {
                isOver = true;
                if (isOwner && generation != null) generation.Dispose();
                if (linked != null) linked.Dispose();
                return default(ValueTask);
            }

            private bool MoveNext()
            {
                if (generation == null) generation = start();
                while (!isOver)
                {
                    GenerationStep step = generation.Next(cancellation);
                    isOver = step.FinishReason != FinishReason.None;
                    if (step.Text.Length == 0) continue;
                    Current = step.Text;
                    return true;
                }
                return false;
            }
        }
    }
}
