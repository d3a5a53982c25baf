//! A compressed message: what comes out of it is within the limit, or it is refused; never more in memory than that.

use bytes::Bytes;
use service_runtime::harness::{Encoding, FRAME_HEADER, Wrong};
use tonic::Status;

use super::framing::LIMIT;

pub const WORDS: &str =
    r"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03 \x1f\x8b\x08 \xcb\xc8\x04\x00 \x03\x00 \x00\x00\x00\x00 \xff\xff \x00";

/// The bytes of a gzip stream, whole or broken.
pub fn holds(input: &[u8]) -> bool {
    let length = u32::try_from(input.len()).expect("inputs are short");
    let frame = [&[1][..], &length.to_be_bytes(), input].concat();
    match Encoding::Gzip.undo::<Status>(Bytes::from(frame), LIMIT) {
        Ok(undone) => {
            let length = u32::try_from(undone.len() - FRAME_HEADER).expect("within the limit");
            assert!(undone.len() <= LIMIT + FRAME_HEADER);
            assert_eq!((undone[0], &undone[1..FRAME_HEADER]), (0, &length.to_be_bytes()[..]));
            true
        }
        Err(Wrong::TooLarge | Wrong::BadFlag) => false,
        Err(wrong) => panic!("{wrong:?}"),
    }
}
