//! Compiles gRPC's standard health service, which every process has, and the service of `examples/hello.rs`.

use std::{env, fs, path::PathBuf};

fn main() -> anyhow::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    for (folder, name) in [("proto", "health"), ("examples", "hello")] {
        let mut compiler = protox::Compiler::new([folder])?;
        compiler.include_source_info(true).include_imports(true);
        compiler.open_file(format!("{name}.proto"))?;
        fs::write(out.join(format!("{name}.bin")), compiler.encode_file_descriptor_set())?;
        tonic_prost_build::configure().compile_fds(compiler.file_descriptor_set())?;
        println!("cargo:rerun-if-changed={folder}/{name}.proto");
    }
    Ok(())
}
