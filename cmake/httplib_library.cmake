# httplib::httplib, the way it comes: its own package file, or pkg-config's (Debian).
find_package(PkgConfig QUIET)
find_package(httplib QUIET)
if(NOT TARGET httplib::httplib)
    if(PKG_CONFIG_FOUND)
        pkg_check_modules(CPP_HTTPLIB QUIET IMPORTED_TARGET GLOBAL cpp-httplib)
    endif()
    if(NOT TARGET PkgConfig::CPP_HTTPLIB)
        message(FATAL_ERROR "cpp-httplib not found. Debian and Ubuntu: apt-get install libcpp-httplib-dev. "
            "Or configure with -DBITNET_SERVER=OFF -DBITNET_EXAMPLES=OFF")
    endif()
    add_library(httplib::httplib ALIAS PkgConfig::CPP_HTTPLIB)
endif()
