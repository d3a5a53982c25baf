//! A peer whose addresses and byte streams come from a resolver and a dialer of the user's own, and what is answered where these
//! are no good. On a paused clock, over `tokio::io::duplex`.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use hostile_peer::{Role, serve};
use http::{Response, uri::PathAndQuery};
use service_runtime::{
    Address, Identity, Peer,
    client::{
        BoxFuture, ByteStream, Dial, Endpoint, MethodKind, Resolve, Target, Upstream, UpstreamConfig, WorkerUpstream,
    },
    context::Context,
    deadline::Deadline,
    origin::Origin,
};
use tokio::{
    io::{DuplexStream, duplex},
    time::{Instant, sleep},
};
use tonic::{Code, Request, client::Grpc};
use tonic_prost::ProstCodec;

/// What a look-up comes to.
enum Lookups {
    Find(Vec<Address>),
    Fail,
    Hang,
}

impl Resolve for Lookups {
    fn resolve<'a>(&'a self, _: &'a Target) -> BoxFuture<'a, io::Result<Vec<Address>>> {
        Box::pin(async {
            match self {
                Lookups::Find(addresses) => Ok(addresses.clone()),
                Lookups::Fail => Err(io::Error::other("no name server")),
                Lookups::Hang => std::future::pending().await,
            }
        })
    }
}

/// What a dial comes to, and where to.
struct Dials {
    way: Way,
    dialled: Mutex<Vec<Address>>,
    named: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone, Copy)]
enum Way {
    Echo,
    /// Notes whom it is taken for.
    Named,
    Closed,
    Hang,
}

impl Dial for Dials {
    fn dial<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Box<dyn ByteStream>>> {
        self.dialled.lock().unwrap().push(endpoint.address.clone());
        Box::pin(async {
            let (ours, theirs) = duplex(64 * 1024);
            match self.way {
                Way::Echo => drop(tokio::spawn(async { serve(theirs, &Role::new("echo".parse().unwrap())).await })),
                Way::Named => drop(tokio::spawn(note_authority(theirs, self.named.clone()))),
                Way::Closed => drop(theirs),
                Way::Hang => std::future::pending().await,
            }
            Ok(Box::new(ours) as _)
        })
    }
}

/// Answers nothing of use, and notes whom its callers take it for.
async fn note_authority(io: DuplexStream, named: Arc<Mutex<Vec<String>>>) {
    let mut connection = h2::server::handshake(io).await.unwrap();
    while let Some(Ok((request, mut answer))) = connection.accept().await {
        named.lock().unwrap().push(request.uri().authority().unwrap().to_string());
        let head = Response::builder().header("content-type", "application/grpc").header("grpc-status", "5");
        answer.send_response(head.body(()).unwrap(), true).unwrap();
    }
}

/// B's way to A; what it has dialled; and when it began.
struct Started {
    upstream: WorkerUpstream,
    dials: Arc<Dials>,
    began: Instant,
}

fn start(lookups: Lookups, way: Way, change: impl FnOnce(&mut UpstreamConfig)) -> Started {
    let dials = Arc::new(Dials { way, dialled: Mutex::default(), named: Arc::default() });
    let mut config = UpstreamConfig::new(vec!["service-a:1".parse().unwrap()]);
    change(&mut config);
    let peer = Peer::new("service-a");
    let upstream = Upstream::new(peer.clone(), config).unwrap().resolver(Arc::new(lookups)).dialer(dials.clone());
    let identity = Identity::new("service-b", "echo.v1").calls(peer);
    Started { upstream: upstream.connect(&identity), dials, began: Instant::now() }
}

impl Started {
    /// One call: OK, or the code, reason and details of its failure; and the time since the start.
    async fn call(&self, timeout: Option<Duration>) -> (Result<(), (Code, String, Option<String>)>, Duration) {
        let mut context = Context::new();
        context.deadline = timeout.map(Deadline::after);
        let mut grpc = Grpc::new(self.upstream.channel(&context));
        grpc.ready().await.unwrap();
        let mut request = Request::new(());
        request.extensions_mut().insert(MethodKind::UNARY);
        let path = PathAndQuery::from_static("/echo.v1.EchoService/Echo");
        let answer = grpc.unary::<(), (), _>(request, path, ProstCodec::default());
        let answer = answer.await.map(drop).map_err(|status| {
            let origin = Origin::of(&status).unwrap();
            (status.code(), origin.reason, origin.details)
        });
        (answer, self.began.elapsed())
    }
}

fn address(n: u16) -> Address {
    ([10, 0, 0, 1], n).into()
}

fn unavailable(reason: &str, details: &str) -> Result<(), (Code, String, Option<String>)> {
    Err((Code::Unavailable, reason.to_owned(), Some(details.to_owned())))
}

