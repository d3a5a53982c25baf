//! Memory in small pages.

/// Keeps the system from giving this process memory in huge pages.
///
/// mimalloc asks for them. One is there as a whole, 2 MiB, once a byte of it is touched: with them B began at 19 MiB instead of
/// 8, and a connection without a call took 34 kB instead of 17. Where the system has none there is nothing to do.
pub(crate) fn are_small() {
    #[cfg(all(feature = "mimalloc", target_os = "linux"))]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
