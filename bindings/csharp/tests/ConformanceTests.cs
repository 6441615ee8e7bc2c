// The scenarios of bindings/conformance.md, part one: files, texts, lifetimes, threads.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;

namespace BitNet.Tests
{
    /// <summary>The default model and what most tests ask of it.</summary>
    public abstract class WithModel : IDisposable
    {
        protected const string Prompt = "Once upon a time";
        protected readonly Model Model;

        protected WithModel()
        {
            Model = Model.Load(Environment("BITNET_MODEL"));
        }

        protected static string Environment(string name)
        {
            string value = System.Environment.GetEnvironmentVariable(name);
            if (string.IsNullOrEmpty(value)) throw new FailedException(name + " is not set");
            return value;
        }

        protected static GenerationOptions Greedy(int tokens)
        {
            return new GenerationOptions { MaxNewTokens = tokens, Sampling = SamplingOptions.Greedy };
        }

        protected string GreedyText(int tokens = 48)
        {
            using (Context context = Model.CreateContext()) return context.Generate(Prompt, Greedy(tokens)).Text;
        }

        public virtual void Dispose()
        {
            Model.Dispose();
        }
    }

    [Tests]
    public sealed class ConformanceTests : WithModel
    {
        public void C01_missing_file()
        {
            BitNetException failure = Expect.Fails(Status.FileNotFound, () => Model.Load("/no/such/model.gguf"));
            Expect.Equal("BITNET_E_FILE_NOT_FOUND", failure.StatusName);
            Expect.Equal(ErrorFamily.Io, failure.Family);
            Expect.Contains("/no/such/model.gguf", failure.Message);
            Expect.Equal("/no/such/model.gguf", failure.File);
            Expect.Equal("bitnet_model_load", failure.Operation);
            Expect.True(failure.Suggestions.Count > 0 && failure.Suggestions[0].Length > 10, "no suggestion");
            // Each thread reads its own failure, whatever others fail with meanwhile.
            string[] paths = Enumerable.Range(0, 8).Select(i => "/missing/" + i + ".gguf").ToArray();
            string[] files = new string[paths.Length];
            Thread[] threads = paths.Select((path, i) => new Thread(() =>
            {
                for (int round = 0; round < 20; round++)
                {
                    files[i] = Expect.Fails(Status.FileNotFound, () => Model.Load(path)).File;
                    if (files[i] != path) return;
                }
            })).ToArray();
            foreach (Thread thread in threads) thread.Start();
            foreach (Thread thread in threads) thread.Join();
            Expect.Same(paths, files, "failures of other threads");
        }

        public void C02_round_trip()
        {
            string[] texts = { "Once upon a time", "Ünïcödé, 漢字, العربية", "👩‍🚀 flew to the 🌙!\n\tEnd", "a\0b", "", " two  spaces " };
            foreach (string text in texts)
            {
                int[] tokens = Model.Tokenizer.Encode(text);
                Expect.Equal(text, Model.Tokenizer.Decode(tokens), "round trip");
            }
            byte[] invalid = { 0x61, 0xff, 0xc3, 0x28, 0xf0, 0x9f };
            Expect.Same(invalid, Model.Tokenizer.DecodeBytes(Model.Tokenizer.Encode(invalid)), "bytes");
            Expect.True(Model.Tokenizer.Encode(Prompt, EncodeFlags.AddBos).Length == Model.Tokenizer.Encode(Prompt).Length + 1, "no BOS");
        }

        public void C03_greedy_text()
        {
            byte[] expected = File.ReadAllBytes(Environment("BITNET_GREEDY_TEXT"));
            Expect.True(expected.Length > 100, "the C program wrote nothing");
            using (Context context = Model.CreateContext())
            {
                GenerationResult result = context.Generate(Prompt, Greedy(48));
                Expect.Same(expected, Encoding.UTF8.GetBytes(result.Text), "the C program's text");
                Expect.Equal(48, result.Tokens.Count);
                Expect.Equal(FinishReason.Length, result.FinishReason);
            }
        }

