//! One A and one B for all tests of this program, and what they did.

use std::{
    collections::HashMap,
    sync::{Arc, Condvar, LazyLock, Mutex, mpsc},
    thread,
    time::Duration,
};

use hostile_peer::client::{Reaction, Target};
use lab::{
    attacks::{Case, Servers, table},
    program::Program,
};

/// The slowest is done after 30 s; this is far beyond.
const ALL_PLAYED_WITHIN: Duration = Duration::from_secs(90);

/// What A and B did, by the attack's name.
type Results = HashMap<&'static str, [Result<Reaction, String>; 2]>;

/// Whom to attack, and what came of those attacks that take long, which go on side by side from the start.
pub struct Field {
    /// A and B, by the attack's name.
    pub targets: HashMap<&'static str, [Target; 2]>,
    waited: Arc<(Mutex<Results>, Condvar)>,
}

pub static FIELD: LazyLock<Field> = LazyLock::new(|| {
    let (send, receive) = mpsc::channel();
    let waited = Arc::new((Mutex::new(Results::new()), Condvar::new()));
    let results = waited.clone();
    // Children die with the thread that started them; this one lives as long as the tests.
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let program = Program::at(env!("CARGO_BIN_EXE_lab")).with_defaults();
            let servers = Servers::start(&program).await.unwrap();
            for case in table::CASES.iter().filter(|case| case.waits()) {
                let (targets, results) = (servers.ours(case), results.clone());
                tokio::spawn(async move {
                    let seen = attack_both(case, &targets).await;
                    results.0.lock().unwrap().insert(case.name, seen);
                    results.1.notify_all();
                });
            }
            send.send(table::CASES.iter().map(|case| (case.name, servers.ours(case))).collect()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    Field { targets: receive.recv().unwrap(), waited }
});

async fn attack_both(case: &Case, [a, b]: &[Target; 2]) -> [Result<Reaction, String>; 2] {
    let (a, b) = tokio::join!(case.run(a), case.run(b));
    [a, b].map(|seen| seen.map_err(|error| format!("{error:#}")))
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// What A and B did.
pub fn both(case: &'static Case) -> [Result<Reaction, String>; 2] {
    let Field { targets, waited } = &*FIELD;
    if !case.waits() {
        return block_on(attack_both(case, &targets[case.name]));
    }
    let (results, changed) = &**waited;
    let waiting = changed
        .wait_timeout_while(results.lock().unwrap(), ALL_PLAYED_WITHIN, |results| !results.contains_key(case.name));
    waiting.unwrap().0.get(case.name).unwrap_or_else(|| panic!("{} is not over", case.name)).clone()
}
