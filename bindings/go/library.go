// Package bitnet runs ternary (BitNet b1.58) language models with libbitnet.
//
//	model, err := bitnet.LoadModel("model.gguf", nil)
//	if err != nil { ... }
//	defer model.Close()
//	session, err := model.NewContext(nil)
//	if err != nil { ... }
//	defer session.Close()
//	result, err := session.Generate(ctx, "Once upon a time", nil)
//	fmt.Println(result.Text)
//
// Models, tokenizers, grammars, chat templates and adapters never change and serve all goroutines. A Context, a Sampler and
// a Generation serve one at a time and say ErrInUse otherwise; only Context.Cancel is for any. Objects may be closed in any
// order, twice, and from callbacks; what nobody closes the garbage collector does. Failures are *Error, see there.
//
// The same bits come out on every machine: a seed gives the same text everywhere.
package bitnet

// #include "bitnet.h"
import "C"

import "fmt"

// Token is an index into the vocabulary.
type Token = int32

// Version is that of the loaded library, "0.1.0".
func Version() string { return C.GoString(C.bitnet_version_string()) }

// BuildInfo is one line about the loaded library: version, compiler, kernel levels.
func BuildInfo() string { return C.GoString(C.bitnet_build_info()) }

// CheckVersion compares the loaded library with the header that this package was compiled with. Everything that makes an
// object does it first.
func CheckVersion() error {
	return versionError(uint32(C.BITNET_VERSION_NUMBER), uint32(C.bitnet_version_number()))
}

// versionError applies the promise of bitnet.h: one major version is compatible, before 1.0 one minor version.
func versionError(header, library uint32) error {
	same := header/10000 == library/10000
	if header < 10000 {
		same = header/100 == library/100
	}
	if same && library >= header {
		return nil
	}
	text := func(n uint32) string { return fmt.Sprintf("%d.%d.%d", n/10000, n/100%100, n%100) }
	message := fmt.Sprintf("the loaded library has version %s, this program was compiled for %s: install a library of that "+
		"version, or compile the program again", text(library), text(header))
	return &Error{Status: ErrUnsupported, Message: message, UserMessage: message}
}

// Environment is what the library found in its environment variables (BITNET_NUM_THREADS and so on).
type Environment struct {
	Kernel           string
	Threads          int // 0: not set, as the next two
	BatchSize        int
	MemoryLimit      uint64
	Deterministic    bool
	HasSeed          bool
	Seed             uint64
	StrictTokenizers bool
	Offline          bool
}

// GetEnvironment fails with ErrConfig for a variable with a bad value: call it first to fail early.
func GetEnvironment() (Environment, error) {
	var info C.bitnet_environment_info
	info.struct_size = C.uint32_t(C.sizeof_bitnet_environment_info)
	if err := call(func() C.bitnet_status { return C.bitnet_environment_get_info(&info) }); err != nil {
		return Environment{}, err
	}
	return Environment{
		Kernel:           C.GoString(info.kernel),
		Threads:          int(info.n_threads),
		BatchSize:        int(info.batch_size),
		MemoryLimit:      uint64(info.memory_limit),
		Deterministic:    info.deterministic != 0,
		HasSeed:          info.has_seed != 0,
		Seed:             uint64(info.seed),
		StrictTokenizers: info.strict_tokenizers != 0,
		Offline:          info.offline != 0,
	}, nil
}

// Kernel is a matrix or vector kernel of the library.
type Kernel struct {
	Name, Type, Level                    string
	Runnable, Exact, Selected, ForVector bool
}

// Kernels lists those that were compiled in.
func Kernels() []Kernel {
	var all []Kernel
	for i := C.size_t(0); i < C.bitnet_kernel_get_count(); i++ {
		var info C.bitnet_kernel_info
		info.struct_size = C.uint32_t(C.sizeof_bitnet_kernel_info)
		if C.bitnet_kernel_get_info(i, &info) != C.BITNET_OK {
			break
		}
		all = append(all, Kernel{C.GoString(info.name), C.GoString(info._type), C.GoString(info.level),
			info.runnable != 0, info.exact != 0, info.selected != 0, info.is_vector != 0})
	}
	return all
}

// ThreadLimit is how many threads this process may really use.
func ThreadLimit() int { return int(C.bitnet_cpu_get_thread_limit()) }

// MemoryUsed is what all models, contexts and adapters of the process hold, in bytes.
func MemoryUsed() uint64 { return uint64(C.bitnet_memory_get_used()) }
