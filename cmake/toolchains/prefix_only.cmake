# For the toolchain files: packages, libraries and headers come from CMAKE_PREFIX_PATH alone, never from the build machine's own
# folders, whose libraries are for another processor.
set(CMAKE_FIND_ROOT_PATH ${CMAKE_PREFIX_PATH})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
foreach(kind LIBRARY INCLUDE PACKAGE)
    set(CMAKE_FIND_ROOT_PATH_MODE_${kind} ONLY)
endforeach()
set(ENV{PKG_CONFIG_LIBDIR} /nonexistent)  # empty would mean the default
