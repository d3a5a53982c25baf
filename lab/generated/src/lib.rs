//! The generated code that `service-runtime` has committed is what its `.proto` files give today. With `GENERATE=1` in the
//! environment the test writes it anew.
#![cfg(test)]

use std::{env, fs, path::Path};

include!("protos.rs");

#[test]
fn generated_code_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(ROOT);
    let made = Path::new(env!("OUT_DIR"));
    for Proto { folder, name, package, code } in PROTOS {
        for file in [format!("{package}.rs"), format!("{package}.bin")] {
            let made = fs::read(made.join(code).join(&file)).expect("the build script wrote it");
            let path = root.join(code).join(&file);
            if env::var_os("GENERATE").is_some() {
                fs::write(&path, &made).expect("the code can be written");
            }
            assert!(
                fs::read(&path).is_ok_and(|kept| kept == made),
                "{code}/{file} is not what {folder}/{name}.proto gives; GENERATE=1 cargo test -p generated"
            );
        }
    }
}
