// What a model, its tensors and its memory look like: plain values, copied from the library.
using System.Collections.Generic;
using BitNet.Interop;

namespace BitNet
{
    /// <summary>What the file says about a model.</summary>
    public sealed class ModelInfo
    {
        internal unsafe ModelInfo(bitnet_model_info info)
        {
            Architecture = Utf8.Text(info.architecture);
            Name = Utf8.Text(info.name);
            Quantization = Utf8.Text(info.quantization);
            Kernel = Utf8.Text(info.kernel);
            VocabularySize = info.n_vocab;
            TrainedContextLength = info.n_ctx_train;
            EmbeddingLength = info.n_embd;
            Layers = info.n_layer;
            Heads = info.n_head;
            KeyValueHeads = info.n_head_kv;
            Tensors = info.n_tensors;
            Parameters = info.n_parameters;
            FileBytes = info.n_file_bytes;
            BitsPerWeight = info.bits_per_weight;
        }

        /// <summary>"bitnet-b1.58", "llama", ...</summary>
        public string Architecture { get; private set; }

        /// <summary>general.name, or "".</summary>
        public string Name { get; private set; }

        /// <summary>The type that most weights have: "i2_s", "tq2_0", ...</summary>
        public string Quantization { get; private set; }

        /// <summary>The matrix kernel chosen for it.</summary>
        public string Kernel { get; private set; }

        public int VocabularySize { get; private set; }

        /// <summary>The longest context it was trained for, in tokens.</summary>
        public int TrainedContextLength { get; private set; }

        /// <summary>Floats of an embedding.</summary>
        public int EmbeddingLength { get; private set; }

        public int Layers { get; private set; }

        public int Heads { get; private set; }

        public int KeyValueHeads { get; private set; }

        public ulong Tensors { get; private set; }

        /// <summary>Elements of all tensors.</summary>
        public ulong Parameters { get; private set; }

        /// <summary>Bytes of all tensors as stored.</summary>
        public ulong FileBytes { get; private set; }

        public double BitsPerWeight { get; private set; }
    }

    /// <summary>One tensor of the file.</summary>
    public sealed class TensorInfo
    {
        internal unsafe TensorInfo(bitnet_tensor_info info)
        {
            Name = Utf8.Text(info.name);
            Type = Utf8.Text(info.type);
            long[] shape = new long[info.n_dims];
            for (int i = 0; i < shape.Length; i++) shape[i] = info.shape[i];
            Shape = shape;
            FileOffset = info.file_offset;
            Bytes = info.n_bytes;
            Part = info.part;
        }

        public string Name { get; private set; }

        /// <summary>As stored: "i2_s", "f16", ...</summary>
        public string Type { get; private set; }

        /// <summary>The first is the input width.</summary>
        public IReadOnlyList<long> Shape { get; private set; }

        public ulong FileOffset { get; private set; }

        public ulong Bytes { get; private set; }

        /// <summary>Which file of a split model, from 0.</summary>
        public int Part { get; private set; }
    }

    /// <summary>Bytes that a model and a context over it hold.</summary>
    public sealed class MemoryInfo
    {
        internal MemoryInfo(bitnet_memory_info info)
        {
            WeightsMapped = info.weights_mapped_bytes;
            WeightsOwned = info.weights_owned_bytes;
            Vocabulary = info.vocabulary_bytes;
            KeyValueCache = info.kv_bytes;
            Scratch = info.scratch_bytes;
        }

        /// <summary>Used in place from the file.</summary>
        public ulong WeightsMapped { get; private set; }

        /// <summary>Read or repacked into memory of the library.</summary>
        public ulong WeightsOwned { get; private set; }

        /// <summary>Roughly.</summary>
        public ulong Vocabulary { get; private set; }

        public ulong KeyValueCache { get; private set; }

        /// <summary>Activations, logits, attention scores, tables.</summary>
        public ulong Scratch { get; private set; }
    }

    /// <summary>What a model and one context will hold, known before any of it is allocated.</summary>
    public sealed class MemoryEstimate
    {
        internal MemoryEstimate(bitnet_memory_estimate estimate)
        {
            ContextLength = estimate.n_ctx;
            WeightsMapped = estimate.weights_mapped_bytes;
            WeightsOwned = estimate.weights_owned_bytes;
            KeyValueCache = estimate.kv_bytes;
            Scratch = estimate.scratch_bytes;
            Total = estimate.total_bytes;
        }

        /// <summary>Tokens that the context has room for.</summary>
        public int ContextLength { get; private set; }

        public ulong WeightsMapped { get; private set; }

        public ulong WeightsOwned { get; private set; }

        public ulong KeyValueCache { get; private set; }

        public ulong Scratch { get; private set; }

        /// <summary>What BITNET_MEMORY_LIMIT counts.</summary>
        public ulong Total { get; private set; }
    }
}
