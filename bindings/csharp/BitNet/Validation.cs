// What is wrong with a model, or worth a look.
using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using BitNet.Interop;

namespace BitNet
{
    /// <summary>How a model is validated.</summary>
    public sealed class ValidationOptions
    {
        /// <summary>Read every value; false: the header alone.</summary>
        public bool? CheckValues { get; set; }

        public int? Threads { get; set; }

        /// <summary>Findings that are kept; all are counted.</summary>
        public uint? MaxFindings { get; set; }

        /// <summary>
        /// Called with the part that is done; what it throws stops the validation and comes out of it.
        /// </summary>
        public Action<float> Progress { get; set; }
    }

    /// <summary>One finding.</summary>
    public sealed class ValidationFinding
    {
        internal unsafe ValidationFinding(bitnet_validation_finding finding)
        {
            Kind = (FindingKind)finding.kind;
            Severity = (FindingSeverity)finding.severity;
            Tensor = Utf8.Text(finding.tensor);
            Message = Utf8.Text(finding.message);
            Count = finding.count;
        }

        public FindingKind Kind { get; private set; }

        public FindingSeverity Severity { get; private set; }

        /// <summary>"" for the file as a whole.</summary>
        public string Tensor { get; private set; }

        public string Message { get; private set; }

        /// <summary>How many rows or values.</summary>
        public ulong Count { get; private set; }
    }

    /// <summary>What validation found. Plain values: nothing is to be disposed.</summary>
    public sealed unsafe class ValidationReport
    {
        private ValidationReport(bitnet_validation_report report)
        {
            bitnet_validation_info info = new bitnet_validation_info();
            info.struct_size = (uint)sizeof(bitnet_validation_info);
            Failure.Check(Native.bitnet_validation_report_get_info(report, &info));
            IsValid = info.is_valid != 0;
            Architecture = Utf8.Text(info.architecture);
            Errors = info.n_errors;
            Warnings = info.n_warnings;
            Notes = info.n_notes;
            TernaryZeros = info.ternary_zeros;
            ValidationFinding[] findings = new ValidationFinding[checked((int)info.n_findings)];
            for (int i = 0; i < findings.Length; i++)
            {
                bitnet_validation_finding finding = new bitnet_validation_finding();
                finding.struct_size = (uint)sizeof(bitnet_validation_finding);
                Failure.Check(Native.bitnet_validation_report_get_finding(report, (UIntPtr)i, &finding));
                findings[i] = new ValidationFinding(finding);
            }
            Findings = findings;
            Json = Utf8.Read((buffer, capacity, size) => Native.bitnet_validation_report_get_json(report, buffer, capacity, size));
        }

        /// <summary>Validates a file, also one that does not load.</summary>
        public static ValidationReport OfFile(string path, ValidationOptions options = null)
        {
            BitNetLibrary.EnsureLoaded();
            return Of(null, Utf8.Path(path, "path"), options);
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        internal static ValidationReport Of(bitnet_model model, byte[] path, ValidationOptions options)
        {
            options = options ?? new ValidationOptions();
            bitnet_validation_params parameters;
            Native.bitnet_validation_params_init(&parameters, (uint)sizeof(bitnet_validation_params));
            if (options.CheckValues.HasValue) parameters.check_values = options.CheckValues.Value ? 1 : 0;
            if (options.Threads.HasValue) parameters.n_threads = options.Threads.Value;
            if (options.MaxFindings.HasValue) parameters.max_findings = options.MaxFindings.Value;
            ProgressBridge bridge = new ProgressBridge(options.Progress, null);
            if (options.Progress != null) parameters.on_progress = bridge.Pointer;
            bitnet_validation_report report;
            bitnet_status status;
            fixed (byte* file = path)
            {
                status = model != null ? Native.bitnet_model_validate(model, &parameters, out report)
                                       : Native.bitnet_model_validate_file(file, &parameters, out report);
            }
            GC.KeepAlive(bridge);
            using (report)
            {
                bridge.Rethrow();
                Failure.Check(status);
                return new ValidationReport(report);
            }
        }

        /// <summary>No finding is an error.</summary>
        public bool IsValid { get; private set; }

        public string Architecture { get; private set; }

        public ulong Errors { get; private set; }

        public ulong Warnings { get; private set; }

        public ulong Notes { get; private set; }

        /// <summary>Part of the ternary weights that is 0.</summary>
        public double TernaryZeros { get; private set; }

        public IReadOnlyList<ValidationFinding> Findings { get; private set; }

        /// <summary>All of it, tensors included, as one JSON object.</summary>
        public string Json { get; private set; }
    }
}
