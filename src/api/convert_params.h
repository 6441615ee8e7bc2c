// How a model file is written anew, for the calls that do so; defined in api_convert.cpp.
#pragma once

#include <memory>

#include "bitnet.h"
#include "src/convert/model_source.h"
#include "src/convert/model_writer.h"

namespace bitnet {

// Throws as bitnet_file_convert says.
std::unique_ptr<ModelSource> open_convert_source(const char* path, const bitnet_convert_params& params);
ConvertOptions convert_options(const bitnet_convert_params& params);

}  // namespace bitnet
