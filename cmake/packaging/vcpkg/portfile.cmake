# The library as a vcpkg port, from the checkout that this file is in (README.md beside this folder has the command).
cmake_path(ABSOLUTE_PATH CURRENT_PORT_DIR NORMALIZE OUTPUT_VARIABLE port_dir)
cmake_path(SET SOURCE_PATH NORMALIZE "${port_dir}/../../..")
string(COMPARE EQUAL "${VCPKG_LIBRARY_LINKAGE}" "dynamic" shared)
vcpkg_cmake_configure(
    SOURCE_PATH "${SOURCE_PATH}"
    OPTIONS
        -DBITNET_SHARED=${shared}
        -DBITNET_EXAMPLES=OFF
        -DBITNET_SERVER=OFF
        -DBITNET_TESTS=OFF
)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/bitnet)
vcpkg_fixup_pkgconfig()
vcpkg_copy_pdbs()
# The debug build adds its library, nothing else.
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share"
    "${CURRENT_PACKAGES_DIR}/share/doc")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
file(INSTALL "${CURRENT_PORT_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
