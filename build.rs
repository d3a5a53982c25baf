//! Compiles `proto/` into Rust; this is the build script of `echo-proto`.
//!
//! protox is a Protocol Buffers compiler written in Rust: nobody has to install protoc.

use std::{env, fs, path::PathBuf};

fn main() -> anyhow::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    let mut compiler = protox::Compiler::new(["../proto"])?;
    compiler.include_source_info(true).include_imports(true);
    compiler.open_file("echo.proto")?;

    // Reflection and the method table read the descriptor set at run time.
    fs::write(out.join("descriptor.bin"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure().compile_fds(compiler.file_descriptor_set())?;
    println!("cargo:rerun-if-changed=../proto");
    Ok(())
}
