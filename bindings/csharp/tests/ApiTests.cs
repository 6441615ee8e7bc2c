// The rest of the safe layer: metadata, sampling, grammars, adapters, validation, receipts, devices, several texts at
// once.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;

namespace BitNet.Tests
{
    [Tests]
    public sealed class ApiTests : WithModel
    {
        public void Metadata_tells_what_the_file_says()
        {
            Expect.Equal("bitnet-b1.58", Model.Info.Architecture);
            Expect.Equal("i2_s", Model.Info.Quantization);
            Expect.Equal(2048, Model.Info.VocabularySize);
            Expect.Equal("Stories", Model.GetMetadata("general.name"));
            Expect.True(Model.GetMetadata("no.such.key") == null, "an unknown key has a value");
            KeyValuePair<string, string>[] all = Model.Metadata.ToArray();
            Expect.True(all.Length > 10 && all.Any(entry => entry.Key == "general.name" && entry.Value == "Stories"), "the list");
            TensorInfo[] tensors = Model.Tensors.ToArray();
            Expect.Equal((int)Model.Info.Tensors, tensors.Length);
            Expect.Same(new long[] { 256, 2048 }, tensors.First(t => t.Name == "token_embd.weight").Shape.ToArray(), "shape");
            Expect.True(Model.Features.Contains("ternary"), "features");
            Expect.Equal("dc4ab2acc86d8b1aed365f7cb1b773808736b886faa88c1c5387eab9f403277f", Model.GetSha256());
            Expect.Equal("gguf", Model.Tokenizer.Info.Source);
            Expect.True(Model.Tokenizer.IsEnd(Model.Tokenizer.Info.Eos), "EOS is no end");
            int cat = Model.Tokenizer.Encode(" cat").Single();
            Expect.True(Model.Tokenizer.FindTokens("cat").Contains(cat), "tokens with cat");
            Expect.True(Model.Tokenizer.FindToken("no such token at all") == null, "an unknown token was found");
            Expect.Equal((TokenAttribute?)TokenAttribute.Normal, Model.Tokenizer.GetAttribute(cat));
            Expect.True(Model.Tokenizer.GetAttribute(-1) == null, "an attribute outside the vocabulary");
        }

        public void A_model_loads_from_bytes()
        {
            byte[] file = File.ReadAllBytes(Environment("BITNET_MODEL"));
            using (Model copy = Model.Load(file))
            {
                Array.Clear(file, 0, file.Length);
                using (Context context = copy.CreateContext()) Expect.Equal(GreedyText(), context.Generate(Prompt, Greedy(48)).Text);
            }
            List<float> parts = new List<float>();
            Model.LoadAsync(Environment("BITNET_MODEL"), new ModelOptions { Progress = parts.Add }).Result.Dispose();
            using (CancellationTokenSource source = new CancellationTokenSource())
            {
                ModelOptions cancelling = new ModelOptions { Progress = part => source.Cancel() };
                Expect.Throws<OperationCanceledException>(() => Model.Load(Environment("BITNET_MODEL"), cancelling, source.Token));
                Expect.Throws<OperationCanceledException>(() => Model.Load(file, cancelling, source.Token));
            }
            Expect.True(parts.Count > 0 && parts[parts.Count - 1] == 1 && parts.SequenceEqual(parts.OrderBy(part => part)), "progress");
        }

        public void A_seed_repeats_a_text_and_limits_end_it()
        {
            using (Context context = Model.CreateContext())
            {
                GenerationOptions options = new GenerationOptions { MaxNewTokens = 30, Sampling = new SamplingOptions { Seed = 7, Temperature = 1 } };
                GenerationResult first = context.Generate(Prompt, options);
                context.RemoveTokens();
                Expect.Equal(first.Text, context.Generate(Prompt, options).Text);
                Expect.Equal(7ul, first.Seed);
                options.Sampling.Seed = 8;
                context.RemoveTokens();
                Expect.True(first.Text != context.Generate(Prompt, options).Text, "another seed, the same text");
                options.Deadline = TimeSpan.FromTicks(1);
                Expect.Equal(FinishReason.Deadline, context.Generate(Prompt, options).FinishReason);
                GenerationResult stopped = context.Generate(Prompt, Greedy(20), step => step.Token == null || step.Text.Length == 0);
                Expect.Equal(FinishReason.Cancelled, stopped.FinishReason);
                Expect.True(stopped.Tokens.Count < 4, "a step that says no");
                ContextMetrics metrics = context.GetMetrics();
                Expect.True(metrics.TokensGenerated >= 90 && metrics.PromptTokens > 0, "metrics");
                context.ResetMetrics();
                Expect.Equal(0ul, context.GetMetrics().TokensGenerated);
                Expect.Equal(Model.EstimateMemory().KeyValueCache, context.GetMemory().KeyValueCache);
            }
            using (Context timed = Model.CreateContext(new ContextOptions { Timeout = TimeSpan.FromTicks(10) }))
            {
                Expect.Fails(Status.Timeout, () => timed.Decode(Enumerable.Repeat(5, 200)));
            }
        }

