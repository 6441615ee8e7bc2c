// Finds libbitnet. In this order:
//   BITNET_LIBRARY   path of the library itself: /opt/bitnet/lib/libbitnet.so (or libbitnet.a, with BITNET_STATIC=1)
//   BITNET_LIB_DIR   the folder that it lies in
//   pkg-config       the command, where it knows "bitnet"
//   otherwise the linker looks where it always looks.
// BITNET_STATIC=1 links the static library, with what that needs. Crates above may read the folder as DEP_BITNET_LIB_DIR.
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn folder_from_environment() -> Option<PathBuf> {
    if let Some(library) = env::var_os("BITNET_LIBRARY").filter(|value| !value.is_empty()) {
        return Path::new(&library).parent().map(Path::to_path_buf);
    }
    env::var_os("BITNET_LIB_DIR").filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The folders and libraries that pkg-config names; None where there is no pkg-config or it does not know the library.
fn ask_pkg_config(is_static: bool) -> Option<Vec<String>> {
    let mut command = Command::new(env::var_os("PKG_CONFIG").unwrap_or_else(|| "pkg-config".into()));
    if is_static {
        command.arg("--static");
    }
    let output = command.args(["--libs", "bitnet"]).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_string).collect())
}

fn main() {
    for variable in ["BITNET_LIBRARY", "BITNET_LIB_DIR", "BITNET_STATIC", "PKG_CONFIG", "PKG_CONFIG_PATH"] {
        println!("cargo:rerun-if-env-changed={}", variable);
    }
    if env::var_os("DOCS_RS").is_some() {
        return; // documentation is built without the library
    }
    let is_static = env::var("BITNET_STATIC").map_or(false, |value| value == "1");
    let kind = if is_static { "static" } else { "dylib" };
    if let Some(folder) = folder_from_environment() {
        let folder = folder.canonicalize().unwrap_or(folder);
        println!("cargo:rustc-link-search=native={}", folder.display());
        println!("cargo:rustc-link-lib={}=bitnet", kind);
        println!("cargo:lib_dir={}", folder.display());
        if is_static {
            println!("cargo:rustc-link-lib=pcre2-8");
            println!("cargo:rustc-link-lib=stdc++");
        }
        return;
    }
    match ask_pkg_config(is_static) {
        Some(flags) => {
            for flag in flags {
                if let Some(folder) = flag.strip_prefix("-L") {
                    println!("cargo:rustc-link-search=native={}", folder);
                    println!("cargo:lib_dir={}", folder);
                } else if flag == "-lbitnet" {
                    println!("cargo:rustc-link-lib={}=bitnet", kind);
                } else if let Some(library) = flag.strip_prefix("-l") {
                    println!("cargo:rustc-link-lib={}", library);
                }
            }
        }
        None => println!("cargo:rustc-link-lib={}=bitnet", kind),
    }
}
