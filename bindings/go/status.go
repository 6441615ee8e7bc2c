// The numbers of bitnet.h as Go constants: statuses, families, severities. Each status and each family is an error of its
// own, for errors.Is.

package bitnet

// #include "bitnet.h"
import "C"

// Status is a bitnet_status. It is an error, so errors.Is(err, bitnet.ErrFileNotFound) works.
type Status int32

const (
	OK                     Status = C.BITNET_OK                      // success; no call returns it as an error
	ErrArgument            Status = C.BITNET_E_ARGUMENT              // an argument is not valid
	ErrConfig              Status = C.BITNET_E_CONFIG                // a parameter or environment variable is not valid
	ErrBufferTooSmall      Status = C.BITNET_E_BUFFER_TOO_SMALL      // the caller's buffer is too small; the needed size was returned
	ErrUnsupported         Status = C.BITNET_E_UNSUPPORTED           // not supported by this build
	ErrNotFound            Status = C.BITNET_E_NOT_FOUND             // no such entry
	ErrIO                  Status = C.BITNET_E_IO                    // reading or writing failed
	ErrFileNotFound        Status = C.BITNET_E_FILE_NOT_FOUND        // the file does not exist or may not be read
	ErrGGUFMagic           Status = C.BITNET_E_GGUF_MAGIC            // not a GGUF file
	ErrGGUFVersion         Status = C.BITNET_E_GGUF_VERSION          // unsupported GGUF version
	ErrGGUFTensorCount     Status = C.BITNET_E_GGUF_TENSOR_COUNT     // the tensor count exceeds the limit or the file
	ErrGGUFKVCount         Status = C.BITNET_E_GGUF_KV_COUNT         // the metadata count exceeds the limit or the file
	ErrGGUFMissingTensor   Status = C.BITNET_E_GGUF_MISSING_TENSOR   // required tensors are missing
	ErrGGUFTensorShape     Status = C.BITNET_E_GGUF_TENSOR_SHAPE     // a tensor has the wrong shape
	ErrGGUFTensorData      Status = C.BITNET_E_GGUF_TENSOR_DATA      // a tensor's data is corrupt
	ErrGGUFTensorType      Status = C.BITNET_E_GGUF_TENSOR_TYPE      // unsupported or ambiguous tensor type
	ErrGGUFTruncated       Status = C.BITNET_E_GGUF_TRUNCATED        // the file ends before its content
	ErrGGUFMap             Status = C.BITNET_E_GGUF_MAP              // mapping the file into memory failed
	ErrGGUFAlignment       Status = C.BITNET_E_GGUF_ALIGNMENT        // a tensor or the alignment itself is misaligned
	ErrGGUFMetadata        Status = C.BITNET_E_GGUF_METADATA         // a metadata key is missing, duplicate or has the wrong type or value
	ErrModelArchitecture   Status = C.BITNET_E_MODEL_ARCHITECTURE    // unsupported model architecture
	ErrModelShape          Status = C.BITNET_E_MODEL_SHAPE           // the model's hyperparameters do not fit together
	ErrTokenizer           Status = C.BITNET_E_TOKENIZER             // the vocabulary or tokenizer file is not valid
	ErrToken               Status = C.BITNET_E_TOKEN                 // a token id is outside the vocabulary
	ErrText                Status = C.BITNET_E_TEXT                  // the text cannot be tokenized
	ErrOutOfMemory         Status = C.BITNET_E_OUT_OF_MEMORY         // out of memory
	ErrLimit               Status = C.BITNET_E_LIMIT                 // a limit of the library is exceeded
	ErrKVFull              Status = C.BITNET_E_KV_FULL               // the context has no room for these tokens
	ErrCancelled           Status = C.BITNET_E_CANCELLED             // cancelled by the caller
	ErrTimeout             Status = C.BITNET_E_TIMEOUT               // the deadline passed
	ErrState               Status = C.BITNET_E_STATE                 // not possible in the present state, or a saved state does not fit
	ErrDevice              Status = C.BITNET_E_DEVICE                // the device cannot be used here
	ErrDeviceNotAvailable  Status = C.BITNET_E_DEVICE_NOT_AVAILABLE  // there is no such device, or its driver cannot be used
	ErrDeviceMemory        Status = C.BITNET_E_DEVICE_MEMORY         // the device's memory is too small
	ErrDeviceCompute       Status = C.BITNET_E_DEVICE_COMPUTE        // a computation on the device failed
	ErrDeviceFallback      Status = C.BITNET_E_DEVICE_FALLBACK       // the device cannot do this; the CPU can
	ErrDeviceCapability    Status = C.BITNET_E_DEVICE_CAPABILITY     // the device lacks a capability that is needed
	ErrDeviceSync          Status = C.BITNET_E_DEVICE_SYNC           // waiting for the device failed
	ErrInternal            Status = C.BITNET_E_INTERNAL              // internal error; please report it
	ErrQuantFormat         Status = C.BITNET_E_QUANT_FORMAT          // unsupported quantisation format
	ErrQuantAccuracy       Status = C.BITNET_E_QUANT_ACCURACY        // the quantised values are too far from the originals
	ErrQuantInput          Status = C.BITNET_E_QUANT_INPUT           // the values to quantise are not valid
	ErrQuantOutputSize     Status = C.BITNET_E_QUANT_OUTPUT_SIZE     // the buffer for the quantised values is too small
	ErrQuantScaleCount     Status = C.BITNET_E_QUANT_SCALE_COUNT     // the number of scales does not fit the values
	ErrQuantDevice         Status = C.BITNET_E_QUANT_DEVICE          // quantising on the device failed
	ErrQuantGPU            Status = C.BITNET_E_QUANT_GPU             // quantising on a GPU is not available
	ErrQuantCUDA           Status = C.BITNET_E_QUANT_CUDA            // CUDA failed while quantising
	ErrQuantMemory         Status = C.BITNET_E_QUANT_MEMORY          // out of memory while quantising
	ErrQuantOverflow       Status = C.BITNET_E_QUANT_OVERFLOW        // the values exceed the format's range
	ErrQuantZeroPoint      Status = C.BITNET_E_QUANT_ZERO_POINT      // the zero point cannot be computed
	ErrQuantScale          Status = C.BITNET_E_QUANT_SCALE           // the scale cannot be computed
	ErrValidation          Status = C.BITNET_E_VALIDATION            // the model did not pass validation
	ErrSecurityModelSize   Status = C.BITNET_E_SECURITY_MODEL_SIZE   // the model is larger than the limit
	ErrSecurityTensorCount Status = C.BITNET_E_SECURITY_TENSOR_COUNT // the model has more tensors than the limit
	ErrSecurityMemory      Status = C.BITNET_E_SECURITY_MEMORY       // more memory would be needed than the limit allows
	ErrSecurityOperation   Status = C.BITNET_E_SECURITY_OPERATION    // a tensor is described in a way that is unsafe to compute with
	ErrSecurityInput       Status = C.BITNET_E_SECURITY_INPUT        // an input is larger or deeper than any honest one
	ErrSecurityExhaustion  Status = C.BITNET_E_SECURITY_EXHAUSTION   // an input is made to use up time or memory
)

