//! What is between the client half and the peer: it dials, spoils wires, and keeps account of every fault and its time.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use hostile_peer::{End, Role, serve};
use tokio::{
    io::duplex,
    runtime::Handle,
    time::{Instant, sleep, timeout},
};

use super::{
    allowed::{self, Set},
    draw::{Bytes, Kind, Path, Phase, healthy},
    span::Span,
    wire::{Cable, Wire},
};
use service_runtime::client::{BoxFuture, ByteStream, Dial, Endpoint};

/// More connects than any seed makes that keeps to its backoff.
const TOO_MANY_DIALS: usize = 5_000;

/// As wide as it takes for writes not to wait.
const WIDE: usize = 1 << 24;

/// A network with one peer in it. A clone is the same.
#[derive(Clone)]
pub struct Net {
    pub role: Role,
    inner: Arc<Mutex<Inner>>,
    /// Tasks of the peer.
    peers: Arc<AtomicUsize>,
}

struct Inner {
    path: Path,
    dials: Vec<Instant>,
    /// Those since the last that could succeed, and every such row before.
    while_down: Vec<Vec<Instant>>,
    cables: Vec<Cable>,
    /// The peer may have stopped in the middle of a frame, on the connections there are.
    mute: bool,
    /// The peer has said how many calls it takes at once.
    limited: bool,
    spans: Vec<Span>,
    story: Vec<String>,
    began: Instant,
}

impl Net {
    pub fn new() -> Self {
        let (dials, cables, spans, story) = Default::default();
        let (while_down, began) = (vec![Vec::new()], Instant::now());
        let inner =
            Inner { path: Path::Clear, dials, while_down, cables, mute: false, limited: false, spans, story, began };
        Net { role: Role::new(healthy()), inner: Arc::new(Mutex::new(inner)), peers: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub fn tell(&self, what: &str) {
        self.tell_of(Instant::now(), what);
    }

    pub fn tell_of(&self, at: Instant, what: &str) {
        let mut inner = self.lock();
        let line = format!("{:9.3} s  {what}", (at - inner.began).as_secs_f64());
        inner.story.push(line);
    }

    /// What was told, in order, and from now on nothing.
    pub fn take_story(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().story)
    }

    pub fn enter(&self, phase: &Phase) {
        self.tell(&format!("{}, {:?}", phase.behavior.name(), phase.path));
        self.role.behave(phase.behavior.clone());
        let mut inner = self.lock();
        inner.end_phase();
        inner.mute = phase.behavior.name() == "half-frame-then-stall";
        inner.limited = phase.behavior.name().starts_with("limit-");
        let may = Span::new(allowed::of_behavior(phase.behavior.name()), None);
        inner.spans.push(may.or_streamed(allowed::of_behavior_in_a_stream(phase.behavior.name())));
        inner.path = phase.path;
        inner.begin_span(allowed::of_path(phase.path), None);
        if let Path::Bytes(bytes @ Bytes { at_once: true, .. }) | Path::ThisOne(bytes) = phase.path {
            let alive = inner.cables.iter().filter(|cable| cable.is_alive()).cloned().collect::<Vec<_>>();
            alive.iter().for_each(|cable| inner.spoil(cable, bytes));
        }
    }

    /// All is well from now on, but for what is stuck already.
    pub fn heal(&self) {
        self.tell("healthy");
        self.role.behave(healthy());
        let mut inner = self.lock();
        inner.end_phase();
        inner.begin_span(allowed::OK, None);
        inner.path = Path::Clear;
        for cable in &inner.cables {
            // A peer that takes garbage for frames would answer nothing for ever: a real one closes. And hyper sends no
            // PING while every call still waits for a stream, so it never finds out that such a connection is stuck.
            let state = cable.lock();
            let for_ever = state.spoilt || matches!(state.hit, Some((_, Kind::Corrupt(_))));
            drop(state);
            if for_ever { cable.reset() } else { cable.heal() }
        }
    }

    pub fn with_spans<T>(&self, read: impl FnOnce(&[Span]) -> T) -> T {
        read(&self.lock().spans)
    }

    pub fn alive(&self) -> Vec<Cable> {
        self.lock().cables.iter().filter(|cable| cable.is_alive()).cloned().collect()
    }

    /// Connects while there was nothing to connect to, each outage for itself.
    pub fn dials_while_down(&self) -> Vec<Vec<Instant>> {
        self.lock().while_down.clone()
    }

    /// The tasks that are not the peer's.
    pub fn tasks(&self) -> usize {
        Handle::current().metrics().num_alive_tasks() - self.peers.load(Ordering::Relaxed)
    }

    /// Counts a connect, and tells what it meets.
    fn dialled(&self) -> Path {
        let name = self.role.behavior().name().to_owned();
        let mut inner = self.lock();
        inner.dials.push(Instant::now());
        assert!(inner.dials.len() < TOO_MANY_DIALS, "connects without a pause");
        let met = match (inner.path, name.as_str()) {
            (Path::RefusedFirst(0), _) => Path::Clear,
            (Path::RefusedFirst(more), _) => {
                inner.path = Path::RefusedFirst(more - 1);
                Path::Refused
            }
            (_, "refuse") => Path::Refused,
            (_, "vanish") => Path::BlackHole,
            (path, _) => path,
        };
        let hopeless = matches!(met, Path::Refused | Path::BlackHole | Path::Brief(_)) || is_down(&name);
        if hopeless {
            inner.while_down.last_mut().expect("one").push(Instant::now());
        } else {
            inner.while_down.push(Vec::new());
        }
        met
    }

    fn connect(&self, path: Path) -> Wire {
        let (io, mut peer) = duplex(WIDE);
        let (wire, cable) = Wire::new(io);
        let mut inner = self.lock();
        let brief = matches!(path, Path::Brief(_));
        let takes_no_call = self.role.behavior().name() == "streams-0";
        cable.lock().spoilt = brief || takes_no_call;
        if takes_no_call {
            inner.begin_span(allowed::of_behavior("streams-0"), Some(cable.clone()));
        }
        if brief {
            inner.begin_span(allowed::ENDS, Some(cable.clone()));
        }
        inner.cables.push(cable.clone());
        if let Path::Bytes(bytes) = path {
            inner.spoil(&cable, bytes);
        }
        let (role, counted) = (self.role.clone(), self.peers.clone());
        tokio::spawn(async move {
            counted.fetch_add(1, Ordering::Relaxed);
            if let Path::Late(by) = path {
                sleep(by).await;
            }
            let end = match path {
                Path::Brief(briefly) => timeout(briefly, serve(&mut peer, &role)).await.unwrap_or(End::Close),
                _ => serve(&mut peer, &role).await,
            };
            if end == End::Reset {
                cable.reset();
            }
            drop(peer);
            counted.fetch_sub(1, Ordering::Relaxed);
        });
        wire
    }
}

/// Peers that one cannot connect to, or not for long enough to count.
fn is_down(name: &str) -> bool {
    let never = ["silent", "garbage", "tls-alert", "http1-400", "http1-503", "settings-then-close"];
    let ends = ["close-on-accept", "reset-on-accept", "close-after-preface", "reset-after-preface"];
    never.contains(&name) || ends.contains(&name)
}

impl Inner {
    fn begin_span(&mut self, may: Set, cable: Option<Cable>) {
        self.spans.push(Span::new(may, cable));
    }

