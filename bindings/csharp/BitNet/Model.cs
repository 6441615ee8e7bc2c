// A loaded model: what the file says, its tokenizer, contexts over it.
using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;
using BitNet.Interop;

namespace BitNet
{
    /// <summary>
    /// A model. It never changes: any number of threads and contexts may use it. Contexts, tokenizers and what else was
    /// made from it go on working when it is disposed; its memory goes with the last of them.
    /// </summary>
    public sealed unsafe class Model : IDisposable
    {
        internal readonly bitnet_model Handle;
        private readonly object tokenizerLock = new object();
        private Tokenizer tokenizer;

        private Model(bitnet_model handle)
        {
            Handle = handle;
        }

        /// <summary>Loads a GGUF file, or the first part of a split one.</summary>
        /// <exception cref="BitNetException">The file is missing, damaged or not supported.</exception>
        /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
        public static Model Load(string path, ModelOptions options = null,
                                 CancellationToken cancellationToken = default(CancellationToken))
        {
            BitNetLibrary.EnsureLoaded();
            cancellationToken.ThrowIfCancellationRequested();
            return LoadFile(path, options, cancellationToken);
        }

        /// <summary>The same on a thread of the pool.</summary>
        public static Task<Model> LoadAsync(string path, ModelOptions options = null,
                                            CancellationToken cancellationToken = default(CancellationToken))
        {
            return Task.Run(() => Load(path, options, cancellationToken), cancellationToken);
        }