// Name is "BITNET_E_KV_FULL".
func (s Status) Name() string { return C.GoString(C.bitnet_status_name(C.bitnet_status(s))) }

// Text says in a few words what the status means.
func (s Status) Text() string { return C.GoString(C.bitnet_status_text(C.bitnet_status(s))) }

// Error is Text with the name.
func (s Status) Error() string { return s.Text() + " (" + s.Name() + ")" }

// Family says what the status is about.
func (s Status) Family() Family { return Family(C.bitnet_status_get_family(C.bitnet_status(s))) }

// Severity says how bad it is.
func (s Status) Severity() Severity {
	return Severity(C.bitnet_status_get_severity(C.bitnet_status(s)))
}

// Recoverable is true where the same program can try again, after what the suggestions say.
func (s Status) Recoverable() bool { return C.bitnet_status_is_recoverable(C.bitnet_status(s)) != 0 }

// Variant is the name within the family, "InvalidMagic".
func (s Status) Variant() string { return C.GoString(C.bitnet_status_get_variant(C.bitnet_status(s))) }

// Suggestions say what a person can do; FILE in a command is the file that the failure is about.
func (s Status) Suggestions() []string {
	var all []string
	for i := C.size_t(0); ; i++ {
		text := C.bitnet_status_get_suggestion(C.bitnet_status(s), i)
		if text == nil {
			return all
		}
		all = append(all, C.GoString(text))
	}
}

// Variables are the environment variables that may have to do with it.
func (s Status) Variables() []string {
	var all []string
	for i := C.size_t(0); ; i++ {
		text := C.bitnet_status_get_variable(C.bitnet_status(s), i)
		if text == nil {
			return all
		}
		all = append(all, C.GoString(text))
	}
}

// Family is a bitnet_error_family. It is an error, too: errors.Is(err, bitnet.FamilyIO) asks for any status of it.
type Family int32

const (
	FamilyNone         Family = C.BITNET_FAMILY_NONE
	FamilyModel        Family = C.BITNET_FAMILY_MODEL
	FamilyTokenization Family = C.BITNET_FAMILY_TOKENIZATION
	FamilyGGUFParse    Family = C.BITNET_FAMILY_GGUF_PARSE
	FamilyQuantization Family = C.BITNET_FAMILY_QUANTIZATION
	FamilyValidation   Family = C.BITNET_FAMILY_VALIDATION
	FamilyDevice       Family = C.BITNET_FAMILY_DEVICE
	FamilyIO           Family = C.BITNET_FAMILY_IO
	FamilyConfig       Family = C.BITNET_FAMILY_CONFIG
	FamilyMemory       Family = C.BITNET_FAMILY_MEMORY
	FamilySecurity     Family = C.BITNET_FAMILY_SECURITY
	FamilyTimeout      Family = C.BITNET_FAMILY_TIMEOUT
	FamilyCapacity     Family = C.BITNET_FAMILY_CAPACITY
	FamilyUsage        Family = C.BITNET_FAMILY_USAGE
	FamilyInternal     Family = C.BITNET_FAMILY_INTERNAL
)

// Name is "GgufParse".
func (f Family) Name() string {
	return C.GoString(C.bitnet_error_family_name(C.bitnet_error_family(f)))
}

// Error names the family.
func (f Family) Error() string { return "an error of the family " + f.Name() }

// Severity is a bitnet_error_severity.
type Severity int32

const (
	SeverityNone     Severity = C.BITNET_SEVERITY_NONE
	SeverityWarning  Severity = C.BITNET_SEVERITY_WARNING
	SeverityError    Severity = C.BITNET_SEVERITY_ERROR
	SeverityCritical Severity = C.BITNET_SEVERITY_CRITICAL
	SeverityFatal    Severity = C.BITNET_SEVERITY_FATAL
)

// String is "warning", "error", "critical", "fatal".
func (s Severity) String() string {
	return C.GoString(C.bitnet_error_severity_name(C.bitnet_error_severity(s)))
}
