// The scenarios of bindings/conformance.md, part two: streams, chats, embeddings, misuse, sessions, memory.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace BitNet.Tests
{
    [Tests]
    public sealed class ScenarioTests : WithModel
    {
        public void C09_streaming()
        {
            string expected = GreedyText();
            using (Context context = Model.CreateContext())
            {
                List<string> pieces = context.Stream(Prompt, Greedy(48)).ToList();
                Expect.Equal(expected, string.Concat(pieces));
                Expect.True(pieces.Count > 10, "few pieces");
                context.RemoveTokens();
                foreach (string piece in context.Stream(Prompt, Greedy(48)))
                {
                    if (piece.Length > 0) break;
                }
                Expect.True(context.GetEnd() < 12, "it went on without its reader");
                context.RemoveTokens();
                Expect.Equal(expected, context.Generate(Prompt, Greedy(48)).Text, "the context afterwards");
            }
        }

        public void C09_streaming_async()
        {
            string expected = GreedyText();
            using (Context context = Model.CreateContext())
            {
                List<string> pieces = Collect(context.StreamAsync(Prompt, Greedy(48)), int.MaxValue).Result;
                Expect.Equal(expected, string.Concat(pieces));
                context.RemoveTokens();
                Expect.Equal(3, Collect(context.StreamAsync(Prompt, Greedy(48)), 3).Result.Count);
                Expect.True(context.GetEnd() < 12, "it went on without its reader");
                context.RemoveTokens();
                Expect.Equal(expected, context.GenerateAsync(Prompt, Greedy(48)).Result.Text, "the context afterwards");
            }
        }

        public void C09_streaming_cancelled_by_its_token()
        {
            using (Context context = Model.CreateContext())
            using (CancellationTokenSource source = new CancellationTokenSource())
            {
                List<string> pieces = new List<string>();
                OperationCanceledException cancelled = Expect.Throws<OperationCanceledException>(() =>
                {
                    foreach (string piece in context.Stream(Prompt, Greedy(400), source.Token))
                    {
                        pieces.Add(piece);
                        if (pieces.Count == 4) source.Cancel();
                    }
                });
                Expect.Equal(source.Token, cancelled.CancellationToken);
                Expect.Equal(4, pieces.Count);
                Expect.Throws<OperationCanceledException>(() => context.Decode(new[] { 1, 2 }, 0, source.Token));
                Expect.True(Expect.Throws<AggregateException>(() => Collect(context.StreamAsync(Prompt, Greedy(400), source.Token), 9).Wait())
                                .InnerException is OperationCanceledException, "another exception");
                context.RemoveTokens();
                Expect.Equal(48, context.Generate(Prompt, Greedy(48)).Tokens.Count, "the context afterwards");
            }
        }

        public void C09_streaming_takes_a_second_token()
        {
            using (Context context = Model.CreateContext())
            using (CancellationTokenSource first = new CancellationTokenSource())
            using (CancellationTokenSource second = new CancellationTokenSource())
            {
                IAsyncEnumerator<string> reader = context.StreamAsync(Prompt, Greedy(400), first.Token).GetAsyncEnumerator(second.Token);
                Expect.True(reader.MoveNextAsync().AsTask().Result && reader.Current.Length > 0, "no piece");
                second.Cancel();
                Exception cancelled = Expect.Throws<AggregateException>(() => reader.MoveNextAsync().AsTask().Wait());
                Expect.True(cancelled.InnerException is OperationCanceledException, "another exception");
                reader.DisposeAsync().AsTask().Wait();
                reader.DisposeAsync().AsTask().Wait();
                Expect.True(!reader.MoveNextAsync().AsTask().Result, "a piece after the end");
            }
        }

        public void C09_streaming_cancelled_while_it_computes()
        {
            // A long prompt is computed in one step; the token is cancelled within it, from another thread.
            int asked = 0;
            using (CancellationTokenSource source = new CancellationTokenSource())
            using (Context context = Model.CreateContext(new ContextOptions
            {
                MicroBatchSize = 8,
                ShouldAbort = () =>
                {
                    if (++asked == 50) Task.Run(() => source.Cancel()).Wait();
                    return false;
                },
            }))
            {
                string prompt = string.Concat(Enumerable.Repeat("The cat sat on the mat. ", 60));
                Expect.Throws<OperationCanceledException>(() => context.Generate(prompt, Greedy(-1), null, source.Token));
                Expect.Equal(50, asked, "it went on");
                Expect.Equal(0, context.GetEnd(), "tokens of a prompt that was given up");
                Expect.Equal(GreedyText(), context.Generate(Prompt, Greedy(48)).Text, "the context afterwards");
            }
        }

        private static async Task<List<string>> Collect(IAsyncEnumerable<string> stream, int most)
        {
            List<string> pieces = new List<string>();
            IAsyncEnumerator<string> reader = stream.GetAsyncEnumerator();
            try
            {
                while (pieces.Count < most && await reader.MoveNextAsync()) pieces.Add(reader.Current);
            }
            finally
            {
                await reader.DisposeAsync();
            }
            return pieces;
        }

        public void C10_chat()
        {
            ChatMessage[] messages =
            {
                ChatMessage.System("Tell \"stories\"\n\\ of\tcats."),
                ChatMessage.User("Once upon a time"),
            };
            const string source = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}Story:{% endif %}";
            using (ChatTemplate template = ChatTemplate.FromJinja(Model.Tokenizer, source))
            using (Context context = Model.CreateContext())
            {
                const string written = "system: Tell \"stories\"\n\\ of\tcats.\nuser: Once upon a time\nStory:";
                Expect.Equal(written, template.Render(messages));
                Expect.Equal("jinja", template.Name);
                Expect.Equal(written, Model.Tokenizer.Decode(template.Encode(messages)));
                Expect.Equal(written.Replace("Story:", ""), template.Render(messages, false));
                GenerationResult answer = context.Chat(messages, Greedy(24), template);
                Expect.Equal(24, answer.Tokens.Count);
                GenerationResult again = context.Chat(messages, Greedy(24), template);
                Expect.Equal(answer.Text, again.Text);
                Expect.True(again.ReusedTokens > 10, "the conversation was computed anew");
                context.RemoveTokens();
                Expect.Equal(answer.Text, string.Concat(context.StreamChat(messages, Greedy(24), template)));
                // The stories model has no template of its own, and says so.
                Expect.Fails(Status.NotFound, () => context.Chat(messages, Greedy(4)));
            }
            Expect.Fails(Status.Config, () => ChatTemplate.FromJinja(Model.Tokenizer, "{% for %}"));
        }

        public void C11_embeddings()
        {
            using (Context context = Model.CreateContext(new ContextOptions { Embeddings = true }))
            {
                float[] first = context.Embed("A cat sat on the mat.");
                Expect.Equal(Model.Info.EmbeddingLength, first.Length);
                Expect.Same(first, context.Embed("A cat sat on the mat."), "the same text");
                Expect.True(!first.SequenceEqual(context.Embed("Rockets fly to the moon.")), "another text, the same vector");
                Expect.True(Math.Abs(Length(first) - 1) < 1e-5, "the length is " + Length(first));
                Expect.True(Math.Abs(Length(context.Embed("A cat", Pooling.Last, false)) - 1) > 1e-3, "it was normalised");
                Expect.Equal(0, context.GetEnd());
            }
            using (Context context = Model.CreateContext()) Expect.Fails(Status.State, () => context.Embed("A cat"));
        }

        private static double Length(float[] vector)
        {
            return Math.Sqrt(vector.Sum(x => (double)x * x));
        }

        public void C12_use_after_close()
        {
            Model model = Model.Load(Environment("BITNET_MODEL"));
            Tokenizer tokenizer = model.Tokenizer;
            Context context = model.CreateContext();
            Generation generation = context.StartGeneration(Prompt);
            Sampler sampler = new Sampler();
            Grammar grammar = Grammar.FromGbnf(tokenizer, "root ::= \"a\"");
            foreach (IDisposable closed in new IDisposable[] { generation, context, grammar, sampler, tokenizer, model }) closed.Dispose();
            Action[] uses =
            {
                () => generation.Next(), () => generation.GetResult(), () => context.Generate(Prompt), () => context.Decode(new[] { 1 }),
                () => context.Cancel(), () => context.GetEnd(), () => context.SaveSession(), () => Expect.Equal(0, context.Length),
                () => sampler.Sample(new float[4]), () => sampler.SetGrammar(grammar), () => tokenizer.Encode("a"),
                () => tokenizer.Decode(new[] { 1 }), () => tokenizer.IsEnd(1), () => model.CreateContext(),
                () => Expect.True(model.Info == null, "info"), () => model.GetMetadata("general.name"),
                () => Expect.True(model.Tokenizer == null, "tokenizer"), () => Grammar.FromGbnf(tokenizer, "root ::= \"a\""),
            };
            foreach (Action use in uses) Expect.Throws<ObjectDisposedException>(use);
            using (Context other = Model.CreateContext())
            {
                Expect.Throws<ObjectDisposedException>(() => other.StartGeneration(Prompt, new GenerationOptions { Grammar = grammar }));
                Expect.Throws<ObjectDisposedException>(() => sampler.Sample(other));
                Expect.Equal(4, other.Generate(Prompt, Greedy(4)).Tokens.Count, "the other context afterwards");
            }
        }

        public void C12_closing_while_another_thread_computes()
        {
            Context context = null;
            Generation generation = null;
            int asked = 0;
            ContextOptions options = new ContextOptions
            {
                ShouldAbort = () =>
                {
                    if (++asked != 40) return false;
                    Thread closing = new Thread(() =>
                    {
                        context.Dispose();
                        generation.Dispose();
                        Model.Dispose();
                    });
                    closing.Start();
                    closing.Join();
                    GC.Collect();
                    GC.WaitForPendingFinalizers();
                    return false;
                },
            };
            context = Model.CreateContext(options);
            generation = context.StartGeneration(Prompt, Greedy(48));
            // The step that runs comes to its end; the next one finds everything closed.
            Expect.Throws<ObjectDisposedException>(() => generation.Run());
            Expect.True(asked > 40, "the step was cut off");
            Expect.Throws<ObjectDisposedException>(() => context.Decode(new[] { 1 }));
        }

        public void C08_delegates_outlive_the_collector()
        {
            int asked = 0;
            int told = 0;
            using (Context context = Model.CreateContext(new ContextOptions
            {
                MicroBatchSize = 1,
                ShouldAbort = () => ++asked < 0,
                Progress = part => told++,
            }))
            {
                BitNetLibrary.SetLog((level, message) => { }, LogLevel.Debug);
                try
                {
                    context.Generate("A cat and a dog", Greedy(30), step =>
                    {
                        byte[][] garbage = Enumerable.Range(0, 50).Select(i => new byte[10000]).ToArray();
                        GC.Collect();
                        return garbage.Length > 0;
                    });
                    Model.Load(Environment("BITNET_MODEL")).Dispose();
                }
                finally
                {
                    BitNetLibrary.SetLog(null);
                }
            }
            Expect.True(asked > 100 && told > 2, "the delegates were not called");
        }

        public void C13_bad_input()
        {
            using (Context context = Model.CreateContext())
            {
                Expect.Throws<ArgumentException>(() => Model.Load("model\0.gguf"));
                Expect.Throws<ArgumentNullException>(() => Model.Load((string)null));
                Expect.Throws<ArgumentNullException>(() => context.Generate(null));
                Expect.Throws<ArgumentException>(() => Model.Tokenizer.Encode("half a pair: \ud83d"));
                Expect.Throws<ArgumentException>(() => context.Generate(Prompt, new GenerationOptions { StopSequences = new[] { "a\0b" } }));
                Expect.Equal(4, context.Generate("NUL \0 in a prompt", Greedy(4)).Tokens.Count);
                Expect.Equal(4, context.Generate("", Greedy(4)).Tokens.Count, "an empty prompt begins with BOS");
                Expect.Equal(ErrorFamily.Config, Expect.Throws<BitNetException>(() => context.Generate(Prompt, Greedy(-2))).Family);
                Expect.True(context.Generate(Prompt, Greedy(int.MaxValue)).FinishReason != FinishReason.None, "huge limit");
                context.RemoveTokens();
                Expect.Fails(Status.Config, () => context.Generate(Prompt, new GenerationOptions
                {
                    Sampling = new SamplingOptions { TopP = float.NaN },
                }));
                Expect.Fails(Status.Token, () => context.Decode(new[] { -1 }));
                Expect.Fails(Status.Token, () => context.Decode(new[] { 1 << 30 }));
                Expect.Fails(Status.Token, () => Model.Tokenizer.Decode(new[] { 1 << 30 }));
                Expect.Fails(Status.Argument, () => context.Decode(new[] { 1 }, 99));
                Expect.Fails(Status.KvFull, () => context.Generate(string.Concat(Enumerable.Repeat("cat ", 9000))));
                Expect.Fails(Status.NotFound, () => context.GetLogits(77));
                Expect.Throws<ArgumentOutOfRangeException>(() => context.Rewind(-1));
                Expect.Fails(Status.Config, () => Model.CreateContext(new ContextOptions { Length = -5 }));
                Expect.Fails(Status.Config, () => Model.Load(Environment("BITNET_MODEL"), new ModelOptions { Kernel = "no_such_kernel" }));
                Expect.Fails(Status.State, () => context.LoadSession(new byte[] { 1, 2, 3 }));
                Expect.Equal(GreedyText(), context.Generate(Prompt, Greedy(48)).Text, "everything afterwards");
            }
            Expect.Fails(Status.GgufMagic, () => Model.Load(new byte[64]));
        }

        public void C14_version()
        {
            Expect.Contains("0.1.", BitNetLibrary.Version);
            BitNetLibrary.CheckVersion(100);
            BitNetLibrary.CheckVersion(199);
            foreach (uint other in new uint[] { 0, 99, 200, 10000, 10100, 20100 })
            {
                BitNetException failure = Expect.Throws<BitNetException>(() => BitNetLibrary.CheckVersion(other));
                Expect.Contains("0.1", failure.Message);
                Expect.Contains(other / 10000 + "." + other / 100 % 100, failure.Message);
            }
        }

        public void C15_sessions()
        {
            using (Context whole = Model.CreateContext())
            using (Context first = Model.CreateContext())
            using (Context second = Model.CreateContext())
            {
                int[] prompt = Model.Tokenizer.Encode(Prompt, EncodeFlags.AddBos);
                int[] tokens = whole.StartGenerationAndRun(prompt, Greedy(40));
                int[] begun = prompt.Concat(first.StartGenerationAndRun(prompt, Greedy(15))).ToArray();
                byte[] saved = first.SaveSession();
                first.Dispose();
                second.LoadSession(saved);
                Expect.True(second.GetEnd() >= begun.Length - 1, "the session is empty");
                using (Generation rest = second.StartGeneration(begun, Greedy(25)))
                {
                    GenerationResult result = rest.Run();
                    Expect.Same(tokens, begun.Skip(prompt.Length).Concat(result.Tokens).ToArray(), "the text goes on");
                    Expect.True((int)result.ReusedTokens >= begun.Length - 1, "the prompt was computed anew");
                }
                saved[saved.Length / 2] ^= 1;
                int end = second.GetEnd();
                Expect.Fails(Status.State, () => second.LoadSession(saved));
                Expect.Equal(end, second.GetEnd(), "after a damaged session");
                string path = Path.GetTempFileName();
                try
                {
                    second.SaveSession(path);
                    whole.LoadSession(path);
                    Expect.Same(second.GetTokens(), whole.GetTokens(), "through a file");
                    Expect.Throws<NotSupportedException>(() => whole.LoadSession(path, part => { throw new NotSupportedException(); }));
                }
                finally
                {
                    File.Delete(path);
                }
                whole.LoadSequence(second.SaveSequence());
                Expect.Same(second.GetTokens(), whole.GetTokens(), "one sequence");
            }
        }

        public void C16_memory()
        {
            for (int round = 0; round < 40; round++) Round();
            long before = ResidentKilobytes(); // what earlier tests left to the collector goes here
            ulong held = BitNetLibrary.MemoryUsed;
            for (int round = 0; round < 200; round++) Round();
            long after = ResidentKilobytes();
            Expect.Equal(held, BitNetLibrary.MemoryUsed, "bytes that the library counts");
            Console.WriteLine("resident memory over 200 rounds: " + (after - before) + " KiB more");
            Expect.True(after - before < 6 * 1024, "it grew by " + (after - before) + " KiB");
        }

        private void Round()
        {
            using (Model model = Model.Load(Environment("BITNET_MODEL"), new ModelOptions { CheckWeights = false, Threads = 1 }))
            using (Tokenizer tokenizer = model.Tokenizer)
            using (Context context = model.CreateContext(new ContextOptions { Length = 64, Threads = 1 }))
            using (Sampler sampler = new Sampler())
            using (Generation generation = context.StartGeneration("A cat", Greedy(2)))
            {
                generation.Run();
                sampler.Sample(context);
                Expect.Throws<BitNetException>(() => tokenizer.Decode(new[] { -1 }));
            }
        }

        private static long ResidentKilobytes()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
            string line = File.ReadAllLines("/proc/self/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
            return long.Parse(new string(line.Where(char.IsDigit).ToArray()));
        }
    }

    internal static class ContextExtensions
    {
        internal static int[] StartGenerationAndRun(this Context context, int[] tokens, GenerationOptions options)
        {
            using (Generation generation = context.StartGeneration(tokens, options)) return generation.Run().Tokens.ToArray();
        }
    }
}
