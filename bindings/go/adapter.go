// Adapters: LoRA fine-tunings beside a model.

package bitnet

// #include "bitnet.h"
import "C"

import "unsafe"

// Adapter never changes and serves all goroutines.
type Adapter struct{ h *handle }

func newAdapter(m *Model, load func(model *C.bitnet_model, out **C.bitnet_adapter) C.bitnet_status) (*Adapter, error) {
	var adapter *C.bitnet_adapter
	err := m.with(func(model *C.bitnet_model) error {
		return call(func() C.bitnet_status { return load(model, &adapter) })
	})
	if err != nil {
		return nil, err
	}
	return &Adapter{newHandle("adapter", unsafe.Pointer(adapter), func(p unsafe.Pointer) {
		C.bitnet_adapter_free((*C.bitnet_adapter)(p))
	})}, nil
}

// LoadAdapter loads a GGUF file as llama.cpp's convert_lora_to_gguf writes it.
func (m *Model) LoadAdapter(path string) (*Adapter, error) {
	var a arena
	defer a.free()
	name, err := a.text("the path", path)
	if err != nil {
		return nil, err
	}
	return newAdapter(m, func(model *C.bitnet_model, out **C.bitnet_adapter) C.bitnet_status {
		return C.bitnet_adapter_load(model, name, out)
	})
}

// LoadAdapterBytes is the same from memory.
func (m *Model) LoadAdapterBytes(data []byte) (*Adapter, error) {
	return newAdapter(m, func(model *C.bitnet_model, out **C.bitnet_adapter) C.bitnet_status {
		return C.bitnet_adapter_load_from_memory(model, bytesPointer(data), C.size_t(len(data)), out)
	})
}

// Close gives the adapter back; sequences that use it go on using it. Closing twice is fine.
func (a *Adapter) Close() error { return a.h.close() }

// AdapterInfo describes an adapter.
type AdapterInfo struct {
	Name, Architecture         string
	Rank                       int // what it takes of ContextParams.MaxLoraRank
	Alpha                      float32
	Tensors, Parameters, Bytes uint64
}

// Info describes the adapter.
func (a *Adapter) Info() (AdapterInfo, error) {
	p, err := a.h.acquire()
	if err != nil {
		return AdapterInfo{}, err
	}
	defer a.h.release()
	var c C.bitnet_adapter_info
	c.struct_size = C.sizeof_bitnet_adapter_info
	if err := call(func() C.bitnet_status { return C.bitnet_adapter_get_info((*C.bitnet_adapter)(p), &c) }); err != nil {
		return AdapterInfo{}, err
	}
	return AdapterInfo{C.GoString(c.name), C.GoString(c.architecture), int(c.rank), float32(c.alpha),
		uint64(c.n_tensors), uint64(c.n_parameters), uint64(c.n_bytes)}, nil
}

// AdapterUse is an adapter and how strongly it counts: 1 as it was trained.
type AdapterUse struct {
	Adapter *Adapter
	Scale   float32
}

// SetAdapters says which adapters an empty sequence runs with from now on; without any: none. A negative sequence is every
// one. The context needs ContextParams.MaxLoraRank.
func (c *Context) SetAdapters(sequence int, uses ...AdapterUse) error {
	list := make([]C.bitnet_adapter_use, len(uses)+1)
	for i, use := range uses {
		if use.Adapter == nil {
			return argumentError("an adapter is nil")
		}
		p, err := use.Adapter.h.acquire()
		if err != nil {
			return err
		}
		defer use.Adapter.h.release()
		list[i].adapter, list[i].scale = (*C.bitnet_adapter)(p), C.float(use.Scale)
	}
	return c.run(nil, func(p *C.bitnet_context) C.bitnet_status {
		return C.bitnet_context_set_adapters(p, clamp(sequence), &list[0], C.size_t(len(uses)))
	})
}
