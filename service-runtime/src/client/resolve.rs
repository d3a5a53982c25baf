//! From a name to its addresses: what the system says, or what else a [`Resolve`] knows.

use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, ToSocketAddrs as _},
    sync::{Mutex, PoisonError},
    thread,
};

use tokio::sync::watch;

use super::{BoxFuture, Target};
use crate::address::Address;

/// Looks up the addresses of a target, each of which is a replica.
pub trait Resolve: Send + Sync + 'static {
    /// One look-up, not made of a target that is an address itself. It may take for ever: whoever calls it keeps the clock. The
    /// same address twice is one; none at all is as bad as an error.
    fn resolve<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, io::Result<Vec<Address>>>;
}

/// The system's resolver: `/etc/hosts`, DNS, and what else it is told to ask.
///
/// It blocks, and there is no way to end it early. So it runs on a thread of its own and not on the runtime's pool, whose end
/// would wait for it: a process that is to end would take as long as DNS. A name that is being looked up already is not looked
/// up a second time: there is one thread for each name at most, however long it takes and however often it is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, io::Result<Vec<Address>>> {
        Box::pin(async {
            match (target.address(), target.name()) {
                (Some(address), _) => Ok(vec![address.clone()]),
                (None, Some((host, port))) => PROCESS.look_up(host, port, ask_the_system).await,
                (None, None) => Ok(Vec::new()),
            }
        })
    }
}

fn ask_the_system(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    (host, port).to_socket_addrs().map(Iterator::collect)
}

static PROCESS: Lookups = Lookups(Mutex::new(BTreeMap::new()));

/// Look-ups under way, by what is looked up.
struct Lookups(Mutex<BTreeMap<(String, u16), Answer>>);

/// `None` while it is under way. An error loses what is behind its text, for it is told to many.
type Answer = watch::Receiver<Option<Result<Vec<Address>, (io::ErrorKind, String)>>>;

impl Lookups {
    async fn look_up(
        &'static self,
        host: &str,
        port: u16,
        ask: fn(&str, u16) -> io::Result<Vec<SocketAddr>>,
    ) -> io::Result<Vec<Address>> {
        let mut answer = self.begun(host, port, ask)?;
        let told = answer.wait_for(Option::is_some).await.ok().and_then(|answer| answer.clone());
        let told = told.unwrap_or_else(|| Err((io::ErrorKind::Other, "the look-up panicked".into())));
        told.map_err(|(kind, text)| io::Error::new(kind, text))
    }

    /// The look-up that is under way, or a new one. Errors: the system refuses a thread.
    fn begun(
        &'static self,
        host: &str,
        port: u16,
        ask: fn(&str, u16) -> io::Result<Vec<SocketAddr>>,
    ) -> io::Result<Answer> {
        let key = (host.to_owned(), port);
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = under_way.get(&key).filter(|answer| answer.has_changed().is_ok()) {
            return Ok(answer.clone());
        }
        let (sender, answer) = watch::channel(None);
        under_way.insert(key.clone(), answer.clone());
        drop(under_way);
        let look_up = move || {
            let found = ask(&key.0, key.1).map(|found| found.into_iter().map(Address::Tcp).collect());
            // Before it is told: whoever asks from now on gets an answer of their own time.
            self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
            sender.send_replace(Some(found.map_err(|error| (error.kind(), error.to_string()))));
        };
        thread::Builder::new().name("resolver".into()).spawn(look_up)?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::{Duration, Instant},
    };

    use futures_util::future::join_all;

    use super::*;

    static ASKED: AtomicUsize = AtomicUsize::new(0);
    static HANGS: Mutex<()> = Mutex::new(());

    /// As a name server that does not answer, for as long as `HANGS` is held.
    fn hangs(_: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        ASKED.fetch_add(1, Ordering::Relaxed);
        let _answers = HANGS.lock().unwrap();
        Ok(vec![([127, 0, 0, 1], port).into()])
    }

    #[test]
    fn neither_holds_a_runtime_back_nor_begins_again_while_it_hangs() {
        static LOOKUPS: Lookups = Lookups(Mutex::new(BTreeMap::new()));
        let hanging = HANGS.lock().unwrap();
        for _ in 0..3 {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let lookups = || join_all((0..10).map(|_| LOOKUPS.look_up("a", 1, hangs)));
            assert!(
                runtime.block_on(async { tokio::time::timeout(Duration::from_millis(10), lookups()).await }).is_err()
            );
            let began = Instant::now();
            drop(runtime);
            assert!(began.elapsed() < Duration::from_millis(250), "{:?}", began.elapsed());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = LOOKUPS.begun("a", 1, hangs).unwrap();
        drop(hanging);
        let found = runtime
            .block_on(async { answer.clone().wait_for(Option::is_some).await.unwrap().clone().unwrap().unwrap() });
        assert_eq!((found, ASKED.load(Ordering::Relaxed)), (vec![([127, 0, 0, 1], 1).into()], 1));
        // From here on it is a new one.
        runtime.block_on(LOOKUPS.look_up("a", 1, hangs)).unwrap();
        assert_eq!(ASKED.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn survives_a_look_up_that_panics() {
        static LOOKUPS: Lookups = Lookups(Mutex::new(BTreeMap::new()));
        for _ in 0..2 {
            let failed = LOOKUPS.look_up("a", 1, |_, _| panic!("on purpose")).await.unwrap_err();
            assert_eq!(failed.to_string(), "the look-up panicked");
        }
    }

    #[tokio::test]
    async fn asks_the_system_for_a_name_and_not_for_an_address() {
        let of = async |text: &str| SystemResolver.resolve(&text.parse().unwrap()).await;
        assert_eq!(of("127.0.0.1:8080").await.unwrap(), [([127, 0, 0, 1], 8080).into()]);
        assert_eq!(of("unix:/run/a.sock").await.unwrap(), ["unix:/run/a.sock".parse().unwrap()]);
        assert!(of("localhost:8080").await.unwrap().iter().all(|address| address.tcp().unwrap().ip().is_loopback()));
        assert!(of("nobody.invalid:8080").await.is_err());
    }
}
