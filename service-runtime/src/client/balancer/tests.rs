//! Who gets the calls: replicas over duplex, on a paused clock.

mod simulation;

use std::{collections::BTreeMap, io, time::Duration};

use hostile_peer::{Role, serve};
use tokio::{
    io::duplex,
    time::{Instant, sleep, timeout},
};

use super::*;
use crate::{
    client::{
        Backoff, BoxFuture, ByteStream, Dial, Endpoint, replica::Attempt, replicas::ReplicaConfig, subset::Subset,
    },
    deadline::{Deadline, SetBy},
    identity::Peer,
};

/// A way to a replica: a peer at the other end, or why there is none.
#[derive(Clone)]
enum Way {
    To(Role),
    Refused,
    Never,
}

impl Dial for Way {
    fn dial<'a>(&'a self, _: &'a Endpoint) -> BoxFuture<'a, io::Result<Box<dyn ByteStream>>> {
        Box::pin(async {
            match self {
                Way::To(role) => {
                    let (ours, theirs) = duplex(64 * 1024);
                    let role = role.clone();
                    tokio::spawn(async move { serve(theirs, &role).await });
                    Ok(Box::new(ours) as _)
                }
                Way::Refused => Err(io::ErrorKind::ConnectionRefused.into()),
                Way::Never => std::future::pending().await,
            }
        })
    }
}

/// The way to each replica, by its address.
struct Ways<D>(BTreeMap<Address, D>);

impl<D: Dial> Dial for Ways<D> {
    fn dial<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Box<dyn ByteStream>>> {
        self.0[&endpoint.address].dial(endpoint)
    }
}

fn to(behavior: &str) -> Way {
    Way::To(Role::new(behavior.parse().unwrap()))
}

fn address(port: u16) -> Address {
    ([127, 0, 0, 1], port).into()
}

/// Replicas on ports from 1.
fn balancer<D: Dial>(ways: impl IntoIterator<Item = D>) -> Balancer {
    let ways = Ways((1..).map(address).zip(ways).collect());
    let addresses: Vec<_> = ways.0.keys().cloned().collect();
    let config = ReplicaConfig {
        peer: Peer::new("service-a"),
        dialer: Arc::new(ways),
        connect_timeout: Duration::from_secs(1),
        max_backoff: Duration::from_secs(1),
        keepalive: None,
        connections: 1,
        total: Arc::default(),
        log: Arc::default(),
        outliers: Arc::default(),
        subset: Subset { size: 1000, client: 0 },
    };
    let target: crate::client::Target = "service-a:1".parse().unwrap();
    let endpoint = |address| Endpoint { target: target.clone(), address };
    let replicas = addresses.into_iter().map(|address| (endpoint(address), Backoff::default()));
    Balancer::of(config, replicas)
}

/// All that can connect have done so.
async fn settled<D: Dial>(ways: impl IntoIterator<Item = D>) -> Balancer {
    let balancer = balancer(ways);
    sleep(Duration::from_millis(100)).await;
    balancer
}

async fn begin(balancer: &Balancer, avoid: &[Address]) -> Attempt {
    let mut attempt = balancer.pick(avoid).await.unwrap();
    attempt.begin(Some((Deadline::after(Duration::from_secs(1)), SetBy::Cap)));
    attempt
}

async fn picked(balancer: &Balancer, avoid: &[Address]) -> u16 {
    begin(balancer, avoid).await.replica.endpoint.address.tcp().unwrap().port()
}

/// How often each is picked by a caller who makes one call after the other.
async fn spread(balancer: &Balancer, calls: usize) -> BTreeMap<u16, usize> {
    let mut spread = BTreeMap::new();
    for _ in 0..calls {
        *spread.entry(picked(balancer, &[]).await).or_insert(0) += 1;
    }
    spread
}

#[tokio::test(start_paused = true)]
async fn gives_calls_in_turn_where_all_are_equal() {
    let balancer = settled([to("echo"), to("echo"), to("echo")]).await;
    assert_eq!(spread(&balancer, 300).await, [(1, 100), (2, 100), (3, 100)].into());
}

#[tokio::test(start_paused = true)]
async fn gives_no_call_to_a_replica_that_is_not_ready_while_another_is() {
    let balancer = settled([Way::Refused, to("echo"), to("silent"), to("http1-400"), Way::Never]).await;
    assert_eq!(spread(&balancer, 100).await, [(2, 100)].into());
}

#[tokio::test(start_paused = true)]
async fn shares_the_turn_of_one_that_is_not_ready_among_the_others() {
    let balancer = settled([to("echo"), Way::Refused, to("echo"), to("echo")]).await;
    assert_eq!(spread(&balancer, 300).await, [(1, 100), (3, 100), (4, 100)].into());
}

