//! Calls that wait, in the order in which they came: for a free stream, or for a first try to connect that is under way.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::changes::Changes;
use crate::address::Address;

/// The calls of one worker to one peer that wait, each for a `T`.
pub(crate) struct Line<T> {
    waiting: Mutex<Waiting<T>>,
    changes: Arc<Changes>,
}

struct Waiting<T> {
    next: u64,
    calls: VecDeque<Call<T>>,
}

struct Call<T> {
    number: u64,
    /// Who has failed it before.
    avoid: Vec<Address>,
    turn: oneshot::Sender<T>,
}

/// A place in the line. Dropped, it is given up.
struct Place<'a, T> {
    line: &'a Line<T>,
    number: u64,
}

impl<T> Line<T> {
    /// Looks at what waits again with each of these changes.
    pub fn new(changes: Arc<Changes>) -> Self {
        Line { waiting: Mutex::new(Waiting { next: 0, calls: VecDeque::new() }), changes }
    }

    pub fn len(&self) -> usize {
        self.changes.waiting()
    }

    /// Waits for its turn, behind those that wait already.
    pub async fn wait(&self, avoid: &[Address]) -> T {
        let (turn, comes) = oneshot::channel();
        let _place = self.join(avoid.to_vec(), turn);
        // What a call waits for may have come since it looked.
        self.changes.happened();
        comes.await.expect("a call leaves the line with its turn, or gives its place up")
    }

    /// Gives calls their turn, in order, up to the first for which there is nothing.
    pub fn serve(&self, turn: impl Fn(&[Address]) -> Option<T>) {
        while let Some(outcome) = self.first().and_then(|avoid| turn(&avoid)) {
            // Outside the lock: what no call takes any more is dropped, and that may be a change.
            let call = self.leave(VecDeque::pop_front);
            drop(call.map(|call| call.turn.send(outcome)));
        }
    }

    fn first(&self) -> Option<Vec<Address>> {
        self.locked().calls.front().map(|call| call.avoid.clone())
    }

    fn join(&self, avoid: Vec<Address>, turn: oneshot::Sender<T>) -> Place<'_, T> {
        let mut waiting = self.locked();
        let number = waiting.next;
        waiting.next += 1;
        waiting.calls.push_back(Call { number, avoid, turn });
        self.changes.wait(waiting.calls.len());
        Place { line: self, number }
    }

    fn leave(&self, take: impl FnOnce(&mut VecDeque<Call<T>>) -> Option<Call<T>>) -> Option<Call<T>> {
        let mut waiting = self.locked();
        let call = take(&mut waiting.calls);
        self.changes.wait(waiting.calls.len());
        call
    }

    fn locked(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Place<'_, T> {
    fn drop(&mut self) {
        let given_up = self.line.leave(|calls| {
            let index = calls.binary_search_by_key(&self.number, |call| call.number).ok()?;
            calls.remove(index)
        });
        drop(given_up);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::FutureExt as _;

    use super::*;

    fn line() -> (Line<u32>, Arc<Changes>) {
        let changes = Arc::new(Changes::default());
        (Line::new(changes.clone()), changes)
    }

    #[test]
    fn serves_in_order_and_stops_at_the_first_for_which_there_is_nothing() {
        let (line, changes) = line();
        let mut calls: Vec<_> = (0..3).map(|_| Box::pin(line.wait(&[]))).collect();
        assert!(calls.iter_mut().all(|call| call.as_mut().now_or_never().is_none()));
        let streams = Cell::new(2);
        line.serve(|_| (streams.get() > 0).then(|| streams.replace(streams.get() - 1)));
        let turns: Vec<_> = calls.iter_mut().map(|call| call.as_mut().now_or_never()).collect();
        assert_eq!((turns, changes.waiting()), (vec![Some(2), Some(1), None], 1));
    }

    #[test]
    fn passes_over_a_call_that_has_left() {
        let (line, changes) = line();
        let mut first = Box::pin(line.wait(&[]));
        let mut second = Box::pin(line.wait(&[]));
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        drop(first);
        assert_eq!(changes.waiting(), 1);
        let streams = Cell::new(1);
        line.serve(|_| (streams.get() > 0).then(|| streams.replace(0)));
        assert_eq!(second.as_mut().now_or_never(), Some(1));
    }
}
