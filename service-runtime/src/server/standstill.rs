//! Notices that the process stood still: stopped by a signal, frozen by its container, or without a CPU.
//!
//! A call that came meanwhile lay in the socket, and nobody can tell for how long: its time in the log begins when it is read. So the log
//! says that there was such a time.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use tokio::time::sleep;
use tracing::warn;

use crate::deadline::millis;

/// How often the process looks at the clock.
const LOOK: Duration = Duration::from_millis(250);
/// From which length on it tells: far more than a busy machine takes to give a thread its turn.
const WORTH_TELLING: Duration = Duration::from_millis(500);

/// Looks at the clock until it is dropped, and logs each time that was missed.
pub(super) async fn watch() -> Infallible {
    loop {
        let looked = Instant::now();
        sleep(LOOK).await;
        if let Some(stopped) = missed(looked.elapsed()) {
            warn!(stopped_ms = millis(stopped), "the process stood still; calls that came meanwhile waited unread");
        }
    }
}

/// How long the process stood still, at least, where it was `between` two looks: the time beyond [`LOOK`]. `None` below half a second.
fn missed(between: Duration) -> Option<Duration> {
    between.checked_sub(LOOK).filter(|missed| *missed >= WORTH_TELLING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_of_half_a_second_and_more() {
        let ms = Duration::from_millis;
        assert_eq!([0, 250, 749].map(|between| missed(ms(between))), [None; 3]);
        assert_eq!(missed(ms(750)), Some(ms(500)));
        assert_eq!(missed(ms(3000)), Some(ms(2750)));
    }
}