#[tokio::test(start_paused = true)]
async fn prefers_the_one_with_fewer_calls_in_flight() {
    let balancer = settled([to("echo"), to("echo")]).await;
    let first = balancer.replicas.set()[0].clone();
    let busy = [first.reserve(), first.reserve()];
    assert_eq!(spread(&balancer, 100).await, [(2, 100)].into());
    drop(busy);
    assert_eq!(spread(&balancer, 100).await, [(1, 50), (2, 50)].into());
}

#[tokio::test(start_paused = true)]
async fn makes_the_next_attempt_elsewhere_if_there_is_an_elsewhere() {
    let balancer = settled([to("echo"), to("echo")]).await;
    for _ in 0..100 {
        assert_eq!(picked(&balancer, &[address(1)]).await, 2);
    }
    let both = picked(&balancer, &[address(1), address(2)]).await;
    assert!([1, 2].contains(&both));
}

#[tokio::test(start_paused = true)]
async fn begins_calls_in_turn_also_where_each_is_made_again() {
    let balancer = settled([to("echo"), to("echo")]).await;
    let mut first = BTreeMap::new();
    for _ in 0..100 {
        let port = picked(&balancer, &[]).await;
        *first.entry(port).or_insert(0) += 1;
        if port == 1 {
            assert_eq!(picked(&balancer, &[address(1)]).await, 2);
        }
    }
    assert_eq!(first, [(1, 50), (2, 50)].into());
}

#[tokio::test(start_paused = true)]
async fn gives_no_call_to_a_replica_that_keeps_failing_until_it_had_time_to_mend() {
    let balancer = settled([to("echo"), to("echo")]).await;
    let mut failures = 0;
    while failures < 5 {
        let mut attempt = begin(&balancer, &[]).await;
        let fails = attempt.replica.endpoint.address.tcp().unwrap().port() == 1;
        failures += usize::from(fails);
        attempt.ended(fails.then_some(Cause::Answered(14)));
    }
    assert_eq!(spread(&balancer, 100).await, [(2, 100)].into());
    // No others: better the sick one than none.
    assert_eq!(picked(&balancer, &[address(2)]).await, 2, "the healthy one, although it failed this call");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(spread(&balancer, 100).await, [(1, 50), (2, 50)].into());
}

#[tokio::test(start_paused = true)]
async fn takes_a_call_that_ran_out_of_a_fair_time_for_a_failure_and_no_other() {
    let balancer = settled([to("echo"), to("echo")]).await;
    for (time, ejected) in [(50, false), (500, true)] {
        for _ in 0..20 {
            let mut attempt = balancer.pick(&[]).await.unwrap();
            let is_first = attempt.replica.endpoint.address.tcp().unwrap().port() == 1;
            attempt.begin(Some((Deadline::after(Duration::from_millis(time)), SetBy::Cap)));
            if is_first {
                sleep(Duration::from_millis(time)).await;
                drop(attempt);
            } else {
                attempt.ended(None);
            }
        }
        assert_eq!(spread(&balancer, 10).await.contains_key(&1), !ejected, "after {time} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn waits_for_a_first_try_and_for_no_other() {
    let began = Instant::now();
    let balancer = balancer([Way::Refused, Way::Never]);
    // The second is still connecting: a call waits for it, as long as that try lasts.
    let failure = balancer.pick(&[]).await.map(|_| ()).unwrap_err();
    assert_eq!((failure.cause, began.elapsed()), (Cause::Unreachable("connection refused"), Duration::from_secs(1)));
    let at_once = timeout(Duration::from_millis(1), balancer.pick(&[])).await.expect("at once");
    assert!(at_once.is_err());
}

#[tokio::test(start_paused = true)]
async fn tells_the_failure_that_tells_most() {
    let balancer = settled([Way::Refused, to("http1-400"), Way::Refused]).await;
    let failure = balancer.pick(&[]).await.map(|_| ()).unwrap_err();
    assert_eq!(failure.cause, Cause::NotGrpc("not HTTP/2"));
}

#[tokio::test(start_paused = true)]
async fn keeps_the_connections_of_replicas_that_stay_and_lets_the_others_go() {
    let balancer = settled([to("echo"), to("echo")]).await;
    let (kept, gone) = (balancer.replicas.set()[0].clone(), balancer.replicas.set()[1].clone());
    let in_flight = gone.reserve().unwrap();
    let never = Failure { cause: Cause::Unresolved, next_try: None };
    balancer.replicas.replace(std::slice::from_ref(&kept.endpoint), never);
    assert_eq!(spread(&balancer, 10).await, [(1, 10)].into());
    assert!(Arc::ptr_eq(&balancer.replicas.set()[0], &kept));
    assert!(!in_flight.connection.is_gone(), "a call in flight may finish");
    balancer.replicas.replace(&[], never);
    let failure = balancer.pick(&[]).await.map(|_| ()).unwrap_err();
    assert_eq!(failure.cause, Cause::Unresolved);
}
