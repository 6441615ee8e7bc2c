// A context: the memory of conversations over a model. Texts, chats and embeddings are made with it.
using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using BitNet.Interop;

namespace BitNet
{
    /// <summary>
    /// A context serves one thread at a time; a second one is an InvalidOperationException. Only <see cref="Cancel"/>
    /// is for any thread. Contexts of one model run in parallel. It keeps its model alive.
    /// </summary>
    public sealed unsafe partial class Context : IDisposable
    {
        internal readonly ContextCore Core;
        private readonly int embeddingLength;
        private readonly int vocabularySize;

        internal Context(Model model, ContextOptions options)
        {
            Core = new ContextCore(model, options);
            ModelInfo info = model.Info;
            embeddingLength = info.EmbeddingLength;
            vocabularySize = info.VocabularySize;
        }

        /// <summary>Tokens that all sequences together have room for.</summary>
        public int Length
        {
            get { return Native.bitnet_context_get_n_ctx(Core.Handle); }
        }

        public int Threads
        {
            get { return Native.bitnet_context_get_n_threads(Core.Handle); }
        }

        /// <summary>How many tokens still fit.</summary>
        public int FreeTokens
        {
            get { return Native.bitnet_context_get_n_free(Core.Handle); }
        }

        /// <summary>
        /// Stops the call that computes now, or else the next one, soon. The one method for any thread. A generation
        /// then ends with
        /// <see cref="FinishReason.Cancelled"/>, anything else is a BitNetException with <see
        /// cref="Status.Cancelled"/>.
        /// </summary>
        public void Cancel()
        {
            Native.bitnet_context_cancel(Core.Handle);
        }

        // ---- Texts ----

        /// <summary>Writes a text that goes on from the prompt.</summary>
        /// <param name="onStep">Called for each token on this thread; false ends the text. What it throws comes out of
        /// this call.</param>
        /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
        public GenerationResult Generate(string prompt, GenerationOptions options = null, Func<GenerationStep, bool> onStep = null,
                                         CancellationToken cancellationToken = default(CancellationToken))
        {
            using (Generation generation = StartGeneration(prompt, options)) return generation.Run(onStep, cancellationToken);
        }

        /// <summary>The same on a thread of the pool.</summary>
        public Task<GenerationResult> GenerateAsync(string prompt, GenerationOptions options = null,
                                                    CancellationToken cancellationToken = default(CancellationToken))
        {
            return Task.Run(() => Generate(prompt, options, null, cancellationToken), cancellationToken);
        }

        /// <summary>The text piece by piece, as it is written. Leaving the loop stops the work.</summary>
        public IEnumerable<string> Stream(string prompt, GenerationOptions options = null,
                                          CancellationToken cancellationToken = default(CancellationToken))
        {
            return Pieces(StartGeneration(prompt, options), cancellationToken);
        }

        /// <summary>The same without holding the caller's thread: each piece is computed on the pool.</summary>
        public IAsyncEnumerable<string> StreamAsync(string prompt, GenerationOptions options = null,
                                                    CancellationToken cancellationToken = default(CancellationToken))
        {
            return new TextStream(() => StartGeneration(prompt, options), true, cancellationToken);
        }

        /// <summary>
        /// Prepares a text; nothing is computed yet. For texts step by step, log-probabilities, receipts.
        /// </summary>
        public Generation StartGeneration(string prompt, GenerationOptions options = null, int sequence = 0)
        {
            return new Generation(Core, sequence, Utf8.Bytes(prompt, "prompt"), null, options);
        }

        /// <summary>
        /// The same from tokens, for example those of <see cref="ChatTemplate.Encode(IEnumerable{ChatMessage},
        /// bool)"/>.
        /// </summary>
        public Generation StartGeneration(IEnumerable<int> tokens, GenerationOptions options = null, int sequence = 0)
        {
            return new Generation(Core, sequence, null, Tokens.Of(tokens, "tokens"), options);
        }

        private static IEnumerable<string> Pieces(Generation generation, CancellationToken cancellation)
        {
            using (generation)
            {
                foreach (string piece in generation.ReadPieces(cancellation)) yield return piece;
            }
        }

        // ---- Chat ----

