// How a text is written, and what comes of it.
using System;
using System.Collections.Generic;
using BitNet.Interop;

namespace BitNet
{
    /// <summary>
    /// How a text is written. What is left out (null) is the library's default; bitnet_generation_params in bitnet.h
    /// has them.
    /// </summary>
    public sealed class GenerationOptions
    {
        /// <summary>Tokens at most; -1: until something else ends the text.</summary>
        public int? MaxNewTokens { get; set; }

        /// <summary>How tokens are chosen.</summary>
        public SamplingOptions Sampling { get; set; }

        /// <summary>The text ends before the first of these.</summary>
        public IReadOnlyList<string> StopSequences { get; set; }

        /// <summary>Control tokens give no text.</summary>
        public bool? SkipSpecialTokens { get; set; }

        /// <summary>Read "&lt;|eot_id|&gt;" in a prompt as the control token.</summary>
        public bool ParseSpecial { get; set; }

        /// <summary>The text ends after this time, the prompt included.</summary>
        public TimeSpan? Deadline { get; set; }

        /// <summary>What the text must obey.</summary>
        public Grammar Grammar { get; set; }

        /// <summary>Record what <see cref="Generation.GetReceipt"/> needs.</summary>
        public bool Receipt { get; set; }

        /// <summary>Keep the log-probabilities of each token and of that many best ones, up to 20.</summary>
        public int LogProbabilities { get; set; }

        /// <summary>Guess up to so many tokens ahead, 1 to 16, where the text repeats itself. The text is the same one, sooner.</summary>
        public int Draft { get; set; }
    }

    /// <summary>What one step of a generation brought.</summary>
    public sealed class GenerationStep
    {
        internal unsafe GenerationStep(bitnet_generation_step step)
        {
            Text = Utf8.Text(step.text, checked((int)step.n_bytes));
            Token = (ulong)step.n_tokens == 0 ? (int?)null : step.tokens[0];
            FinishReason = (FinishReason)step.finish_reason;
            Time = TimeSpan.FromTicks((long)step.token_us * 10);
            TokensPerSecond = step.tokens_per_second;
            PromptTokensLeft = step.prompt_tokens_left;
            Failure = step.status == 0 ? (Status?)null : (Status)step.status;
            FailureMessage = Utf8.Text(step.error);
        }

        /// <summary>What can be shown now, whole characters; often "".</summary>
        public string Text { get; private set; }

        /// <summary>The token of this step; null when the text ended instead.</summary>
        public int? Token { get; private set; }

        /// <summary>Anything but None: this was the last step.</summary>
        public FinishReason FinishReason { get; private set; }

        /// <summary>Time the token took; the first one includes the prompt.</summary>
        public TimeSpan Time { get; private set; }

        public double TokensPerSecond { get; private set; }

        /// <summary>After <see cref="Generation.NextBatch"/>: of the prompt, still to be computed.</summary>
        public ulong PromptTokensLeft { get; private set; }

        /// <summary>After <see cref="Generation.NextBatch"/>: what went wrong with this generation alone.</summary>
        public Status? Failure { get; private set; }

        public string FailureMessage { get; private set; }
    }

    /// <summary>A text and how it came about.</summary>
    public sealed class GenerationResult
    {
        internal unsafe GenerationResult(bitnet_generation_result result)
        {
            Text = Utf8.Text(result.text, checked((int)result.n_bytes));
            FinishReason = (FinishReason)result.finish_reason;
            StopSequence = result.stop_sequence < 0 ? (int?)null : result.stop_sequence;
            int[] tokens = new int[checked((int)result.n_tokens)];
            for (int i = 0; i < tokens.Length; i++) tokens[i] = result.tokens[i];
            Tokens = tokens;
            ModelName = Utf8.Text(result.model_name);
            Quantization = Utf8.Text(result.quantization);
            Device = Utf8.Text(result.device);
            Seed = result.seed;
            PromptTokens = result.prompt_tokens;
            ReusedTokens = result.reused_tokens;
            TotalTime = TimeSpan.FromTicks((long)result.total_us * 10);
            PromptTokensPerSecond = result.prefill_tokens_per_second;
            TokensPerSecond = result.decode_tokens_per_second;
        }

        /// <summary>Without prompt and stop sequence.</summary>
        public string Text { get; private set; }

        public FinishReason FinishReason { get; internal set; }

        /// <summary>Which of the stop sequences came up.</summary>
        public int? StopSequence { get; private set; }

        /// <summary>Without the prompt and the token that ended the text.</summary>
        public IReadOnlyList<int> Tokens { get; private set; }

        public string ModelName { get; private set; }

        public string Quantization { get; private set; }

        /// <summary>"cpu".</summary>
        public string Device { get; private set; }

        /// <summary>Repeats the text.</summary>
        public ulong Seed { get; private set; }

        public ulong PromptTokens { get; private set; }

        /// <summary>Of the prompt, held already by the sequence.</summary>
        public ulong ReusedTokens { get; private set; }

        public TimeSpan TotalTime { get; private set; }

        public double PromptTokensPerSecond { get; private set; }

        /// <summary>Of what came after the prompt.</summary>
        public double TokensPerSecond { get; private set; }
    }

    /// <summary>A token and the natural logarithm of its probability.</summary>
    public struct TokenLogProbability
    {
        internal TokenLogProbability(int token, float logProbability)
            : this()
        {
            Token = token;
            LogProbability = logProbability;
        }

        public int Token { get; private set; }

        public float LogProbability { get; private set; }
    }
}
