// Arrays and texts that a C struct points at, held in place until the call is over.
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;

namespace BitNet
{
    internal sealed unsafe class Pins : IDisposable
    {
        private readonly List<GCHandle> held = new List<GCHandle>();

        /// <summary>The address of the first element; NULL for null.</summary>
        internal void* Array(Array array)
        {
            if (array == null) return null;
            GCHandle pin = GCHandle.Alloc(array, GCHandleType.Pinned);
            held.Add(pin);
            return (void*)pin.AddrOfPinnedObject();
        }

        internal byte* Text(string text, string name)
        {
            return (byte*)Array(Utf8.Terminated(text, name));
        }

        internal byte** Texts(IReadOnlyList<string> texts, string name)
        {
            IntPtr[] pointers = new IntPtr[texts.Count];
            for (int i = 0; i < pointers.Length; i++)
            {
                if (texts[i] == null) throw new ArgumentNullException(name);
                pointers[i] = (IntPtr)Text(texts[i], name);
            }
            return (byte**)Array(pointers);
        }

        public void Dispose()
        {
            foreach (GCHandle pin in held) pin.Free();
            held.Clear();
        }
    }
}
