// How the next token is chosen.
using System;
using System.Collections.Generic;
using BitNet.Interop;

namespace BitNet
{
    /// <summary>
    /// How the next token is chosen. What is left out (null) is the library's default; bitnet_sampler_params in
    /// bitnet.h has them and says in which order the steps run.
    /// </summary>
    public sealed class SamplingOptions
    {
        /// <summary>Always the most likely token: the same text every time.</summary>
        public static SamplingOptions Greedy
        {
            get { return new SamplingOptions { Temperature = 0 }; }
        }

        /// <summary>0 or less: greedy.</summary>
        public float? Temperature { get; set; }

        public int? TopK { get; set; }

        public float? TopP { get; set; }

        public float? MinP { get; set; }

        public float? TypicalP { get; set; }

        public float? RepetitionPenalty { get; set; }

        public float? FrequencyPenalty { get; set; }

        public float? PresencePenalty { get; set; }

        /// <summary>Tokens that penalties count; -1: all.</summary>
        public int? PenaltyLength { get; set; }

        /// <summary>The same seed gives the same text on every machine.</summary>
        public ulong? Seed { get; set; }

        /// <summary>Added to logits by token; negative infinity forbids one.</summary>
        public IReadOnlyDictionary<int, float> LogitBias { get; set; }

        public float? XtcProbability { get; set; }

        public float? XtcThreshold { get; set; }

        public float? DryMultiplier { get; set; }

        public float? DryBase { get; set; }

        public int? DryAllowedLength { get; set; }

        public int? DryPenaltyLength { get; set; }

        /// <summary>Tokens that end a repetition; see <see cref="Tokenizer.FindTokens"/>.</summary>
        public IReadOnlyList<int> DryBreakers { get; set; }

        public float? DynamicTemperatureRange { get; set; }

        public float? DynamicTemperatureExponent { get; set; }

        public float? TopNSigma { get; set; }

        /// <summary>0: off; 1 or 2: the algorithm.</summary>
        public int? Mirostat { get; set; }

        public float? MirostatTau { get; set; }

        public float? MirostatEta { get; set; }

        /// <summary>As the C struct; what it points at is pinned as long as pins is.</summary>
        internal unsafe bitnet_sampler_params ToNative(Pins pins)
        {
            bitnet_sampler_params parameters;
            Native.bitnet_sampler_params_init(&parameters, (uint)sizeof(bitnet_sampler_params));
            if (Temperature.HasValue) parameters.temperature = Temperature.Value;
            if (TopK.HasValue) parameters.top_k = TopK.Value;
            if (TopP.HasValue) parameters.top_p = TopP.Value;
            if (MinP.HasValue) parameters.min_p = MinP.Value;
            if (TypicalP.HasValue) parameters.typical_p = TypicalP.Value;
            if (RepetitionPenalty.HasValue) parameters.repetition_penalty = RepetitionPenalty.Value;
            if (FrequencyPenalty.HasValue) parameters.frequency_penalty = FrequencyPenalty.Value;
            if (PresencePenalty.HasValue) parameters.presence_penalty = PresencePenalty.Value;
            if (PenaltyLength.HasValue) parameters.penalty_last_n = PenaltyLength.Value;
            if (Seed.HasValue)
            {
                parameters.has_seed = 1;
                parameters.seed = Seed.Value;
            }
            if (LogitBias != null)
            {
                bitnet_logit_bias[] biases = new bitnet_logit_bias[LogitBias.Count];
                int next = 0;
                foreach (KeyValuePair<int, float> entry in LogitBias)
                {
                    biases[next].token = entry.Key;
                    biases[next++].bias = entry.Value;
                }
                parameters.logit_bias = (bitnet_logit_bias*)pins.Array(biases);
                parameters.n_logit_bias = (UIntPtr)biases.Length;
            }
            if (XtcProbability.HasValue) parameters.xtc_probability = XtcProbability.Value;
            if (XtcThreshold.HasValue) parameters.xtc_threshold = XtcThreshold.Value;
            if (DryMultiplier.HasValue) parameters.dry_multiplier = DryMultiplier.Value;
            if (DryBase.HasValue) parameters.dry_base = DryBase.Value;
            if (DryAllowedLength.HasValue) parameters.dry_allowed_length = DryAllowedLength.Value;
            if (DryPenaltyLength.HasValue) parameters.dry_penalty_last_n = DryPenaltyLength.Value;
            if (DryBreakers != null)
            {
                int[] breakers = new List<int>(DryBreakers).ToArray();
                parameters.dry_breakers = (int*)pins.Array(breakers);
                parameters.n_dry_breakers = (UIntPtr)breakers.Length;
            }
            if (DynamicTemperatureRange.HasValue) parameters.dynatemp_range = DynamicTemperatureRange.Value;
            if (DynamicTemperatureExponent.HasValue) parameters.dynatemp_exponent = DynamicTemperatureExponent.Value;
            if (TopNSigma.HasValue) parameters.top_n_sigma = TopNSigma.Value;
            if (Mirostat.HasValue) parameters.mirostat = Mirostat.Value;
            if (MirostatTau.HasValue) parameters.mirostat_tau = MirostatTau.Value;
            if (MirostatEta.HasValue) parameters.mirostat_eta = MirostatEta.Value;
            return parameters;
        }
    }
}
