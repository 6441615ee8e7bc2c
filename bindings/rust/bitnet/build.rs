// Tests and examples of this crate find the library where it was linked from, installed or not. (Cargo does not hand such
// flags on: a program of yours needs the library where its loader looks, or a build.rs like this one.)
fn main() {
    if let Some(folder) = std::env::var_os("DEP_BITNET_LIB_DIR") {
        if std::env::var("CARGO_CFG_UNIX").is_ok() {
            println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.to_string_lossy());
        }
    }
}
