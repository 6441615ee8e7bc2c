// What a text must obey.
using System;
using BitNet.Interop;

namespace BitNet
{
    /// <summary>A compiled grammar. It never changes: any thread may use it. Grammars may come from anyone.</summary>
    public sealed unsafe class Grammar : IDisposable
    {
        internal readonly bitnet_grammar Handle;

        private Grammar(bitnet_grammar handle)
        {
            Handle = handle;
        }

        /// <summary>Compiles a grammar in GBNF, as llama.cpp describes it.</summary>
        /// <exception cref="BitNetException">It is no grammar; the message has line and column.</exception>
        public static Grammar FromGbnf(Tokenizer tokenizer, string text, string root = null)
        {
            if (tokenizer == null) throw new ArgumentNullException("tokenizer");
            byte[] bytes = Utf8.Bytes(text, "text");
            byte[] name = Utf8.Terminated(root, "root");
            bitnet_grammar handle;
            bitnet_status status;
            fixed (byte* first = bytes)
            fixed (byte* rule = name)
            {
                status = Native.bitnet_grammar_create_from_gbnf(tokenizer.Handle, first, (UIntPtr)bytes.Length, rule, out handle);
            }
            Failure.Check(status);
            return new Grammar(handle);
        }

        /// <summary>The JSON texts that obey a JSON schema; "{}" allows any JSON.</summary>
        public static Grammar FromJsonSchema(Tokenizer tokenizer, string schema)
        {
            if (tokenizer == null) throw new ArgumentNullException("tokenizer");
            byte[] bytes = Utf8.Bytes(schema, "schema");
            bitnet_grammar handle;
            bitnet_status status;
            fixed (byte* first = bytes)
            {
                status = Native.bitnet_grammar_create_from_json_schema(tokenizer.Handle, first, (UIntPtr)bytes.Length, out handle);
            }
            Failure.Check(status);
            return new Grammar(handle);
        }

        public void Dispose()
        {
            Handle.Dispose();
        }
    }
}
