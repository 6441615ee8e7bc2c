"""libbitnet as a Conan 2 package, from the checkout that this file is in: conan create cmake/packaging/conan"""

import re
from pathlib import Path

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rmdir

SOURCES = ("CMakeLists.txt", "LICENSE", "bitnet.h", "cmake/*", "ggml-like/*", "kernels/*", "src/*")


class BitnetConan(ConanFile):
    name = "bitnet"
    description = "Engine for ternary (BitNet b1.58) language models behind one C header"
    license = "MIT"
    topics = ("llm", "bitnet", "ternary", "inference", "gguf")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    # Objects are always position independent. self_contained: a static library that needs no C++ runtime and no PCRE2.
    options = {"shared": [True, False], "self_contained": [True, False]}
    default_options = {"shared": False, "self_contained": False}

    def checkout(self) -> Path:
        return Path(self.recipe_folder).parents[2]

    def set_version(self):
        header = load(self, str(self.checkout() / "bitnet.h"))
        self.version = ".".join(re.findall(r"^#define BITNET_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header, re.MULTILINE))

    def export_sources(self):
        for pattern in SOURCES:
            copy(self, pattern, str(self.checkout()), self.export_sources_folder)

    def configure(self):
        if self.options.shared:
            del self.options.self_contained

    def layout(self):
        cmake_layout(self)

    def requirements(self):
        self.requires("pcre2/[>=10.42 <11]")
        self.requires("nlohmann_json/[>=3.10 <4]")

    def validate(self):
        check_min_cppstd(self, 20)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["BITNET_SHARED"] = bool(self.options.shared)
        toolchain.cache_variables["BITNET_SELF_CONTAINED"] = bool(self.options.get_safe("self_contained", False))
        for part in ("BITNET_EXAMPLES", "BITNET_SERVER", "BITNET_TESTS"):
            toolchain.cache_variables[part] = False
        toolchain.generate()
        dependencies = CMakeDeps(self)
        dependencies.set_property("pcre2::pcre2-8", "cmake_target_name", "PCRE2::8")  # as cmake/FindPCRE2.cmake names it
        dependencies.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", self.source_folder, str(Path(self.package_folder) / "licenses"))
        for folder in ("lib/cmake", "lib/pkgconfig", "share"):  # Conan writes its own
            rmdir(self, str(Path(self.package_folder) / folder))

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "bitnet")
        self.cpp_info.set_property("cmake_target_name", "bitnet::bitnet")
        self.cpp_info.set_property("pkg_config_name", "bitnet")
        self.cpp_info.libs = ["bitnet"]
        if self.options.shared:
            return
        self.cpp_info.defines = ["BITNET_STATIC"]
        if self.settings.os in ("Linux", "FreeBSD"):
            self.cpp_info.system_libs = ["m", "pthread"]
            if not self.options.self_contained:
                self.cpp_info.system_libs.append("stdc++")
                if "pcre2" not in self.dependencies.host:
                    self.cpp_info.system_libs.append("pcre2-8")  # the profile says that the system has it
