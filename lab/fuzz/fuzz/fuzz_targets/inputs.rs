//! Any target of `service_runtime::fuzz`, named by `FUZZ_TARGET`, for libFuzzer.
#![no_main]

use std::{env, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use fuzz::targets::{TARGETS, Target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    TARGETS.into_iter().find(|target| target.name == name).expect("FUZZ_TARGET names a target that there is")
});

fuzz_target!(|input: &[u8]| {
    (TARGET.holds)(input);
});
