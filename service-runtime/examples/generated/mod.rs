//! Code made from `examples/proto/`; `tests/generated.rs` makes it anew and compares.

macro_rules! generated {
    ($(#[$comment:meta])* $name:ident, $package:literal) => {
        $(#[$comment])*
        pub mod $name {
            #![allow(dead_code, missing_docs, clippy::all, reason = "generated, and each example uses a part of it")]

            include!(concat!($package, ".rs"));

            /// The encoded `google.protobuf.FileDescriptorSet`.
            pub const DESCRIPTORS: &[u8] = include_bytes!(concat!($package, ".bin"));
        }
    };
}

generated!(
    /// The service of `hello.rs`.
    hello,
    "hello.v1"
);
