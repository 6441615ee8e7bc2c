# Runs inside cpack, once for each kind of package, before anything is installed into it. Writes what only finished programs
# can tell (manual pages, SBOM), and gives Debian packages a build folder of their own: copies of the same
# binaries, configured for /usr and lib/<machine>, so that every path in the package files is right without any of them patched.
cmake_policy(VERSION 3.25)
set(ENV{SOURCE_DATE_EPOCH} ${CPACK_BITNET_DATE})  # CPack takes the times inside archives from here

function(bitnet_run)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "packages: ended with ${result}: ${ARGN}\n${output}")
    endif()
endfunction()

file(MAKE_DIRECTORY ${CPACK_BITNET_FILES} ${CPACK_PACKAGE_DIRECTORY})
set(sbom ${CPACK_BITNET_FILES}/bitnet.cdx.json)
set(stale NO)  # the second kind of package takes what was written for the first
set(programs "")
foreach(program bin/bitnet bin/server)
    if(EXISTS ${CPACK_BITNET_BUILD}/${program})
        list(APPEND programs ${program})
    endif()
endforeach()
list(TRANSFORM programs PREPEND ${CPACK_BITNET_BUILD}/ OUTPUT_VARIABLE binaries)
foreach(made_from ${binaries} ${CPACK_BITNET_BUILD}/lib/${CPACK_BITNET_LIBRARY} ${CPACK_BITNET_BUILD}/CPackConfig.cmake
        ${CPACK_BITNET_SOURCE}/cmake/make_sbom.py ${CPACK_BITNET_SOURCE}/cmake/manual_page.py)
    if(${made_from} IS_NEWER_THAN ${sbom})
        set(stale YES)
    endif()
endforeach()
if(stale AND CPACK_BITNET_PYTHON)
    file(REMOVE_RECURSE ${CPACK_BITNET_FILES})
    file(MAKE_DIRECTORY ${CPACK_BITNET_FILES})
    foreach(program IN LISTS programs)
        cmake_path(GET program FILENAME name)
        string(REPLACE server bitnet-server name ${name})
        if(NOT CPACK_BITNET_CROSS)
            bitnet_run(${CPACK_BITNET_PYTHON} ${CPACK_BITNET_SOURCE}/cmake/manual_page.py ${CPACK_BITNET_BUILD}/${program} ${name}
                ${CPACK_BITNET_FILES})
        endif()
    endforeach()
    if(CPACK_BITNET_GENERATOR MATCHES "Ninja" AND EXISTS /var/lib/dpkg/status)
        bitnet_run(${CPACK_BITNET_PYTHON} ${CPACK_BITNET_SOURCE}/cmake/make_sbom.py --source ${CPACK_BITNET_SOURCE}
            --build ${CPACK_BITNET_BUILD} --output ${sbom})
    else()
        message(STATUS "No SBOM: it is made from Ninja's list of headers and dpkg's of packages")
    endif()
endif()
if(EXISTS ${sbom})
    file(COPY_FILE ${sbom} ${CPACK_PACKAGE_DIRECTORY}/${CPACK_PACKAGE_FILE_NAME}.cdx.json)
endif()

if(CPACK_GENERATOR STREQUAL "DEB")
    file(READ ${CPACK_BITNET_SOURCE}/LICENSE license)
    string(REGEX REPLACE "^MIT License\n\n(Copyright[^\n]*)\n\n" "" license "${license}")
    set(copyright "${CMAKE_MATCH_1}")
    string(STRIP "${license}" license)
    string(REGEX REPLACE "\n\n" "\n.\n" license "${license}")
    string(REGEX REPLACE "\n" "\n " license "${license}")
    string(REGEX REPLACE "^Copyright \\(c\\) " "" copyright "${copyright}")
    file(WRITE ${CPACK_BITNET_FILES}/copyright
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: bitnet\n\n"
        "Files: *\nCopyright: ${copyright}\nLicense: Expat\n ${license}\n")
    string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
    file(WRITE ${CPACK_BITNET_FILES}/changelog.Debian
        "bitnet (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium\n\n"
        "  * Release ${CPACK_PACKAGE_VERSION}.\n\n -- ${CPACK_PACKAGE_CONTACT}  ${date}\n")
    # Debian wants documents compressed, without a name or time in them.
    file(GLOB documents ${CPACK_BITNET_FILES}/changelog.Debian ${CPACK_BITNET_FILES}/*.1)
    bitnet_run(gzip -9 -n -k -f ${documents})

    set(twin ${CPACK_BITNET_BUILD}/debian-layout)
    file(REMOVE_RECURSE ${twin})
    bitnet_run(${CMAKE_COMMAND} -G ${CPACK_BITNET_GENERATOR} -S ${CPACK_BITNET_SOURCE} -B ${twin}
        -C ${CPACK_BITNET_BUILD}/debian-layout-cache.cmake -DBITNET_DEBIAN_LAYOUT=ON -DBITNET_TESTS=OFF
        -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_INSTALL_LIBDIR=lib/${CPACK_BITNET_MULTIARCH})
    file(REMOVE_RECURSE ${twin}/package-files)
    file(CREATE_LINK ${CPACK_BITNET_FILES} ${twin}/package-files SYMBOLIC)
    foreach(folder bin lib)
        file(GLOB built LIST_DIRECTORIES OFF ${CPACK_BITNET_BUILD}/${folder}/bitnet ${CPACK_BITNET_BUILD}/${folder}/server
            ${CPACK_BITNET_BUILD}/${folder}/libbitnet.*)
        file(COPY ${built} DESTINATION ${twin}/${folder})
    endforeach()
    set(CPACK_INSTALL_CMAKE_PROJECTS "${twin};bitnet;ALL;/")
endif()
