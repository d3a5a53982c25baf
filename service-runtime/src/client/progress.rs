//! How far a call has come, and how its attempts failed.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;
use tonic::{Code, Status};

use super::{backoff::FIRST_PAUSE, balancer::Balancer, replica::Replica, retry::Pushback, state::Failure};
use crate::{
    address::Address,
    context,
    deadline::{Deadline, SetBy},
    origin::Blame,
    status::Cause,
};

/// A peer that gives up so close to our own deadline gave up because of it.
const SAME_MOMENT: Duration = Duration::from_millis(10);

/// How far a call has come; decides what a passed deadline means, and what the next attempt is.
#[derive(Default)]
pub(crate) struct Progress {
    pub begun: bool,
    /// Attempts that went out.
    pub sent: u32,
    /// Whether one is under way.
    pub sending: bool,
    /// Attempts that failed and were made again, without the transparent one.
    pub failed: u32,
    pub retried_transparently: bool,
    /// How the last attempt that went out failed.
    pub last: Option<Last>,
    /// Who has failed this call.
    pub tried: Vec<Address>,
    /// Who has, or had, the last attempt.
    pub replica: Option<Address>,
    /// Where that is, for the log.
    pub url: Option<Arc<str>>,
}

pub(crate) struct Last {
    pub failed: Failed,
    pub transparent: bool,
}

impl Progress {
    pub fn sent(&mut self, replica: &Replica) {
        self.sent += 1;
        self.sending = true;
        self.replica = Some(replica.endpoint.address.clone());
        self.url = Some(replica.url.clone());
    }

    /// The connection was gone before the request was on it.
    pub fn not_sent(&mut self) {
        self.sent -= 1;
        self.sending = false;
    }

    pub fn failed_transparently(&mut self, failed: Failed) {
        self.retried_transparently = true;
        self.ended(Last { failed, transparent: true });
    }

    pub fn failed(&mut self, failed: Failed) {
        self.failed += 1;
        self.ended(Last { failed, transparent: false });
    }

    fn ended(&mut self, last: Last) {
        self.sending = false;
        self.last = Some(last);
        self.tried.extend(self.replica.clone());
    }

    pub fn earlier(&mut self) -> Option<Failed> {
        self.last.take().map(|last| last.failed)
    }

    /// How many there were; looking for a connection in vain counts as one.
    pub fn attempts(&self) -> u32 {
        self.sent.max(u32::from(self.begun))
    }

    pub fn passed(&mut self, set_by: SetBy, balancer: &Balancer) -> Failed {
        match (set_by, self.sending) {
            (SetBy::Caller, _) => Failed::because(Cause::Deadline),
            (SetBy::Cap, true) => Failed::because(Cause::Timeout),
            (SetBy::Cap, false) => self.earlier().unwrap_or_else(|| Failed::because(balancer.waits_for())),
        }
    }
}

/// Which replica it was.
pub(crate) fn blame(replica: Option<Address>, served_by: Option<&HeaderValue>) -> Blame {
    let instance = served_by.and_then(|by| by.to_str().ok()?.split(',').next()?.split_once('/'));
    Blame { replica, instance: instance.map(|(_, instance)| instance.to_owned()) }
}

/// A call that failed.
pub(crate) struct Failed {
    pub cause: Cause,
    pub next_try: Option<Instant>,
    pub pushback: Pushback,
    pub served_by: Option<HeaderValue>,
    pub is_by_peer: bool,
}

impl Failed {
    pub fn because(cause: Cause) -> Self {
        Failed { cause, next_try: None, pushback: Pushback::default(), served_by: None, is_by_peer: false }
    }

    pub fn of(status: &Status, deadline: Option<(Deadline, SetBy)>) -> Self {
        let own = match deadline {
            Some((_, SetBy::Cap)) => Cause::Timeout,
            _ => Cause::Deadline,
        };
        let time_is_up = deadline.is_some_and(|(deadline, _)| deadline.remaining() <= SAME_MOMENT);
        let gave_up = |cause: Cause| matches!(cause.code(), Code::DeadlineExceeded | Code::Cancelled);
        let cause = match Cause::of(status) {
            Cause::Timeout => own,
            cause @ Cause::Answered(_) if gave_up(cause) && time_is_up => own,
            cause => cause,
        };
        let next_try = cause.soon_worth_a_retry().then(|| Instant::now() + FIRST_PAUSE);
        let headers = status.metadata().as_ref();
        Failed { cause, next_try, pushback: Pushback::read(headers), served_by: served_by(headers), is_by_peer: false }
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Failed { next_try: failure.next_try, ..Self::because(failure.cause) }
    }
}

/// The longest `served-by` that is passed on, in bytes: seven hops of the longest names that we give.
const LONGEST_SERVED_BY: usize = 1024;

/// Who answered, by the peer's word. Of a list that is too long the hops that fit.
pub(crate) fn served_by(headers: &HeaderMap) -> Option<HeaderValue> {
    let hops = context::served_by(headers)?;
    if hops.len() <= LONGEST_SERVED_BY {
        return Some(hops);
    }
    let (whole, _) = hops.to_str().ok()?.get(..=LONGEST_SERVED_BY)?.rsplit_once(',')?;
    HeaderValue::from_str(whole).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served_by_of(text: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(context::SERVED_BY, HeaderValue::from_bytes(text.as_bytes()).unwrap())]);
        served_by(&headers).map(|hops| hops.to_str().unwrap().to_owned())
    }

    #[test]
    fn passes_on_who_answered_whatever_they_are_called_up_to_a_bound() {
        assert_eq!(served_by_of("service-a/büro, x/1").as_deref(), Some("service-a/b%C3%BCro, x/1"));
        let hop = format!("service-a/{}", "x".repeat(128));
        let hops = |number: usize| vec![hop.clone(); number].join(", ");
        assert_eq!(served_by_of(&hops(7)), Some(hops(7)));
        assert_eq!(served_by_of(&hops(20)), Some(hops(7)));
        assert_eq!(served_by_of(&"x".repeat(2000)), None);
    }

    #[test]
    fn names_the_instance_that_failed_whatever_it_is_called() {
        let hops = HeaderValue::from_static("service-a/b%C3%BCro,service-c/1");
        assert_eq!(blame(None, Some(&hops)).instance.as_deref(), Some("b%C3%BCro"));
    }
}
