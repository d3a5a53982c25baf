//! The generated code that is committed is what its `.proto` gives today. With `GENERATE=1` in the environment it is written anew.

use std::{env, fs, path::Path};

/// The folder of a `.proto`, its name, its package, and where the code is.
const PROTOS: [(&str, &str, &str, &str); 6] = [
    ("proto", "health", "grpc.health.v1", "src/generated"),
    ("examples/proto", "chat", "chat.v1", "examples/generated"),
    ("examples/proto", "gateway", "gateway.v1", "examples/generated"),
    ("examples/proto", "hello", "hello.v1", "examples/generated"),
    ("examples/proto", "interop", "grpc.testing", "examples/generated"),
    ("tests/streams/proto", "streams", "streams.v1", "tests/streams/generated"),
];

#[test]
fn generated_code_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (folder, name, package, target) in PROTOS {
        let mut compiler = protox::Compiler::new([root.join(folder)]).unwrap();
        compiler.include_source_info(true).include_imports(true);
        compiler.open_file(format!("{name}.proto")).unwrap();
        let made = env::temp_dir().join(format!("generated-{}-{name}", std::process::id()));
        fs::create_dir_all(&made).unwrap();
        let generator = tonic_prost_build::configure().out_dir(&made);
        generator.compile_fds(compiler.file_descriptor_set()).unwrap();
        let code = fs::read(made.join(format!("{package}.rs"))).unwrap();
        fs::remove_dir_all(&made).unwrap();
        for (file, made) in
            [(format!("{package}.rs"), code), (format!("{package}.bin"), compiler.encode_file_descriptor_set())]
        {
            let path = root.join(target).join(&file);
            if env::var_os("GENERATE").is_some() {
                fs::write(&path, &made).unwrap();
            }
            let is_current = fs::read(&path).is_ok_and(|kept| kept == made);
            assert!(
                is_current,
                "{target}/{file} is not what {folder}/{name}.proto gives; GENERATE=1 cargo test --test generated"
            );
        }
    }
}
