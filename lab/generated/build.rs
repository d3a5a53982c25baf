//! Compiles what `service-runtime` has committed as generated code. In a build script, so that the compiler is the one that
//! `echo-proto` is built with: a test that depends on it would have sixteen crates compiled a second time.

use std::{env, fs, path::PathBuf};

include!("src/protos.rs");

fn main() -> anyhow::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    for proto in PROTOS {
        let mut compiler = protox::Compiler::new([format!("{ROOT}/{}", proto.folder)])?;
        compiler.include_source_info(true).include_imports(true);
        compiler.open_file(format!("{}.proto", proto.name))?;
        let made = out.join(proto.code);
        fs::create_dir_all(&made)?;
        tonic_prost_build::configure().out_dir(&made).compile_fds(compiler.file_descriptor_set())?;
        fs::write(made.join(format!("{}.bin", proto.package)), compiler.encode_file_descriptor_set())?;
        println!("cargo:rerun-if-changed={ROOT}/{}", proto.folder);
    }
    Ok(())
}
