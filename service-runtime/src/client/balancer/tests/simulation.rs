//! Many replicas and many callers at once, simulated: how evenly calls fall, and what a sick replica costs until it gets none.
//!
//! Calls are simulated as far as the balancer sees them: each takes its time, and ends well or not. docs/operating.md tells the
//! figures; run this with `--nocapture` to see them.

use futures_util::future::join_all;
use tokio::sync::watch;

use super::*;

/// How long the callers call: enough for a silent replica to be found out. A thousand replicas take a shorter time, for they take
/// a longer one to simulate.
fn lasts(replicas: u16) -> Duration {
    Duration::from_millis(if replicas > 100 { 500 } else { 5000 })
}

const DEATH: Duration = Duration::from_millis(250);
const TIMEOUT: Duration = Duration::from_secs(2);
/// Two callers for each replica keep it busy; more than these would simulate nothing else.
const MOST_CALLERS: usize = 100;

/// What is wrong with the first replica, from the start.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sick {
    Not,
    /// It answers UNAVAILABLE, in a millisecond.
    Unavailable,
    /// It answers nothing.
    Silent,
    /// It dies after a quarter of a second, and its connection with it.
    Dead,
}

/// What came of it.
#[derive(Debug)]
struct Figures {
    calls: usize,
    /// What the busiest replica got, and a replica gets on average; the sick one is left out.
    most: usize,
    mean: f64,
    /// How many the sick one got since it was sick, and when the last of them began.
    wasted: usize,
    last: Duration,
}

impl Figures {
    fn most_to_mean(&self) -> f64 {
        self.most as f64 / self.mean
    }
}

/// A way to a replica that lives for as long as this says.
struct Mortal(watch::Receiver<bool>);

impl Dial for Mortal {
    fn dial<'a>(&'a self, _: &'a Endpoint) -> BoxFuture<'a, io::Result<Box<dyn ByteStream>>> {
        let mut lives = self.0.clone();
        if !*lives.borrow() {
            return Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) });
        }
        let (ours, theirs) = duplex(1024);
        let role = Role::new("echo".parse().unwrap());
        tokio::spawn(async move {
            tokio::select! {
                _ = serve(theirs, &role) => {}
                _ = lives.wait_for(|lives| !lives) => {}
            }
        });
        Box::pin(async { Ok(Box::new(ours) as _) })
    }
}

/// `replicas` replicas, called by twice as many callers or a hundred, each one call after the other.
async fn simulated(replicas: u16, sick: Sick) -> Figures {
    let (first, healthy) = (watch::Sender::new(true), watch::Sender::new(true));
    let life = |port| if port == 1 { first.subscribe() } else { healthy.subscribe() };
    let balancer = settled((1..=replicas).map(|port| Mortal(life(port)))).await;
    let (began, ends) = (Instant::now(), Instant::now() + lasts(replicas));
    let death = async {
        if sick == Sick::Dead {
            sleep(DEATH).await;
            first.send_replace(false);
        }
    };
    let callers = (2 * usize::from(replicas)).min(MOST_CALLERS);
    let calls = join_all((0..callers).map(|_| caller(&balancer, sick, ends)));
    let (calls, ()) = tokio::join!(calls, death);
    figures(replicas, sick, began, &calls.concat())
}

/// The port of each replica that was called, and when.
async fn caller(balancer: &Balancer, sick: Sick, ends: Instant) -> Vec<(u16, Instant)> {
    let mut calls = Vec::new();
    while Instant::now() < ends {
        let mut attempt = balancer.pick(&[]).await.unwrap();
        let port = attempt.replica.endpoint.address.tcp().unwrap().port();
        calls.push((port, Instant::now()));
        attempt.begin(Some((Deadline::after(TIMEOUT), SetBy::Cap)));
        match sick {
            Sick::Unavailable if port == 1 => {
                sleep(Duration::from_millis(1)).await;
                attempt.ended(Some(Cause::Answered(14)));
            }
            Sick::Silent if port == 1 => sleep(TIMEOUT).await,
            _ => {
                sleep(Duration::from_millis(rand::random_range(1..20))).await;
                attempt.ended(None);
            }
        }
    }
    calls
}

fn figures(replicas: u16, sick: Sick, began: Instant, calls: &[(u16, Instant)]) -> Figures {
    // A call of the same moment may still meet it.
    let since = if sick == Sick::Dead { began + DEATH + Duration::from_millis(1) } else { began };
    let is_sick = |port: u16| sick != Sick::Not && port == 1;
    let mut spread = BTreeMap::new();
    for (port, _) in calls.iter().filter(|(port, _)| !is_sick(*port)) {
        *spread.entry(*port).or_insert(0) += 1;
    }
    let healthy = usize::from(replicas) - usize::from(sick != Sick::Not);
    let mean = spread.values().sum::<usize>() as f64 / healthy as f64;
    let wasted: Vec<_> = calls.iter().filter(|(port, at)| is_sick(*port) && *at >= since).collect();
    let last = wasted.iter().map(|(_, at)| *at - began).max().unwrap_or_default();
    let most = spread.values().copied().max().unwrap_or_default();
    Figures { calls: calls.len(), most, mean, wasted: wasted.len(), last }
}

const COUNTS: [u16; 5] = [1, 2, 10, 100, 1000];

#[tokio::test(start_paused = true)]
async fn spreads_the_calls_of_many_callers_evenly_over_any_number_of_replicas() {
    for replicas in COUNTS {
        let figures = simulated(replicas, Sick::Not).await;
        println!("{replicas:4} replicas: most to mean {:.2} of {} calls", figures.most_to_mean(), figures.calls);
        assert!(figures.most_to_mean() <= 1.5, "{replicas}: {figures:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn wastes_few_calls_on_a_sick_replica() {
    for replicas in COUNTS.into_iter().skip(1) {
        for sick in [Sick::Unavailable, Sick::Silent, Sick::Dead] {
            let figures = simulated(replicas, sick).await;
            let Figures { wasted, last, calls, .. } = figures;
            println!("{replicas:4} replicas, {sick:?}: {wasted} of {calls} calls, the last after {last:?}");
            let (most, until) = match sick {
                Sick::Not => unreachable!("not one of them"),
                // Five in a row; and those that were under way by then.
                Sick::Unavailable => (7, Duration::from_millis(500)),
                Sick::Silent => (12, 3 * TIMEOUT),
                // The connection tells it at once.
                Sick::Dead => (0, Duration::ZERO),
            };
            assert!(wasted <= most && last <= until, "{replicas} replicas, {sick:?}: {figures:?}");
        }
    }
}