        /// <summary>
        /// Answers a conversation, written as the model's own chat template says, or as the given one does.
        /// </summary>
        public GenerationResult Chat(IEnumerable<ChatMessage> messages, GenerationOptions options = null, ChatTemplate template = null,
                                     CancellationToken cancellationToken = default(CancellationToken))
        {
            using (Generation generation = StartChat(messages, options, template)) return generation.Run(null, cancellationToken);
        }

        /// <summary>The answer piece by piece.</summary>
        public IEnumerable<string> StreamChat(IEnumerable<ChatMessage> messages, GenerationOptions options = null,
                                              ChatTemplate template = null,
                                              CancellationToken cancellationToken = default(CancellationToken))
        {
            return Pieces(StartChat(messages, options, template), cancellationToken);
        }

        /// <summary>The same without holding the caller's thread.</summary>
        public IAsyncEnumerable<string> StreamChatAsync(IEnumerable<ChatMessage> messages, GenerationOptions options = null,
                                                        ChatTemplate template = null,
                                                        CancellationToken cancellationToken = default(CancellationToken))
        {
            return new TextStream(() => StartChat(messages, options, template), true, cancellationToken);
        }

        /// <summary>
        /// Prepares an answer. What the sequence already holds of the conversation is not computed again.
        /// </summary>
        public Generation StartChat(IEnumerable<ChatMessage> messages, GenerationOptions options = null, ChatTemplate template = null,
                                    int sequence = 0)
        {
            if (template != null) return StartGeneration(template.Encode(messages), options, sequence);
            using (ChatTemplate own = new ChatTemplate(Core.RequiredTokenizer, null, null))
            {
                return StartGeneration(own.Encode(messages), options, sequence);
            }
        }

        // ---- Embeddings ----

        /// <summary>
        /// The vector of a text. Needs <see cref="ContextOptions.Embeddings"/>. The sequence is emptied before and
        /// after.
        /// </summary>
        /// <param name="normalize">Divide by the length, so that the vector's length is 1.</param>
        public float[] Embed(string text, Pooling pooling = Pooling.Mean, bool normalize = true, int sequence = 0,
                             CancellationToken cancellationToken = default(CancellationToken))
        {
            byte[] bytes = Utf8.Bytes(text, "text");
            bitnet_tokenizer tokenizer = Core.RequiredTokenizer;
            int[] tokens = Utf8.ReadTokens(bytes.Length / 3 + 8, (ids, capacity, count) =>
            {
                fixed (byte* first = bytes)
                {
                    return Native.bitnet_tokenizer_encode(tokenizer, first, (UIntPtr)bytes.Length, Native.BITNET_ENCODE_ADD_DEFAULT,
                                                          ids, capacity, count);
                }
            });
            if (tokens.Length == 0) throw new ArgumentException("A text without a token has no vector.", "text");
            int[] sequences = new int[tokens.Length];
            sbyte[] wanted = new sbyte[tokens.Length];
            for (int i = 0; i < tokens.Length; i++)
            {
                sequences[i] = sequence;
                wanted[i] = 1;
            }
            using (Core.Enter(cancellationToken))
            {
                Core.Check(Native.bitnet_sequence_remove(Core.Handle, sequence, -1, -1));
                fixed (int* ids = tokens)
                fixed (int* owners = sequences)
                fixed (sbyte* outputs = wanted)
                {
                    bitnet_batch batch = new bitnet_batch();
                    batch.struct_size = (uint)sizeof(bitnet_batch);
                    batch.n_tokens = tokens.Length;
                    batch.tokens = ids;
                    batch.seq_ids = owners;
                    batch.want_output = outputs;
                    Core.Check(Native.bitnet_context_decode(Core.Handle, &batch));
                }
                float[] vector = new float[embeddingLength];
                bitnet_status status;
                fixed (float* values = vector)
                {
                    status = Native.bitnet_context_get_sequence_embedding(Core.Handle, sequence, (bitnet_pooling)pooling, normalize ? 1 : 0,
                                                                          values, (UIntPtr)vector.Length);
                }
                Core.Check(status);
                Core.Check(Native.bitnet_sequence_remove(Core.Handle, sequence, -1, -1));
                return vector;
            }
        }

        public void Dispose()
        {
            Core.Close();
        }
    }
}