        /// <summary>Loads a model from the bytes of a file, which are copied.</summary>
        public static Model Load(byte[] file, ModelOptions options = null,
                                 CancellationToken cancellationToken = default(CancellationToken))
        {
            if (file == null) throw new ArgumentNullException("file");
            BitNetLibrary.EnsureLoaded();
            cancellationToken.ThrowIfCancellationRequested();
            return LoadBytes(file, options, cancellationToken);
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static Model LoadFile(string path, ModelOptions options, CancellationToken cancellation)
        {
            byte[] name = Utf8.Path(path, "path");
            using (NativeModelParams native = new NativeModelParams(options, cancellation))
            {
                bitnet_model handle;
                bitnet_status status;
                fixed (byte* file = name)
                fixed (bitnet_model_params* parameters = &native.Params)
                {
                    status = Native.bitnet_model_load(file, parameters, out handle);
                }
                return Loaded(handle, status, native, cancellation);
            }
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static Model LoadBytes(byte[] bytes, ModelOptions options, CancellationToken cancellation)
        {
            // Through a reader: the library copies what it needs during the load, and no array stays pinned for the
            // model's life.
            using (NativeModelParams native = new NativeModelParams(options, cancellation))
            {
                bitnet_model handle;
                bitnet_status status;
                bitnet_reader_read read = new ByteReader(bytes).Read;
                bitnet_reader reader = new bitnet_reader();
                reader.struct_size = (uint)sizeof(bitnet_reader);
                reader.size = (ulong)bytes.Length;
                reader.read = Marshal.GetFunctionPointerForDelegate(read);
                fixed (bitnet_model_params* parameters = &native.Params)
                {
                    status = Native.bitnet_model_load_from_reader(&reader, parameters, out handle);
                }
                GC.KeepAlive(read);
                return Loaded(handle, status, native, cancellation);
            }
        }

        private static Model Loaded(bitnet_model handle, bitnet_status status, NativeModelParams native,
                                    CancellationToken cancellation)
        {
            if (native.Progress != null) native.Progress.Rethrow();
            if (status == bitnet_status.BITNET_E_CANCELLED) cancellation.ThrowIfCancellationRequested();
            Failure.Check(status);
            return new Model(handle);
        }

        /// <summary>
        /// Creates a context: the memory of conversations, and threads. Each serves one thread at a time.
        /// </summary>
        public Context CreateContext(ContextOptions options = null)
        {
            return new Context(this, options);
        }

        /// <summary>
        /// The model's tokenizer. It keeps the model's memory until it is disposed or collected itself.
        /// </summary>
        /// <exception cref="BitNetException">The file has none that this library can run.</exception>
        public Tokenizer Tokenizer
        {
            get
            {
                lock (tokenizerLock)
                {
                    if (tokenizer == null || tokenizer.IsDisposed) tokenizer = new Tokenizer(BorrowTokenizer());
                    return tokenizer;
                }
            }
        }

        internal bitnet_tokenizer BorrowTokenizer()
        {
            bitnet_tokenizer borrowed = TryBorrowTokenizer();
            if (borrowed == null) throw BitNetException.OfLastError(bitnet_status.BITNET_E_TOKENIZER, null);
            return borrowed;
        }

        internal bitnet_tokenizer TryBorrowTokenizer()
        {
            IntPtr pointer = Native.bitnet_model_get_tokenizer(Handle);
            if (pointer == IntPtr.Zero) return null;
            bitnet_tokenizer borrowed = new bitnet_tokenizer();
            borrowed.Borrow(pointer, Handle);
            return borrowed;
        }

        /// <summary>Architecture, name, sizes.</summary>
        public ModelInfo Info
        {
            get
            {
                bitnet_model_info info = new bitnet_model_info();
                info.struct_size = (uint)sizeof(bitnet_model_info);
                using (HandleLease.Of(Handle)) // texts live as long as the model
                {
                    Failure.Check(Native.bitnet_model_get_info(Handle, &info));
                    return new ModelInfo(info);
                }
            }
        }

        /// <summary>Metadata of the file in its order; values as text, numbers in decimal, arrays as JSON.</summary>
        public IReadOnlyList<KeyValuePair<string, string>> Metadata
        {
            get
            {
                KeyValuePair<string, string>[] entries = new KeyValuePair<string, string>[(int)Native.bitnet_model_get_metadata_count(Handle)];
                for (int i = 0; i < entries.Length; i++)
                {
                    UIntPtr index = (UIntPtr)i;
                    string key = Utf8.Read((buffer, capacity, size) => Native.bitnet_model_get_metadata_key(Handle, index, buffer, capacity, size));
                    entries[i] = new KeyValuePair<string, string>(key, GetMetadata(key));
                }
                return entries;
            }
        }

        /// <summary>The value of a metadata key; null where the file has no such key.</summary>
        public string GetMetadata(string key)
        {
            byte[] name = Utf8.Path(key, "key");
            try
            {
                return Utf8.Read((buffer, capacity, size) =>
                {
                    fixed (byte* text = name) return Native.bitnet_model_get_metadata(Handle, text, buffer, capacity, size);
                });
            }
            catch (BitNetException missing) when (missing.Status == Status.NotFound)
            {
                return null;
            }
        }

        /// <summary>The tensors in the order of the file.</summary>
        public IReadOnlyList<TensorInfo> Tensors
        {
            get
            {
                using (HandleLease.Of(Handle))
                {
                    TensorInfo[] tensors = new TensorInfo[(int)Native.bitnet_model_get_tensor_count(Handle)];
                    for (int i = 0; i < tensors.Length; i++)
                    {
                        bitnet_tensor_info info = new bitnet_tensor_info();
                        info.struct_size = (uint)sizeof(bitnet_tensor_info);
                        Failure.Check(Native.bitnet_model_get_tensor(Handle, (UIntPtr)i, &info));
                        tensors[i] = new TensorInfo(info);
                    }
                    return tensors;
                }
            }
        }

        /// <summary>What the model has or is: "ternary", "tied-embeddings", "gated-relu2", ...</summary>
        public IReadOnlyList<string> Features
        {
            get
            {
                List<string> names = new List<string>();
                for (uint i = 0; ; i++)
                {
                    byte* name = Native.bitnet_model_get_feature(Handle, (UIntPtr)i);
                    if (name == null) return names;
                    names.Add(Utf8.Text(name));
                }
            }
        }

        /// <summary>The SHA-256 of the file, 64 hexadecimal digits; computed when first asked for.</summary>
        public string GetSha256()
        {
            return Utf8.Read((buffer, capacity, size) => Native.bitnet_model_get_sha256(Handle, buffer, capacity, size));
        }

        /// <summary>What a context with these options would hold together with the model, to the byte.</summary>
        public MemoryEstimate EstimateMemory(ContextOptions options = null)
        {
            bitnet_memory_estimate estimate = new bitnet_memory_estimate();
            estimate.struct_size = (uint)sizeof(bitnet_memory_estimate);
            bitnet_context_params parameters = (options ?? new ContextOptions()).ToNative();
            Failure.Check(Native.bitnet_model_estimate_memory(Handle, &parameters, &estimate));
            return new MemoryEstimate(estimate);
        }

        /// <summary>Reads all weights and tells everything that is wrong with them.</summary>
        public ValidationReport Validate(ValidationOptions options = null)
        {
            return ValidationReport.Of(Handle, null, options);
        }

        /// <summary>Loads a LoRA adapter for this model from a GGUF file.</summary>
        public Adapter LoadAdapter(string path)
        {
            return new Adapter(Handle, path);
        }

        public void Dispose()
        {
            Handle.Dispose();
        }
    }

    /// <summary>Hands out bytes to the library's reader; all of it happens during the load.</summary>
    internal sealed unsafe class ByteReader
    {
        private readonly byte[] bytes;

        internal ByteReader(byte[] bytes)
        {
            this.bytes = bytes;
        }

        internal int Read(void* data, ulong offset, void* to, ulong count)
        {
            if (offset > (ulong)bytes.Length || count > (ulong)bytes.Length - offset) return 1;
            Marshal.Copy(bytes, (int)offset, (IntPtr)to, (int)count);
            return 0;
        }
    }
}
