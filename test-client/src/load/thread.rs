//! One thread that makes calls: a runtime, connections and a tally of its own, so that no call waits for another thread.

use std::{rc::Rc, sync::Arc, time::Duration};

use tokio::{
    runtime::Runtime,
    task::{LocalSet, spawn_local},
    time::timeout,
};

use super::{
    busy::Busy,
    loops,
    tally::Tally,
    worker::{Shared, Worker},
};

/// How long after its deadline a call may take to end; one that takes longer is lost.
const LOST_AFTER_DEADLINE: Duration = Duration::from_secs(1);

/// Makes calls until all are made, or Ctrl-C comes. Blocks.
pub fn work(runtime: Runtime, shared: Arc<Shared>, index: usize) -> Tally {
    let tally = LocalSet::new().block_on(&runtime, async {
        let worker = Rc::new(Worker::connect(shared, index).await);
        run(worker).await
    });
    // A resolver that is still looking for the name must not hold the report back.
    runtime.shutdown_background();
    tally
}

async fn run(worker: Rc<Worker>) -> Tally {
    let showing = spawn_local(worker.clone().show());
    let busy = Busy::now();
    let mut stop = worker.shared.stop.clone();
    let finished = async {
        match worker.shared.load.rate {
            Some(rate) => loops::open(&worker, rate).await,
            None => loops::closed(&worker).await,
        }
        let _ = timeout(worker.timeout() + LOST_AFTER_DEADLINE, worker.none_in_flight()).await;
    };
    let stopped = tokio::select! {
        () = finished => false,
        _ = stop.wait_for(|stop| *stop) => true,
    };
    showing.abort();
    worker.finish(stopped, busy.share())
}