const MS: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn is_unresolved_at_once_where_the_resolver_finds_nothing_or_fails() {
    for lookups in [Lookups::Find(Vec::new()), Lookups::Fail] {
        let (answer, after) = start(lookups, Way::Echo, |_| {}).call(None).await;
        assert_eq!(answer, unavailable("SERVICE_A_UNRESOLVED", "name not found"));
        assert!(after < 50 * MS, "{after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn is_unresolved_after_the_connect_timeout_where_the_resolver_hangs_and_from_then_on_at_once() {
    let started = start(Lookups::Hang, Way::Echo, |_| {});
    for _ in 0..2 {
        let (answer, after) = started.call(None).await;
        assert_eq!(answer, unavailable("SERVICE_A_UNRESOLVED", "name not found"));
        assert!((1000 * MS..1050 * MS).contains(&after), "{after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn takes_an_address_that_comes_twice_for_one_replica() {
    let started = start(Lookups::Find(vec![address(1), address(2), address(1)]), Way::Echo, |_| {});
    sleep(100 * MS).await;
    assert_eq!(started.call(None).await.0, Ok(()));
    let mut dialled = started.dials.dialled.lock().unwrap().clone();
    dialled.sort();
    assert_eq!(dialled, [address(1), address(2)]);
}

#[tokio::test(start_paused = true)]
async fn connects_to_its_subset_of_ten_thousand_addresses_and_does_not_stall() {
    let began = std::time::Instant::now();
    let started = start(Lookups::Find((1..=10_000).map(address).collect()), Way::Echo, |_| {});
    assert_eq!(started.call(None).await.0, Ok(()));
    // Over a minute of its own clock, and so some more look-ups.
    sleep(70_000 * MS).await;
    let dialled: BTreeSet<_> = started.dials.dialled.lock().unwrap().iter().cloned().collect();
    assert_eq!(dialled.len(), 100);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn is_unreachable_after_the_connect_timeout_where_the_dialer_hangs() {
    let started = start(Lookups::Find(vec![address(1)]), Way::Hang, |_| {});
    let (answer, after) = started.call(None).await;
    assert_eq!(answer, unavailable("SERVICE_A_UNREACHABLE", "connect timeout"));
    assert!((1000 * MS..1050 * MS).contains(&after), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn is_unreachable_at_once_where_the_dialer_brings_a_stream_that_is_closed() {
    let started = start(Lookups::Find(vec![address(1)]), Way::Closed, |_| {});
    let (answer, after) = started.call(None).await;
    assert_eq!(answer, unavailable("SERVICE_A_UNREACHABLE", "closed"));
    assert!(after < 50 * MS, "{after:?}");
    sleep(60_000 * MS).await;
    // docs/contract.md, row 12.
    assert!(started.dials.dialled.lock().unwrap().len() <= 80);
}

#[tokio::test(start_paused = true)]
async fn ends_a_call_at_its_own_time_where_the_connect_timeout_is_longer() {
    let long = |config: &mut UpstreamConfig| {
        config.timeout = 500 * MS;
        config.connect_timeout = 60_000 * MS;
    };
    for lookups in [Lookups::Find(vec![address(1)]), Lookups::Hang] {
        let hangs = matches!(lookups, Lookups::Hang);
        let started = start(lookups, Way::Hang, long);
        let (answer, after) = started.call(None).await;
        let expected = match hangs {
            true => unavailable("SERVICE_A_UNRESOLVED", "name not found"),
            false => unavailable("SERVICE_A_UNREACHABLE", "connect timeout"),
        };
        assert_eq!(answer, expected);
        assert!((500 * MS..550 * MS).contains(&after), "{after:?}");
        let (answer, _) = started.call(Some(100 * MS)).await;
        assert_eq!(answer.unwrap_err().0, Code::DeadlineExceeded);
        assert!(started.began.elapsed() < after + 105 * MS);
    }
}

#[tokio::test(start_paused = true)]
async fn asks_no_resolver_about_an_address_and_has_calls_name_what_the_target_says() {
    for (target, address, authority) in [
        ("unix:/run/a.sock", "unix:/run/a.sock", "localhost"),
        ("http://[fe80::1%257]:80", "[fe80::1%7]:80", "[fe80::1]:80"),
        ("ipv4:10.0.0.1:80", "10.0.0.1:80", "10.0.0.1:80"),
    ] {
        let at = |config: &mut UpstreamConfig| config.targets = vec![target.parse().unwrap()];
        let started = start(Lookups::Hang, Way::Named, at);
        let (answer, after) = started.call(None).await;
        assert_eq!(answer.unwrap_err().1, "SERVICE_A_ERROR", "{target}");
        assert!(after < 50 * MS, "{after:?}");
        assert_eq!(*started.dials.dialled.lock().unwrap(), [address.parse().unwrap()]);
        assert_eq!(*started.dials.named.lock().unwrap(), [authority]);
    }
}

#[tokio::test(start_paused = true)]
async fn does_not_have_an_address_wait_for_a_name_that_is_looked_up_beside_it() {
    let both = |config: &mut UpstreamConfig| config.targets.push("10.0.0.1:1".parse().unwrap());
    let (answer, after) = start(Lookups::Hang, Way::Echo, both).call(None).await;
    assert_eq!(answer, Ok(()));
    assert!(after < 50 * MS, "{after:?}");
}
