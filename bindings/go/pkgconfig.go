// Where the compiler finds bitnet.h and libbitnet: pkg-config says so. With the tag bitnet_flags nothing is asked, and
// CGO_CFLAGS and CGO_LDFLAGS have to say it.

//go:build !bitnet_flags

package bitnet

// #cgo pkg-config: bitnet
import "C"
