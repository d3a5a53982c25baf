// A part of the build script and of the library.

/// From this crate.
const ROOT: &str = "../../service-runtime";

struct Proto {
    folder: &'static str,
    name: &'static str,
    package: &'static str,
    /// Where its code is committed.
    code: &'static str,
}

const PROTOS: [Proto; 6] = [
    Proto { folder: "proto", name: "health", package: "grpc.health.v1", code: "src/generated" },
    Proto { folder: "examples/proto", name: "chat", package: "chat.v1", code: "examples/generated" },
    Proto { folder: "examples/proto", name: "gateway", package: "gateway.v1", code: "examples/generated" },
    Proto { folder: "examples/proto", name: "hello", package: "hello.v1", code: "examples/generated" },
    Proto { folder: "examples/proto", name: "interop", package: "grpc.testing", code: "examples/generated" },
    Proto { folder: "tests/streams/proto", name: "streams", package: "streams.v1", code: "tests/streams/generated" },
];
