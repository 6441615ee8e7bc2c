# What libbitnet itself needs: PCRE2 (pre-tokenizer patterns), nlohmann/json (header-only, reads tokenizer.json inside
# one source file) and threads. Everything is found here, so a missing package is one clear sentence.
# Without Debian's packages: -DPCRE2_ROOT=<prefix> and -DBITNET_JSON_INCLUDE_DIR=<folder holding nlohmann/json.hpp>.
set(BITNET_JSON_INCLUDE_DIR "" CACHE PATH "Folder that holds nlohmann/json.hpp; empty: find the installed package")

find_package(Threads REQUIRED)
find_package(PCRE2 10.36 REQUIRED)
if(BITNET_JSON_INCLUDE_DIR AND NOT TARGET nlohmann_json::nlohmann_json)
    if(NOT EXISTS ${BITNET_JSON_INCLUDE_DIR}/nlohmann/json.hpp)
        message(FATAL_ERROR "BITNET_JSON_INCLUDE_DIR: no nlohmann/json.hpp in ${BITNET_JSON_INCLUDE_DIR}")
    endif()
    add_library(nlohmann_json::nlohmann_json INTERFACE IMPORTED)
    target_include_directories(nlohmann_json::nlohmann_json INTERFACE ${BITNET_JSON_INCLUDE_DIR})
endif()
if(NOT TARGET nlohmann_json::nlohmann_json)
    find_package(nlohmann_json 3.10 QUIET)
endif()
if(NOT TARGET nlohmann_json::nlohmann_json)
    message(FATAL_ERROR "nlohmann/json 3.10 or newer not found. Debian and Ubuntu: apt-get install nlohmann-json3-dev. "
        "Elsewhere: -DBITNET_JSON_INCLUDE_DIR=<folder holding nlohmann/json.hpp>")
endif()
