// The Go package of bitnet: cgo over bitnet.h, no dependencies. The path stands for the place where the repository is
// published; README.md says how to use a checkout.
module example.org/bitnet/bindings/go

go 1.19
