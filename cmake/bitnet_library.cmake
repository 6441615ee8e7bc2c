# The public library: every object of the three internal ones, only bitnet_* visible, and its installation.
# The objects go in directly, so the shared library drops none and the static one is a single self-contained archive.
set(bitnet_objects $<TARGET_OBJECTS:bitnet_kernels> $<TARGET_OBJECTS:bitnet_tensor> $<TARGET_OBJECTS:bitnet_engine>)
if(BITNET_SHARED)
    add_library(bitnet SHARED ${bitnet_objects})
else()
    add_library(bitnet STATIC ${bitnet_objects})
    target_compile_definitions(bitnet PUBLIC BITNET_STATIC)
endif()
add_library(bitnet::bitnet ALIAS bitnet)
target_include_directories(bitnet INTERFACE $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set(bitnet_linker_language CXX)
if(BITNET_SELF_CONTAINED)
    include(self_contained)
    set(bitnet_linker_language C)
    target_link_libraries(bitnet PRIVATE Threads::Threads $<LINK_ONLY:m> ${CMAKE_DL_LIBS})
else()
    target_link_libraries(bitnet PRIVATE Threads::Threads PCRE2::8 ${CMAKE_DL_LIBS})
endif()
target_link_options(bitnet PRIVATE $<TARGET_PROPERTY:bitnet_settings,INTERFACE_LINK_OPTIONS>)

# bitnet.h promises binary compatibility within a major version, before 1.0 within a minor one; the soname says the same.
if(PROJECT_VERSION_MAJOR EQUAL 0)
    set(bitnet_soversion 0.${PROJECT_VERSION_MINOR})
    set(bitnet_compatibility SameMinorVersion)
else()
    set(bitnet_soversion ${PROJECT_VERSION_MAJOR})
    set(bitnet_compatibility SameMajorVersion)
endif()
set_target_properties(bitnet PROPERTIES LINKER_LANGUAGE ${bitnet_linker_language}
    VERSION ${PROJECT_VERSION} SOVERSION ${bitnet_soversion} INSTALL_RPATH "")

if(WIN32)
    target_link_libraries(bitnet PRIVATE synchronization)  # WaitOnAddress
    set_target_properties(bitnet PROPERTIES PREFIX "")  # bitnet.dll
endif()
if(BITNET_SHARED AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
    # Hidden visibility does not cover templates of the standard library (they are instantiated with default visibility);
    # the version script does, and our own calls of bitnet_* stay inside (-Bsymbolic) where another version of this library
    # came first. Two engines in one process then share nothing but libstdc++.
    set(bitnet_export_map ${PROJECT_SOURCE_DIR}/cmake/bitnet.map)
    target_link_options(bitnet PRIVATE LINKER:--version-script=${bitnet_export_map} LINKER:-Bsymbolic
        LINKER:-z,relro,-z,now)
    set_property(TARGET bitnet APPEND PROPERTY LINK_DEPENDS ${bitnet_export_map})
    if(NOT BITNET_SANITIZE)  # a sanitizer's runtime comes with the program, not with the library
        target_link_options(bitnet PRIVATE LINKER:--no-undefined)
    endif()
endif()

if(BITNET_INSTALL)
    include(CMakePackageConfigHelpers)
    set(bitnet_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/bitnet)
    # Components: library is what a finished program needs, dev what a compiler needs, tools are the programs.
    install(TARGETS bitnet EXPORT bitnet-targets RUNTIME COMPONENT library LIBRARY COMPONENT library NAMELINK_COMPONENT dev
        ARCHIVE COMPONENT dev)
    install(FILES bitnet.h TYPE INCLUDE COMPONENT dev)
    if(NOT BITNET_DEBIAN_LAYOUT)  # a file "copyright" per package there
        install(FILES LICENSE TYPE DOC COMPONENT library)
    endif()
    install(EXPORT bitnet-targets NAMESPACE bitnet:: DESTINATION ${bitnet_package_dir} COMPONENT dev)
    configure_package_config_file(cmake/bitnet-config.cmake.in ${PROJECT_BINARY_DIR}/bitnet-config.cmake
        INSTALL_DESTINATION ${bitnet_package_dir} NO_SET_AND_CHECK_MACRO)
    write_basic_package_version_file(${PROJECT_BINARY_DIR}/bitnet-config-version.cmake
        COMPATIBILITY ${bitnet_compatibility})
    install(FILES ${PROJECT_BINARY_DIR}/bitnet-config.cmake ${PROJECT_BINARY_DIR}/bitnet-config-version.cmake
        DESTINATION ${bitnet_package_dir} COMPONENT dev)
    if(NOT BITNET_SHARED)
        install(FILES cmake/FindPCRE2.cmake DESTINATION ${bitnet_package_dir} COMPONENT dev)
        set(bitnet_pc_cflags "-DBITNET_STATIC")
        set(bitnet_pc_libs_private "-lstdc++ -lm -pthread -lpcre2-8")
        if(BITNET_SELF_CONTAINED)
            set(bitnet_pc_libs_private "-lm -pthread")
        elseif(NOT PC_PCRE2_FOUND)
            set(bitnet_pc_libs_private "-lstdc++ -lm -pthread ${PCRE2_LIBRARY}")
        endif()
    endif()
    if(NOT BITNET_SHARED AND CMAKE_DL_LIBS)
        string(APPEND bitnet_pc_libs_private " -l${CMAKE_DL_LIBS}")
    endif()
    # Relative to the .pc file, so the installed tree may be moved.
    cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
        OUTPUT_VARIABLE bitnet_pc_prefix)
    configure_file(cmake/bitnet.pc.in ${PROJECT_BINARY_DIR}/bitnet.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/bitnet.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)
endif()
