// Failures of the library as exceptions, and the check behind every call.
using System;
using System.Collections.Generic;
using System.Runtime.ExceptionServices;
using BitNet.Interop;

namespace BitNet
{
    /// <summary>
    /// A call of the library failed. Everything that is known of it was read on the thread that made the call.
    /// </summary>
    public sealed class BitNetException : Exception
    {
        internal BitNetException(string message, Status status, Exception inner)
            : base(message, inner)
        {
            Status = status;
            StatusName = "";
            Variant = "";
            Subject = "";
            Operation = "";
            File = "";
            Severity = ErrorSeverity.Error;
            Suggestions = new string[0];
        }

        /// <summary>What failed; numbers without a name come from a newer library.</summary>
        public Status Status { get; private set; }

        /// <summary>"BITNET_E_FILE_NOT_FOUND".</summary>
        public string StatusName { get; private set; }

        /// <summary>What it is about.</summary>
        public ErrorFamily Family { get; private set; }

        /// <summary>"InvalidMagic": the variant of the family.</summary>
        public string Variant { get; private set; }

        public ErrorSeverity Severity { get; private set; }

        /// <summary>The same program can try again, after what the suggestions say.</summary>
        public bool IsRecoverable { get; private set; }

        /// <summary>What a person can do, one sentence each; the file's name is put in.</summary>
        public IReadOnlyList<string> Suggestions { get; private set; }

        /// <summary>The tensor, key, token or file it is about; "" for none.</summary>
        public string Subject { get; private set; }

        /// <summary>The function of bitnet.h that failed.</summary>
        public string Operation { get; private set; }

        /// <summary>Path of the file that was read, or of the model's; "" for none.</summary>
        public string File { get; private set; }

        /// <summary>What would have been right: a size, a count, a limit; null where numbers have no meaning.</summary>
        public ulong? Expected { get; private set; }

        /// <summary>What was found.</summary>
        public ulong? Actual { get; private set; }

        /// <summary>Byte position in the file.</summary>
        public ulong? Offset { get; private set; }

        /// <summary>A failure of this binding itself; the library need not be loaded.</summary>
        internal BitNetException(string message, Status status, string statusName, ErrorFamily family, string suggestion, Exception inner)
            : this(message, status, inner)
        {
            StatusName = statusName;
            Family = family;
            Suggestions = new[] { suggestion };
        }

        /// <summary>The last failure of this thread; status is what the call returned just now.</summary>
        internal static unsafe BitNetException OfLastError(bitnet_status status, Exception inner)
        {
            bitnet_error_info info = new bitnet_error_info();
            info.struct_size = (uint)sizeof(bitnet_error_info);
            if (Native.bitnet_last_error_get_info(&info) != bitnet_status.BITNET_OK || info.status != status)
            {
                // Functions that only answer "no" leave no failure behind.
                BitNetException plain = new BitNetException(Utf8.Text(Native.bitnet_status_text(status)), (Status)status, inner);
                plain.Describe(status, "");
                return plain;
            }
            BitNetException found = new BitNetException(Utf8.Text(info.message), (Status)status, inner);
            found.Subject = Utf8.Text(info.subject);
            found.Operation = Utf8.Text(info.operation);
            found.File = Utf8.Text(info.file);
            if (info.has_numbers != 0)
            {
                found.Expected = info.expected;
                found.Actual = info.actual;
            }
            if (info.has_offset != 0) found.Offset = info.offset;
            found.Describe(status, found.File);
            return found;
        }

        private unsafe void Describe(bitnet_status status, string file)
        {
            StatusName = Utf8.Text(Native.bitnet_status_name(status));
            Variant = Utf8.Text(Native.bitnet_status_get_variant(status));
            Family = (ErrorFamily)Native.bitnet_status_get_family(status);
            Severity = (ErrorSeverity)Native.bitnet_status_get_severity(status);
            IsRecoverable = Native.bitnet_status_is_recoverable(status) != 0;
            List<string> suggestions = new List<string>();
            for (uint index = 0; ; index++)
            {
                byte* text = Native.bitnet_status_get_suggestion(status, (UIntPtr)index);
                if (text == null) break;
                string sentence = Utf8.Text(text);
                suggestions.Add(file.Length == 0 ? sentence : sentence.Replace("FILE", file));
            }
            Suggestions = suggestions;
        }
    }

    internal static class Failure
    {
        [ThreadStatic]
        private static ExceptionDispatchInfo fromLogHandler;

        /// <summary>
        /// A log handler threw while a call of this thread ran; it comes out when that call is checked.
        /// </summary>
        internal static void Keep(Exception exception)
        {
            if (fromLogHandler == null) fromLogHandler = ExceptionDispatchInfo.Capture(exception);
        }

        /// <summary>Another exception comes out of the call.</summary>
        internal static void Forget()
        {
            fromLogHandler = null;
        }

        /// <summary>To be called right after the call, on its thread.</summary>
        internal static void Check(bitnet_status status)
        {
            ExceptionDispatchInfo kept = fromLogHandler;
            if (status == bitnet_status.BITNET_OK && kept == null) return;
            fromLogHandler = null;
            if (status != bitnet_status.BITNET_OK)
            {
                throw BitNetException.OfLastError(status, kept == null ? null : kept.SourceException);
            }
            kept.Throw();
        }
    }
}