    /// But for the faults of a wire, which last as long as it does.
    fn end_phase(&mut self) {
        if std::mem::take(&mut self.mute) {
            let alive: Vec<_> = self.cables.iter().filter(|cable| cable.is_alive()).cloned().collect();
            for cable in alive {
                cable.lock().mute = true;
                self.begin_span(allowed::SLOW | allowed::ENDS, Some(cable));
            }
        }
        if std::mem::take(&mut self.limited) {
            // A client whose wire is stuck does not read the SETTINGS that lift the limit.
            let stuck: Vec<_> = self.cables.iter().filter(|cable| cable.is_stuck()).cloned().collect();
            stuck.into_iter().for_each(|cable| self.begin_span(allowed::BUSY, Some(cable)));
        }
        for span in self.spans.iter_mut().filter(|span| span.until.is_none() && span.cable.is_none()) {
            span.until = Some(Instant::now());
        }
    }

    fn spoil(&mut self, cable: &Cable, bytes: Bytes) {
        self.begin_span(allowed::of_bytes(bytes, cable.has_lasted()), Some(cable.clone()));
        cable.meets(bytes);
    }
}

impl Dial for Net {
    fn dial<'a>(&'a self, _: &'a Endpoint) -> BoxFuture<'a, io::Result<Box<dyn ByteStream>>> {
        Box::pin(async {
            match self.dialled() {
                Path::Refused => Err(io::ErrorKind::ConnectionRefused.into()),
                Path::BlackHole => std::future::pending().await,
                path => Ok(Box::new(self.connect(path)) as _),
            }
        })
    }
}
