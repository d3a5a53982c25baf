//! Whether a call is made again, and when (gRFC A6). The loop itself stands in `upstream`.

use std::time::Duration;

use http::HeaderMap;

use rand::{RngExt, rngs::StdRng};

use crate::{fields::single, origin::PUSHBACK, status::Cause};

/// The first pause; the next is twice as long. Full jitter: any time up to that.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// What the peer says of a retry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pushback {
    /// Nothing.
    #[default]
    Silent,
    /// After this time.
    After(Duration),
    /// Not at all.
    Never,
}

impl Pushback {
    /// Reads `grpc-retry-pushback-ms`; what is below zero or no number, such as one with a sign, says no, and so do
    /// two of them.
    pub fn read(headers: &HeaderMap) -> Self {
        let Ok(value) = single(headers, PUSHBACK) else { return Pushback::Never };
        let Some(value) = value else { return Pushback::Silent };
        let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let ms = digits.and_then(|digits| digits.parse::<u32>().ok());
        ms.map_or(Pushback::Never, |ms| Pushback::After(Duration::from_millis(ms.into())))
    }
}

/// How long to wait before the attempt after `attempt` (the first is 1), if there may be one.
pub fn pause(
    cause: Cause,
    pushback: Pushback,
    (attempt, attempts): (u32, u32),
    random: &mut StdRng,
) -> Option<Duration> {
    if !cause.configured_retry() || attempt >= attempts {
        return None;
    }
    match pushback {
        Pushback::Never => None,
        Pushback::After(pause) => Some(pause),
        Pushback::Silent => Some((FIRST_PAUSE * 2_u32.saturating_pow(attempt - 1)).mul_f64(random.random())),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn pause(cause: Cause, pushback: Pushback, attempt: u32, attempts: u32) -> Option<Duration> {
        super::pause(cause, pushback, (attempt, attempts), &mut StdRng::from_rng(&mut rand::rng()))
    }

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(PUSHBACK.parse::<http::HeaderName>().unwrap(), value.parse().unwrap())])
    }

    #[test]
    fn reads_what_the_peer_says_of_a_retry() {
        assert_eq!(Pushback::read(&HeaderMap::new()), Pushback::Silent);
        assert_eq!(Pushback::read(&headers("20")), Pushback::After(Duration::from_millis(20)));
        assert_eq!(Pushback::read(&headers("0")), Pushback::After(Duration::ZERO));
        for no in ["-1", "+1", "abc", "", "1.5", " 1", "4294967296"] {
            assert_eq!(Pushback::read(&headers(no)), Pushback::Never, "{no}");
        }
        let mut twice = headers("20");
        twice.append(PUSHBACK, "20".parse().unwrap());
        assert_eq!(Pushback::read(&twice), Pushback::Never);
    }

    #[test]
    fn makes_at_most_three_attempts_and_waits_sixty_milliseconds_at_most_in_all() {
        let lost = Cause::ConnectionLost("closed");
        for _ in 0..1000 {
            let pauses = [1, 2, 3].map(|attempt| pause(lost, Pushback::Silent, attempt, 3));
            let [Some(first), Some(second), None] = pauses else { panic!("{pauses:?}") };
            assert!(first <= FIRST_PAUSE && second <= FIRST_PAUSE * 2, "{pauses:?}");
        }
        assert_eq!(pause(lost, Pushback::Silent, 1, 1), None);
    }

    #[test]
    fn does_as_the_peer_says() {
        let says = |pushback| pause(Cause::Answered(14), pushback, 1, 3);
        assert_eq!(says(Pushback::Never), None);
        assert_eq!(says(Pushback::After(Duration::from_secs(1))), Some(Duration::from_secs(1)));
        assert_eq!(pause(Cause::Answered(13), Pushback::After(Duration::ZERO), 1, 3), None);
    }
}
