//! One connection to a name with several addresses: Happy Eyeballs (RFC 8305, gRFC A61), so that an address that does not answer
//! costs a quarter of a second and not the whole time.

use std::{collections::HashSet, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::time::sleep;

use super::{ByteStream, Dial, Endpoint, Resolve, Target, dial::dial};
use crate::{address::Address, status::Cause};

/// How long one try is alone; RFC 8305's Connection Attempt Delay.
const ALONE: Duration = Duration::from_millis(250);

/// The byte stream of whichever address of `target` is connected to first. The next one is tried 250 ms after the last, or when a
/// try fails, families in turns. It may take for ever: whoever calls it keeps the clock.
///
/// Errors: [`Cause::Unresolved`], or what the last try to fail said.
pub async fn dial_any(
    target: &Target,
    resolver: &dyn Resolve,
    dialer: &dyn Dial,
) -> Result<Box<dyn ByteStream>, Cause> {
    let addresses = resolver.resolve(target).await.map_err(|_| Cause::Unresolved)?;
    let mut left = in_turns(addresses).into_iter();
    let mut tries = FuturesUnordered::new();
    let mut failure = Cause::Unresolved;
    loop {
        tries
            .extend(left.next().map(async |address| dial(dialer, &Endpoint { target: target.clone(), address }).await));
        tokio::select! {
            ended = tries.next() => match ended {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(cause)) => failure = cause,
                None => return Err(failure),
            },
            () = sleep(ALONE), if left.len() > 0 => {}
        }
    }
}

/// IPv6 and IPv4 in turns, beginning with what the resolver has first; what is neither goes with IPv4. The same address twice is one.
fn in_turns(addresses: Vec<Address>) -> Vec<Address> {
    let is_ipv6 = |address: &Address| address.tcp().is_some_and(|address| address.is_ipv6());
    let mut known = HashSet::new();
    let first = addresses.first().is_some_and(is_ipv6);
    let once = addresses.into_iter().filter(|address| known.insert(address.clone()));
    let (preferred, other): (Vec<_>, Vec<_>) = once.partition(|address| is_ipv6(address) == first);
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    std::iter::from_fn(|| Some([preferred.next(), other.next()]))
        .take_while(|turn| *turn != [None, None])
        .flatten()
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Mutex};

    use tokio::{io::duplex, time::Instant};

    use super::*;
    use crate::client::BoxFuture;

    /// A name with these addresses, and what comes of a connect to each: to port 1 after a second, to port 2 at once a refusal, to
    /// port 3 at once a connection, and nothing to any other.
    struct Net {
        addresses: Vec<Address>,
        began: Instant,
        /// Which was tried, and after how many milliseconds.
        tried: Mutex<Vec<(Address, u128)>>,
    }

    impl Resolve for Net {
        fn resolve<'a>(&'a self, _: &'a Target) -> BoxFuture<'a, io::Result<Vec<Address>>> {
            Box::pin(async { Ok(self.addresses.clone()) })
        }
    }

    impl Dial for Net {
        fn dial<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Box<dyn ByteStream>>> {
            self.tried.lock().unwrap().push((endpoint.address.clone(), self.began.elapsed().as_millis()));
            Box::pin(async {
                match endpoint.address.tcp().unwrap().port() {
                    1 => sleep(Duration::from_secs(1)).await,
                    2 => return Err(io::ErrorKind::ConnectionRefused.into()),
                    3 => {}
                    _ => std::future::pending().await,
                }
                Ok(Box::new(duplex(1).0) as _)
            })
        }
    }

    /// What comes of it: the addresses that were tried and when, whether it connects, and when that is.
    async fn race(addresses: &[&str]) -> (Vec<(String, u128)>, Result<(), Cause>, u128) {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let net = Net { addresses, began: Instant::now(), tried: Mutex::default() };
        let raced = dial_any(&"service-a:1".parse().unwrap(), &net, &net).await.map(drop);
        let tried = net.tried.into_inner().unwrap();
        (
            tried.into_iter().map(|(address, ms)| (address.to_string(), ms)).collect(),
            raced,
            net.began.elapsed().as_millis(),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn goes_on_to_the_next_address_where_one_does_not_answer_or_fails() {
        let (tried, raced, ms) = race(&["10.0.0.1:9", "10.0.0.2:9", "10.0.0.3:2", "10.0.0.4:3"]).await;
        let expected = [("10.0.0.1:9", 0), ("10.0.0.2:9", 250), ("10.0.0.3:2", 500), ("10.0.0.4:3", 500)];
        assert_eq!((tried, raced, ms), (expected.map(|(address, ms)| (address.to_owned(), ms)).to_vec(), Ok(()), 500));
    }

    #[tokio::test(start_paused = true)]
    async fn takes_the_first_that_connects_also_where_it_is_not_the_last_that_was_tried() {
        let (tried, raced, ms) = race(&["10.0.0.1:1", "10.0.0.2:9"]).await;
        assert_eq!((tried.len(), raced, ms), (2, Ok(()), 1000));
    }

    #[tokio::test(start_paused = true)]
    async fn tries_families_in_turns_and_no_address_twice() {
        let (tried, raced, _) = race(&["[::1]:2", "[::2]:2", "[::1]:2", "10.0.0.1:2", "[::3]:2", "10.0.0.2:2"]).await;
        let order: Vec<_> = tried.iter().map(|(address, _)| address.as_str()).collect();
        assert_eq!(order, ["[::1]:2", "10.0.0.1:2", "[::2]:2", "10.0.0.2:2", "[::3]:2"]);
        assert_eq!(raced, Err(Cause::Unreachable("connection refused")));
    }

    #[tokio::test(start_paused = true)]
    async fn says_that_a_name_without_an_address_does_not_resolve() {
        assert_eq!(race(&[]).await, (Vec::new(), Err(Cause::Unresolved), 0));
    }

    #[test]
    fn orders_ten_thousand_addresses_in_no_time() {
        let addresses: Vec<Address> = (1..10_000).map(|port| ([10, 0, 0, 1], port).into()).collect();
        let began = std::time::Instant::now();
        assert_eq!(in_turns([&addresses[..], &addresses].concat()), addresses);
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }
}
