// Receipts: checking the proof of a text, and writing it to a file.

package bitnet

// #include "bitnet.h"
import "C"

import "context"

// ReceiptCheck is which check of a receipt failed.
type ReceiptCheck int32

// String is "none", "format", "digest", ...
func (r ReceiptCheck) String() string {
	return C.GoString(C.bitnet_receipt_check_name(C.bitnet_receipt_check(r)))
}

// ReceiptParams says how much of a text is computed again. The zero value, like nil, is the default: 5 % of the positions.
type ReceiptParams struct {
	Threads   int
	Share     float64 // 0 .. 1; 0: 0.05
	Count     int     // that many positions instead, where not 0
	Seed      uint64  // which positions: one that the receipt's maker could not know
	MaxTokens int
}

// ReceiptReport is what a check found.
type ReceiptReport struct {
	FailedCheck         ReceiptCheck // 0: nothing is wrong
	ModelMatched        bool
	Positions, Replayed uint64
	FirstMismatch       int64 // the lowest position that differs, else -1
}

// VerifyReceipt checks form and digest, and with a model (which may be nil) also that computing it again gives the same.
// ErrValidation says what is wrong, the report which check.
func VerifyReceipt(ctx context.Context, receipt string, model *Model, params *ReceiptParams) (ReceiptReport, error) {
	if err := ended(ctx); err != nil {
		return ReceiptReport{}, err
	}
	var c C.bitnet_receipt_params
	C.bitnet_receipt_params_init(&c, C.sizeof_bitnet_receipt_params)
	if params != nil {
		c.n_threads, c.seed, c.max_tokens = clamp(params.Threads), C.uint64_t(params.Seed), clamp(params.MaxTokens)
		if params.Share != 0 {
			c.replay_share = C.double(params.Share)
		}
		if params.Count != 0 {
			c.replay_count = C.int64_t(params.Count)
		}
	}
	var r C.bitnet_receipt_report
	r.struct_size = C.sizeof_bitnet_receipt_report
	r.first_mismatch = -1
	verify := func(p *C.bitnet_model) error {
		return call(func() C.bitnet_status {
			return C.bitnet_receipt_verify(textBytes(receipt), C.size_t(len(receipt)), p, &c, &r)
		})
	}
	var err error
	if model == nil {
		err = verify(nil)
	} else {
		err = model.with(verify)
	}
	return ReceiptReport{ReceiptCheck(r.failed_check), r.model_matched != 0, uint64(r.n_positions), uint64(r.n_replayed),
		int64(r.first_mismatch)}, err
}

// WriteReceipt writes a receipt to a file that appears whole or not at all.
func WriteReceipt(receipt, path string) error {
	var a arena
	defer a.free()
	name, err := a.text("the path", path)
	if err != nil {
		return err
	}
	return call(func() C.bitnet_status {
		return C.bitnet_receipt_write(textBytes(receipt), C.size_t(len(receipt)), name)
	})
}