        public void A_sampler_and_decodes_give_the_text_of_a_generation()
        {
            int[] expected;
            int[] prompt = Model.Tokenizer.Encode(Prompt, EncodeFlags.AddDefault);
            SamplingOptions options = new SamplingOptions
            {
                Seed = 5,
                Temperature = 0.9f,
                TopK = 20,
                RepetitionPenalty = 1.2f,
                LogitBias = new Dictionary<int, float> { { 100, -1 } },
                DryMultiplier = 0.5f,
                DryBreakers = Model.Tokenizer.FindTokens("\n"),
            };
            using (Context context = Model.CreateContext())
            using (Generation generation = context.StartGeneration(prompt, new GenerationOptions { MaxNewTokens = 20, Sampling = options }))
            {
                expected = generation.Run().Tokens.ToArray();
            }
            using (Context context = Model.CreateContext())
            using (Sampler sampler = new Sampler(options))
            {
                Expect.Equal(5ul, sampler.Seed);
                foreach (int token in prompt) sampler.Accept(token);
                context.Decode(prompt);
                List<int> tokens = new List<int>();
                while (tokens.Count < 20)
                {
                    tokens.Add(tokens.Count % 2 == 0 ? sampler.Sample(context) : sampler.Sample(context.GetLogits()));
                    context.Decode(new[] { tokens.Last() });
                }
                Expect.Same(expected, tokens.ToArray(), "tokens");
                context.Fork(0, 0);
                context.Rewind(20);
                Expect.Same(prompt, context.GetTokens(), "after rewinding");
                Expect.Equal(prompt.Length - 1, context.Prefill(prompt), "tokens that were there");
            }
        }

        public void A_grammar_rules_what_is_written()
        {
            using (Grammar yes = Grammar.FromGbnf(Model.Tokenizer, "root ::= \" yes\" | \" no\""))
            using (Grammar schema = Grammar.FromJsonSchema(Model.Tokenizer, "{\"type\": \"array\", \"items\": {\"type\": \"boolean\"}, \"maxItems\": 2}"))
            using (Context context = Model.CreateContext())
            {
                GenerationOptions options = Greedy(40);
                options.Grammar = yes;
                Expect.True(new[] { " yes", " no" }.Contains(context.Generate(Prompt, options).Text), "neither yes nor no");
                options.Grammar = schema;
                string json = context.Generate(Prompt, options).Text.Replace(" ", "").Replace("\n", "");
                Expect.True(new[] { "[]", "[true]", "[false]", "[true,true]", "[true,false]", "[false,true]", "[false,false]" }.Contains(json), json);
            }
            Expect.Contains("line 1", Expect.Fails(Status.Config, () => Grammar.FromGbnf(Model.Tokenizer, "root ::= (")).Message);
            Expect.Contains("/items", Expect.Fails(Status.Config, () => Grammar.FromJsonSchema(Model.Tokenizer, "{\"items\": {\"unknownKey\": 1}}")).Message);
        }

        public void Adapters_change_a_sequence()
        {
            string golden = Path.Combine(Environment("BITNET_ROOT"), "tests", "golden");
            using (Model model = Model.Load(Path.Combine(golden, "b25-i2s-untied.gguf")))
            using (Adapter adapter = model.LoadAdapter(Path.Combine(golden, "lora-first.gguf")))
            using (Context context = model.CreateContext(new ContextOptions { MaxLoraRank = adapter.Rank, MaxSequences = 3 }))
            {
                int[] tokens = { 1, 2, 3 };
                context.SetAdapters(1, new AdapterUse(adapter));
                context.SetAdapters(2, new AdapterUse(adapter, 0));
                float[][] logits = Enumerable.Range(0, 3).Select(sequence =>
                {
                    context.Decode(tokens, sequence);
                    return context.GetLogits();
                }).ToArray();
                Expect.True(!logits[0].SequenceEqual(logits[1]), "the adapter changed nothing");
                Expect.Same(logits[0], logits[2], "scale 0");
                Expect.Fails(Status.State, () => context.SetAdapters(0, new AdapterUse(adapter)));
                context.RemoveTokens();
                context.SetAdapters(0, new AdapterUse(adapter));
                context.Decode(tokens);
                Expect.Same(logits[1], context.GetLogits(), "the same adapter on another sequence");
            }
        }

