// Receipts: JSON that says how a text came about, and checking it.
using System;
using System.Runtime.CompilerServices;
using BitNet.Interop;

namespace BitNet
{
    /// <summary>What checking a receipt found.</summary>
    public sealed class ReceiptReport
    {
        internal ReceiptReport(bitnet_receipt_report report, string problem)
        {
            FailedCheck = (ReceiptCheck)report.failed_check;
            Problem = problem;
            IsModelMatched = report.model_matched != 0;
            Positions = report.n_positions;
            Replayed = report.n_replayed;
            FirstMismatch = report.first_mismatch < 0 ? (long?)null : report.first_mismatch;
        }

        public bool IsGenuine
        {
            get { return FailedCheck == ReceiptCheck.None; }
        }

        public ReceiptCheck FailedCheck { get; private set; }

        /// <summary>What is wrong and where; "" for nothing.</summary>
        public string Problem { get; private set; }

        /// <summary>A model was given, and it is the receipt's.</summary>
        public bool IsModelMatched { get; private set; }

        /// <summary>Generated tokens of the receipt.</summary>
        public ulong Positions { get; private set; }

        /// <summary>Of those, computed again and found the same.</summary>
        public ulong Replayed { get; private set; }

        public long? FirstMismatch { get; private set; }
    }

    /// <summary>Checks receipts of <see cref="Generation.GetReceipt"/>.</summary>
    public static unsafe class Receipts
    {
        /// <summary>
        /// Checks form and digest; with a model also that it is the same file, and some positions by computing them
        /// again.
        /// </summary>
        /// <param name="replayShare">Share of the positions to compute again, 0 .. 1; null: the library's
        /// default.</param>
        /// <param name="seed">Which positions: choose it yourself, so that no forger knows it.</param>
        public static ReceiptReport Verify(string json, Model model = null, double? replayShare = null, ulong seed = 0)
        {
            BitNetLibrary.EnsureLoaded();
            return VerifyBytes(Utf8.Bytes(json, "json"), model, replayShare, seed);
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static ReceiptReport VerifyBytes(byte[] json, Model model, double? replayShare, ulong seed)
        {
            bitnet_receipt_params parameters;
            Native.bitnet_receipt_params_init(&parameters, (uint)sizeof(bitnet_receipt_params));
            if (replayShare.HasValue) parameters.replay_share = replayShare.Value;
            parameters.seed = seed;
            bitnet_receipt_report report = new bitnet_receipt_report();
            report.struct_size = (uint)sizeof(bitnet_receipt_report);
            using (bitnet_model none = new bitnet_model())
            {
                bitnet_status status;
                fixed (byte* text = json)
                {
                    status = Native.bitnet_receipt_verify(text, (UIntPtr)json.Length, model == null ? none : model.Handle, &parameters, &report);
                }
                string problem = "";
                if (status == bitnet_status.BITNET_E_VALIDATION) problem = Utf8.Text(Native.bitnet_last_error());
                else Failure.Check(status);
                return new ReceiptReport(report, problem);
            }
        }
    }
}
