// Why a receipt is refused: BITNET_E_VALIDATION with the check that failed, and at which position.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "src/base/error.h"

namespace bitnet {

class ReceiptError : public Error {
public:
    ReceiptError(bitnet_receipt_check check, std::string message, int64_t position = -1)
        : Error(BITNET_E_VALIDATION, "the receipt is refused: " + std::move(message)), check_(check),
          position_(position) {}
    bitnet_receipt_check check() const noexcept { return check_; }
    int64_t position() const noexcept { return position_; }

private:
    bitnet_receipt_check check_;
    int64_t position_;
};

}  // namespace bitnet