        public void Validation_finds_what_is_wrong()
        {
            ValidationReport good = Model.Validate();
            Expect.True(good.IsValid && good.Errors == 0 && good.TernaryZeros > 0.1, good.Json);
            Expect.Contains("bitnet-validation/1", good.Json);
            string path = Path.GetTempFileName();
            try
            {
                byte[] file = File.ReadAllBytes(Environment("BITNET_MODEL"));
                File.WriteAllBytes(path, file.Take(file.Length - 5000).ToArray());
                ValidationReport bad = ValidationReport.OfFile(path);
                Expect.True(!bad.IsValid && bad.Findings.Any(finding => finding.Severity == FindingSeverity.Error), bad.Json);
                Expect.Throws<NotSupportedException>(() => Model.Validate(new ValidationOptions
                {
                    Progress = part => { throw new NotSupportedException(); },
                }));
            }
            finally
            {
                File.Delete(path);
            }
        }

        public void Receipts_are_checked()
        {
            using (Context context = Model.CreateContext())
            {
                GenerationOptions options = Greedy(12);
                options.Receipt = true;
                options.LogProbabilities = 3;
                using (Generation generation = context.StartGeneration(Prompt, options))
                {
                    GenerationStep step = generation.Next();
                    TokenLogProbability[] best;
                    float own = generation.GetLogProbability(out best);
                    Expect.Equal(3, best.Length);
                    Expect.Equal(step.Token, (int?)best[0].Token);
                    Expect.Equal(own, best[0].LogProbability);
                    generation.Run();
                    string receipt = generation.GetReceipt();
                    ReceiptReport report = Receipts.Verify(receipt, Model, 1.0, 3);
                    Expect.True(report.IsGenuine && report.IsModelMatched, report.Problem);
                    Expect.Equal(report.Positions, report.Replayed);
                    ReceiptReport forged = Receipts.Verify(receipt.Replace("\"finish_reason\": \"length\"", "\"finish_reason\": \"end\"")
                                                               .Replace("\"finish_reason\":\"length\"", "\"finish_reason\":\"end\""));
                    Expect.Equal(ReceiptCheck.Digest, forged.FailedCheck, forged.Problem);
                    Expect.Equal(ReceiptCheck.Format, Receipts.Verify("{}").FailedCheck);
                }
            }
        }

        public void Devices_are_listed_and_checked()
        {
            Device cpu = Device.All.Single(device => device.Kind == DeviceKind.Cpu);
            Expect.Equal("cpu", cpu.Name);
            Expect.True(cpu.MaxThreads >= 1 && cpu.TotalMemory > cpu.FreeMemory, "the CPU");
            Device.Check("auto");
            Expect.Fails(Status.DeviceNotAvailable, () => Device.Check("metal"));
            Expect.Fails(Status.Config, () => Device.Check("toaster"));
            Expect.True(BitNetLibrary.Features.Contains("cpu"), "features");
            Expect.Contains(BitNetLibrary.Version, BitNetLibrary.BuildInfo);
        }

        public void Several_texts_run_in_one_pass()
        {
            string[] prompts = { Prompt, "The little dog", "One day" };
            string[] alone = prompts.Select(prompt =>
            {
                using (Context context = Model.CreateContext()) return context.Generate(prompt, Greedy(20)).Text;
            }).ToArray();
            using (Context context = Model.CreateContext(new ContextOptions { MaxSequences = 3 }))
            {
                Generation[] generations = prompts.Select((prompt, i) => context.StartGeneration(prompt, Greedy(20), i)).ToArray();
                StringBuilder[] texts = prompts.Select(prompt => new StringBuilder()).ToArray();
                bool isOver = false;
                while (!isOver)
                {
                    GenerationStep[] steps = Generation.NextBatch(generations);
                    for (int i = 0; i < steps.Length; i++) texts[i].Append(steps[i].Text);
                    isOver = steps.All(step => step.FinishReason != FinishReason.None);
                }
                Expect.Same(alone, texts.Select(text => text.ToString()).ToArray(), "texts");
                foreach (Generation generation in generations) generation.Dispose();
            }
        }

        public void A_trace_tells_what_ran()
        {
            using (Context context = Model.CreateContext(new ContextOptions { Trace = true }))
            {
                context.Decode(new[] { 1, 2, 3 });
                Expect.Contains("\"checksum\"", context.GetTrace());
            }
        }
    }
}