        public void C04_stop_sequence()
        {
            string whole = GreedyText();
            string stop = whole.Substring(60, 7);
            using (Context context = Model.CreateContext())
            {
                GenerationOptions options = Greedy(48);
                options.StopSequences = new[] { "never comes", stop };
                GenerationResult result = context.Generate(Prompt, options);
                Expect.Equal(whole.Substring(0, whole.IndexOf(stop, StringComparison.Ordinal)), result.Text);
                Expect.Equal(FinishReason.StopSequence, result.FinishReason);
                Expect.Equal((int?)1, result.StopSequence);
                context.RemoveTokens();
                Expect.Equal(result.Text, string.Concat(context.Stream(Prompt, options)), "held back in streams, too");
            }
        }

        public void C05_cancel_from_another_thread()
        {
            string expected = GreedyText();
            Context context = null;
            int asked = 0;
            DateTime cancelled = DateTime.MaxValue;
            ContextOptions options = new ContextOptions
            {
                Length = 512,
                ShouldAbort = () =>
                {
                    // In the middle of a decode, some tokens into the text.
                    if (++asked != 1000) return false;
                    Thread other = new Thread(() => context.Cancel());
                    other.Start();
                    other.Join();
                    cancelled = DateTime.UtcNow;
                    return false;
                },
            };
            using (context = Model.CreateContext(options))
            {
                for (int round = 0; round < 3; round++)
                {
                    asked = 0;
                    GenerationOptions endless = Greedy(-1);
                    int eos = Model.Tokenizer.Info.Eos;
                    endless.Sampling.LogitBias = new Dictionary<int, float> { { eos, float.NegativeInfinity } };
                    GenerationResult result = context.Generate(Prompt, endless);
                    Expect.True(DateTime.UtcNow - cancelled < TimeSpan.FromSeconds(1), "it went on for a second");
                    Expect.Equal(FinishReason.Cancelled, result.FinishReason);
                    Expect.True(result.Tokens.Count > 2 && result.Tokens.Count < 400, "tokens: " + result.Tokens.Count);
                    context.RemoveTokens();
                    asked = 2000;
                    Expect.Equal(expected, context.Generate(Prompt, Greedy(48)).Text, "the context afterwards");
                    context.RemoveTokens();
                }
            }
        }

        public void C06_free_in_wrong_order()
        {
            string expected = GreedyText();
            Model model = Model.Load(Environment("BITNET_MODEL"));
            Tokenizer tokenizer = model.Tokenizer;
            Context context = model.CreateContext();
            Generation generation = context.StartGeneration(Prompt, Greedy(48));
            Sampler sampler = new Sampler(SamplingOptions.Greedy);
            Grammar grammar = Grammar.FromGbnf(tokenizer, "root ::= \"yes\" | \"no\"");
            sampler.SetGrammar(grammar);
            ChatTemplate template = ChatTemplate.FromJinja(tokenizer, "{{ messages[0].content }}");
            model.Dispose();
            model.Dispose();
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Expect.Equal("cat", tokenizer.Decode(tokenizer.Encode("cat")));
            Expect.True(template.Encode(new[] { ChatMessage.User("hello") }).Length > 0, "the template");
            tokenizer.Dispose();
            Expect.True(template.Encode(new[] { ChatMessage.User("hello") }).Length > 0, "the template without its tokenizer");
            Expect.Equal(expected, context.Generate(Prompt, Greedy(48)).Text, "the context");
            int first = sampler.Sample(context);
            context.RemoveTokens();
            grammar.Dispose();
            sampler.Reset();
            context.Decode(new[] { first });
            sampler.Sample(context);
            context.RemoveTokens();
            context.Dispose();
            context.Dispose();
            Expect.Throws<ObjectDisposedException>(() => generation.Run()); // it runs in the context
            generation.Dispose();
            generation.Dispose();
            sampler.Dispose();
            sampler.Dispose();
            template.Dispose();
            tokenizer.Dispose();
        }

