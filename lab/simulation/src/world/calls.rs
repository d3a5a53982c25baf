//! The calls under way, all in one task and polled in the order in which they began: tasks that wait for the same thing
//! would be woken in an order of Tokio's choosing, and a seed would not tell the same story twice.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use super::call::Record;

#[derive(Default)]
pub struct Calls {
    open: Vec<Pin<Box<dyn Future<Output = Record>>>>,
    ended: Vec<Record>,
}

impl Calls {
    pub fn begin(&mut self, call: impl Future<Output = Record> + 'static) {
        self.open.push(Box::pin(call));
    }

    /// Until all have ended.
    pub async fn run(&mut self) {
        poll_fn(|cx| if self.poll(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    pub async fn run_until(&mut self, end: impl Future<Output = ()>) {
        let mut end = pin!(end);
        poll_fn(|cx| {
            self.poll(cx);
            end.as_mut().poll(cx)
        })
        .await;
    }

    /// Those that have ended since, in order.
    pub fn take_ended(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.ended)
    }

    /// Whether none is open.
    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let Calls { open, ended } = self;
        open.retain_mut(|call| match call.as_mut().poll(cx) {
            Poll::Ready(record) => {
                ended.push(record);
                false
            }
            Poll::Pending => true,
        });
        open.is_empty()
    }
}
