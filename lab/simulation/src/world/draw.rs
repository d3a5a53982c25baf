//! What a seed stands for: a world with its clocks, and phases in which peer and network misbehave, each with its calls.

use std::time::Duration;

use hostile_peer::{Behavior, examples};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

/// Everything about one seed but the jitter of the backoff, which has a generator of its own.
#[derive(Debug)]
pub struct Plan {
    pub cap: Duration,
    pub connect_timeout: Duration,
    pub phases: Vec<Phase>,
}

/// A while in which peer and network behave in one way.
#[derive(Debug)]
pub struct Phase {
    pub behavior: Behavior,
    pub path: Path,
    pub shots: Vec<Shot>,
    /// How long after the begin of the last call the next phase begins; without it, once all calls have ended.
    pub leave_after: Option<Duration>,
}

/// What new connections meet on their way.
#[derive(Clone, Copy, Debug)]
pub enum Path {
    Clear,
    Refused,
    /// Connecting never ends.
    BlackHole,
    /// The first ones are refused, this many; the others not.
    RefusedFirst(u32),
    /// How long the peer takes to say anything at all.
    Late(Duration),
    /// How soon after it is there every connection is closed.
    Brief(Duration),
    /// Bytes of new connections, and of the one that is there where it says so.
    Bytes(Bytes),
    /// Only of the one that is there: the next is sound.
    ThisOne(Bytes),
}

/// What becomes of the bytes of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Bytes {
    /// The largest piece in which they come.
    pub piece: usize,
    pub fault: Option<Fault>,
    /// Also on the connection that is there.
    pub at_once: bool,
}

/// Something that happens once `after` bytes have passed one way.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub way: Way,
    pub after: usize,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the peer.
    Out,
    /// From the peer.
    Back,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Close,
    Reset,
    /// No byte passes any more; a writer waits.
    Stall,
    /// What is written vanishes, as with a system that buffers it.
    Swallow,
    /// The next byte is changed by this.
    Corrupt(u8),
}

/// A call.
#[derive(Clone, Copy, Debug)]
pub struct Shot {
    /// Begins once all the earlier ones have ended.
    pub waits: bool,
    pub after: Duration,
    /// The caller's.
    pub timeout: Option<Duration>,
    /// When the caller goes away.
    pub cancel: Option<Duration>,
    /// How long its text is, about.
    pub length: usize,
    /// Its method answers a stream.
    pub streams: bool,
}

impl Plan {
    pub fn of(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let as_shipped = random.random_bool(0.5);
        let cap = if as_shipped { 2000 } else { random.random_range(200..2000) };
        let connect_timeout = if as_shipped { 1000 } else { random.random_range(50..1500) };
        let count = random.random_range(1..=8);
        let phases = (0..count).map(|_| Phase::draw(&mut random)).collect();
        Plan { cap: ms(cap), connect_timeout: ms(connect_timeout), phases }
    }
}

impl Phase {
    fn draw(random: &mut StdRng) -> Self {
        // Sometimes an outage that is long enough to count the connects of a minute.
        let long = random.random_bool(0.04);
        let path = if long { Path::Refused } else { Path::draw(random) };
        let clear = matches!(path, Path::Clear);
        let behavior = if random.random_bool(if clear { 0.1 } else { 0.6 }) { healthy() } else { misbehaved(random) };
        let shots = match long {
            true => (0..24).map(|_| Shot { waits: true, after: ms(3000), ..Shot::draw(random) }).collect(),
            false => (0..random.random_range(1..=4)).map(|_| Shot::draw(random)).collect(),
        };
        let leave_after = random.random_bool(0.25).then(|| ms(random.random_range(0..1500)));
        Phase { behavior, path, shots, leave_after }
    }
}

pub fn healthy() -> Behavior {
    "echo".parse().unwrap()
}

fn misbehaved(random: &mut StdRng) -> Behavior {
    match random.random_range(0..20) {
        0 | 1 => format!("slow-{}ms", random.random_range(1..3000)).parse().unwrap(),
        2 => format!("flap-{}", random.random_range(1..4)).parse().unwrap(),
        // Each row of the table is as likely as any other, however many numbers it has.
        _ => {
            let (row, _) = hostile_peer::list().collect::<Vec<_>>().choose(random).copied().unwrap();
            let start = row.split('<').next().unwrap();
            let end = row.rsplit('>').next().unwrap();
            let fits = |it: &Behavior| it.name() == row || row.contains('<') && it.name().starts_with(start);
            let of_row: Vec<_> = examples().into_iter().filter(|it| fits(it) && it.name().ends_with(end)).collect();
            of_row.choose(random).unwrap().clone()
        }
    }
}

impl Path {
    fn draw(random: &mut StdRng) -> Self {
        match random.random_range(0..20) {
            0 => Path::Refused,
            1 => Path::BlackHole,
            2 => Path::RefusedFirst(random.random_range(1..6)),
            3 => Path::Late(ms(random.random_range(0..1800))),
            4 => Path::Brief(ms(random.random_range(1..150))),
            5..11 => Path::Bytes(Bytes::draw(random)),
            11..14 => Path::ThisOne(Bytes::draw(random)),
            _ => Path::Clear,
        }
    }
}

impl Bytes {
    fn draw(random: &mut StdRng) -> Self {
        let piece = if random.random_bool(0.3) { random.random_range(1..60) } else { usize::MAX };
        let fault = random.random_bool(0.9).then(|| Fault::draw(random));
        Bytes { piece, fault, at_once: random.random_bool(0.5) }
    }
}

impl Fault {
    fn draw(random: &mut StdRng) -> Self {
        let way = if random.random_bool(0.5) { Way::Out } else { Way::Back };
        // A call takes some 300 bytes out and 100 back, the greeting 60 and 20.
        let most = [1, 80, 400, 2000, 40_000].choose(random).copied().unwrap();
        let after = random.random_range(0..most);
        let kind = match random.random_range(0..6) {
            0 => Kind::Close,
            1 => Kind::Reset,
            2 => Kind::Stall,
            3 if way == Way::Out => Kind::Swallow,
            3 => Kind::Stall,
            _ => Kind::Corrupt(1 << random.random_range(0..8)),
        };
        Fault { way, after, kind }
    }
}

impl Shot {
    fn draw(random: &mut StdRng) -> Self {
        let most = [7, 100, 1000, 4000].choose(random).copied().unwrap();
        let shot = Shot {
            waits: random.random_bool(0.5),
            after: ms([0, 1, 50, 300, 1200].choose(random).copied().unwrap()),
            timeout: random.random_bool(0.6).then(|| ms(random.random_range(0..most))),
            cancel: random.random_bool(0.15).then(|| ms(random.random_range(0..300))),
            length: [0, 0, 0, 3000, 30_000].choose(random).copied().unwrap(),
            streams: random.random_bool(0.25),
        };
        // A stream has no time but its caller's, and may go on for ever.
        let timeout = if shot.streams { shot.timeout.or(Some(ms(5000))) } else { shot.timeout };
        Shot { timeout, ..shot }
    }

    /// A patient one at the end, when all is well.
    pub fn plain() -> Self {
        Shot { waits: true, after: ms(100), timeout: None, cancel: None, length: 0, streams: false }
    }
}

pub const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
