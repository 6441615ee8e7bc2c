// Asks a C compiler ($CC, or "cc") for the layout of the structs that layout_test.rs lists, and compares. The header lies in
// BITNET_INCLUDE, else four folders above this one's crate.
use std::path::PathBuf;
use std::process::Command;

/// A struct, one of its fields, and: size of the struct, offset and size of the field.
pub struct Row {
    pub name: &'static str,
    pub field: &'static str,
    pub numbers: [usize; 3],
}

pub fn size_behind<T>(_: *const T) -> usize {
    std::mem::size_of::<T>()
}

#[macro_export]
macro_rules! rows {
    ($rows:ident, $name:ident: $($field:ident),* $(,)?) => {
        let place = std::mem::MaybeUninit::<$name>::uninit();
        let begin = place.as_ptr();
        $(
            // Only addresses are taken; nothing is read.
            let field = unsafe { std::ptr::addr_of!((*begin).$field) };
            $rows.push($crate::compare_layout::Row {
                name: stringify!($name),
                field: stringify!($field).trim_start_matches("r#"),
                numbers: [
                    std::mem::size_of::<$name>(),
                    field as usize - begin as usize,
                    $crate::compare_layout::size_behind(field),
                ],
            });
        )*
    };
}

pub fn compare(rows: &[Row]) {
    assert!(rows.len() > 500, "the header has more fields than that");
    let include = std::env::var_os("BITNET_INCLUDE")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../..")));
    let mut program = String::from("#include <stdio.h>\n#include \"bitnet.h\"\nint main(void) {\n");
    for row in rows {
        program += &format!(
            "printf(\"%zu %zu %zu\\n\", sizeof({0}), offsetof({0}, {1}), sizeof((({0} *)0)->{1}));\n",
            row.name, row.field
        );
    }
    program += "return 0;\n}\n";
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (source, binary) = (folder.join("layout.c"), folder.join("layout"));
    std::fs::write(&source, program).unwrap();
    let compiler = std::env::var("CC").ok().filter(|value| !value.is_empty()).unwrap_or_else(|| "cc".into());
    let status = Command::new(compiler)
        .args(["-DBITNET_STATIC", "-O0", "-I"])
        .args([&include, &source])
        .arg("-o")
        .arg(&binary)
        .status()
        .expect("a C compiler");
    assert!(status.success(), "the program of offsets does not compile");
    let output = Command::new(&binary).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let found: Vec<&str> = text.lines().collect();
    assert_eq!(found.len(), rows.len());
    for (row, line) in rows.iter().zip(found) {
        let [size, offset, width] = row.numbers;
        assert_eq!(format!("{} {} {}", size, offset, width), line, "{}.{}", row.name, row.field);
    }
}
