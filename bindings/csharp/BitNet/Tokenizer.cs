// Texts to tokens and back.
using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using BitNet.Interop;

namespace BitNet
{
    /// <summary>What encoding a text does beside reading it.</summary>
    [Flags]
    public enum EncodeFlags
    {
        None = 0,

        /// <summary>Begin with the BOS token, where the model has one.</summary>
        AddBos = (int)Native.BITNET_ENCODE_ADD_BOS,

        /// <summary>Read "&lt;|eot_id|&gt;" as one control token; without it, it is plain text.</summary>
        ParseSpecial = (int)Native.BITNET_ENCODE_PARSE_SPECIAL,

        /// <summary>BOS and EOS just as the model file says.</summary>
        AddDefault = (int)Native.BITNET_ENCODE_ADD_DEFAULT,
    }

    /// <summary>What decoding tokens does with those that are no text.</summary>
    [Flags]
    public enum DecodeFlags
    {
        None = 0,

        /// <summary>Write control tokens as their text; without it they give nothing.</summary>
        Special = (int)Native.BITNET_DECODE_SPECIAL,

        /// <summary>The tokens begin a text: drop the space a SentencePiece encoder put in front.</summary>
        Start = (int)Native.BITNET_DECODE_START,
    }

    /// <summary>What a tokenizer is; ids are -1 where there is no such token.</summary>
    public sealed class TokenizerInfo
    {
        internal unsafe TokenizerInfo(bitnet_tokenizer_info info)
        {
            Source = Utf8.Text(info.source);
            Model = Utf8.Text(info.model);
            PreTokenizer = Utf8.Text(info.pre);
            VocabularySize = info.n_vocab;
            Bos = info.bos;
            Eos = info.eos;
            Eot = info.eot;
            Pad = info.pad;
            Unknown = info.unk;
            AddsBos = info.add_bos != 0;
            AddsEos = info.add_eos != 0;
        }

        /// <summary>"gguf", "tokenizer.json", "tokenizer.model".</summary>
        public string Source { get; private set; }

        /// <summary>"bpe" or "spm".</summary>
        public string Model { get; private set; }

        public string PreTokenizer { get; private set; }

        public int VocabularySize { get; private set; }

        public int Bos { get; private set; }

        public int Eos { get; private set; }

        public int Eot { get; private set; }

        public int Pad { get; private set; }

        public int Unknown { get; private set; }

        public bool AddsBos { get; private set; }

        public bool AddsEos { get; private set; }
    }

    /// <summary>A tokenizer. It never changes: any thread may use it.</summary>
    public sealed unsafe class Tokenizer : IDisposable
    {
        internal readonly bitnet_tokenizer Handle;

        internal Tokenizer(bitnet_tokenizer handle)
        {
            Handle = handle;
        }

        internal bool IsDisposed
        {
            get { return Handle.IsClosed; }
        }

        /// <summary>
        /// Loads a tokenizer alone: a .gguf file, tokenizer.json, tokenizer.model, or a folder with one of these.
        /// </summary>
        public static Tokenizer Load(string path)
        {
            BitNetLibrary.EnsureLoaded();
            return LoadFile(Utf8.Path(path, "path"));
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static Tokenizer LoadFile(byte[] path)
        {
            bitnet_tokenizer handle;
            bitnet_status status;
            fixed (byte* name = path) status = Native.bitnet_tokenizer_load(name, out handle);
            Failure.Check(status);
            return new Tokenizer(handle);
        }

        public TokenizerInfo Info
        {
            get
            {
                bitnet_tokenizer_info info = new bitnet_tokenizer_info();
                info.struct_size = (uint)sizeof(bitnet_tokenizer_info);
                using (HandleLease.Of(Handle))
                {
                    Failure.Check(Native.bitnet_tokenizer_get_info(Handle, &info));
                    return new TokenizerInfo(info);
                }
            }
        }

        /// <summary>Turns a text into token ids.</summary>
        public int[] Encode(string text, EncodeFlags flags = EncodeFlags.None)
        {
            return Encode(Utf8.Bytes(text, "text"), flags);
        }

        /// <summary>The same for UTF-8 bytes; invalid ones are encoded byte by byte, never refused.</summary>
        public int[] Encode(byte[] utf8, EncodeFlags flags = EncodeFlags.None)
        {
            if (utf8 == null) throw new ArgumentNullException("utf8");
            return Utf8.ReadTokens(utf8.Length / 3 + 8, (tokens, capacity, count) =>
            {
                fixed (byte* bytes = utf8)
                {
                    return Native.bitnet_tokenizer_encode(Handle, bytes, (UIntPtr)utf8.Length, (uint)flags, tokens, capacity, count);
                }
            });
        }

        /// <summary>Turns token ids into text; bytes that are no UTF-8 become U+FFFD.</summary>
        public string Decode(IEnumerable<int> tokens, DecodeFlags flags = DecodeFlags.Start)
        {
            return Utf8.Text(DecodeBytes(tokens, flags));
        }

        /// <summary>The same as bytes: those of one token may be a part of a character.</summary>
        public byte[] DecodeBytes(IEnumerable<int> tokens, DecodeFlags flags = DecodeFlags.Start)
        {
            int[] ids = Tokens.Of(tokens, "tokens");
            return Utf8.ReadBytes((buffer, capacity, size) =>
            {
                fixed (int* first = ids)
                {
                    return Native.bitnet_tokenizer_decode(Handle, first, (UIntPtr)ids.Length, (uint)flags, buffer, capacity, size);
                }
            });
        }

        /// <summary>Whether the token ends a generation.</summary>
        public bool IsEnd(int token)
        {
            return Native.bitnet_tokenizer_is_end(Handle, token) != 0;
        }

        /// <summary>What kind of token it is; null for an id outside the vocabulary.</summary>
        public TokenAttribute? GetAttribute(int token)
        {
            int attribute = Native.bitnet_tokenizer_get_attribute(Handle, token);
            return attribute == 0 ? (TokenAttribute?)null : (TokenAttribute)attribute;
        }

        /// <summary>The id whose stored text is exactly this; null where there is none.</summary>
        public int? FindToken(string piece)
        {
            byte[] bytes = Utf8.Bytes(piece, "piece");
            int token;
            bitnet_status status;
            fixed (byte* text = bytes) status = Native.bitnet_tokenizer_get_token(Handle, text, (UIntPtr)bytes.Length, &token);
            if (status == bitnet_status.BITNET_E_NOT_FOUND) return null;
            Failure.Check(status);
            return token;
        }

        /// <summary>
        /// All tokens whose text contains this one, e.g. "\n" for <see cref="SamplingOptions.DryBreakers"/>.
        /// </summary>
        public int[] FindTokens(string text)
        {
            byte[] bytes = Utf8.Bytes(text, "text");
            return Utf8.ReadTokens(64, (tokens, capacity, count) =>
            {
                fixed (byte* first = bytes)
                {
                    return Native.bitnet_tokenizer_find_tokens(Handle, first, (UIntPtr)bytes.Length, tokens, capacity, count);
                }
            });
        }

        public void Dispose()
        {
            Handle.Dispose();
        }
    }

    internal static class Tokens
    {
        /// <summary>The ids as an array, which may be the caller's own.</summary>
        internal static int[] Of(IEnumerable<int> tokens, string name)
        {
            if (tokens == null) throw new ArgumentNullException(name);
            return tokens as int[] ?? new List<int>(tokens).ToArray();
        }
    }
}