        public void C07_two_contexts()
        {
            string[] prompts = { Prompt, "The little dog" };
            string[] alone = new string[2];
            for (int i = 0; i < 2; i++)
            {
                using (Context context = Model.CreateContext()) alone[i] = context.Generate(prompts[i], Greedy(100)).Text;
            }
            Expect.True(alone[0] != alone[1], "the prompts give the same text");
            string[] together = new string[2];
            Thread[] threads = prompts.Select((prompt, i) => new Thread(() =>
            {
                using (Context context = Model.CreateContext()) together[i] = context.Generate(prompt, Greedy(100)).Text;
            })).ToArray();
            foreach (Thread thread in threads) thread.Start();
            foreach (Thread thread in threads) thread.Join();
            Expect.Same(alone, together, "texts");
        }

        public void C07_one_context_on_two_threads_is_an_error()
        {
            using (Context context = Model.CreateContext())
            {
                Exception seen = null;
                context.Generate(Prompt, Greedy(4), step =>
                {
                    Thread other = new Thread(() =>
                    {
                        // Between two steps the context is free, within one it is not: that is seen through ShouldAbort
                        // below.
                        try
                        {
                            context.GetEnd();
                        }
                        catch (Exception exception)
                        {
                            seen = exception;
                        }
                    });
                    other.Start();
                    other.Join();
                    return true;
                });
                Expect.True(seen == null, "between steps");
            }
            Context busy = null;
            Exception fromOther = null;
            ContextOptions options = new ContextOptions
            {
                ShouldAbort = () =>
                {
                    if (busy == null || fromOther != null) return false;
                    Thread other = new Thread(() => fromOther = Expect.Throws<InvalidOperationException>(() => busy.GetEnd()));
                    other.Start();
                    other.Join();
                    return false;
                },
            };
            using (busy = Model.CreateContext(options))
            {
                busy.Generate(Prompt, Greedy(2));
                Expect.True(fromOther != null, "a second thread was let in");
                Expect.Contains("in use", fromOther.Message);
            }
        }

        public void C08_throwing_callback()
        {
            string expected = GreedyText();
            Exception mine = new NotSupportedException("mine");
            using (Context context = Model.CreateContext())
            {
                int steps = 0;
                Expect.True(Expect.Throws<NotSupportedException>(() => context.Generate(Prompt, Greedy(48), step =>
                {
                    if (++steps == 5) throw mine;
                    return true;
                })) == mine, "another exception");
                Expect.Equal(5, steps);
                context.RemoveTokens();
                Expect.Equal(expected, context.Generate(Prompt, Greedy(48)).Text, "the context afterwards");
            }
            float last = 0;
            Expect.Throws<NotSupportedException>(() => Model.Load(Environment("BITNET_MODEL"), new ModelOptions
            {
                Progress = part =>
                {
                    last = part;
                    throw mine;
                },
            }));
            Expect.True(last < 1, "the load was not stopped");
            ContextOptions throwing = new ContextOptions { ShouldAbort = () => { throw mine; } };
            using (Context context = Model.CreateContext(throwing))
            {
                Expect.Throws<NotSupportedException>(() => context.Generate(Prompt, Greedy(4)));
                throwing.ShouldAbort = null;
            }
            int calls = 0;
            ContextOptions slow = new ContextOptions
            {
                MicroBatchSize = 1,
                Progress = part =>
                {
                    if (++calls == 2) throw mine;
                },
            };
            using (Context context = Model.CreateContext(slow))
            {
                Expect.Throws<NotSupportedException>(() => context.Decode(Model.Tokenizer.Encode("One day a girl went to the park")));
                Expect.Equal(0, context.GetEnd(), "tokens after a failed decode");
                Expect.Equal(2, calls);
                context.Decode(Model.Tokenizer.Encode("One day"));
            }
            BitNetLibrary.SetLog((level, message) => { throw mine; }, LogLevel.Debug);
            try
            {
                Expect.Throws<NotSupportedException>(() => Model.Load(Environment("BITNET_MODEL")));
                List<string> lines = new List<string>();
                BitNetLibrary.SetLog((level, message) => { lock (lines) lines.Add(level + " " + message); }, LogLevel.Info);
                Model.Load(Environment("BITNET_MODEL")).Dispose();
                Expect.True(lines.Any(line => line.StartsWith("Info loaded", StringComparison.Ordinal)), "no log of the load");
            }
            finally
            {
                BitNetLibrary.SetLog(null);
            }
            Expect.Equal(expected, GreedyText(), "everything afterwards");
        }
    }
}
