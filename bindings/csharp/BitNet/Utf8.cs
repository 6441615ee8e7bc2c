// Text between .NET and the library: UTF-8 both ways, and the buffers that grow until a text fits.
using System;
using System.Text;
using BitNet.Interop;

namespace BitNet
{
    internal static unsafe class Utf8
    {
        // Half a surrogate pair is an ArgumentException: it has no UTF-8.
        private static readonly UTF8Encoding Strict = new UTF8Encoding(false, true);
        private static readonly UTF8Encoding Lenient = new UTF8Encoding(false, false);

        internal delegate bitnet_status TextCall(byte* buffer, UIntPtr capacity, UIntPtr* size);

        internal delegate bitnet_status TokenCall(int* tokens, UIntPtr capacity, UIntPtr* count);

        /// <summary>The bytes of a text that is given with its length; it may hold NULs.</summary>
        internal static byte[] Bytes(string text, string name)
        {
            if (text == null) throw new ArgumentNullException(name);
            return Strict.GetBytes(text);
        }

        /// <summary>A text that ends with a NUL, so it must hold none; null stays null.</summary>
        internal static byte[] Terminated(string text, string name)
        {
            if (text == null) return null;
            if (text.IndexOf('\0') >= 0) throw new ArgumentException("The text holds a NUL character.", name);
            byte[] bytes = new byte[Strict.GetByteCount(text) + 1];
            Strict.GetBytes(text, 0, text.Length, bytes, 0);
            return bytes;
        }

        internal static byte[] Path(string path, string name)
        {
            if (path == null) throw new ArgumentNullException(name);
            return Terminated(path, name);
        }

        /// <summary>
        /// A text of the library that ends with a NUL; "" for NULL. Bytes that are no UTF-8 become U+FFFD.
        /// </summary>
        internal static string Text(byte* text)
        {
            if (text == null) return "";
            int length = 0;
            while (text[length] != 0) length++;
            return Text(text, length);
        }

        internal static string Text(byte* text, int length)
        {
            return length == 0 ? "" : Lenient.GetString(text, length);
        }

        internal static string Text(byte[] bytes)
        {
            return Lenient.GetString(bytes);
        }

        /// <summary>Asks for a text until the buffer holds it: it may have grown between two calls.</summary>
        internal static string Read(TextCall call)
        {
            byte[] buffer = new byte[512];
            while (true)
            {
                UIntPtr size;
                bitnet_status status;
                fixed (byte* bytes = buffer) status = call(bytes, (UIntPtr)buffer.Length, &size);
                if (status != bitnet_status.BITNET_E_BUFFER_TOO_SMALL)
                {
                    Failure.Check(status);
                    fixed (byte* bytes = buffer) return Text(bytes, checked((int)size));
                }
                buffer = new byte[checked((int)size + 64)];
            }
        }

        internal static byte[] ReadBytes(TextCall call)
        {
            UIntPtr size;
            bitnet_status status = call(null, UIntPtr.Zero, &size);
            byte[] buffer = new byte[0];
            while (status == bitnet_status.BITNET_E_BUFFER_TOO_SMALL)
            {
                buffer = new byte[checked((int)size)];
                fixed (byte* bytes = buffer) status = call(bytes, (UIntPtr)buffer.Length, &size);
            }
            Failure.Check(status);
            if ((int)size != buffer.Length) Array.Resize(ref buffer, (int)size);
            return buffer;
        }

        internal static int[] ReadTokens(int guess, TokenCall call)
        {
            int[] buffer = new int[Math.Max(guess, 1)];
            while (true)
            {
                UIntPtr count;
                bitnet_status status;
                fixed (int* tokens = buffer) status = call(tokens, (UIntPtr)buffer.Length, &count);
                if (status != bitnet_status.BITNET_E_BUFFER_TOO_SMALL)
                {
                    Failure.Check(status);
                    Array.Resize(ref buffer, checked((int)count));
                    return buffer;
                }
                buffer = new int[checked((int)count)];
            }
        }
    }
}
