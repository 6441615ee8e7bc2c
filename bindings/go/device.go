// Devices and features: what can compute here, and what the library was built with.

package bitnet

// #include "bitnet.h"
import "C"

// DeviceKind is what kind of device a name means.
type DeviceKind int32

const (
	DeviceAuto  DeviceKind = C.BITNET_DEVICE_AUTO
	DeviceCPU   DeviceKind = C.BITNET_DEVICE_CPU
	DeviceCUDA  DeviceKind = C.BITNET_DEVICE_CUDA
	DeviceMetal DeviceKind = C.BITNET_DEVICE_METAL
)

// ParseDevice reads "auto", "cpu", "metal", "cuda", "cuda:1"; ErrConfig for a text that names no device.
func ParseDevice(text string) (DeviceKind, int, error) {
	var a arena
	defer a.free()
	name, err := a.text("the device", text)
	if err != nil {
		return 0, 0, err
	}
	var kind C.bitnet_device_kind
	var index C.int32_t
	err = call(func() C.bitnet_status { return C.bitnet_device_parse(name, &kind, &index) })
	return DeviceKind(kind), int(index), err
}

// FormatDevice is the name that ParseDevice reads back.
func FormatDevice(kind DeviceKind, index int) (string, error) {
	return sizedText(func(buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status {
		return C.bitnet_device_format(C.bitnet_device_kind(kind), clamp(index), buffer, capacity, size)
	})
}

// Devices are the names of those that can compute here, the best first.
func Devices() []string {
	var names []string
	for i := C.size_t(0); i < C.bitnet_device_get_count(); i++ {
		names = append(names, C.GoString(C.bitnet_device_get_name(i)))
	}
	return names
}

func withDevice(device string, f func(name *C.char) C.bitnet_status) error {
	var a arena
	defer a.free()
	name, err := a.optionalText("the device", device)
	if err != nil {
		return err
	}
	return call(func() C.bitnet_status { return f(name) })
}

// CheckDevice is nil where a device can be used; ErrDeviceNotAvailable with the reason else. "" is "auto".
func CheckDevice(device string) error {
	return withDevice(device, func(name *C.char) C.bitnet_status { return C.bitnet_device_check(name) })
}

// DeviceMemory is in bytes; Limit is the control group's, 0 without one.
type DeviceMemory struct{ Total, Free, Used, Limit uint64 }

// GetDeviceMemory asks the machine.
func GetDeviceMemory(device string) (DeviceMemory, error) {
	var m C.bitnet_device_memory
	m.struct_size = C.sizeof_bitnet_device_memory
	err := withDevice(device, func(name *C.char) C.bitnet_status { return C.bitnet_device_get_memory(name, &m) })
	return DeviceMemory{uint64(m.total), uint64(m.free), uint64(m.used), uint64(m.limit_bytes)}, err
}

// DeviceInfo is what a device can do.
type DeviceInfo struct {
	Kind                                  DeviceKind
	Index, MaxThreads                     int
	SupportsF16, SupportsBF16             bool
	SupportsInt8                          bool
	ComputeCapability                     [2]int // of CUDA; -1, -1 for others
	Name, SIMD, KernelLevel, Quantization string
}

// GetDeviceInfo describes a device.
func GetDeviceInfo(device string) (DeviceInfo, error) {
	var c C.bitnet_device_info
	c.struct_size = C.sizeof_bitnet_device_info
	if err := withDevice(device, func(name *C.char) C.bitnet_status { return C.bitnet_device_get_info(name, &c) }); err != nil {
		return DeviceInfo{}, err
	}
	return DeviceInfo{DeviceKind(c.kind), int(c.index), int(c.max_threads), c.supports_f16 != 0, c.supports_bf16 != 0,
		c.supports_int8 != 0, [2]int{int(c.compute_capability[0]), int(c.compute_capability[1])}, C.GoString(c.name),
		C.GoString(c.simd), C.GoString(c.kernel_level), C.GoString(c.quantization)}, nil
}

// DevicesJSON lists every device, those that cannot be used with the reason.
func DevicesJSON() (string, error) {
	return sizedText(func(buffer *C.char, capacity C.size_t, size *C.size_t) C.bitnet_status {
		return C.bitnet_device_get_json(buffer, capacity, size)
	})
}

// Features is what the library was built with.
func Features() []string {
	var names []string
	for i := C.size_t(0); i < C.bitnet_feature_get_count(); i++ {
		names = append(names, C.GoString(C.bitnet_feature_get_name(i)))
	}
	return names
}

// FeatureBuilt is true for a feature that is built in; the specification's names ("gpu", "serde") are known as well.
func FeatureBuilt(name string) bool {
	var a arena
	defer a.free()
	text, err := a.text("the feature", name)
	return err == nil && C.bitnet_feature_is_built(text) != 0
}
