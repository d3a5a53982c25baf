//! Panics for tests to find, wherever they were: a runtime keeps those of its tasks to itself.

use std::{cell::RefCell, panic, sync::Once};

thread_local! {
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// From now on every panic is noted, on the thread that it was on.
pub fn note() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // A thread that is ending is not asked any more.
            let _ = PANICS.try_with(|panics| panics.borrow_mut().push(info.to_string()));
            before(info);
        }));
    });
}

/// Those of this thread since it was last asked.
pub fn take() -> Vec<String> {
    PANICS.take()
}
